#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The lint tests find what they are there to find, and nothing in a small tree that is as it should be."""

import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SPDX = '// SPDX-License-Identifier: MIT\n'

GOOD = {
    'src/vmm/base.h': SPDX + '#pragma once\n#include <stdint.h>\n',
    'src/vmm/mem.c': SPDX + '#include "vmm/base.h"\n/* exit(1) */\nint x(void)\n{\n\treturn 1;\n}\n',
    'src/vmm/asm.h': '/* SPDX-License-Identifier: MIT */\n#pragma once\n',
    'src/vmm/acpi_proto.h': SPDX + '#pragma once\n#include <stdint.h>\n',
    'src/hv-enlight/synic.h': SPDX + '#pragma once\n#include "vmm/base.h"\n',
    'src/vmbus/ring.h': SPDX + '#pragma once\n#include "vmm/base.h"\n',
    'src/vmbus/transport.c': SPDX + '#include "hv-enlight/synic.h"\n#include "vmbus/ring.h"\n',
    'src/devices/storvsp.h': SPDX + '#pragma once\n#include "vmbus/ring.h"\n',
    'src/devices/ic/shutdown.c': SPDX + '#include "vmbus/ring.h"\n',
    'src/devices/scsi.c': SPDX + '#include "devices/block/block.h"\n',
    'src/devices/block/block.h': SPDX + '#pragma once\n',
    'src/candela/main.c': SPDX + '#include <json-c/json.h>\n#include "devices/storvsp.h"\n'
                          'int main(void)\n{\n\tputs("");\n\treturn 0;\n}\n',
    'guest-drivers/kit/kit.h': SPDX + '#pragma once\n#include "vmm/acpi_proto.h"\n',
    'guest-drivers/kit/kit.c': SPDX + '#include "kit/kit.h"\n#include "kit.h"\n',
    'tests/unit/test_mem.c': SPDX,
    'tests/unit/test_transport_more.c': SPDX,
    'tests/lint/untested.txt': '# Why.\nsrc/devices/ic/shutdown.c: covered by tests/unit/test_mem.c\n'
                               'src/devices/scsi.c: an example\nsrc/candela/main.c: an example\n',
    'tools/x': '#!/bin/sh\n# SPDX-License-Identifier: MIT\nexit 0\n',
}

LONG_FUNCTION = 'int f(void)\n{\n' + '\t;\n' * 59 + '}\n'

# The layout that the format test compares with.
with open(os.path.join(HERE, '../../.clang-format'), encoding='utf-8') as layout:
    GOOD['.clang-format'] = layout.read()

# A lint test, files that differ from the good ones (None: not there), and a part of what it must say.
EVENT_C = SPDX + '#include "vmm/event.h"\n\t[EVENT_RUNNING] = {"running", EVENT_INFO, false},\n'
EVENT_H = SPDX + '#pragma once\n\tEVENT_RUNNING,\n'
EVENT_DOCS = '\n## The events\n| `%s` | info | %s| x |\n\n## The log\'s file\n'

BAD = [
    ('events', {'src/vmm/event.c': EVENT_C, 'src/vmm/event.h': EVENT_H}, 'no row that says'),
    ('events', {'src/vmm/event.c': EVENT_C, 'src/vmm/event.h': EVENT_H, 'docs/events.md': EVENT_DOCS % ('running', '')},
     'nobody makes EVENT_RUNNING'),
    ('events', {'src/vmm/event.c': EVENT_C, 'src/vmm/event.h': EVENT_H + '\tEVENT_PAUSED,\n',
                'docs/events.md': EVENT_DOCS % ('running', '')}, 'and 2 events in event.h'),
    ('events', {'src/vmm/event.c': EVENT_C, 'src/vmm/event.h': EVENT_H,
                'docs/events.md': EVENT_DOCS % ('running', 'guest ')}, 'does not have'),
    ('includes', {'src/vmm/mem.c': SPDX + '#include "devices/storvsp.h"\n'}, 'vmm may not include devices'),
    ('includes', {'src/vmbus/ring.h': SPDX + '#include "hv-enlight/synic.h"\n'}, 'vmbus may not include hv-enlight'),
    ('includes', {'src/devices/scsi.c': SPDX + '#include "devices/storvsp.h"\n'}, 'includes a frontend'),
    ('includes', {'src/devices/block/block.h': SPDX + '#include "vmbus/ring.h"\n'}, 'devices may not include vmbus'),
    ('includes', {'src/devices/pc_icon.c': SPDX + '#include "vmbus/ring.h"\n'}, 'devices may not include vmbus'),
    ('includes', {'src/balancer/a.c': SPDX + '#include "devices/storvsp.h"\n'}, 'balancer may not include devices'),
    ('includes', {'src/vmm/mem.c': SPDX + '  #  include "mem.h"\n'}, 'no such file below src/'),
    ('includes', {'src/vmm/mem.c': SPDX + '#include "../tests/unit/x.h"\n'}, 'includes a test'),
    ('includes', {'src/new/a.c': SPDX + '#include "vmm/base.h"\n'}, 'no layer known'),
    ('includes', {'guest-drivers/kit/kit.c': SPDX + '#include "vmm/base.h"\n'}, 'more of the VMM than wire headers'),
    ('includes', {'guest-drivers/kit/kit.c': SPDX + '#include "nothing.h"\n'}, 'no such file'),
    ('includes', {'src/vmm/acpi_proto.h': SPDX + '#include <stdio.h>\n'}, 'a wire header includes stdio.h'),
    ('includes', {'src/vmm/acpi_proto.h': SPDX + '#include "vmm/mem.h"\n'}, 'a wire header includes vmm/mem.h'),
    ('files', {'src/vmm/mem.c': '/* x */\n' + SPDX}, 'the first line is not'),
    ('files', {'tools/x': '#!/bin/sh\nexit 0\n'}, 'not in the first two lines'),
    ('files', {'src/vmm/base.h': SPDX}, 'without #pragma once'),
    ('files', {'src/vmm/mem.c': SPDX + 'int x; \n'}, 'white space at the end'),
    ('files', {'src/vmm/mem.c': SPDX + 'int x;'}, 'no newline at the end'),
    ('files', {'src/vmm/mem.c': SPDX + '\n' * 600}, '601 lines'),
    ('files', {'src/vmm/mem.c': SPDX + LONG_FUNCTION}, 'a function of 61 lines'),
    ('files', {'src/vmm/mem.c': SPDX + '\t' * 12 + 'x' * 5 + '\n'}, '101 columns'),
    ('words', {'src/vmm/mem.c': SPDX + '/* ' + 'TO' + 'DO: more */\n'}, 'a note to ourselves'),
    ('words', {'tools/x': 'cd /wo' + 'rk/main\n'}, 'a path of one machine'),
    ('words', {'README.md': 'See iss' + 'ue #12.\n'}, 'an issue number'),
    ('exits', {'src/vmm/mem.c': SPDX + 'void f(void)\n{\n\texit(1);\n}\n'}, 'exit()'),
    ('exits', {'src/vmm/mem.c': SPDX + 'void f(void)\n{\n\tfprintf(stderr, "");\n}\n'}, 'stderr'),
    ('exits', {'src/vmm/mem.c': SPDX + '#include <json-c/json.h>\n'}, 'json-c'),
    ('exits', {'src/vmm/mem.c': SPDX + '#include <err.h>\n'}, 'errors are returned'),
    ('proto', {'src/vmm/acpi_proto.h': SPDX + '#pragma once\nuint8_t x;\n'}, 'does not compile alone'),
    ('proto', {'src/vmm/acpi_proto.h': None}, 'no files found'),
    ('tests-exist', {'src/vmm/bus.c': SPDX}, 'no tests/unit/test_bus.c'),
    ('tests-exist', {'tests/unit/test_mem.c': None, 'tests/unit/test_memory.c': SPDX}, 'no tests/unit/test_mem.c'),
    ('tests-exist', {'tests/unit/test_scsi.c': SPDX}, 'take it off the list'),
    ('tests-exist', {'src/devices/scsi.c': None}, 'no such file'),
    ('tests-exist', {'tests/lint/untested.txt': 'src/devices/scsi.c:\n'}, 'not of the form'),
    ('format', {'src/vmm/mem.c': SPDX + 'int  x;\n'}, 'src/vmm/mem.c'),
    ('shell', {'tools/x': '#!/bin/sh\necho $*\n'}, 'SC2048'),
]

failures = 0


def fail(text):
    global failures
    failures += 1
    print('FAIL:', text)


def run(lint, files):
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            if text is None:
                continue
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, 'w', encoding='utf-8') as f:
                f.write(text)
        script = os.path.join(HERE, lint)
        command = [sys.executable, '-B', script + '.py'] if os.path.exists(script + '.py') else [script + '.sh']
        return subprocess.run(command + [root], text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def main():
    skipped = set()
    for lint in dict.fromkeys(row[0] for row in BAD):
        done = run(lint, GOOD)
        if done.returncode == 77:
            skipped.add(lint)
            print(f'not tested: {lint}: {done.stdout.strip()}')
        elif done.returncode:
            fail(f'{lint} on a good tree: {done.stdout}')
    for lint, files, words in BAD:
        if lint in skipped:
            continue
        done = run(lint, {**GOOD, **files})
        if done.returncode != 1 or words not in done.stdout:
            fail(f'{lint} of {files}: status {done.returncode}, no "{words}" in: {done.stdout}')
    print(f'{failures} failures' if failures else f'ok: {len(BAD)} bad trees')
    return 1 if failures else 0


sys.exit(main())
