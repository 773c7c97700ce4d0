// SPDX-License-Identifier: MIT
/* JSON-RPC 2.0 in lines. See control_rpc.h. */
#include "candela/control_rpc.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/json_build.h"
#include "vmm/json_scan.h"
#include "vmm/utf8.h"

#define STYLE (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

static int fail(struct control_error *error, enum control_code code, const char *fmt, ...)
	printf_like(3, 4);
static int fail(struct control_error *error, enum control_code code, const char *fmt, ...)
{
	va_list ap;

	error->code = code;
	va_start(ap, fmt);
	vsnprintf(error->text, sizeof(error->text), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* --- Requests. ------------------------------------------------------------------------------ */

/*
 * json_scan() has seen that it is one value by the letter, of few levels; json-c is only to build
 * it. Returns NULL for null, too: the caller has looked at the first letter.
 */
static int build(const char *line, size_t len, struct json_object **ret,
		 struct control_error *error)
{
	struct json_tokener *tok = json_tokener_new_ex(JSON_SCAN_MAX_DEPTH + 2);
	enum json_tokener_error result;

	if (!tok)
		return fail(error, CONTROL_INTERNAL, "out of memory");
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	*ret = json_tokener_parse_ex(tok, line, (int)len);
	result = json_tokener_get_error(tok);
	json_tokener_free(tok);
	if (result == json_tokener_success && *ret)
		return 0;
	json_object_put(*ret);
	*ret = NULL;
	return fail(error, CONTROL_PARSE_ERROR, "%s", json_tokener_error_desc(result));
}

static bool is_id(struct json_object *id)
{
	return !id || json_object_is_type(id, json_type_string) ||
	       json_object_is_type(id, json_type_int) || json_object_is_type(id, json_type_double);
}

static int take_id(struct control_request *r, struct control_error *error)
{
	struct json_object *id;

	if (!json_object_object_get_ex(r->root, "id", &id))
		return 0;
	if (!is_id(id))
		return fail(error, CONTROL_INVALID_REQUEST,
			    "id: expected a string, a number or null");
	r->has_id = true;
	r->id = id;
	return 0;
}

static int take_members(struct control_request *r, struct control_error *error)
{
	struct json_object *version, *method;

	if (take_id(r, error) < 0)
		return -EINVAL;
	if (!json_object_object_get_ex(r->root, "jsonrpc", &version) ||
	    !json_object_is_type(version, json_type_string) ||
	    strcmp(json_object_get_string(version), "2.0") != 0)
		return fail(error, CONTROL_INVALID_REQUEST, "jsonrpc: expected \"2.0\"");
	if (!json_object_object_get_ex(r->root, "method", &method) ||
	    !json_object_is_type(method, json_type_string))
		return fail(error, CONTROL_INVALID_REQUEST, "method: expected a string");
	r->method = json_object_get_string(method);
	if (!json_object_object_get_ex(r->root, "params", &r->params))
		return 0;
	if (!json_object_is_type(r->params, json_type_object))
		return fail(error, CONTROL_INVALID_PARAMS,
			    "params: expected an object; parameters have names here");
	return 0;
}

int control_request_parse(const char *line, size_t len, struct control_request *ret,
			  struct control_error *error)
{
	const char *first = line;
	struct error err;

	*ret = (struct control_request){0};
	if (json_scan(line, len, &err) < 0)
		return fail(error, CONTROL_PARSE_ERROR, "%s", err.text);
	/* There is a value, so this ends inside the line. */
	while (*first == ' ' || *first == '\t' || *first == '\r' || *first == '\n')
		first++;
	if (*first == '[')
		return fail(error, CONTROL_INVALID_REQUEST,
			    "batches are not served: send one request a line");
	if (*first != '{')
		return fail(error, CONTROL_INVALID_REQUEST, "expected an object, { ... }");
	if (build(line, len, &ret->root, error) < 0)
		return -EINVAL;
	return take_members(ret, error);
}

void control_request_finish(struct control_request *request)
{
	json_object_put(request->root);
	*request = (struct control_request){0};
}

/* --- Parameters. ---------------------------------------------------------------------------- */

static bool is_among(const char *key, const char *const *names)
{
	for (; names && *names; names++)
		if (strcmp(key, *names) == 0)
			return true;
	return false;
}

int control_check_params(struct json_object *params, const char *const *names,
			 struct control_error *error)
{
	struct json_object_iterator it, end;

	if (!params)
		return 0;
	it = json_object_iter_begin(params);
	end = json_object_iter_end(params);
	for (; !json_object_iter_equal(&it, &end); json_object_iter_next(&it))
		if (!is_among(json_object_iter_peek_name(&it), names))
			return fail(error, CONTROL_INVALID_PARAMS, "%.64s: unknown parameter",
				    json_object_iter_peek_name(&it));
	return 0;
}

int control_param_uint(struct json_object *params, const char *name, uint32_t max, uint32_t *ret,
		       struct control_error *error)
{
	struct json_object *value;
	int64_t number;

	if (!params || !json_object_object_get_ex(params, name, &value))
		return 0;
	number = json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : -1;
	if (number < 0 || number > max)
		return fail(error, CONTROL_INVALID_PARAMS, "%s: expected an integer from 0 to %u",
			    name, max);
	*ret = (uint32_t)number;
	return 0;
}

int control_param_size(struct json_object *params, const char *name, uint64_t max, uint64_t *ret,
		       struct control_error *error)
{
	struct json_object *value;
	int64_t number;

	if (!params || !json_object_object_get_ex(params, name, &value))
		return 0;
	/* Larger ones than that are those that it cannot represent, and are this one. */
	number = json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : -1;
	if (number < 0 || (uint64_t)number > max)
		return fail(error, CONTROL_INVALID_PARAMS, "%s: expected an integer from 0 to %llu",
			    name, (unsigned long long)max);
	*ret = (uint64_t)number;
	return 0;
}

/* --- Lines. --------------------------------------------------------------------------------- */

/* Turns @object, which it takes over, into a line; @good: everything is in it. */
static char *to_line(struct json_object *object, bool good)
{
	const char *text = good ? json_object_to_json_string_ext(object, STYLE) : NULL;
	char *line = NULL;

	if (text && asprintf(&line, "%s\n", text) < 0)
		line = NULL;
	json_object_put(object);
	return line;
}

static struct json_object *new_message(void)
{
	struct json_object *object = json_object_new_object();

	if (object && json_put_string(object, "jsonrpc", "2.0") < 0) {
		json_object_put(object);
		return NULL;
	}
	return object;
}

/* NULL stands for null. */
static int put_id(struct json_object *object, struct json_object *id)
{
	return json_object_object_add(object, "id", json_object_get(id)) < 0 ? -ENOMEM : 0;
}

char *control_result_line(struct json_object *id, struct json_object *result)
{
	struct json_object *object = new_message();

	if (!object) {
		json_object_put(result);
		return NULL;
	}
	return to_line(object, json_put(object, "result", result) == 0 && put_id(object, id) == 0);
}

char *control_error_line(struct json_object *id, enum control_code code, const char *text)
{
	struct json_object *object = new_message(), *error = json_object_new_object();
	int r;

	if (!object || !error) {
		json_object_put(object);
		json_object_put(error);
		return NULL;
	}
	r = json_put(error, "code", json_object_new_int(code));
	if (r == 0)
		r = json_put(error, "message", control_text(text));
	if (json_put(object, "error", error) < 0)
		r = -ENOMEM;
	return to_line(object, r == 0 && put_id(object, id) == 0);
}

char *control_notification_line(const char *method, struct json_object *params)
{
	struct json_object *object = new_message();

	if (!object) {
		json_object_put(params);
		return NULL;
	}
	return to_line(object, json_put(object, "params", params) == 0 &&
				       json_put_string(object, "method", method) == 0);
}

char *control_request_line(int id, const char *method, struct json_object *params)
{
	struct json_object *object = new_message();
	bool good;

	if (!object) {
		json_object_put(params);
		return NULL;
	}
	good = !params || json_put(object, "params", params) == 0;
	good = good && json_put_string(object, "method", method) == 0 &&
	       json_put(object, "id", json_object_new_int(id)) == 0;
	return to_line(object, good);
}

struct json_object *control_text(const char *text)
{
	static const char replacement[] = "\xef\xbf\xbd";
	const size_t size = strlen(text);
	const char *end = text + size;
	struct json_object *string;
	char *copy = malloc(size * (sizeof(replacement) - 1) + 1);
	size_t len = 0;

	if (!copy)
		return NULL;
	while (text < end) {
		const size_t n = utf8_len(text, end);

		memcpy(copy + len, n ? text : replacement, n ? n : sizeof(replacement) - 1);
		len += n ? n : sizeof(replacement) - 1;
		text += n ? n : 1;
	}
	string = json_object_new_string_len(copy, (int)len);
	free(copy);
	return string;
}
