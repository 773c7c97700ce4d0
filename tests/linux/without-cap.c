// SPDX-License-Identifier: MIT
/*
 * Runs a command for which KVM_CHECK_EXTENSION denies one capability, as on a host whose kernel
 * lacks it. Everything else passes through. By a seccomp filter, because a program that is linked
 * statically takes no preloaded library.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
/* Unless the word loaded is @value, skips the next @otherwise instructions. */
#define IS(value, otherwise) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, otherwise)

static int deny(unsigned int cap)
{
	struct sock_filter code[] = {
		LOAD(arch),
		IS(AUDIT_ARCH_X86_64, 7),
		LOAD(nr),
		IS(SYS_ioctl, 5),
		LOAD(args[1]),
		IS(KVM_CHECK_EXTENSION, 3),
		LOAD(args[2]),
		IS(cap, 1),
		/* No error, no effect: the result is 0. */
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return -errno;
	return 0;
}

int main(int argc, char **argv)
{
	int r;

	if (argc < 3) {
		fputs("Usage: without-cap NUMBER COMMAND [ARGUMENT]...\n", stderr);
		return 2;
	}
	r = deny((unsigned int)strtoul(argv[1], NULL, 10));
	if (r < 0) {
		fprintf(stderr, "without-cap: seccomp: %s\n", strerror(-r));
		return 125;
	}
	execvp(argv[2], &argv[2]);
	fprintf(stderr, "without-cap: %s: %s\n", argv[2], strerror(errno));
	return 127;
}
