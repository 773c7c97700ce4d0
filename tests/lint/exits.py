#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Only the program ends the process and talks to people; only a few files know JSON.

Code below src/ outside src/candela returns errors, and logs through vmm/log.h. What a guest does can
reach all of it, so none of it may decide that the process ends.
"""

import re
import sys

import tree

CALLS = re.compile(r'(?<![\w.>])(exit|_exit|_Exit|quick_exit|abort|perror|printf|vprintf|puts|putchar|'
                   r'psignal|error_at_line)\s*\(')
STREAMS = re.compile(r'\b(stdout|stderr)\b')
HEADERS = {'err.h': 'errors are returned', 'error.h': 'errors are returned',
           'syslog.h': 'the log is vmm/log.h'}

# Files that may do so: the log writes to standard error.
FREE = ('src/candela/', 'src/vmm/log.c')
# JSON is read and written at the edges; everybody else is given structs.
JSON = re.compile(r'^src/candela/|^src/vmm/(?:config|json)_\w+\.[ch]$')


def check_calls(t, path, text):
    for n, line in enumerate(tree.code(text).split('\n'), 1):
        for match in CALLS.finditer(line):
            t.say(path, n, f'{match.group(1)}(): only src/candela ends the process or prints')
        for match in STREAMS.finditer(line):
            t.say(path, n, f'{match.group(1)}: only src/candela prints')


def main():
    t = tree.open_tree()
    for path in t.c_files('src'):
        text = t.read(path) or ''
        for line, quoted, target in tree.includes(text):
            if target.startswith('json-c/') and not JSON.match(path):
                t.say(path, line, 'json-c: only src/candela and src/vmm/{config,json}_* know JSON')
            if not quoted and target in HEADERS:
                t.say(path, line, f'<{target}>: {HEADERS[target]}')
        if not path.startswith(FREE):
            check_calls(t, path, text)
    return t.verdict()


sys.exit(main())
