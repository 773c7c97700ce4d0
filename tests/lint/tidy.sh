#!/bin/bash
# SPDX-License-Identifier: MIT
#
# clang-tidy finds nothing in any C file that the build compiles. What it looks for, and what not and why, is in
# .clang-tidy. It takes one to two seconds a file and processor.
#
# Usage: tidy.sh SOURCE-ROOT BUILD-DIR [PATH-PART...]   (only files whose path contains one of the parts)

set -euo pipefail

usage="usage: tidy.sh SOURCE-ROOT BUILD-DIR [PATH-PART...]"
root=$(realpath "${1:?$usage}")
build=$(realpath "${2:?$usage}")
shift 2

# The checks differ from version to version.
want=14
tidy=
for program in clang-tidy-$want clang-tidy; do
	if "$program" --version 2>/dev/null | grep -q " version $want\\."; then
		tidy=$program
		break
	fi
done
if [ -z "$tidy" ]; then
	echo "skipped: clang-tidy $want is missing (apt-get install clang-tidy-$want)"
	exit 77
fi
if [ ! -f "$build/compile_commands.json" ]; then
	echo "skipped: $build has no compile_commands.json"
	exit 77
fi

list_files() {
	python3 - "$root" "$build" "$@" <<'END'
import json
import os
import sys

root, build, parts = sys.argv[1], sys.argv[2], sys.argv[3:]
found = set()
with open(os.path.join(build, 'compile_commands.json')) as f:
    for entry in json.load(f):
        path = os.path.realpath(os.path.join(entry['directory'], entry['file']))
        name = os.path.relpath(path, root)
        if (name.endswith('.c') and name.startswith(('src/', 'guest-drivers/', 'tests/')) and
                (not parts or any(part in name for part in parts))):
            found.add(path)
sys.stdout.write(''.join(path + '\0' for path in sorted(found)))
END
}

list=$(mktemp)
trap 'rm -f "$list"' EXIT
list_files "$@" >"$list"
count=$(tr -cd '\0' <"$list" | wc -c)
if [ "$count" -eq 0 ]; then
	echo "no files found"
	exit 1
fi
# The compiler that the build is for may know options that clang does not.
if ! xargs -0 -n 4 -P "$(nproc)" "$tidy" -p "$build" --quiet --config-file="$root/.clang-tidy" \
	--extra-arg=-Wno-unknown-warning-option --extra-arg=-Qunused-arguments <"$list" 2>/dev/null; then
	echo "findings in some of $count files"
	exit 1
fi
echo "ok: $count files"
