#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The form of files: licence, size, and what an editor should have seen to.

A file is one idea and a function fits a screen; these limits are where that is surely not so.
"""

import sys

import tree

FILE_LINES = 600      # .c and .h
FUNCTION_LINES = 60   # from its opening brace to its closing one, both in the first column
LINE_COLUMNS = 100    # .c and .h, tabs of 8

C_LICENCE = '// SPDX-License-Identifier: MIT'
H_LICENCE = '/* SPDX-License-Identifier: MIT */'  # also good in headers: assembly may include them
LICENCE = 'SPDX-License-Identifier: MIT'


def check_licence(t, path, lines):
    if path.endswith(('.c', '.h')):
        if lines[0] != C_LICENCE and not (path.endswith('.h') and lines[0] == H_LICENCE):
            t.say(path, 1, f'the first line is not "{C_LICENCE}"')
    elif path.endswith(('.S', '.py', '.sh', '.lds')) or lines[0].startswith('#!'):
        if not any(LICENCE in line for line in lines[:2]):
            t.say(path, 1, f'"{LICENCE}" is not in the first two lines')


def check_c(t, path, text, lines):
    start = None
    if len(lines) > FILE_LINES:
        t.say(path, 0, f'{len(lines)} lines, more than {FILE_LINES}: split it')
    if path.endswith('.h') and '#pragma once' not in lines:
        t.say(path, 0, 'a header without #pragma once')
    for n, line in enumerate(tree.code(text).split('\n'), 1):
        if line.startswith('{'):
            start = n
        elif line.startswith('}') and start:
            if n - start + 1 > FUNCTION_LINES:
                t.say(path, start, f'a function of {n - start + 1} lines, more than {FUNCTION_LINES}')
            start = None
    for n, line in enumerate(lines, 1):
        width = len(line.expandtabs(8))
        if width > LINE_COLUMNS:
            t.say(path, n, f'{width} columns, more than {LINE_COLUMNS}')


def main():
    t = tree.open_tree()
    for path in t.files():
        text = t.read(path)
        if text is None:
            continue
        lines = text.split('\n')
        if lines.pop() != '':
            t.say(path, 0, 'empty, or no newline at the end')
            continue
        check_licence(t, path, lines)
        for n, line in enumerate(lines, 1):
            if line != line.rstrip():
                t.say(path, n, 'white space at the end of the line')
        if path.endswith(('.c', '.h')):
            check_c(t, path, text, lines)
    return t.verdict()


sys.exit(main())
