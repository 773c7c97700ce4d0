# SPDX-License-Identifier: MIT
"""What the lint tests share: the files of the tree, C without its comments, and the verdict.

A lint test is run as "NAME.py SOURCE-ROOT". It prints one line "path:line: what is wrong" for each
finding and exits with 0 if there is none, else with 1.
"""

import os
import re
import sys

# Where files of the project are. Everything else below the root is a build or somebody's notes.
TOP = ('src', 'guest-drivers', 'tests', 'docs', 'tools', '.ci')
TOP_FILES = ('meson.build', 'meson_options.txt', 'README.md', '.clang-format', '.clang-tidy',
             '.editorconfig', '.gitignore')
SKIPPED = ('tests/fuzz/corpus',)  # arbitrary bytes


class Tree:
    def __init__(self, root):
        self.root = os.path.abspath(root)
        if not os.path.isdir(os.path.join(self.root, 'src')):
            sys.exit(f'{root}: not the root of the sources')
        self.findings = 0
        self.checked = 0

    def files(self, *tops):
        """Paths, relative to the root, of all files below the given directories (default: all)."""
        found = [] if tops else [f for f in TOP_FILES if os.path.isfile(os.path.join(self.root, f))]
        for top in tops or TOP:
            for where, dirs, names in os.walk(os.path.join(self.root, top)):
                rel = os.path.relpath(where, self.root)
                dirs[:] = sorted(d for d in dirs if d != '__pycache__' and
                                 os.path.join(rel, d) not in SKIPPED)
                found += [os.path.join(rel, n) for n in names
                          if not os.path.islink(os.path.join(where, n))]
        return sorted(found)

    def c_files(self, *tops):
        return [f for f in self.files(*tops) if f.endswith(('.c', '.h'))]

    def read(self, path):
        """The text of a file; None when it is no text."""
        self.checked += 1
        with open(os.path.join(self.root, path), 'rb') as f:
            data = f.read()
        if b'\0' in data:
            return None
        try:
            return data.decode()
        except UnicodeDecodeError:
            self.say(path, 0, 'not UTF-8')
            return None

    def exists(self, path):
        return os.path.isfile(os.path.join(self.root, path))

    def say(self, path, line, text):
        self.findings += 1
        print(f'{path}:{line}: {text}' if line else f'{path}: {text}')

    def verdict(self):
        """Ends the test. One that looked at nothing has not passed."""
        if self.findings:
            print(f'{self.findings} findings')
        elif not self.checked:
            print('no files found')
        else:
            print(f'ok: {self.checked} files')
        return 1 if self.findings or not self.checked else 0


def open_tree():
    if len(sys.argv) != 2:
        sys.exit(f'usage: {os.path.basename(sys.argv[0])} SOURCE-ROOT')
    return Tree(sys.argv[1])


_NOT_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def code(text, keep_strings=False):
    """C text with comments and the insides of strings blanked out; lines stay where they are."""
    def blank(match):
        piece = match.group(0)
        if piece[0] in '"\'':
            return piece if keep_strings else piece[0] + ' ' * (len(piece) - 2) + piece[0]
        return re.sub(r'[^\n]', ' ', piece)
    return _NOT_CODE.sub(blank, text)


_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.M)


def includes(text):
    """(line, whether quoted, path) of each #include."""
    text = code(text, keep_strings=True)
    return [(text.count('\n', 0, m.start()) + 1, m.group(1) == '"', m.group(2))
            for m in _INCLUDE.finditer(text)]
