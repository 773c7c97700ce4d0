// SPDX-License-Identifier: MIT
/*
 * A library to preload: KVM_CHECK_EXTENSION denies the capability whose number stands in
 * $WITHOUT_CAP, as on a host whose kernel lacks it. Everything else passes through.
 */
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Declared here: the C library's own header has it with "..." alone, musl's with another type. */
int ioctl(int fd, unsigned long request, ...);

int ioctl(int fd, unsigned long request, ...)
{
	const char *denied = getenv("WITHOUT_CAP");
	unsigned long arg;
	va_list args;

	va_start(args, request);
	arg = va_arg(args, unsigned long);
	va_end(args);
	if (request == KVM_CHECK_EXTENSION && denied && arg == strtoul(denied, NULL, 10))
		return 0;
	return (int)syscall(SYS_ioctl, fd, request, arg);
}
