#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What dmidecode says of our SMBIOS structures: it must read both entry points without complaint, and see the machine
# that was asked for.
#
# Usage: dmidecode.sh ACPI_DUMP   (the program built from tests/unit/acpi_dump.c)

set -euo pipefail

PATH=$PATH:/usr/sbin:/sbin
# shellcheck disable=SC2034 # used through eval
dump=$(realpath "${1:?usage: dmidecode.sh ACPI_DUMP}")
if ! command -v dmidecode >/dev/null; then
	echo "skipped: dmidecode is missing (apt-get install dmidecode)"
	exit 77
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
failures=0

fail() {
	printf 'FAIL: %s\n' "$*"
	failures=$((failures + 1))
}

# check OPTIONS LINE...: the tables for these options are read cleanly, and each line is there.
check() {
	local options=$1 version line

	shift
	if ! eval "\"\$dump\" . $options"; then
		fail "$options: no tables"
		return
	fi
	for version in 2 3; do
		if ! dmidecode --from-dump "smbios$version.dat" >out 2>err || [ -s err ]; then
			fail "$options: dmidecode refuses entry point $version: $(head -n 1 err)"
		fi
		if grep -iE 'bad index|out of spec|invalid|truncated|broken|warning|wrong|unknown type|not (fully )?supported\.' out; then
			fail "$options: dmidecode complains about entry point $version"
		fi
		for line in "$@"; do
			grep -qF -- "$line" out || fail "$options: entry point $version: no \"$line\""
		done
	done
	grep -q '^SMBIOS 3\.0\.0 present' out || fail "$options: not SMBIOS 3.0"
	grep -q '^End Of Table' out || fail "$options: no end"
}

check "" "Manufacturer: Microsoft Corporation" "Product Name: Virtual Machine" "Vendor: candela" \
	"UUID: 00112233-4455-6677-8899-aabbccddeeff" "System is a virtual machine" "Core Count: 1" "Size: 256 MB" \
	"Range Size: 256 MB" "Status: No errors detected"
check "microsoft=0 name=web1" "Manufacturer: candela" "Serial Number: web1"
check "'name=two words'" "Serial Number: two words"
check "cpus=255" "Core Count: 255" "Thread Count: 255"
check "cpus=300" "Core Count: 300" "Thread Count: 300"
check "cpus=1024" "Core Count: 1024" "Core Enabled: 1024" "Thread Count: 1024"
check "memory=3072" "Size: 3 GB" "Range Size: 3 GB"
check "memory=4096" "Size: 4 GB" "Starting Address: 0x00100000000" "Range Size: 1 GB"
check "memory=32767" "Size: 32767 MB" "Maximum Capacity: 32767 MB"
check "memory=1048576" "Size: 1 TB" "Maximum Capacity: 1 TB" "Range Size: 1021 GB"
check "memory=8388608" "Size: 8 TB" "Maximum Capacity: 8 TB" "Starting Address: 0x0000000100000000k" "Range Size: 8189 GB"

if [ "$failures" -gt 0 ]; then
	echo "$failures failures"
	exit 1
fi
echo "clean"
