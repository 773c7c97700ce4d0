#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The C files are laid out as clang-format lays them out. Tables that are better aligned by hand stand between
# "// clang-format off" and "// clang-format on".
#
# Usage: format.sh SOURCE-ROOT

set -euo pipefail

# Other versions lay out the same settings differently.
want=14

cd "${1:?usage: format.sh SOURCE-ROOT}"
format=
for program in clang-format-$want clang-format; do
	if "$program" --version 2>/dev/null | grep -q " version $want\\."; then
		format=$program
		break
	fi
done
if [ -z "$format" ]; then
	echo "skipped: clang-format $want is missing (apt-get install clang-format-$want)"
	exit 77
fi

list=$(mktemp)
trap 'rm -f "$list"' EXIT
find src tests guest-drivers -type f -name '*.[ch]' -print0 | sort -z >"$list"
count=$(tr -cd '\0' <"$list" | wc -c)
if [ "$count" -eq 0 ]; then
	echo "no files found"
	exit 1
fi
different=$(xargs -0 -n 16 -P "$(nproc)" "$format" --style=file --dry-run <"$list" 2>&1 |
	sed -n 's/^\([^:]*\):[0-9]*:[0-9]*: warning: .*/\1/p' | sort -u)
if [ -n "$different" ]; then
	printf '%s\n' "$different"
	echo "$(wc -l <<<"$different") of $count files differ; see: $format FILE | diff FILE -"
	exit 1
fi
echo "ok: $count files"
