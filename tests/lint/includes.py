#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Who may include whom: layers stay layers only while nobody takes a short cut.

Below src/, a quoted path is written from src/, and its first part is the layer:

    vmm          vmm
    hv-enlight   vmm, hv-enlight
    vmbus        vmm, vmbus; and hv-enlight/synic.h from vmbus/transport.c
    devices      vmm, devices; VSPs also vmbus; backends and codecs never a frontend
    balancer     vmm, balancer
    candela      everything
    guest-drivers  its own files, and the wire headers (*_proto.h) of src/
    tests        everything; nobody includes tests

A wire header includes nothing but types, asserts and other wire headers.
"""

import os
import re
import sys

import tree

LAYERS = {
    'vmm': {'vmm'},
    'hv-enlight': {'vmm', 'hv-enlight'},
    'vmbus': {'vmm', 'vmbus'},
    'devices': {'vmm', 'devices'},
    'balancer': {'vmm', 'balancer'},
    'candela': {'vmm', 'hv-enlight', 'vmbus', 'devices', 'balancer', 'candela'},
}

# Single files that may include one more header.
EXCEPTIONS = {('src/vmbus/transport.c', 'hv-enlight/synic.h')}

# The VSPs of src/devices, by the beginning of a file's or a directory's name. A new VSP goes here.
VSP = re.compile(r'^devices/(?:[^/]+/)*(?:storvsp|netvsp|balloon|hvsock|ic)(?:[._/]|$)')

# What works for any frontend: the backends' directories, and the codecs.
BACKEND = re.compile(r'^devices/(?:block|net|char)/|^devices/(?:[^/]+/)*(?:scsi|rndis)(?:[._]|$)')
# Frontends: the VSPs, and the emulated parts of a PC.
FRONTEND = re.compile(VSP.pattern + r'|^devices/pc/')

PROTO_SYSTEM = {'stdint.h', 'stddef.h', 'stdbool.h', 'assert.h'}
PROTO_OWN = {'vmm/base.h'}


def is_proto(path):
    return path.endswith('_proto.h')


def why_not_src(path, target):
    """Why the file at src/@path may not include "@target"; None: it may."""
    layer, other = path.split('/')[0], target.split('/')[0]

    if layer not in LAYERS:
        return f'src/{layer} is no layer known to this test'
    if ('src/' + path, target) in EXCEPTIONS:
        return None
    if BACKEND.match(path) and FRONTEND.match(target) and not is_proto(target):
        return f'a backend or codec includes a frontend ({target})'
    if other == 'vmbus' and VSP.match(path):
        return None
    if other not in LAYERS[layer]:
        return f'{layer} may not include {other} ({target})'
    return None


def check_src(t, path, line, target):
    if not t.exists('src/' + target):
        t.say(path, line, f'"{target}": no such file below src/')
        return
    why = why_not_src(path[len('src/'):], target)
    if why:
        t.say(path, line, why)


def check_guest(t, path, line, target):
    own = ('guest-drivers/' + target, os.path.join(os.path.dirname(path), target))
    if any(t.exists(os.path.normpath(o)) for o in own):
        if os.path.normpath(own[1]).startswith('guest-drivers/') or t.exists(own[0]):
            return
    if not t.exists('src/' + target):
        t.say(path, line, f'"{target}": no such file')
    elif not is_proto(target):
        t.say(path, line, f'a guest includes more of the VMM than wire headers ({target})')


def check_proto(t, path, line, quoted, target):
    allowed = target in PROTO_OWN or is_proto(target) if quoted else target in PROTO_SYSTEM
    if not allowed:
        t.say(path, line, f'a wire header includes {target}')


def main():
    t = tree.open_tree()
    for path in t.c_files('src', 'guest-drivers'):
        for line, quoted, target in tree.includes(t.read(path) or ''):
            if is_proto(path):
                check_proto(t, path, line, quoted, target)
            if '/tests/' in '/' + target and not path.startswith('guest-drivers/'):
                t.say(path, line, f'includes a test ({target})')
            elif quoted and path.startswith('src/'):
                check_src(t, path, line, target)
            elif quoted:
                check_guest(t, path, line, target)
    return t.verdict()


sys.exit(main())
