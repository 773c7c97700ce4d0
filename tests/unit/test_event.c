// SPDX-License-Identifier: MIT
/* The table of events, and how one is made. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/event.h"

static struct {
	struct event_sink sink;
	unsigned int count;
	enum event_id id;
	struct event_field fields[4];
	size_t field_count;
} seen;

static void emit(struct event_sink *sink, enum event_id id, const struct event_field *fields,
		 size_t count)
{
	ck_assert_ptr_eq(sink, &seen.sink);
	ck_assert_uint_le(count, 4);
	seen.count++;
	seen.id = id;
	if (count)
		memcpy(seen.fields, fields, count * sizeof(*fields));
	seen.field_count = count;
}

START_TEST(table)
{
	for (size_t i = 0; i < EVENT_COUNT; i++) {
		const struct event_kind *kind = &event_kinds[i];

		ck_assert_ptr_nonnull(kind->name);
		ck_assert_uint_gt(strlen(event_severity_name(kind->severity)), 3);
		for (size_t k = 0; k < i; k++)
			ck_assert_str_ne(kind->name, event_kinds[k].name);
	}
	/* What says how it ended is never left out. */
	ck_assert(!event_kinds[EVENT_ENDED].guest && !event_kinds[EVENT_SUPPRESSED].guest);
}
END_TEST

START_TEST(fields)
{
	seen.sink.emit = emit;
	event(&seen.sink, EVENT_NO_SPACE, EVENT_TEXT("path", "/x"), EVENT_NUMBER("lun", 7));
	ck_assert_uint_eq(seen.count, 1);
	ck_assert_int_eq(seen.id, EVENT_NO_SPACE);
	ck_assert_uint_eq(seen.field_count, 2);
	ck_assert_str_eq(seen.fields[0].text, "/x");
	ck_assert_ptr_null(seen.fields[1].text);
	ck_assert_uint_eq(seen.fields[1].number, 7);
	event_emit(&seen.sink, EVENT_RUNNING, NULL, 0);
	ck_assert_uint_eq(seen.field_count, 0);
	event(NULL, EVENT_RUNNING, EVENT_NUMBER("nobody", 1));
	ck_assert_uint_eq(seen.count, 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("event");
	TCase *tc = tcase_create("event");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, tc);
	tcase_add_test(tc, table);
	tcase_add_test(tc, fields);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
