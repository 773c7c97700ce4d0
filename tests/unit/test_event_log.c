// SPDX-License-Identifier: MIT
/* The event log's file: appended to, moved away, without space, and slower than events come. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "candela/event_log.h"
#include "pc_fake.h"

static struct loop *loop;
static struct event_log *logfile;
static struct error err;
static char dir[64], path[128], moved[128];

static void setup(void)
{
	loop = new_loop();
	strcpy(dir, "/tmp/event-log-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/log", dir);
	snprintf(moved, sizeof(moved), "%s/log.1", dir);
}

static void teardown(void)
{
	event_log_close(logfile);
	loop_destroy(loop);
	unlink(path);
	unlink(moved);
	ck_assert_int_eq(rmdir(dir), 0);
}

static void open_at(const char *where)
{
	ck_assert_msg(event_log_open(where, &err, &logfile) == 0, "%s", err.text);
}

static void add(const char *line)
{
	event_log_line(logfile, line, strlen(line));
}

static void close_log(void)
{
	event_log_close(logfile);
	logfile = NULL;
}

static bool file_is(const char *where, const char *text)
{
	char buf[4096];
	FILE *f = fopen(where, "r");
	size_t n = f ? fread(buf, 1, sizeof(buf) - 1, f) : 0;

	if (f)
		fclose(f);
	buf[n] = '\0';
	return strcmp(buf, text) == 0;
}

static bool is_there(void *text)
{
	return file_is(path, text);
}

static void expect(const char *text)
{
	ck_assert(run_until(loop, is_there, (void *)(uintptr_t)text, 5000));
}

START_TEST(appends)
{
	struct stat st;

	open_at(path);
	add("one\n");
	/* Nothing is written before there is a loop. */
	ck_assert(file_is(path, ""));
	event_log_start(logfile, loop);
	expect("one\n");
	add("two\n");
	add("three\n");
	expect("one\ntwo\nthree\n");
	add("last\n");
	close_log();
	ck_assert(file_is(path, "one\ntwo\nthree\nlast\n"));
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777 & ~0640u, 0);
	/* A second VM goes on behind it. */
	open_at(path);
	add("again\n");
	close_log();
	ck_assert(file_is(path, "one\ntwo\nthree\nlast\nagain\n"));
}
END_TEST

START_TEST(emptied_in_place)
{
	open_at(path);
	event_log_start(logfile, loop);
	add("old\n");
	expect("old\n");
	ck_assert_int_eq(truncate(path, 0), 0);
	add("new\n");
	expect("new\n");
}
END_TEST

START_TEST(moved_away)
{
	open_at(path);
	event_log_start(logfile, loop);
	add("old\n");
	expect("old\n");
	ck_assert_int_eq(rename(path, moved), 0);
	add("still old\n");
	ck_assert_int_eq(event_log_reopen(logfile, &err), 0);
	add("new\n");
	expect("new\n");
	ck_assert(file_is(moved, "old\nstill old\n"));
	/* Where there is no place for a new one, the old one goes on. */
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(event_log_reopen(logfile, &err), -EISDIR);
	ck_assert_int_eq(rmdir(path), 0);
	add("gone\n");
	close_log();
}
END_TEST

START_TEST(cannot_be_opened)
{
	snprintf(path, sizeof(path), "%s/none/log", dir);
	ck_assert_int_eq(event_log_open(path, &err, &logfile), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, path));
	/* A pipe that nobody reads does not hold us up. */
	snprintf(path, sizeof(path), "%s/log", dir);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(event_log_open(path, &err, &logfile), -ENXIO);
}
END_TEST

static bool has_lost(void *count)
{
	*(uint64_t *)count += event_log_take_lost(logfile);
	return *(uint64_t *)count == 2;
}

START_TEST(no_space)
{
	uint64_t count = 0;

	open_at("/dev/full");
	event_log_start(logfile, loop);
	add("one\n");
	run_for(loop, 5);
	add("two\n");
	ck_assert(run_until(loop, has_lost, &count, 5000));
	ck_assert_uint_eq(event_log_take_lost(logfile), 0);
}
END_TEST

START_TEST(more_than_there_is_room_for)
{
	static char line[1024];
	uint64_t lines = 0;

	memset(line, 'x', sizeof(line) - 2);
	line[sizeof(line) - 2] = '\n';
	open_at(path);
	/* There is no loop yet. */
	while (!event_log_take_lost(logfile)) {
		add(line);
		lines++;
	}
	ck_assert_uint_eq(lines, EVENT_LOG_ROOM / strlen(line) + 1);
	close_log();
}
END_TEST

/* Of a line that was cut off the rest is lost, and the next one begins a new line. */
START_TEST(torn)
{
	int fds[2];
	char where[32], buf[70000];
	size_t room = 0;
	uint64_t lost = 0;
	ssize_t n;

	/* A pipe with room for half a line. */
	ck_assert_int_eq(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
	memset(buf, '.', sizeof(buf));
	while ((n = write(fds[1], buf, 1)) > 0)
		room++;
	ck_assert_int_eq(read(fds[0], buf, 4096), 4096);
	snprintf(where, sizeof(where), "/proc/self/fd/%d", fds[1]);
	open_at(where);
	close(fds[1]);
	memset(buf, 'a', 5000);
	buf[5000] = '\n';
	buf[5001] = '\0';
	event_log_start(logfile, loop);
	add(buf);
	run_for(loop, 20);
	/* The reader takes all, and goes. */
	close(fds[0]);
	for (int i = 0; i < 100 && !lost; i++) {
		run_for(loop, 5);
		lost += event_log_take_lost(logfile);
	}
	ck_assert_uint_eq(lost, 1);
	ck_assert_uint_gt(room, 4096);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("event_log");
	TCase *tc = tcase_create("event_log");
	SRunner *sr = srunner_create(s);
	int failed;

	signal(SIGPIPE, SIG_IGN);
	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, appends);
	tcase_add_test(tc, emptied_in_place);
	tcase_add_test(tc, moved_away);
	tcase_add_test(tc, cannot_be_opened);
	tcase_add_test(tc, no_space);
	tcase_add_test(tc, more_than_there_is_room_for);
	tcase_add_test(tc, torn);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
