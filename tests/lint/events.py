#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/events.md has a row for every event of src/vmm/event.c, in its order, and says the same of it.

And each is made somewhere.
"""

import re
import sys

import tree

CODE = 'src/vmm/event.c'
DOCS = 'docs/events.md'


def in_code(text):
    rows = re.findall(r'\[(EVENT_\w+)\] = \{"([a-z-]+)", EVENT_(\w+), (true|false)\}', text)
    return [(name, severity.lower(), 'guest' if guest == 'true' else '') for _, name, severity, guest in rows]


def in_docs(text):
    table = text[text.index('\n## The events'):text.index("\n## The log's file")]
    rows = re.findall(r'^\| `([a-z-]+)` \| (\w+) \| (\w*) ?\| (.+) \|$', table, re.M)
    return [(name, severity, guest) for name, severity, guest, _ in rows]


def main():
    t = tree.open_tree()
    t.checked += 1
    if not t.exists(CODE):
        return t.verdict()
    code, docs = in_code(t.read(CODE)), in_docs(t.read(DOCS)) if t.exists(DOCS) else []
    enum = re.findall(r'^\t(EVENT_\w+),$', t.read('src/vmm/event.h'), re.M)
    if len(code) != len(enum):
        t.say(CODE, 0, f'{len(code)} rows that can be read, and {len(enum)} events in event.h')
    made = ''.join(t.read(path) for path in t.c_files('src') if not path.startswith('src/vmm/event.'))
    for name in enum:
        if name != 'EVENT_COUNT' and not re.search(rf'\b{name}\b', made):
            t.say(CODE, 0, f'nobody makes {name}')
    for row in code:
        if row not in docs:
            t.say(DOCS, 0, f'no row that says: {row}')
    for row in docs:
        if row not in code:
            t.say(DOCS, 0, f'a row that {CODE} does not have: {row}')
    if sorted(code) == sorted(docs) and code != docs:
        t.say(DOCS, 0, f'the rows are not in the order of {CODE}')
    return t.verdict()


sys.exit(main())
