// SPDX-License-Identifier: MIT
/* Panics on a console: real ones, old ones, and texts that only look like one. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "candela/panic_watch.h"

static struct panic_watch watch;

static void setup(void)
{
	panic_watch_init(&watch);
}

static void feed(const char *text)
{
	panic_watch_feed(&watch, (const uint8_t *)text, strlen(text));
}

static const char panic[] = "[    2.1] Kernel panic - not syncing: "
			    "VFS: Unable to mount root fs on unknown-block(0,0)\r\n"
			    "[    2.2] CPU: 0 PID: 1 Comm: swapper/0 Not tainted 6.1.0\r\n"
			    "[    2.3] Kernel Offset: disabled\r\n";
static const char closing[] = "[    2.4] ---[ end Kernel panic - not syncing: VFS: Unable ]---\r\n";

START_TEST(ended)
{
	feed("[    1.0] booting\r\n");
	ck_assert(!panic_watch_near(&watch));
	feed(panic);
	ck_assert(panic_watch_near(&watch));
	ck_assert(!panic_watch_ended(&watch));
	ck_assert_str_eq(watch.message, "VFS: Unable to mount root fs on unknown-block(0,0)");
	feed(closing);
	ck_assert(panic_watch_ended(&watch));
	ck_assert_str_eq(watch.message, "VFS: Unable to mount root fs on unknown-block(0,0)");
}
END_TEST

START_TEST(byte_by_byte)
{
	for (const char *p = panic; *p; p++)
		panic_watch_feed(&watch, (const uint8_t *)p, 1);
	for (const char *p = closing; *p; p++) {
		ck_assert(!panic_watch_ended(&watch));
		panic_watch_feed(&watch, (const uint8_t *)p, 1);
	}
	ck_assert(panic_watch_ended(&watch));
}
END_TEST

/* A healthy guest shows an old log: its prompt follows. */
START_TEST(old_log)
{
	feed(panic);
	feed(closing);
	feed("guest# ");
	ck_assert(!panic_watch_ended(&watch));
}
END_TEST

START_TEST(far_back)
{
	feed(panic);
	for (unsigned int i = 0; i < PANIC_WATCH_NEAR / 8 + 1; i++)
		feed("nothing\n");
	ck_assert(!panic_watch_near(&watch));
}
END_TEST

START_TEST(lookalikes)
{
	feed("KKernel panic - not synced\n[ end [ end Kernel panic\nKernel panic - not syncing\n");
	ck_assert(!panic_watch_near(&watch));
	ck_assert(!panic_watch_ended(&watch));
	feed("KeKernel panic - not syncing: two\n");
	ck_assert(panic_watch_near(&watch));
	ck_assert_str_eq(watch.message, "two");
}
END_TEST

START_TEST(long_and_dirty_message)
{
	char text[600];

	memset(text, 'x', sizeof(text));
	text[10] = 27;
	text[sizeof(text) - 1] = 0;
	feed("Kernel panic - not syncing: ");
	feed(text);
	ck_assert_uint_lt(strlen(watch.message), sizeof(watch.message));
	ck_assert_ptr_null(strchr(watch.message, 27));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("panic_watch");
	TCase *t = tcase_create("panic_watch");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, ended);
	tcase_add_test(t, byte_by_byte);
	tcase_add_test(t, old_log);
	tcase_add_test(t, far_back);
	tcase_add_test(t, lookalikes);
	tcase_add_test(t, long_and_dirty_message);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
