// SPDX-License-Identifier: MIT
/*
 * Confined threads, each case in a process of its own: what they can still do, and what becomes of
 * one that does what it may not.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "candela/landlock.h"
#include "candela/sandbox.h"
#include "vmm/io_thread.h"

static char dir[] = "/tmp/test-sandbox-XXXXXX";
static char result[64], said[64];
static struct error err;

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(result, sizeof(result), "%s/result", dir);
	snprintf(said, sizeof(said), "%s/said", dir);
}

static void teardown(void)
{
	unlink(result);
	unlink(said);
	rmdir(dir);
}

static const char *text_of(const char *path)
{
	static char text[1024];
	FILE *file = fopen(path, "r");
	size_t n = 0;

	if (file) {
		n = fread(text, 1, sizeof(text) - 1, file);
		fclose(file);
	}
	text[n] = '\0';
	return text;
}

/* --- A process with a confined thread. ----------------------------------------------------- */

struct thread {
	struct sandbox *sandbox;
	enum sandbox_kind kind;
	void (*act)(void);
	sem_t go;
};

static void *run_thread(void *arg)
{
	struct thread *t = arg;

	pthread_setname_np(pthread_self(), "worker");
	if (sandbox_enter(t->sandbox, t->kind) < 0)
		_exit(99);
	/* The main thread enters, too, before anybody does anything. */
	sem_wait(&t->go);
	t->act();
	return NULL;
}

static void confine(enum sandbox_mode mode, enum sandbox_kind kind, void (*act)(void))
{
	const struct sandbox_place place = {dir,
					    LANDLOCK_WRITE | LANDLOCK_CREATE | LANDLOCK_REMOVE};
	const struct sandbox_config config = {
		.mode = mode,
		.places = &place,
		.place_count = 1,
		.result = result,
		.result_before = "<",
		.result_after = ">\n",
	};
	struct thread t = {.kind = kind, .act = act};
	pthread_t thread;

	if (sandbox_create(&config, &err, &t.sandbox) < 0)
		_exit(98);
	sem_init(&t.go, 0, 0);
	if (kind != SANDBOX_MAIN && pthread_create(&thread, NULL, run_thread, &t) != 0)
		_exit(97);
	if (sandbox_enter(t.sandbox, SANDBOX_MAIN) < 0)
		_exit(96);
	sem_post(&t.go);
	if (kind == SANDBOX_MAIN)
		act();
	else
		pthread_join(thread, NULL);
	_exit(0);
}

/* How the process ended: its exit status, or -signal. */
static int status_of(enum sandbox_mode mode, enum sandbox_kind kind, void (*act)(void))
{
	int status, fd;
	const pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		fd = open(said, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		dup2(fd, STDERR_FILENO);
		confine(mode, kind, act);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* --- What is allowed. ---------------------------------------------------------------------- */

/* The C library's own ways: arenas, stacks, clocks, random numbers, yielding. */
static void live(void)
{
	char *volatile p;
	struct timespec ts;

	for (size_t size = 16; size < MiB(64); size *= 4) {
		p = malloc(size);
		memset(p, 1, min_of(size, (size_t)KiB(64)));
		p = realloc(p, size * 2);
		free(p);
	}
	p = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(p, PAGE_SIZE, MADV_DONTNEED);
	munmap(p, PAGE_SIZE);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	sched_yield();
	usleep(1);
	pthread_kill(pthread_self(), 0);
	fprintf(stderr, "lives\n");
}

START_TEST(threads_live)
{
	ck_assert_int_eq(status_of(SANDBOX_ON, (enum sandbox_kind)_i, live), 0);
	ck_assert_str_eq(text_of(said), "lives\n");
	ck_assert_str_eq(text_of(result), "");
}
END_TEST

static void be_confined(void)
{
	char line[128], *colon;
	int found = 0;
	FILE *file;

	if (prctl(PR_GET_NAME, line) < 0)
		_exit(2);
	file = fdopen(3, "r");
	while (file && fgets(line, sizeof(line), file)) {
		colon = strchr(line, ':');
		if (colon && strncmp(line, "NoNewPrivs", 10) == 0)
			found += atoi(colon + 1) == 1;
		if (colon && strncmp(line, "Seccomp:", 8) == 0)
			found += atoi(colon + 1) == 2;
	}
	_exit(found == 2 ? 42 : 3);
}

START_TEST(is_what_the_kernel_says)
{
	int fd = open("/proc/thread-self/status", O_RDONLY);

	ck_assert_int_ge(fd, 0);
	close(3);
	/* Read by a child: of itself, once it is confined. */
	if (fork() == 0) {
		fd = open("/proc/self/status", O_RDONLY);
		if (fd != 3)
			dup2(fd, 3);
		confine(SANDBOX_ON, SANDBOX_MAIN, be_confined);
	} else {
		int status;

		wait(&status);
		ck_assert_int_eq(WEXITSTATUS(status), 42);
	}
}
END_TEST

/* A thread that the confined main thread makes: with a loop, and a filter of its own. */
static struct sandbox *begun_in;

static int begin(void *ctx)
{
	return sandbox_enter(begun_in, SANDBOX_IO);
}

static _Atomic bool ran;

static void on_task(struct loop_task *task)
{
	fprintf(stderr, "ran\n");
	ran = true;
}

static void start_later(void)
{
	struct loop_task task = {.run = on_task};
	struct io_thread *thread;

	if (io_thread_create("later", &err, &thread) < 0)
		_exit(5);
	io_thread_on_begin(thread, begin, NULL);
	loop_post(io_thread_loop(thread), &task);
	if (io_thread_start(thread, &err) < 0)
		_exit(6);
	while (!ran)
		sched_yield();
	if (io_thread_stop(thread) < 0)
		_exit(7);
	io_thread_destroy(thread);
}

START_TEST(a_loop_that_comes_later)
{
	const struct sandbox_config config = {.mode = SANDBOX_ON};
	int status;

	if (fork() == 0) {
		dup2(open(said, O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
		if (sandbox_create(&config, &err, &begun_in) < 0 ||
		    sandbox_enter(begun_in, SANDBOX_MAIN) < 0)
			_exit(4);
		start_later();
		_exit(0);
	}
	wait(&status);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%#x: %s", status,
		      text_of(said));
	ck_assert_str_eq(text_of(said), "ran\n");
}
END_TEST

/* --- What is not. -------------------------------------------------------------------------- */

/* As harmless as a call can be, where it is carried out. */
static void ask(void)
{
	syscall(SYS_getpgid, 0x11, 0x22, 0x33);
	fprintf(stderr, "goes on\n");
}

static void open_file(void)
{
	(void)!open("/dev/null", O_RDONLY);
}

static void execute(void)
{
	execl("/bin/true", "true", NULL);
}

static void connect_out(void)
{
	(void)!socket(AF_INET, SOCK_STREAM, 0);
}

static void make_code(void)
{
	(void)!mmap(NULL, PAGE_SIZE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void make_child(void)
{
	(void)!fork();
}

static const struct {
	enum sandbox_kind kind;
	void (*act)(void);
	const char *thread, *call;
} refused[] = {
	{SANDBOX_VCPU, ask, "worker (vcpu)", " getpgid(0x11, 0x22, 0x33, ...)"},
	{SANDBOX_VCPU, open_file, "worker (vcpu)", " openat("},
	{SANDBOX_VCPU, execute, "worker (vcpu)", " execve("},
	{SANDBOX_VCPU, make_code, "worker (vcpu)", " mmap(0x0, 0x1000, 0x5, ...)"},
	{SANDBOX_IO, ask, "worker (io)", " getpgid("},
	{SANDBOX_IO, connect_out, "worker (io)", " socket(0x2, 0x1, "},
	{SANDBOX_IO, make_child, "worker (io)", " clone("},
	{SANDBOX_MAIN, ask, " (main)", " getpgid("},
	{SANDBOX_MAIN, execute, " (main)", " execve("},
	{SANDBOX_MAIN, make_child, " (main)", " clone("},
};

/* The process ends, and says why: on standard error, and in the result. */
START_TEST(ends_with_a_word)
{
	const char *text;
	size_t len;

	ck_assert_int_eq(status_of(SANDBOX_ON, refused[_i].kind, refused[_i].act), 1);
	text = text_of(said);
	len = strlen(text);
	ck_assert_msg(strncmp(text, "candela: error: sandbox: the thread ", 36) == 0, "%s", text);
	ck_assert_msg(strstr(text, refused[_i].thread) && strstr(text, refused[_i].call), "%s",
		      text);
	ck_assert_ptr_eq(strchr(text, '\n'), text + len - 1);
	text = text_of(result);
	len = strlen(text);
	ck_assert_msg(len > 3 && text[0] == '<' && strcmp(text + len - 2, ">\n") == 0, "%s", text);
	ck_assert_ptr_nonnull(strstr(text, refused[_i].call));
}
END_TEST

START_TEST(log_lets_it_go_on)
{
	ck_assert_int_eq(status_of(SANDBOX_LOG, (enum sandbox_kind)_i, ask), 0);
	ck_assert_str_eq(text_of(said), "goes on\n");
	ck_assert_str_eq(text_of(result), "");
}
END_TEST

static void *ask_too(void *arg)
{
	ask();
	return NULL;
}

/* Several at once, the main thread among them: one line, one result. */
static void all_at_once(void)
{
	pthread_t threads[8];

	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		if (pthread_create(&threads[i], NULL, ask_too, NULL) != 0)
			break;
	ask();
	for (;;)
		pause();
}

START_TEST(the_first_of_many_counts)
{
	ck_assert_int_eq(status_of(SANDBOX_ON, SANDBOX_MAIN, all_at_once), 1);
	ck_assert_ptr_eq(strchr(text_of(said), '\n'), text_of(said) + strlen(text_of(said)) - 1);
	ck_assert_int_eq(*text_of(result), '<');
}
END_TEST

/* A SIGSYS of somebody else's does what it always does. */
static void kill_self(void)
{
	raise(SIGSYS);
}

START_TEST(other_signals)
{
	ck_assert_int_eq(status_of(SANDBOX_ON, SANDBOX_MAIN, kill_self), -SIGSYS);
	ck_assert_str_eq(text_of(said), "");
}
END_TEST

START_TEST(only_one)
{
	const struct sandbox_config config = {.mode = SANDBOX_ON};
	struct sandbox *first, *second;

	ck_assert_int_eq(sandbox_create(&config, &err, &first), 0);
	ck_assert_int_eq(sandbox_create(&config, &err, &second), -EBUSY);
	sandbox_destroy(first);
	ck_assert_int_eq(sandbox_create(&config, &err, &second), 0);
	sandbox_destroy(second);
	sandbox_destroy(NULL);
}
END_TEST

START_TEST(a_place_that_is_not_there)
{
	const struct sandbox_place place = {"/nowhere/at/all", LANDLOCK_READ};
	const struct sandbox_config config = {
		.mode = SANDBOX_ON, .places = &place, .place_count = 1};
	struct sandbox *sandbox;
	const int fd = landlock_open();

	if (fd < 0)
		return; /* nobody looks at it then */
	close(fd);
	ck_assert_int_eq(sandbox_create(&config, &err, &sandbox), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "sandbox: /nowhere/at/all: "));
}
END_TEST

static int run_suite(void)
{
	Suite *s = suite_create("sandbox");
	TCase *t = tcase_create("sandbox");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, threads_live, 0, SANDBOX_KINDS);
	tcase_add_test(t, is_what_the_kernel_says);
	tcase_add_test(t, a_loop_that_comes_later);
	tcase_add_loop_test(t, ends_with_a_word, 0, ARRAY_SIZE(refused));
	tcase_add_loop_test(t, log_lets_it_go_on, 0, SANDBOX_KINDS);
	tcase_add_test(t, the_first_of_many_counts);
	tcase_add_test(t, other_signals);
	tcase_add_test(t, only_one);
	tcase_add_test(t, a_place_that_is_not_there);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(void)
{
	/* Built without libseccomp, or with sanitizers. */
	return !sandbox_is_built() ? 77 : run_suite();
}
