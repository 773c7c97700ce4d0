# SPDX-License-Identifier: MIT
"""Is docs/vm.schema.json what the program prints, and do both judge files alike? See schema.sh.

The schema may accept what the program refuses in few cases only, because a schema sees one value at
a time and of a string only its letters. Each has a name here, and every use of it is listed or
recognised: "range" (the limits of a size or time written as a string), "rule" (between keys), "text"
(what is wrong with the JSON text itself), "float" (2.0, which a schema takes for an integer).
The other way round there is no exception.
"""

import functools
import glob
import json
import os
import subprocess
import sys

import jsonschema

candela, root = sys.argv[1:]
schema_path = os.path.join(root, "docs", "vm.schema.json")
schema = json.load(open(schema_path))
validator = jsonschema.Draft7Validator(schema)
failures = []
count = 0


@functools.lru_cache(maxsize=None)
def by_program(text):
    """The program's verdict, and what it says."""
    done = subprocess.run([candela, "check", "-"], input=text.encode(), capture_output=True)
    # What is allowed but hardly meant is a warning.
    said = "\n".join(line for line in done.stderr.decode(errors="replace").splitlines()
                     if not line.startswith("candela: warning: "))
    if done.returncode not in (0, 2) or (done.returncode == 0) != (said == ""):
        failures.append(f"status {done.returncode}, {said!r} for {text[:200]}")
    return done.returncode == 0, said.strip()


def by_schema(text):
    return validator.is_valid(json.loads(text))


def judge(text, expected=None, exception=None):
    """Both verdicts must be the expected one (None: only equal), unless there is an exception."""
    global count
    count += 1
    good, message = by_program(text)
    if exception == "text":
        if good:
            failures.append(f"accepted, although its text is bad: {text[:200]}")
        return
    valid = by_schema(text)
    if exception:
        alike = valid and not good
    else:
        alike = valid == good and expected in (None, good)
    if not alike:
        failures.append(f"schema {'accepts' if valid else 'refuses'}, program says "
                        f"{message or 'nothing'!r}: {text[:200]}")


TABLE = [
    # (good?, exception, text)
    (True, None, '{"boot":{"kernel":"k"}}'),
    (True, None, '{"$schema":"x","boot":{"kernel":"k","initrd":"i","cmdline":"","modules":[]}}'),
    (True, None, '{"boot":{"kernel":"k","modules":[{"path":"a"},{"path":"b","cmdline":"c"}]}}'),
    (True, None, '{"boot":{"kernel":"k"},"cpus":{},"memory":{},"hyperv":{}}'),
    (True, None, '{"boot":{"kernel":"k"},"memory":{"startup":"1GiB"}}'),
    (True, None, '{"boot":{"kernel":"k"},"serial":"unix:x","timeout":"1h"}'),
    (False, None, '{}'),
    (False, None, '{"boot":{}}'),
    (False, None, '{"name":"x"}'),
    (False, None, '{"boot":{"initrd":"i"}}'),
    (False, None, '{"boot":{"kernel":"k","modules":[{"cmdline":"c"}]}}'),
    (False, None, '{"boot":{"kernel":"k"},"memroy":{}}'),
    (False, None, '{"boot":{"kernel":"k"},"cpus.count":1}'),
    (False, None, '{"boot":{"kernel":"k"},"name":".x"}'),
    (False, None, '{"boot":{"kernel":"k"},"memory":{"startup":"1GB"}}'),
    (False, None, '{"boot":{"kernel":"k"},"timeout":"5 m"}'),
    (False, None, '[]'),
    (False, None, 'null'),
    (False, "range", '{"boot":{"kernel":"k"},"memory":{"startup":"1M"}}'),
    (False, "range", '{"boot":{"kernel":"k"},"memory":{"startup":"16777217"}}'),
    (False, "range", '{"boot":{"kernel":"k"},"timeout":"366d"}'),
    (False, "rule", '{"boot":{"kernel":"k"},"memory":{"startup":"17M","huge-pages":"2M"}}'),
    (False, "rule", '{"boot":{"kernel":"k"},"serial":"unix:' + 108 * 'a' + '"}'),
    (False, "float", '{"boot":{"kernel":"k"},"cpus":{"count":2.0}}'),
    (False, "text", '{"boot":{"kernel":"k"},"boot":{"kernel":"k"}}'),
    (False, "text", '{"boot":{"kernel":"k","kernel":"l"}}'),
    (False, "text", '{"boot":{"kernel":"k"}} x'),
    (False, "text", '{"boot":{"kernel":"k"},}'),
    (False, "text", '// hello\n{"boot":{"kernel":"k"}}'),
    (False, "text", '{"boot":{"kernel":"a\\u0000b"}}'),
    (False, "text", '{"boot":{"kernel":"\\ud800"}}'),
    (False, "text", '\ufeff{"boot":{"kernel":"k"}}'),
    (False, "text", ''),
]


def walk(node, path=()):
    """All (path, schema) below; a None in a path is an item of an array."""
    yield path, node
    if node.get("type") == "object":
        for name, inner in node["properties"].items():
            yield from walk(inner, path + (name,))
    elif node.get("type") == "array":
        yield from walk(node["items"], path + (None,))


def smallest(node):
    """A value with what is required in it, and nothing else."""
    if node.get("type") == "object":
        return {name: smallest(node["properties"][name]) for name in node.get("required", [])}
    if node.get("type") == "array":
        return [smallest(node["items"])] * node.get("minItems", 0)
    return "k"


def with_value(node, path, value):
    """The smallest good value of a schema, but with this at the path."""
    if not path:
        return value
    if path[0] is None:
        return [with_value(node["items"], path[1:], value)]
    inner = with_value(node["properties"][path[0]], path[1:], value)
    return dict(smallest(node), **{path[0]: inner})


ANYTHING = [None, True, False, -1, 0, 1, 2, 7, 1.5, 10**18, 10**30, -10**30, "", "x", "X", "1",
            "none", "auto", "512M", "64m", "30s", "true", "\u00e9", "a b", "../x", "a/b", "stdio",
            "file:", "file:x", [], {}, ["x"], [{}], {"x": 1}]


def values_for(node):
    yield from ANYTHING
    if "default" in node:
        yield node["default"]
    if node.get("type") == "array":
        item = smallest(node["items"])
        yield [item] * node["maxItems"]
        yield [item] * (node["maxItems"] + 1)
    for form in node.get("anyOf", [node]):
        yield from form.get("enum", [])
        for limit in "minimum", "maximum":
            if limit in form:
                step = form.get("multipleOf", 1)
                yield from (form[limit] + d for d in (-step, -1, 0, 1, step))
        if "maxLength" in form:
            yield "a" * form["maxLength"]
            yield "a" * (form["maxLength"] + 1)


def exception_for(node, value, text):
    """What the program may refuse although the schema accepts it, of values that nobody listed."""
    good, message = by_program(text)
    if good or not by_schema(text):
        return None
    if ", because " in message:
        return "rule"
    return "range" if isinstance(value, str) and "anyOf" in node else None


made = subprocess.check_output([candela, "check", "--print-schema"])
if json.loads(made) != schema:
    failures.append("docs/vm.schema.json is not what candela check --print-schema prints; renew it")
jsonschema.Draft7Validator.check_schema(schema)

examples = glob.glob(os.path.join(root, "docs", "examples", "*.json"))
if not examples:
    failures.append("no examples found")
for example in examples:
    judge(open(example).read(), True)
    # And from where it is, as a user would check it.
    if subprocess.run([candela, "check", example]).returncode != 0:
        failures.append(f"{example} is refused")

for good, exception, text in TABLE:
    judge(text, good, exception)

for path, node in walk(schema):
    if node.get("type") == "object":
        strange = dict(smallest(node), **{"no-such-key": 1})
        judge(json.dumps(with_value(schema, path, strange)), False)
    for value in values_for(node):
        text = json.dumps(with_value(schema, path, value), ensure_ascii=False)
        judge(text, None, exception_for(node, value, text))

for failure in failures:
    print(failure)
print(f"{count} files judged, {len(failures)} failures")
sys.exit(1 if failures else 0)
