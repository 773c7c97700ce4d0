#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every wire header compiles alone, hosted and freestanding, so that a guest can use it too.

$CC is the compiler (default: cc).
"""

import os
import shlex
import subprocess
import sys

import tree

FLAGS = ['-std=gnu17', '-Wall', '-Wextra', '-Wundef', '-Werror', '-fsyntax-only']


def main():
    t = tree.open_tree()
    compiler = shlex.split(os.environ.get('CC', 'cc'))
    for path in t.c_files('src'):
        if not path.endswith('_proto.h'):
            continue
        t.checked += 1
        for more in ([], ['-ffreestanding']):
            run = subprocess.run(compiler + FLAGS + more + ['-I', 'src', '-x', 'c', '-'], cwd=t.root,
                                 input=f'#include "{path[len("src/"):]}"\n', text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            if run.returncode:
                t.say(path, 0, ' '.join(['does not compile alone'] + more))
                print(run.stdout, end='')
    return t.verdict()


sys.exit(main())
