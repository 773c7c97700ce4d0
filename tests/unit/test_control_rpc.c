// SPDX-License-Identifier: MIT
/* JSON-RPC in lines: what is taken for a request, and what comes back. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "candela/control_rpc.h"
#include "vmm/json_scan.h"

static struct control_request request;
static struct control_error error;

static int parse(const char *line)
{
	return control_request_parse(line, strlen(line), &request, &error);
}

static void teardown(void)
{
	control_request_finish(&request);
}

START_TEST(good)
{
	ck_assert_int_eq(parse("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"a\"}"), 0);
	ck_assert_str_eq(request.method, "a");
	ck_assert(request.has_id);
	ck_assert_int_eq(json_object_get_int(request.id), 7);
	ck_assert_ptr_null(request.params);
	control_request_finish(&request);
	ck_assert_int_eq(parse(" {\"params\":{\"x\":1},\"method\":\"b\",\"jsonrpc\":\"2.0\"} \r"),
			 0);
	ck_assert(!request.has_id);
	ck_assert_int_eq(json_object_object_length(request.params), 1);
}
END_TEST

/* Whatever the id is, it comes back as it was. */
START_TEST(id_comes_back)
{
	static const char *const ids[] = {
		"1",           "-5",    "\"text\"", "null",
		"1.5",         "1e999", "\"\"",     "12345678901234567890",
		"\"\xc3\xa9\""};

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		char line[128], expected[128], *answer;

		snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"m\"}",
			 ids[i]);
		snprintf(expected, sizeof(expected),
			 "{\"jsonrpc\":\"2.0\",\"result\":{},\"id\":%s}\n", ids[i]);
		ck_assert_int_eq(parse(line), 0);
		ck_assert(request.has_id);
		answer = control_result_line(request.id, json_object_new_object());
		ck_assert_str_eq(answer, expected);
		free(answer);
		control_request_finish(&request);
	}
}
END_TEST

struct bad_row {
	const char *line;
	enum control_code code;
	bool has_id;
};

static const struct bad_row bad_rows[] = {
	{"hello", CONTROL_PARSE_ERROR, false},
	{"{\"jsonrpc\":\"2.0\"", CONTROL_PARSE_ERROR, false},
	{"{} {}", CONTROL_PARSE_ERROR, false},
	{"{\"a\":1,\"a\":2}", CONTROL_PARSE_ERROR, false},
	{"{\"a\":\"\xff\"}", CONTROL_PARSE_ERROR, false},
	{"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", CONTROL_PARSE_ERROR, false},
	{"[]", CONTROL_INVALID_REQUEST, false},
	{"[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\"}]", CONTROL_INVALID_REQUEST, false},
	{"null", CONTROL_INVALID_REQUEST, false},
	{"17", CONTROL_INVALID_REQUEST, false},
	{"{}", CONTROL_INVALID_REQUEST, false},
	{"{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"a\"}", CONTROL_INVALID_REQUEST, true},
	{"{\"jsonrpc\":2.0,\"id\":1,\"method\":\"a\"}", CONTROL_INVALID_REQUEST, true},
	{"{\"jsonrpc\":\"2.0\",\"id\":1}", CONTROL_INVALID_REQUEST, true},
	{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":1}", CONTROL_INVALID_REQUEST, true},
	{"{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"a\"}", CONTROL_INVALID_REQUEST, false},
	{"{\"jsonrpc\":\"2.0\",\"id\":true,\"method\":\"a\"}", CONTROL_INVALID_REQUEST, false},
	{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"params\":[1]}", CONTROL_INVALID_PARAMS,
	 true},
	{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"params\":null}", CONTROL_INVALID_PARAMS,
	 true},
};

START_TEST(bad)
{
	const struct bad_row *row = &bad_rows[_i];

	ck_assert_int_eq(parse(row->line), -EINVAL);
	ck_assert_int_eq(error.code, row->code);
	ck_assert_int_eq(request.has_id, row->has_id);
	ck_assert_uint_gt(strlen(error.text), 0);
}
END_TEST

/* A line need not end in a NUL, and may be empty. */
START_TEST(bounds)
{
	char *line = malloc(1);

	line[0] = '{';
	ck_assert_int_eq(control_request_parse(line, 1, &request, &error), -EINVAL);
	ck_assert_int_eq(error.code, CONTROL_PARSE_ERROR);
	control_request_finish(&request);
	ck_assert_int_eq(control_request_parse(line, 0, &request, &error), -EINVAL);
	ck_assert_int_eq(error.code, CONTROL_PARSE_ERROR);
	free(line);
}
END_TEST

START_TEST(params)
{
	static const char *const names[] = {"vp", "lun", NULL};
	uint32_t value = 99;

	ck_assert_int_eq(parse("{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"params\":"
			       "{\"vp\":3,\"lun\":\"x\"}}"),
			 0);
	ck_assert_int_eq(control_check_params(NULL, NULL, &error), 0);
	ck_assert_int_eq(control_check_params(request.params, names, &error), 0);
	ck_assert_int_eq(control_check_params(request.params, NULL, &error), -EINVAL);
	ck_assert_int_eq(error.code, CONTROL_INVALID_PARAMS);
	ck_assert_str_eq(error.text, "vp: unknown parameter");
	ck_assert_int_eq(control_param_uint(request.params, "vp", 3, &value, &error), 0);
	ck_assert_uint_eq(value, 3);
	ck_assert_int_eq(control_param_uint(request.params, "vp", 2, &value, &error), -EINVAL);
	ck_assert_str_eq(error.text, "vp: expected an integer from 0 to 2");
	ck_assert_int_eq(control_param_uint(request.params, "lun", 63, &value, &error), -EINVAL);
	ck_assert_int_eq(control_param_uint(request.params, "no", 63, &value, &error), 0);
	ck_assert_int_eq(control_param_uint(NULL, "no", 63, &value, &error), 0);
	ck_assert_uint_eq(value, 3);
}
END_TEST

START_TEST(size_params)
{
	uint64_t value = 5;

	ck_assert_int_eq(parse("{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"params\":"
			       "{\"a\":1099511627776,\"b\":-1,\"c\":\"1G\",\"d\":1.5}}"),
			 0);
	ck_assert_int_eq(control_param_size(request.params, "a", UINT64_MAX, &value, &error), 0);
	ck_assert_uint_eq(value, 1ull << 40);
	ck_assert_int_eq(control_param_size(request.params, "a", 1ull << 39, &value, &error),
			 -EINVAL);
	ck_assert_str_eq(error.text, "a: expected an integer from 0 to 549755813888");
	ck_assert_int_eq(control_param_size(request.params, "b", 9, &value, &error), -EINVAL);
	ck_assert_int_eq(control_param_size(request.params, "c", 9, &value, &error), -EINVAL);
	ck_assert_int_eq(control_param_size(request.params, "d", 9, &value, &error), -EINVAL);
	ck_assert_int_eq(control_param_size(request.params, "e", 9, &value, &error), 0);
	ck_assert_int_eq(control_param_size(NULL, "a", 9, &value, &error), 0);
	ck_assert_uint_eq(value, 1ull << 40);
}
END_TEST

START_TEST(no_uint)
{
	static const char *const names[] = {"a", "b", "c"};
	uint32_t value = 5;

	ck_assert_int_eq(parse("{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"params\":"
			       "{\"a\":-1,\"b\":1.0,\"c\":99999999999999999999}}"),
			 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		ck_assert_int_eq(
			control_param_uint(request.params, names[i], UINT32_MAX, &value, &error),
			-EINVAL);
	ck_assert_uint_eq(value, 5);
}
END_TEST

static void expect_line(char *line, const char *expected)
{
	struct error err;

	ck_assert_ptr_nonnull(line);
	ck_assert_str_eq(line, expected);
	ck_assert_msg(json_scan(line, strlen(line), &err) == 0, "%s", err.text);
	free(line);
}

START_TEST(lines)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "a", control_text("x\ny\x01/\"\xfe\xc3\xa9"));
	expect_line(control_notification_line("event", o),
		    "{\"jsonrpc\":\"2.0\",\"params\":{\"a\":\"x\\ny\\u0001/\\\"\xef\xbf\xbd\xc3\xa9"
		    "\"},\"method\":\"event\"}\n");
	expect_line(
		control_error_line(NULL, CONTROL_FAILED, "no \xff"),
		"{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32001,\"message\":\"no \xef\xbf\xbd\"},"
		"\"id\":null}\n");
	expect_line(control_request_line(3, "status", NULL),
		    "{\"jsonrpc\":\"2.0\",\"method\":\"status\",\"id\":3}\n");
	expect_line(control_request_line(3, "nmi", json_object_new_object()),
		    "{\"jsonrpc\":\"2.0\",\"params\":{},\"method\":\"nmi\",\"id\":3}\n");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("control_rpc");
	TCase *t = tcase_create("control_rpc");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_add_test(t, good);
	tcase_add_test(t, id_comes_back);
	tcase_add_loop_test(t, bad, 0, (int)ARRAY_SIZE(bad_rows));
	tcase_add_test(t, bounds);
	tcase_add_test(t, params);
	tcase_add_test(t, no_uint);
	tcase_add_test(t, size_params);
	tcase_add_test(t, lines);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
