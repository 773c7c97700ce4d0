// SPDX-License-Identifier: MIT
/*
 * JSON-RPC 2.0, a message a line: what a line asks for, and the lines that answer it.
 *
 * Batches are refused. Text of guests and of file names may be any bytes; what goes into an answer
 * through control_text() is valid UTF-8 all the same.
 *
 * No state; any thread.
 */
#pragma once

#include <json-c/json.h>

#include "vmm/error.h"

#define CONTROL_LINE_MAX KiB(64) /* of a request, without its line end */

/* Codes of errors: JSON-RPC's, and ours. */
enum control_code {
	CONTROL_PARSE_ERROR = -32700,
	CONTROL_INVALID_REQUEST = -32600,
	CONTROL_NO_METHOD = -32601,
	CONTROL_INVALID_PARAMS = -32602,
	CONTROL_INTERNAL = -32603,
	CONTROL_REFUSED = -32000, /* not in the state that the VM is in */
	CONTROL_FAILED = -32001,  /* tried, and the message says why not */
};

struct control_request {
	struct json_object *root; /* the whole; owns the others */
	const char *method;
	struct json_object *params; /* an object, or NULL */
	bool has_id;                /* else it is a notification, and has no answer */
	struct json_object *id;     /* a string, a number, or NULL for null */
};

struct control_error {
	enum control_code code;
	char text[640];
};

/*
 * 0, or -EINVAL with @error: then what @ret has of an id is to be answered to, and nothing else of
 * it means anything. Always to be finished.
 */
int control_request_parse(const char *line, size_t len, struct control_request *ret,
			  struct control_error *error) must_check;
void control_request_finish(struct control_request *request);

/*
 * Are all of @params (may be NULL) among @names, which ends with a NULL (NULL: there are none)?
 * -EINVAL with @error.
 */
int control_check_params(struct json_object *params, const char *const *names,
			 struct control_error *error) must_check;

/*
 * A parameter that is a whole number from 0 to @max. 0: *ret is as it was when there is none;
 * -EINVAL with @error.
 */
int control_param_uint(struct json_object *params, const char *name, uint32_t max, uint32_t *ret,
		       struct control_error *error) must_check;

/* The same of 64 bits. */
int control_param_size(struct json_object *params, const char *name, uint64_t max, uint64_t *ret,
		       struct control_error *error) must_check;

/* Lines, with their end, to be freed; NULL: no memory. They take over @result and @params. */
char *control_result_line(struct json_object *id, struct json_object *result);
char *control_error_line(struct json_object *id, enum control_code code, const char *text);
char *control_notification_line(const char *method, struct json_object *params);
/* A request; @params may be NULL. */
char *control_request_line(int id, const char *method, struct json_object *params);

/* A JSON string of @text, with U+FFFD for what is not UTF-8. NULL: no memory. */
struct json_object *control_text(const char *text);
