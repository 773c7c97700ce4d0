// SPDX-License-Identifier: MIT
/*
 * Turns the tables of sandbox_rules.c into filters for the kernel, and prints them as C. A program
 * that runs while candela is built: so a VM that starts spends no time and no memory on it, and
 * candela itself needs no libseccomp.
 *
 * The kernel runs such a filter at each system call, KVM_RUN among them, so calls that are made
 * often come first in it.
 */
#include <errno.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "candela/sandbox_rules.h"
#include "vmm/base.h"

/* No number of a system call is as high. */
#define NUMBERS_END 1024

static const char *const kind_names[] = {
	[SANDBOX_VCPU] = "vcpu",
	[SANDBOX_IO] = "io",
	[SANDBOX_MAIN] = "main",
};

static int add_rule(scmp_filter_ctx ctx, const struct sandbox_rule *rule)
{
	struct scmp_arg_cmp condition = {
		.arg = (unsigned int)rule->argument,
		.op = SCMP_CMP_MASKED_EQ,
		.datum_a = rule->mask,
		.datum_b = rule->value,
	};

	if (rule->argument == SANDBOX_ANY_ARGUMENT)
		return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, rule->nr, 0, NULL);
	return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, rule->nr, 1, &condition);
}

static int add_rules(scmp_filter_ctx ctx, enum sandbox_kind kind)
{
	static const struct {
		int nr;
		uint8_t priority;
	} often[] = {
		{SYS_ioctl, 255}, {SYS_io_uring_enter, 250}, {SYS_write, 240},
		{SYS_futex, 230}, {SYS_read, 220},
	};
	int r = 0;

	for (size_t i = 0; i < sandbox_rule_count && r == 0; i++)
		if (sandbox_rules[i].kinds & SANDBOX_BIT(kind))
			r = add_rule(ctx, &sandbox_rules[i]);
	for (size_t i = 0; i < sandbox_unknown_call_count && r == 0; i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), sandbox_unknown_calls[i], 0);
	for (size_t i = 0; i < ARRAY_SIZE(often) && r == 0; i++)
		r = seccomp_syscall_priority(ctx, often[i].nr, often[i].priority);
	return r;
}

/* Through a file in memory: libseccomp writes to descriptors. */
static int print_filter(scmp_filter_ctx ctx, enum sandbox_kind kind)
{
	struct sock_filter row;
	int r, fd = memfd_create("filter", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	r = seccomp_export_bpf(ctx, fd);
	if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = -errno;
	printf("\nstatic const struct sock_filter %s_rows[] = {\n", kind_names[kind]);
	while (r == 0 && read(fd, &row, sizeof(row)) == sizeof(row))
		printf("\t{0x%02x, %u, %u, 0x%x},\n", row.code, row.jt, row.jf, row.k);
	printf("};\n");
	close(fd);
	return r;
}

static int compile(enum sandbox_kind kind)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_TRAP);
	int r = ctx ? 0 : -ENOMEM;

	/* Calls of another architecture have other numbers: none of them is wanted. */
	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_TRAP);
	if (r == 0)
		r = add_rules(ctx, kind);
	if (r == 0)
		r = print_filter(ctx, kind);
	seccomp_release(ctx);
	return r;
}

static void print_programs(void)
{
	printf("\nconst struct sandbox_filter sandbox_filters[] = {\n");
	for (unsigned int kind = 0; kind < SANDBOX_KINDS; kind++)
		printf("\t{%s_rows, ARRAY_SIZE(%s_rows)},\n", kind_names[kind], kind_names[kind]);
	printf("};\n");
}

/* For messages about calls that were refused. */
static void print_names(void)
{
	printf("\nconst char *const sandbox_call_names[] = {\n");
	for (int nr = 0; nr < NUMBERS_END; nr++) {
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, nr);

		if (name)
			printf("\t[%d] = \"%s\",\n", nr, name);
		free(name);
	}
	printf("};\n\nconst size_t sandbox_call_name_count = ARRAY_SIZE(sandbox_call_names);\n");
}

int main(void)
{
	printf("// SPDX-License-Identifier: MIT\n"
	       "/* The filters of sandbox_rules.c: printed by sandbox_compile.c. */\n"
	       "#include \"candela/sandbox_filter.h\"\n"
	       "#include \"vmm/base.h\"\n");
	for (unsigned int kind = 0; kind < SANDBOX_KINDS; kind++) {
		int r = compile(kind);

		if (r < 0) {
			fprintf(stderr, "sandbox_compile: the filter \"%s\": %s\n",
				kind_names[kind], strerror(-r));
			return EXIT_FAILURE;
		}
	}
	print_programs();
	print_names();
	return fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
