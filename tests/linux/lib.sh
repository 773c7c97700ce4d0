# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What the scripts of this directory share: where things are, the way into the emulated host, running candela, and the
# report. A script sources this, calls "begin", then "try" for each case, then "finish".
#
# A case is a function. It runs candela once or more and says what must hold with expect*; what does not hold is noted with
# "fail", and the case goes on, so that one run shows all that is wrong. Nothing in it waits without a limit.

set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
top=$(cd "$here/../.." && pwd -P)

usage() {
	cat <<END
Usage: tests/linux/$(basename "$0") [--build DIR] [--list] [CASE...]

Run the cases (default: all; a CASE may be a pattern such as 'cloud-*') and print
TAP. Exit status: 0 if none failed, 1, or 77 with the reason if nothing can run.
Runs itself on the emulated host where this machine's own KVM cannot run Linux.

  --build DIR   where candela is built (default \$CANDELA_BUILD, else build)
  --list        only print the names of the cases

Environment: LINUX_TEST_LIMIT, seconds after which candela gives up a guest
(default $guest_limit); CANDELA_LONG, not empty: more cases;
LINUX_TEST_QUICK, not empty: on an emulated host, fewer.
END
}

guest_limit=${LINUX_TEST_LIMIT:-240}
build=${CANDELA_BUILD:-$top/build}
patterns=()
list=no
number=0
reported=0
failed=0
skipped=0
tmp=
pids=()

skip_all() {
	echo "1..0 # SKIP $*"
	exit 77
}

die() {
	echo "Bail out! $*"
	exit 1
}

# Ends what a case left running; its output goes away with the directory.
clean_up() {
	local pid

	# A child of this shell that a signal ends before it is itself would do this, too.
	[ "$BASHPID" = $$ ] || return
	for pid in ${pids[@]+"${pids[@]}"}; do
		kill -KILL "$pid" 2>/dev/null
	done
	[ -z "$tmp" ] || rm -rf "$tmp"
}

# Where there is no KVM to run Linux: the same command again, on the emulated host.
enter_rig() {
	local why again status said tries

	[ "${CANDELA_IN_RIG:-}" != 1 ] || return 0
	why=$("$top/tests/rig/rig" --needed) || return 0
	why=$("$top/tests/rig/rig" --prepare 2>&1) || skip_all "${why//$'\n'/ }"
	again=("$top/tests/rig/rig" --share "$build" --timeout "${LINUX_TEST_RIG_LIMIT:-3600}" --env LINUX_TEST_LIMIT
		--env CANDELA_LONG --env LINUX_TEST_QUICK "$here/$(basename "$0")" --build "$build"
		${patterns[@]+"${patterns[@]}"})
	[ ! -t 1 ] || exec "${again[@]}"
	# QEMU's nested virtualization now and then corrupts the kernel of the emulated host. That is no result.
	said=$(mktemp) || die "no file for the report"
	for tries in 1 2 3; do
		status=0
		"${again[@]}" >"$said" || status=$?
		if [ "$status" -ne 125 ] || [ "$tries" -eq 3 ]; then
			break
		fi
		echo "# the emulated host ended by itself, which is no result: once more" >&2
	done
	cat "$said"
	rm -f "$said"
	exit "$status"
}

begin() {
	while [ $# -gt 0 ]; do
		case $1 in
		--build)
			build=${2:?--build wants a directory}
			shift
			;;
		--build=*) build=${1#*=} ;;
		--list) list=yes ;;
		-h | --help)
			usage
			exit 0
			;;
		-*)
			usage >&2
			exit 2
			;;
		*) patterns+=("$1") ;;
		esac
		shift
	done
	[ "$list" = no ] || return 0
	build=$(cd "$build" 2>/dev/null && pwd -P) || die "there is no directory $build: build candela, or say --build DIR"
	candela=$build/src/candela/candela
	[ -x "$candela" ] || die "there is no $candela: build it"
	# What needs the network or is quicker outside.
	why=$("$here/prepare" 2>&1) || skip_all "no guest kernels: ${why//$'\n'/ }"
	enter_rig
	[ -e /dev/kvm ] || skip_all "/dev/kvm is missing"
	# A redirection that fails ends a shell: try it in another one.
	(exec 3<>/dev/kvm) 2>/dev/null || skip_all "/dev/kvm cannot be opened (is this user in the group kvm?)"
	trap clean_up EXIT
	tmp=$(mktemp -d) || die "no directory for scratch files"
	chmod 755 "$tmp"
	cd "$tmp" || die "cannot enter $tmp"
}

# --- guests ---------------------------------------------------------------------------------------------------------

# The files of a kernel: guest_file cloud|generic vmlinuz|vmlinux|version|modules|initramfs; also FLAVOUR initramfs for
# what tests/linux/prepare names, and "debian raw", the image of a whole system.
guest_file() {
	if [ "$2" = initramfs ]; then
		"$here/prepare" --initramfs "$1"
	elif [ "$1" = debian ]; then
		"$here/prepare" --root
	else
		"$top/tools/guest-kernel" --offline --field "$2" "$1"
	fi
}

# A freestanding guest of guest-drivers.
test_guest() {
	echo "$build/guest-drivers/$1.elf"
}

# The most memory that a VM is tried with, in GiB: 1 TiB, or less if the processor cannot address that beside its devices.
most_gib() {
	local bits

	bits=$(sed -n 's/^address sizes.*: \([0-9]*\) bits physical.*/\1/p' /proc/cpuinfo | head -n 1)
	if [ "${bits:-0}" -gt 40 ]; then
		echo 1024
	else
		echo $(((1 << (${bits:-36} - 30)) * 15 / 16))
	fi
}

# The options of "candela run" that boot a Linux: linux_options FLAVOUR 'GUEST COMMAND' [KERNEL PARAMETER...]; sets "options".
# shellcheck disable=SC2034 # "options" is for the caller
linux_options() {
	local flavour=$1 command=$2

	shift 2
	options=(--kernel "$(guest_file "$flavour" vmlinuz)" --initrd "$(guest_file "$flavour" initramfs)"
		--append "console=ttyS0 quiet panic=-1 $* -- $command")
}

# --- running candela ------------------------------------------------------------------------------------------------

# Runs "candela run" to its end. Sets "status"; leaves "raw" (standard output as it came), "out" (the same without carriage
# returns), "err" and "result". Standard input is what the caller redirects.
candela_run() {
	status=0
	timeout --kill-after=5 $((guest_limit + 30)) \
		"$candela" run --timeout "${guest_limit}s" --result result "$@" >raw 2>err || status=$?
	tr -d '\r' <raw >out
}

# The same in the background, reading "input", which this shell keeps open as descriptor 4: type with "echo ... >&4".
candela_start() {
	rm -f input
	mkfifo input
	exec 4<>input
	: >raw
	# A shell has its background commands ignore the terminal's signals.
	env --default-signal=INT,QUIT "$candela" run --timeout "${guest_limit}s" --result result "$@" <input >raw 2>err &
	pid=$!
	pids+=("$pid")
}

# Waits until command "$@" succeeds, as long as candela runs and for $1 seconds at most.
await() {
	local deadline=$((SECONDS + $1))

	shift
	until "$@"; do
		kill -0 "$pid" 2>/dev/null || {
			"$@"
			return
		}
		[ $SECONDS -lt "$deadline" ] || return 1
		sleep 0.3
	done
}

has_ended() {
	! kill -0 "$pid" 2>/dev/null
}

# Does file $2 have at least $1 lines that match $3?
has_lines() {
	[ "$(grep -cE "$3" "$2" 2>/dev/null)" -ge "$1" ]
}

# Waits for the $1th line of the guest's output that matches $2.
await_guest() {
	await "$guest_limit" has_lines "$1" raw "$2" || fail "the guest never said /$2/ $([ "$1" = 1 ] || echo "for the $1th time")"
}

# Waits for the end of what candela_start began, at most $1 seconds. Sets "status", leaves the files of candela_run.
candela_wait() {
	if ! await "$1" has_ended; then
		fail "candela was still there after $1 s"
		kill -KILL "$pid"
	fi
	status=0
	wait "$pid" 2>/dev/null || status=$?
	exec 4>&-
	tr -d '\r' <raw >out
}

# --- what must hold -------------------------------------------------------------------------------------------------

fail() {
	failures+=("$*")
}

expect_status() {
	[ "$status" -eq "$1" ] || fail "exit status $status, expected $1"
}

# A member of the result file.
result() {
	sed -n "s/^ *\"$1\" *: *\"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}\$/\1/p" result 2>/dev/null
}

expect_result() {
	[ "$(result "$1")" = "$2" ] || fail "the result's \"$1\" is \"$(result "$1")\", expected \"$2\""
}

# How it ended: exit status, and the word in the result file.
expect_end() {
	expect_status "$1"
	expect_result outcome "$2"
	expect_result status "$1"
}

expect_line() {
	grep -qE "$1" out || fail "the guest did not say /$1/"
}

expect_no_line() {
	! grep -qE "$1" out || fail "the guest said: $(grep -m 1 -E "$1" out)"
}

# The guest's script came to its end.
expect_done() {
	expect_line '^guest-root: status 0$'
}

# candela said one line on standard error, and it matches $1.
expect_error() {
	[ "$(wc -l <err)" -eq 1 ] || fail "$(wc -l <err) lines on standard error, expected 1"
	grep -qE "$1" err || fail "standard error does not match /$1/: $(head -n 1 err)"
}

# What /bin/facts said in the guest.
fact() {
	sed -n "s/^fact $1 //p" "${2:-out}"
}

expect_fact() {
	[ "$(fact "$1")" = "$2" ] || fail "fact \"$1\" is \"$(fact "$1")\", expected \"$2\""
}

# expect_between WHAT VALUE LOW HIGH
expect_between() {
	if ! [[ $2 =~ ^-?[0-9]+$ ]]; then
		fail "$1: \"$2\" is no number"
	elif [ "$2" -lt "$3" ] || [ "$2" -gt "$4" ]; then
		fail "$1: $2 is not in $3 to $4"
	fi
}

# The guest's kernel found nothing wrong with the machine.
expect_no_complaints() {
	local complaint

	while IFS= read -r complaint; do
		# TCG lets a guest write XCR0 without an exit, so KVM does not update CPUID leaf 0xd: so it is under QEMU there, too.
		[[ ${CANDELA_IN_RIG:-} != 1 || $complaint != *fpu__init_system_xstate* ]] || continue
		fail "the kernel says: $complaint"
	done < <(sed -n 's/^complaint //p' out)
}

# --- the report -----------------------------------------------------------------------------------------------------

selected() {
	local pattern

	[ ${#patterns[@]} -gt 0 ] || return 0
	for pattern in "${patterns[@]}"; do
		# shellcheck disable=SC2254 # a pattern it is
		case $1 in
		$pattern) return 0 ;;
		esac
	done
	return 1
}

skip() {
	skip_reason=$*
}

show() {
	[ -s "$1" ] || return 0
	echo "# $2:"
	tr -d '\r' <"$1" | tail -n 30 | cut -c 1-300 | sed 's/^/#   /'
}

# try NAME FUNCTION [ARGUMENT...]: one case, in a directory of its own.
try() {
	local name=$1 start=$SECONDS text

	shift
	selected "$name" || return 0
	if [ "$list" = yes ]; then
		echo "$name"
		return
	fi
	failures=()
	skip_reason=
	pid=
	number=$((number + 1))
	mkdir "$tmp/case" || die "no directory for scratch files"
	cd "$tmp/case" || die "cannot enter $tmp/case"
	chmod 777 .
	"$@"
	if [ ${#failures[@]} -gt 0 ]; then
		failed=$((failed + 1))
		echo "not ok $number - $name"
		for text in "${failures[@]}"; do
			echo "#   $text"
		done
		show err "candela said"
		show raw "the end of what the guest said"
		show result "the result"
	elif [ -n "$skip_reason" ]; then
		skipped=$((skipped + 1))
		echo "ok $number - $name # SKIP $skip_reason"
	else
		echo "ok $number - $name"
	fi
	reported=$((reported + 1))
	echo "# $name: $((SECONDS - start)) s"
	cd "$tmp" && rm -rf case
}

# The same for a case without which LINUX_TEST_QUICK has enough.
try_long() {
	if [ -n "${LINUX_TEST_QUICK:-}" ] && [ "${CANDELA_IN_RIG:-}" = 1 ]; then
		try "$1" skip "takes long on an emulated host: tools/check --suite linux runs it"
	else
		try "$@"
	fi
}

finish() {
	[ "$list" = no ] || exit 0
	if [ "$number" -eq 0 ]; then
		die "no such case; --list names them"
	fi
	echo "1..$number"
	# An error in an arithmetic expression ends a case without a word.
	[ "$failed" -eq 0 ] && [ "$reported" -eq "$number" ] || exit 1
	[ "$skipped" -lt "$number" ] || exit 77
	exit 0
}
