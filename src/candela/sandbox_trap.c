// SPDX-License-Identifier: MIT
/*
 * The handler of SIGSYS, with what it needs: state that is the process', as signals are. It is
 * written by the main thread while no thread is confined, and only read by handlers. Everything
 * below handle() is async-signal-safe.
 */
#include "candela/sandbox_trap.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "candela/exit_status.h"
#include "candela/sandbox_filter.h"
#include "devices/char/chardev.h"

#define TEXT_MAX 320
/* <asm-generic/siginfo.h>'s; the C library has no name for it. */
#define CODE_SECCOMP 1

struct sandbox_trap {
	pid_t pid, main_thread;
	char *result, *temporary; /* NULL: none */
	char *before, *after;
	/* What was said of the first call; others only wait for the end. */
	_Atomic bool taken;
	char text[TEXT_MAX];
	size_t len;
};

static struct sandbox_trap *_Atomic current;

static _Thread_local struct {
	enum sandbox_kind kind;
	char name[16];
} self = {.kind = SANDBOX_MAIN, .name = "candela"};

/* --- Text, without the C library's help. --------------------------------------------------- */

static void add(struct sandbox_trap *t, const char *s)
{
	while (*s && t->len < TEXT_MAX - 1)
		t->text[t->len++] = *s++;
}

static void add_number(struct sandbox_trap *t, uint64_t value, unsigned int base)
{
	char digits[24], *p = digits + sizeof(digits) - 1;

	*p = '\0';
	do {
		*--p = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	add(t, base == 16 ? "0x" : "");
	add(t, p);
}

static void add_call(struct sandbox_trap *t, const siginfo_t *info, const ucontext_t *context)
{
	static const int arguments[] = {REG_RDI, REG_RSI, REG_RDX};
	const size_t nr = (size_t)(unsigned int)info->si_syscall;

	if (nr < sandbox_call_name_count && sandbox_call_names[nr]) {
		add(t, sandbox_call_names[nr]);
	} else {
		add(t, "number ");
		add_number(t, nr, 10);
	}
	for (size_t i = 0; i < ARRAY_SIZE(arguments); i++) {
		add(t, i ? ", " : "(");
		add_number(t, (uint64_t)context->uc_mcontext.gregs[arguments[i]], 16);
	}
	add(t, ", ...)");
}

static void describe(struct sandbox_trap *t, const siginfo_t *info, const ucontext_t *context)
{
	static const char *const kinds[] = {
		[SANDBOX_VCPU] = "vcpu",
		[SANDBOX_IO] = "io",
		[SANDBOX_MAIN] = "main",
	};

	add(t, "sandbox: the thread ");
	add(t, self.name);
	add(t, " (");
	add(t, kinds[self.kind]);
	add(t, ") made the system call ");
	add_call(t, info, context);
	add(t, ", which it may not: the VM has ended (docs/sandbox.md says more; --sandbox=log "
	       "only logs such calls)");
}

/* --- The end. ------------------------------------------------------------------------------ */

/* Nobody is left to be told when something here fails. */
static void put(int fd, const char *s, size_t len)
{
	while (len) {
		ssize_t n = write(fd, s, len);

		if (n <= 0)
			return;
		s += n;
		len -= (size_t)n;
	}
}

static void put_line(const struct sandbox_trap *t)
{
	char line[TEXT_MAX + 32] = "candela: error: ";
	size_t head = strlen(line);

	memcpy(line + head, t->text, t->len);
	line[head + t->len] = '\n';
	put(STDERR_FILENO, line, head + t->len + 1);
}

static void put_result(const struct sandbox_trap *t)
{
	int fd;

	if (!t->result)
		return;
	fd = open(t->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0)
		return;
	put(fd, t->before, strlen(t->before));
	put(fd, t->text, t->len);
	put(fd, t->after, strlen(t->after));
	close(fd);
	rename(t->temporary, t->result);
}

static _Noreturn void end(const struct sandbox_trap *t)
{
	put_result(t);
	chardev_restore_terminal();
	_exit(STATUS_INTERNAL);
}

static void on_trap(int sig, siginfo_t *info, void *context)
{
	struct sandbox_trap *t = atomic_load(&current);
	const bool is_main = t && syscall(SYS_gettid) == t->main_thread;
	const bool is_ours = t && atomic_load(&t->taken) && info->si_pid == t->pid;

	/* Not the kernel's, and not ours: somebody else wants this process to end. */
	if (!t || (info->si_code != CODE_SECCOMP && !is_ours)) {
		signal(sig, SIG_DFL);
		raise(sig);
		return;
	}
	if (info->si_code == CODE_SECCOMP && !atomic_exchange(&t->taken, true)) {
		describe(t, info, context);
		put_line(t);
		if (!is_main)
			syscall(SYS_tgkill, t->pid, t->main_thread, sig);
	} else if (is_main && info->si_code == CODE_SECCOMP) {
		/* Another thread was first, and its signal comes when this handler is done. */
		return;
	}
	if (is_main)
		end(t);
	for (;;) {
		const struct timespec long_time = {.tv_sec = 3600};

		nanosleep(&long_time, NULL);
	}
}

/* --- Making it. ---------------------------------------------------------------------------- */

static int copy_result(struct sandbox_trap *t, const struct sandbox_config *config)
{
	if (!config->result)
		return 0;
	t->result = strdup(config->result);
	t->before = strdup(config->result_before);
	t->after = strdup(config->result_after);
	if (!t->result || !t->before || !t->after)
		return -ENOMEM;
	return asprintf(&t->temporary, "%s.tmp.%d", config->result, (int)t->pid) < 0 ? -ENOMEM : 0;
}

int sandbox_trap_create(const struct sandbox_config *config, struct error *err,
			struct sandbox_trap **ret)
{
	struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
	struct sandbox_trap *t = calloc(1, sizeof(*t)), *none = NULL;
	int r = t ? 0 : -ENOMEM;

	if (t) {
		t->pid = getpid();
		t->main_thread = gettid();
		r = copy_result(t, config);
	}
	if (r < 0) {
		sandbox_trap_destroy(t);
		return error_set(err, r, "out of memory");
	}
	if (!atomic_compare_exchange_strong(&current, &none, t)) {
		sandbox_trap_destroy(t);
		return error_set(err, -EBUSY, "sandbox: this process has one already");
	}
	sigemptyset(&action.sa_mask);
	sigaction(SIGSYS, &action, NULL);
	*ret = t;
	return 0;
}

void sandbox_trap_enter(enum sandbox_kind kind)
{
	sigset_t set;

	self.kind = kind;
	pthread_getname_np(pthread_self(), self.name, sizeof(self.name));
	sigemptyset(&set);
	sigaddset(&set, SIGSYS);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void sandbox_trap_destroy(struct sandbox_trap *t)
{
	struct sandbox_trap *mine = t;

	if (!t)
		return;
	/* The handler stays: confined threads may be left, and a silent end is one, too. */
	(void)atomic_compare_exchange_strong(&current, &mine, NULL);
	free(t->result);
	free(t->temporary);
	free(t->before);
	free(t->after);
	free(t);
}
