#!/bin/sh
# SPDX-License-Identifier: MIT
#
# docs/vm.schema.json and the program say the same of every configuration file: the file is what the
# program prints, and both accept and refuse the same (schema.py: examples, a table, and for every
# key in the schema a row of values).
#
#	schema.sh CANDELA SOURCE_ROOT
#
# Exit status: 0 yes, 1 no, 77 not everything could be looked at.
set -eu

candela=$1
root=$2
here=$(dirname "$0")

if ! python3 -c 'import jsonschema' 2>/dev/null; then
	# As much as can be seen without it: the file is the generator's.
	python3 - "$candela" "$root" <<-'END'
	import json, subprocess, sys
	made = json.loads(subprocess.check_output([sys.argv[1], "check", "--print-schema"]))
	if made != json.load(open(sys.argv[2] + "/docs/vm.schema.json")):
	    sys.exit("docs/vm.schema.json is not what candela check --print-schema prints; renew it")
	END
	echo "skipped: python3-jsonschema is not installed, so no file was judged by the schema"
	exit 77
fi
exec python3 "$here/schema.py" "$candela" "$root"
