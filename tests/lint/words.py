#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Words that have no place in the tree: notes to ourselves, and how or where it is being made.

Everybody's files are for readers who have only the tree. Patterns are chosen not to misfire; one
that does is made narrower here.
"""

import re
import sys

import tree

PATTERNS = [
    # Work left over: do it, or say in words what the limit is.
    (r'\b(?:TODO|FIXME|XXX|HACK)\b', 'a note to ourselves'),
    # Paths of one machine. Not "$dir/work", which is somebody's own directory.
    (r'(?:^|[\s"\'`=(<:])/(?:work|farm)(?:/|\b)', 'a path of one machine'),
    (r'/home/[a-z]', 'a path of one machine'),
    (r'/tmp/(?:build|conventions)\b', 'a path of one machine'),
    # Trackers and notes that a reader does not have.
    (r'(?i)\bissues? #\d', 'an issue number: say what it was about'),
    (r'(?i)\b(?:seeds-checklist|style|security|peers|baseline)\.md\b',
     'a document that is not in the tree'),
    # How it is made.
    (r'(?i)\bsub-?agents?\b|\bhelper agents?\b|\b(?:ai|coding) (?:agent|assistant)s?\b',
     'how it is made'),
    (r'(?i)\b(?:llms?|language models?|claude|anthropic|openai|chatgpt|copilot)\b',
     'how it is made'),
    (r'(?i)\b(?:coding|development|work(?:ing)?) sessions?\b', 'how it is made'),
    (r'(?i)^co-authored-by:', 'how it is made'),
]

COMPILED = [(re.compile(pattern), why) for pattern, why in PATTERNS]


def main():
    t = tree.open_tree()
    for path in t.files():
        if path == 'tests/lint/words.py':
            continue
        for n, line in enumerate((t.read(path) or '').split('\n'), 1):
            for pattern, why in COMPILED:
                match = pattern.search(line)
                if match:
                    t.say(path, n, f'"{match.group(0).strip()}": {why}')
    return t.verdict()


sys.exit(main())
