// SPDX-License-Identifier: MIT
/* The table and the filters made of it say the same; and what no row may ever allow. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "candela/sandbox_filter.h"
#include "candela/sandbox_rules.h"
#include "vmm/base.h"

#define CALLS_END 600

/* --- The kernel's part: a filter, run on one call. ----------------------------------------- */

static uint32_t load(const struct seccomp_data *data, uint32_t offset)
{
	uint32_t value;

	ck_assert_uint_le(offset, sizeof(*data) - sizeof(value));
	memcpy(&value, (const char *)data + offset, sizeof(value));
	return value;
}

static uint32_t run(const struct sandbox_filter *filter, const struct seccomp_data *data)
{
	uint32_t a = 0;

	for (unsigned int pc = 0; pc < filter->count; pc++) {
		const struct sock_filter *row = &filter->rows[pc];

		switch (row->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			a = load(data, row->k);
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= row->k;
			break;
		case BPF_JMP | BPF_JA:
			pc += row->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += a == row->k ? row->jt : row->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			pc += a >= row->k ? row->jt : row->jf;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			pc += a > row->k ? row->jt : row->jf;
			break;
		case BPF_RET | BPF_K:
			return row->k;
		default:
			ck_abort_msg("row %u: code %#x", pc, row->code);
		}
	}
	ck_abort_msg("the filter has no end");
}

static uint32_t ask(enum sandbox_kind kind, int nr, int argument, uint64_t value)
{
	struct seccomp_data data = {.nr = nr, .arch = AUDIT_ARCH_X86_64};

	if (argument != SANDBOX_ANY_ARGUMENT)
		data.args[argument] = value;
	return run(&sandbox_filters[kind], &data);
}

static bool is_unknown(int nr)
{
	for (size_t i = 0; i < sandbox_unknown_call_count; i++)
		if (sandbox_unknown_calls[i] == nr)
			return true;
	return false;
}

/* What the table says. */
static uint32_t expected(enum sandbox_kind kind, int nr, int argument, uint64_t value)
{
	if (is_unknown(nr))
		return SECCOMP_RET_ERRNO | ENOSYS;
	for (size_t i = 0; i < sandbox_rule_count; i++) {
		const struct sandbox_rule *rule = &sandbox_rules[i];
		const uint64_t given = rule->argument == argument ? value : 0;

		if (rule->nr == nr && (rule->kinds & SANDBOX_BIT(kind)) &&
		    (rule->argument == SANDBOX_ANY_ARGUMENT || (given & rule->mask) == rule->value))
			return SECCOMP_RET_ALLOW;
	}
	return SECCOMP_RET_TRAP;
}

static void compare(enum sandbox_kind kind, int nr, int argument, uint64_t value)
{
	ck_assert_msg(ask(kind, nr, argument, value) == expected(kind, nr, argument, value),
		      "kind %d, call %d, argument %d %#llx: %#x, expected %#x", kind, nr, argument,
		      (unsigned long long)value, ask(kind, nr, argument, value),
		      expected(kind, nr, argument, value));
}

START_TEST(every_call_is_as_the_table_says)
{
	for (int nr = 0; nr < CALLS_END; nr++)
		compare((enum sandbox_kind)_i, nr, SANDBOX_ANY_ARGUMENT, 0);
}
END_TEST

/* Those that rows are about, others near them, and with bits that the kernel does not look at. */
START_TEST(arguments_are_as_the_table_says)
{
	for (size_t i = 0; i < sandbox_rule_count; i++) {
		const struct sandbox_rule *rule = &sandbox_rules[i];

		if (rule->argument == SANDBOX_ANY_ARGUMENT)
			continue;
		for (unsigned int bit = 0; bit < 32; bit++)
			compare((enum sandbox_kind)_i, rule->nr, rule->argument,
				rule->value ^ 1ull << bit);
		compare((enum sandbox_kind)_i, rule->nr, rule->argument, rule->value);
		compare((enum sandbox_kind)_i, rule->nr, rule->argument, rule->value | 1ull << 40);
	}
}
END_TEST

START_TEST(other_architectures_have_nothing)
{
	struct seccomp_data data = {.nr = SYS_read, .arch = AUDIT_ARCH_I386};

	ck_assert_uint_eq(run(&sandbox_filters[_i], &data), SECCOMP_RET_TRAP);
	data.arch = AUDIT_ARCH_X86_64;
	ck_assert_uint_eq(run(&sandbox_filters[_i], &data), SECCOMP_RET_ALLOW);
	data.nr = 0x40000000 | SYS_read; /* x32 */
	ck_assert_uint_eq(run(&sandbox_filters[_i], &data), SECCOMP_RET_TRAP);
}
END_TEST

/* --- What nobody may, whatever rows come. -------------------------------------------------- */

static const int never[] = {
	SYS_execve,
	SYS_execveat,
	SYS_fork,
	SYS_vfork,
	SYS_ptrace,
	SYS_process_vm_readv,
	SYS_process_vm_writev,
	SYS_setuid,
	SYS_setgid,
	SYS_setns,
	SYS_unshare,
	SYS_mount,
	SYS_pivot_root,
	SYS_chroot,
	SYS_bpf,
	SYS_userfaultfd,
	SYS_perf_event_open,
	SYS_kexec_load,
	SYS_init_module,
	SYS_finit_module,
	SYS_keyctl,
	SYS_add_key,
	SYS_mknod,
	SYS_mknodat,
	SYS_symlink,
	SYS_link,
	SYS_pkey_mprotect,
	SYS_personality,
	SYS_pidfd_getfd,
	SYS_open_by_handle_at,
};

START_TEST(nobody_may)
{
	const enum sandbox_kind kind = (enum sandbox_kind)_i;

	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		ck_assert_msg(ask(kind, never[i], SANDBOX_ANY_ARGUMENT, 0) == SECCOMP_RET_TRAP,
			      "call %d", never[i]);
	ck_assert_uint_eq(ask(kind, SYS_mmap, 2, PROT_READ | PROT_WRITE), SECCOMP_RET_ALLOW);
	ck_assert_uint_eq(ask(kind, SYS_mmap, 2, PROT_READ | PROT_EXEC), SECCOMP_RET_TRAP);
	ck_assert_uint_eq(ask(kind, SYS_mprotect, 2, PROT_EXEC), SECCOMP_RET_TRAP);
	ck_assert_uint_eq(ask(kind, SYS_socket, 0, AF_INET), SECCOMP_RET_TRAP);
	ck_assert_uint_eq(ask(kind, SYS_socket, 0, AF_INET6), SECCOMP_RET_TRAP);
	ck_assert_uint_eq(ask(kind, SYS_socket, 0, AF_PACKET), SECCOMP_RET_TRAP);
	ck_assert_uint_eq(ask(kind, SYS_ioctl, 1, TIOCSTI), SECCOMP_RET_TRAP);
	ck_assert_uint_eq(ask(kind, SYS_prctl, 0, PR_SET_DUMPABLE), SECCOMP_RET_TRAP);
	ck_assert_uint_eq(ask(kind, SYS_clone, 0, SIGCHLD), SECCOMP_RET_TRAP);
	ck_assert_uint_eq(ask(kind, SYS_clone, 0, CLONE_NEWUSER | CLONE_VM), SECCOMP_RET_TRAP);
}
END_TEST

/* Those that a guest is closest to have no names of files, no sockets and no rings. */
START_TEST(vcpus_have_less)
{
	static const int calls[] = {SYS_openat,  SYS_open,           SYS_socket,
				    SYS_connect, SYS_io_uring_enter, SYS_io_uring_setup,
				    SYS_clone,   SYS_unlink,         SYS_sendto,
				    SYS_sendmsg, SYS_kill,           SYS_ftruncate};

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		ck_assert_msg(ask(SANDBOX_VCPU, calls[i], SANDBOX_ANY_ARGUMENT, 0) ==
				      SECCOMP_RET_TRAP,
			      "call %d", calls[i]);
	ck_assert_uint_eq(ask(SANDBOX_IO, SYS_io_uring_setup, 0, 256), SECCOMP_RET_TRAP);
	ck_assert_uint_eq(ask(SANDBOX_IO, SYS_clone, 0, UINT32_MAX), SECCOMP_RET_TRAP);
}
END_TEST

/* A thread that the main thread makes later has the filter of that, and its own. */
START_TEST(main_may_what_devices_may)
{
	for (size_t i = 0; i < sandbox_rule_count; i++)
		if (sandbox_rules[i].kinds & SANDBOX_BIT(SANDBOX_IO))
			ck_assert_msg(sandbox_rules[i].kinds & SANDBOX_BIT(SANDBOX_MAIN), "row %zu",
				      i);
}
END_TEST

START_TEST(calls_have_names)
{
	ck_assert_uint_gt(sandbox_call_name_count, SYS_clone3);
	ck_assert_str_eq(sandbox_call_names[SYS_ptrace], "ptrace");
	ck_assert_str_eq(sandbox_call_names[SYS_read], "read");
}
END_TEST

static int run_suite(void)
{
	Suite *s = suite_create("sandbox_rules");
	TCase *t = tcase_create("sandbox_rules");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, every_call_is_as_the_table_says, 0, SANDBOX_KINDS);
	tcase_add_loop_test(t, arguments_are_as_the_table_says, 0, SANDBOX_KINDS);
	tcase_add_loop_test(t, other_architectures_have_nothing, 0, SANDBOX_KINDS);
	tcase_add_loop_test(t, nobody_may, 0, SANDBOX_KINDS);
	tcase_add_test(t, vcpus_have_less);
	tcase_add_test(t, main_may_what_devices_may);
	tcase_add_test(t, calls_have_names);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(void)
{
	/* Built without libseccomp, or with sanitizers. */
	return !sandbox_filters[0].count ? 77 : run_suite();
}
