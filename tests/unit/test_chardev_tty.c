// SPDX-License-Identifier: MIT
/*
 * Stdio on a terminal: raw mode and its way back, the escape key, job control.
 *
 * Each test is a small play of three: the test holds the terminal's master end and waits; a
 * "shell", leader of a session that has the terminal, checks what the user would see; and a "job"
 * that runs an echoing character device as the program would. What fails in the shell is reported
 * by line.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "devices/char/chardev.h"
#include "pc_fake.h"

/* --- The job. ------------------------------------------------------------------------------ */

enum job_end { END_QUIT, END_EXIT, END_ABORT, END_OWN_HANDLER, END_STUCK, END_BUSY };

static struct {
	struct loop *loop;
	struct chardev *cd;
	enum job_end end;
	bool closed;
	uint8_t echo[64];
	size_t len;
	bool writing;
} job;

static void job_send(void)
{
	while (job.len && !job.writing) {
		job.writing = !chardev_write(job.cd, job.echo, job.len);
		job.len = 0;
	}
}

static size_t job_input(void *ctx, const uint8_t *data, size_t len)
{
	if (job.end == END_EXIT)
		exit(3);
	if (job.end == END_ABORT)
		abort();
	/* While the last echo is under way there is no room. */
	if (job.writing)
		return 0;
	job.len = min_of(len, sizeof(job.echo));
	memcpy(job.echo, data, job.len);
	len = job.len;
	job_send();
	return len;
}

static bool job_break(void *ctx)
{
	if (job.writing)
		return false;
	memcpy(job.echo, "BREAK", 5);
	job.len = 5;
	job_send();
	return true;
}

static void job_written(void *ctx)
{
	job.writing = false;
	if (job.end != END_STUCK)
		chardev_input_resume(job.cd);
}

static void job_quit(void *ctx)
{
	chardev_close(job.cd, set_flag, &job.closed);
}

static void own_handler(int sig)
{
	chardev_restore_terminal();
	_exit(4);
}

static int job_main(enum job_end end)
{
	static const struct chardev_user user = {job_input, job_break, job_written};
	static uint8_t flood[100000];
	struct chardev_config config = {.kind = CHARDEV_STDIO, .quit = job_quit};
	struct error err;
	struct chardev *second;

	job.end = end;
	if (end == END_OWN_HANDLER)
		signal(SIGTERM, own_handler);
	job.loop = new_loop();
	if (chardev_create(job.loop, &config, &err, &job.cd) < 0)
		return 10;
	if (end == END_BUSY && chardev_create(job.loop, &config, &err, &second) != -EBUSY)
		return 11;
	chardev_start(job.cd, &user, NULL);
	if (end == END_STUCK)
		job.writing = !chardev_write(job.cd, flood, sizeof(flood));
	if (!run_until(job.loop, flag_is_set, &job.closed, 10000))
		return 12;
	chardev_destroy(job.cd);
	loop_destroy(job.loop);
	return 0;
}

/* --- The shell. ---------------------------------------------------------------------------- */

static int master, slave;
static struct termios cooked;
static pid_t job_pid;
static char screen[1 << 16];
static size_t screen_len;

/* In the shell; the test finds the line in its exit status, from which 1 to 255 are told apart. */
#define require(x)                                                                                 \
	do {                                                                                       \
		if (!(x)) {                                                                        \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                    \
			kill(job_pid, SIGKILL);                                                    \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

static void pause_ms(int ms)
{
	poll(NULL, 0, ms);
}

static bool is_raw(void)
{
	struct termios now;

	return tcgetattr(slave, &now) == 0 && !(now.c_lflag & (ICANON | ECHO | ISIG)) &&
	       (now.c_oflag & OPOST);
}

static bool is_cooked(void)
{
	struct termios now;

	return tcgetattr(slave, &now) == 0 && now.c_lflag == cooked.c_lflag &&
	       now.c_iflag == cooked.c_iflag && now.c_oflag == cooked.c_oflag;
}

static bool becomes(bool (*state)(void))
{
	for (unsigned int i = 0; i < 2000 && !state(); i++)
		pause_ms(1);
	return state();
}

/* True when @text appears on the screen, after what was looked for before. */
static bool shows(const char *text)
{
	struct pollfd pollfd = {.fd = master, .events = POLLIN};

	for (unsigned int i = 0; i < 20; i++) {
		char *at = memmem(screen, screen_len, text, strlen(text));
		ssize_t n;

		if (at) {
			at += strlen(text);
			screen_len -= (size_t)(at - screen);
			memmove(screen, at, screen_len);
			return true;
		}
		if (poll(&pollfd, 1, 100) <= 0)
			continue;
		n = read(master, screen + screen_len, sizeof(screen) - screen_len);
		screen_len += n > 0 ? (size_t)n : 0;
	}
	return false;
}

static void type(const char *keys)
{
	require(write(master, keys, strlen(keys)) == (ssize_t)strlen(keys));
}

static int job_status(void)
{
	int status = -1;

	require(waitpid(job_pid, &status, WUNTRACED) == job_pid);
	return status;
}

static void to_foreground(pid_t group)
{
	require(tcsetpgrp(slave, group) == 0);
}

static void start_job(enum job_end end, bool foreground)
{
	/* As shells do, to move groups about. */
	signal(SIGTTOU, SIG_IGN);
	job_pid = fork();
	if (job_pid == 0) {
		setpgid(0, 0);
		if (foreground)
			tcsetpgrp(slave, getpid());
		/* As a shell's foreground job has them: not check's handlers, nothing ignored. */
		for (int sig = 1; sig < SIGRTMIN; sig++)
			signal(sig, SIG_DFL);
		dup2(slave, STDIN_FILENO);
		dup2(slave, STDOUT_FILENO);
		close(slave);
		close(master);
		exit(job_main(end));
	}
	setpgid(job_pid, job_pid);
}

static void quit_by_key(void)
{
	type("\x01x");
	require(job_status() == 0);
	require(is_cooked());
}

static void run_shell(void (*play)(void))
{
	int status;
	pid_t pid;

	master = posix_openpt(O_RDWR | O_NOCTTY);
	ck_assert_int_ge(master, 0);
	ck_assert_int_eq(unlockpt(master), 0);
	pid = fork();
	if (pid == 0) {
		setsid();
		slave = open(ptsname(master), O_RDWR);
		require(slave >= 0 && ioctl(slave, TIOCSCTTY, 0) == 0);
		require(tcgetattr(slave, &cooked) == 0);
		play();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

/* --- The plays. ---------------------------------------------------------------------------- */

static void play_escape_key(void)
{
	start_job(END_QUIT, true);
	require(becomes(is_raw));
	type("hello");
	require(shows("hello"));
	/* Keys that a cooked terminal would have eaten. */
	type("\x03\x1a\x04\r");
	require(shows("\x03\x1a\x04\r"));
	type("<\x01"
	     "a>");
	require(shows("<") && shows("\x01") && shows(">"));
	type("<\x01\x01>");
	require(shows("<") && shows("\x01") && shows(">"));
	type("\x01"
	     "b!");
	require(shows("BREAK") && shows("!"));
	type("\x01h");
	require(shows("end the virtual machine"));
	require(shows("help"));
	/* Unknown commands vanish; the escape may come in a read of its own. */
	type("[\x01z]");
	require(shows("[") && shows("]"));
	type("\x01");
	pause_ms(20);
	type("a?");
	require(shows("\x01") && shows("?"));
	quit_by_key();
}

START_TEST(escape_key)
{
	run_shell(play_escape_key);
}
END_TEST

static void play_fatal_signals(void)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGSYS};

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		int status;

		start_job(END_QUIT, true);
		require(becomes(is_raw));
		/* Up and listening, so that the handlers are there. */
		type("x");
		require(shows("x"));
		kill(job_pid, signals[i]);
		status = job_status();
		require(WIFSIGNALED(status) && WTERMSIG(status) == signals[i]);
		require(is_cooked());
	}
}

START_TEST(fatal_signals)
{
	run_shell(play_fatal_signals);
}
END_TEST

static void play_exit(void)
{
	int status;

	start_job(END_EXIT, true);
	require(becomes(is_raw));
	type("x");
	status = job_status();
	require(WIFEXITED(status) && WEXITSTATUS(status) == 3);
	require(is_cooked());
}

START_TEST(exit_without_cleanup)
{
	run_shell(play_exit);
}
END_TEST

static void play_abort(void)
{
	int status;

	start_job(END_ABORT, true);
	require(becomes(is_raw));
	type("x");
	status = job_status();
	require(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	require(is_cooked());
}

START_TEST(abort_without_cleanup)
{
	run_shell(play_abort);
}
END_TEST

static void play_own_handler(void)
{
	int status;

	start_job(END_OWN_HANDLER, true);
	require(becomes(is_raw));
	type("x");
	require(shows("x"));
	kill(job_pid, SIGTERM);
	status = job_status();
	require(WIFEXITED(status) && WEXITSTATUS(status) == 4);
	require(is_cooked());
}

START_TEST(the_programs_own_handler_stays)
{
	run_shell(play_own_handler);
}
END_TEST

static void play_stop(void)
{
	static const int signals[] = {SIGTSTP, SIGSTOP};
	int status;

	start_job(END_QUIT, true);
	require(becomes(is_raw));
	type("x");
	require(shows("x"));
	/* The second time round shows that the handler is back in place. */
	for (unsigned int i = 0; i < 3; i++) {
		kill(job_pid, signals[i / 2]);
		status = job_status();
		require(WIFSTOPPED(status) && WSTOPSIG(status) == signals[i / 2]);
		if (signals[i / 2] == SIGTSTP)
			require(is_cooked());
		to_foreground(getpgrp());
		/* What a shell does after any job. */
		require(tcsetattr(slave, TCSANOW, &cooked) == 0);
		to_foreground(job_pid);
		kill(-job_pid, SIGCONT);
		require(becomes(is_raw));
		type("back");
		require(shows("back"));
	}
	quit_by_key();
}

START_TEST(stop_and_continue)
{
	run_shell(play_stop);
}
END_TEST

static void play_background(void)
{
	int status;

	to_foreground(getpgrp());
	start_job(END_QUIT, false);
	pause_ms(150);
	/* It neither touches the terminal nor gets stopped for trying. */
	require(is_cooked());
	require(waitpid(job_pid, &status, WNOHANG | WUNTRACED) == 0);
	to_foreground(job_pid);
	require(becomes(is_raw));
	type("here");
	require(shows("here"));
	quit_by_key();
}

START_TEST(started_in_the_background)
{
	run_shell(play_background);
}
END_TEST

/* Nobody reads the terminal: the loop goes on all the same, or the key would do nothing. */
static void play_stuck(void)
{
	start_job(END_STUCK, true);
	require(becomes(is_raw));
	pause_ms(50);
	quit_by_key();
}

START_TEST(a_stuck_terminal_does_not_stop_the_loop)
{
	run_shell(play_stuck);
}
END_TEST

static void play_second(void)
{
	start_job(END_BUSY, true);
	require(becomes(is_raw));
	quit_by_key();
}

START_TEST(one_terminal_one_device)
{
	run_shell(play_second);
}
END_TEST

START_TEST(restoring_nothing_is_harmless)
{
	chardev_restore_terminal();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("chardev_tty");
	TCase *tc = tcase_create("tty");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, tc);
	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, escape_key);
	tcase_add_test(tc, fatal_signals);
	tcase_add_test(tc, exit_without_cleanup);
	tcase_add_test(tc, abort_without_cleanup);
	tcase_add_test(tc, the_programs_own_handler_stays);
	tcase_add_test(tc, stop_and_continue);
	tcase_add_test(tc, started_in_the_background);
	tcase_add_test(tc, a_stuck_terminal_does_not_stop_the_loop);
	tcase_add_test(tc, one_terminal_one_device);
	tcase_add_test(tc, restoring_nothing_is_harmless);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
