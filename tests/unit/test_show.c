// SPDX-License-Identifier: MIT
/* Values as people read them. */
#include <check.h>
#include <stdlib.h>

#include "candela/show.h"

START_TEST(members)
{
	struct json_object *o = json_tokener_parse("{\"t\":\"x\",\"n\":12345678901,\"z\":null}");

	ck_assert_str_eq(show_text(o, "t"), "x");
	ck_assert_str_eq(show_text(o, "n"), "");
	ck_assert_str_eq(show_text(o, "no"), "");
	ck_assert_str_eq(show_text(NULL, "no"), "");
	ck_assert_uint_eq(show_number(o, "n"), 12345678901);
	ck_assert_uint_eq(show_number(o, "z"), 0);
	ck_assert_uint_eq(show_number(NULL, "no"), 0);
	json_object_put(o);
}
END_TEST

/* A VM is a process like others: what it says is for a terminal only once it is harmless. */
START_TEST(harmless)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "t", json_object_new_string("a\x1b[2J\nb\x7f\xc2\x9b\xc3\xa9"));
	ck_assert_str_eq(show_text(o, "t"), "a?[2J?b???\xc3\xa9");
	json_object_put(o);
}
END_TEST

START_TEST(bytes)
{
	char buf[32];

	show_bytes(0, buf);
	ck_assert_str_eq(buf, "0 B");
	show_bytes(MiB(512), buf);
	ck_assert_str_eq(buf, "512 MiB");
	show_bytes(GiB(3) / 2, buf);
	ck_assert_str_eq(buf, "1.5 GiB");
	show_bytes(KiB(1000) + 1, buf);
	ck_assert_str_eq(buf, "1000 KiB");
	show_bytes(UINT64_MAX, buf);
	ck_assert_str_eq(buf, "16 EiB");
}
END_TEST

START_TEST(known)
{
	struct json_object *o = json_tokener_parse("{\"a\": 1048576, \"b\": null, \"p\": 150}");
	char buf[32];

	show_known_bytes(o, "a", buf);
	ck_assert_str_eq(buf, "1 MiB");
	show_known_bytes(o, "b", buf);
	ck_assert_str_eq(buf, "-");
	show_known_bytes(o, "c", buf);
	ck_assert_str_eq(buf, "-");
	show_known_bytes(NULL, "a", buf);
	ck_assert_str_eq(buf, "-");
	show_known_percent(o, "p", buf);
	ck_assert_str_eq(buf, "150 %");
	show_known_percent(o, "b", buf);
	ck_assert_str_eq(buf, "-");
	json_object_put(o);
}
END_TEST

START_TEST(durations)
{
	char buf[32];

	show_duration(59999999999, buf);
	ck_assert_str_eq(buf, "59s");
	show_duration(61 * NSEC_PER_SEC, buf);
	ck_assert_str_eq(buf, "1m 01s");
	show_duration(3725 * NSEC_PER_SEC, buf);
	ck_assert_str_eq(buf, "1h 02m");
	show_duration(100 * 3600 * NSEC_PER_SEC, buf);
	ck_assert_str_eq(buf, "4d 04h");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("show");
	TCase *t = tcase_create("show");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, members);
	tcase_add_test(t, harmless);
	tcase_add_test(t, bytes);
	tcase_add_test(t, known);
	tcase_add_test(t, durations);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
