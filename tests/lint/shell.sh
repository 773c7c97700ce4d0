#!/bin/bash
# SPDX-License-Identifier: MIT
#
# No shell script of the tree, with or without ".sh" in its name, makes shellcheck complain.
#
# Usage: shell.sh SOURCE-ROOT

set -euo pipefail

cd "${1:?usage: shell.sh SOURCE-ROOT}"
if ! command -v shellcheck >/dev/null; then
	echo "skipped: shellcheck is missing (apt-get install shellcheck)"
	exit 77
fi

scripts=()
while IFS= read -r -d '' file; do
	first=
	IFS= read -r first <"$file" 2>/dev/null || true
	if [[ $file = *.sh || $first =~ ^\#!.*[/[:blank:]](ba|da)?sh([[:blank:]]|$) ]]; then
		scripts+=("$file")
	fi
done < <(find .ci tools tests guest-drivers docs -type f -size -256k -not -path 'tests/fuzz/corpus/*' -print0 2>/dev/null)

if [ ${#scripts[@]} -eq 0 ]; then
	echo "no scripts found"
	exit 1
fi
# SC2317: version 0.9 takes functions that are called by a trap or a variable's value for unreachable.
shellcheck --exclude=SC2317 "${scripts[@]}"
echo "ok: ${#scripts[@]} scripts"
