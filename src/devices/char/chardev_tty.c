// SPDX-License-Identifier: MIT
/*
 * The terminal's settings. They are process-wide, and signal handlers must find them, so this file
 * has what no other may: state of its own. It is written by the loop's thread before `held` is set
 * and only read while it is, by any thread and any handler.
 */
#include "devices/char/chardev_tty.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "devices/char/chardev.h"

static struct {
	_Atomic bool held;
	_Atomic bool at_exit;
	int fd;
	struct termios saved;
	struct termios raw;
} tty;

/*
 * Signals that end the process. Whoever runs the program may have handlers of its own for some;
 * only those at their default action are ours.
 */
static const int fatal_signals[] = {SIGHUP,  SIGINT, SIGQUIT, SIGILL, SIGABRT, SIGFPE,
				    SIGSEGV, SIGBUS, SIGTERM, SIGSYS, SIGXCPU, SIGXFSZ};

/* True when no other process group has the terminal; setting it up then cannot stop us. */
static bool is_foreground(int fd)
{
	pid_t group = tcgetpgrp(fd);

	/* -1: not our controlling terminal, so there is no job control to respect. */
	return group == -1 ? errno == ENOTTY : group == getpgrp();
}

static void apply(const struct termios *settings)
{
	int saved_errno = errno;

	if (atomic_load(&tty.held) && is_foreground(tty.fd))
		tcsetattr(tty.fd, TCSANOW, settings);
	errno = saved_errno;
}

void chardev_restore_terminal(void)
{
	apply(&tty.saved);
}

static void on_fatal(int sig)
{
	/* SA_RESETHAND: the default action follows when the handler returns. */
	chardev_restore_terminal();
	raise(sig);
}

static void on_continue(int sig)
{
	apply(&tty.raw);
}

static void set_handler(int sig, void (*handler)(int), int flags)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

	sigemptyset(&action.sa_mask);
	sigaction(sig, &action, NULL);
}

static void on_stop(int sig)
{
	int saved_errno = errno;
	sigset_t set;

	chardev_restore_terminal();
	set_handler(sig, SIG_DFL, 0);
	raise(sig);
	sigemptyset(&set);
	sigaddset(&set, sig);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	/* Stopped here, until SIGCONT. */
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	set_handler(sig, on_stop, SA_RESTART);
	apply(&tty.raw);
	errno = saved_errno;
}

static bool handler_is(int sig, void (*handler)(int))
{
	struct sigaction action;

	return sigaction(sig, NULL, &action) == 0 && !(action.sa_flags & SA_SIGINFO) &&
	       action.sa_handler == handler;
}

static void replace_handler(int sig, void (*from)(int), void (*to)(int), int flags)
{
	if (handler_is(sig, from))
		set_handler(sig, to, flags);
}

static void install_handlers(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(fatal_signals); i++)
		replace_handler(fatal_signals[i], SIG_DFL, on_fatal, (int)SA_RESETHAND);
	replace_handler(SIGTSTP, SIG_DFL, on_stop, SA_RESTART);
	replace_handler(SIGCONT, SIG_DFL, on_continue, SA_RESTART);
}

static void remove_handlers(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(fatal_signals); i++)
		replace_handler(fatal_signals[i], on_fatal, SIG_DFL, 0);
	replace_handler(SIGTSTP, on_stop, SIG_DFL, 0);
	replace_handler(SIGCONT, on_continue, SIG_DFL, 0);
}

int tty_acquire(int fd, struct error *err)
{
	if (atomic_load(&tty.held))
		return error_set(err, -EBUSY, "stdio: the terminal is in use by another device");
	if (tcgetattr(fd, &tty.saved) < 0)
		return error_errno(err, -errno, "stdio: cannot read the terminal's settings");
	tty.fd = fd;
	tty.raw = tty.saved;
	cfmakeraw(&tty.raw);
	tty.raw.c_oflag = tty.saved.c_oflag;
	atomic_store(&tty.held, true);
	if (!atomic_exchange(&tty.at_exit, true))
		atexit(chardev_restore_terminal);
	install_handlers();
	apply(&tty.raw);
	return 0;
}

void tty_release(void)
{
	if (!atomic_load(&tty.held))
		return;
	apply(&tty.saved);
	remove_handlers();
	atomic_store(&tty.held, false);
}

bool tty_is_ours(int fd)
{
	struct termios now;

	if (!is_foreground(fd))
		return false;
	if (atomic_load(&tty.held) && tcgetattr(fd, &now) == 0 && (now.c_lflag & ICANON))
		apply(&tty.raw);
	return true;
}
