#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every source file has a test: src/**/NAME.c has tests/unit/test_NAME.c or test_NAME_*.c.

Otherwise it is in untested.txt beside this script, one "path: reason" a line; a reason of the form
"covered by PATH" names a file that must exist. Entries that are not needed any more are findings.
"""

import os
import re
import sys

import tree

LIST = 'tests/lint/untested.txt'


def read_list(t):
    reasons = {}
    if not t.exists(LIST):
        return reasons
    for n, line in enumerate(t.read(LIST).split('\n'), 1):
        path, _, reason = line.partition(':')
        reason = reason.strip()
        if not line.strip() or line.startswith('#'):
            continue
        if not reason:
            t.say(LIST, n, 'not of the form "path: reason"')
        elif path in reasons:
            t.say(LIST, n, f'{path} is there twice')
        elif not t.exists(path):
            t.say(LIST, n, f'{path}: no such file')
        cover = re.match(r'covered by (\S+)', reason)
        if cover and not t.exists(cover.group(1).rstrip(';,.')):
            t.say(LIST, n, f'{cover.group(1)}: no such file')
        reasons[path] = n
    return reasons


def main():
    t = tree.open_tree()
    reasons = read_list(t)
    tests = [os.path.basename(f) for f in t.c_files('tests/unit') if f.endswith('.c')]
    for path in t.c_files('src'):
        if not path.endswith('.c'):
            continue
        t.checked += 1
        stem = os.path.basename(path)[:-len('.c')]
        has_test = any(test == f'test_{stem}.c' or test.startswith(f'test_{stem}_')
                       for test in tests)
        if has_test and path in reasons:
            t.say(LIST, reasons[path], f'{path} has a test now: take it off the list')
        elif not has_test and path not in reasons:
            t.say(path, 0, f'no tests/unit/test_{stem}.c, and no reason in {LIST}')
    return t.verdict()


sys.exit(main())
