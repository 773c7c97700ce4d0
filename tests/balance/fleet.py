# SPDX-License-Identifier: MIT
"""VMs that are not there: control sockets that answer "memory" and "memory.target" as VMs do, for
tests of candela balance. A fleet is one process; each VM may be told to misbehave."""

import fcntl
import json
import os
import selectors
import socket
import threading

MiB = 1 << 20
GiB = 1 << 30


class Vm:
    """Behaviour is in attributes, which a test changes while the fleet runs."""

    def __init__(self, fleet, name, **members):
        self.name = name
        self.path = os.path.join(fleet.dir, name + '.sock')
        self.hangs = False        # takes requests and never answers
        self.refuses = False      # no target is good enough
        self.babbles = False      # sends a lot that nobody asked for
        self.raw = None           # says this instead of a result
        self.slow = False         # answers "memory" no more once it has been sent a target
        self.limit = None         # takes no target above this
        self.stuck = False        # takes targets, and does not move
        self.targets = []         # that it was sent
        self.asked = 0
        self.waiting = []
        self.memory = {
            'static': False, 'startup': 512 * MiB, 'minimum': 256 * MiB, 'maximum': 4 * GiB,
            'buffer': 20, 'weight': 5000, 'assigned': 512 * MiB, 'target': 512 * MiB,
            'demand': 256 * MiB, 'available': None, 'pressure': None, 'floor': 0, 'driver': True,
            'version': '3.0', 'report-age-ns': 0, 'grace-left-ns': 0, 'add-operations': 0,
            'remove-operations': 0, 'add-bytes': 0, 'remove-bytes': 0, 'buffer-hits': 0,
            'buffer-misses': 0, 'host-rss': None, 'moving': False, 'refusals': 0}
        self.memory.update(members)
        self.memory['target'] = members.get('target', self.memory['assigned'])
        self.lock = open(self.path + '.lock', 'w')
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        self.listener.listen(64)
        self.listener.setblocking(False)
        self.clients = []

    def result_of(self, request):
        m = self.memory
        if request['method'] == 'memory':
            self.asked += 1
            answer = dict(m)
            if answer['host-rss'] is None:
                answer['host-rss'] = m['assigned']
            if isinstance(answer['demand'], int) and isinstance(m['assigned'], int):
                answer['pressure'] = answer['demand'] * 100 // max(m['assigned'], 1)
            return answer
        if request['method'] == 'memory.target':
            target = request['params']['bytes']
            if self.limit:
                target = min(target, self.limit)
            assert isinstance(request['params']['reason'], str)
            self.targets.append(target)
            m['target'] = target
            if not self.stuck:
                if target > m['assigned']:
                    m['add-operations'] += 1
                    m['add-bytes'] += target - m['assigned']
                elif target < m['assigned']:
                    m['remove-operations'] += 1
                    m['remove-bytes'] += m['assigned'] - target
                m['assigned'] = target
            return {'target': target}
        return None

    def answer(self, line):
        request = json.loads(line)
        if self.hangs or (self.slow and self.targets):
            return b''
        if self.raw is not None:
            return self.raw.replace(b'ID', str(request['id']).encode())
        reply = {'jsonrpc': '2.0', 'id': request['id']}
        if self.refuses and request['method'] == 'memory.target':
            reply['error'] = {'code': -32000, 'message': 'not now'}
        else:
            result = self.result_of(request)
            if result is None:
                reply['error'] = {'code': -32601, 'message': 'no such method'}
            else:
                reply['result'] = result
        return json.dumps(reply).encode() + b'\n'

    def close(self):
        for client in self.clients + [self.listener]:
            client.close()
        for path in (self.path, self.path + '.lock'):
            try:
                os.unlink(path)
            except FileNotFoundError:
                pass
        self.lock.close()


class Fleet:
    """All VMs of a directory, served by a thread."""

    def __init__(self, runtime):
        self.dir = os.path.join(runtime, 'candela')
        os.makedirs(self.dir, mode=0o700, exist_ok=True)
        self.vms = {}
        self.selector = selectors.DefaultSelector()
        self.wake, other = socket.socketpair()
        self.guard = threading.RLock()
        self.selector.register(other, selectors.EVENT_READ, None)
        self.ending = False
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def add(self, name, **members):
        with self.guard:
            vm = Vm(self, name, **members)
            self.vms[name] = vm
            self.selector.register(vm.listener, selectors.EVENT_READ, (vm, None))
        self.wake.send(b'x')
        return vm

    def remove(self, name):
        with self.guard:
            vm = self.vms.pop(name)
            for s in vm.clients + [vm.listener]:
                self.selector.unregister(s)
            vm.close()

    def end(self):
        self.ending = True
        self.wake.send(b'x')
        self.thread.join()
        for name in list(self.vms):
            self.remove(name)

    def serve(self):
        while not self.ending:
            for key, _ in self.selector.select(0.2):
                with self.guard:
                    if key.fileobj.fileno() >= 0:
                        self.serve_one(key)

    def serve_one(self, key):
        if key.data is None:
            key.fileobj.recv(100)
            return
        vm, buffer = key.data
        if buffer is None:
            client, _ = key.fileobj.accept()
            client.setblocking(False)
            vm.clients.append(client)
            self.selector.register(client, selectors.EVENT_READ, (vm, bytearray()))
            return
        try:
            data = key.fileobj.recv(65536)
            if data and vm.babbles:
                key.fileobj.send(b'{"babble":1}\n' * 10000)
        except OSError:
            data = b''
        if not data:
            self.selector.unregister(key.fileobj)
            vm.clients.remove(key.fileobj)
            key.fileobj.close()
            return
        buffer += data
        while b'\n' in buffer:
            line, _, rest = bytes(buffer).partition(b'\n')
            buffer[:] = rest
            try:
                key.fileobj.send(vm.answer(line))
            except OSError:
                pass
