// SPDX-License-Identifier: MIT
/*
 * Building json-c objects. No state; an object belongs to one thread.
 */
#include "vmm/json_build.h"

#include <errno.h>
#include <string.h>

#define STYLE (JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE)

#define COMPONENT_MAX 64

int json_put(struct json_object *object, const char *key, struct json_object *value)
{
	if (value && json_object_object_add(object, key, value) == 0)
		return 0;
	json_object_put(value);
	return -ENOMEM;
}

int json_append(struct json_object *array, struct json_object *value)
{
	if (value && json_object_array_add(array, value) == 0)
		return 0;
	json_object_put(value);
	return -ENOMEM;
}

int json_put_string(struct json_object *object, const char *key, const char *text)
{
	return json_put(object, key, json_object_new_string(text));
}

int json_put_integer(struct json_object *object, const char *key, uint64_t v)
{
	return json_put(object, key, json_object_new_uint64(v));
}

int json_put_at(struct json_object *object, const char *path, struct json_object *value)
{
	const char *dot;

	while ((dot = strchr(path, '.'))) {
		struct json_object *inner;
		char component[COMPONENT_MAX];

		snprintf(component, sizeof(component), "%.*s", (int)(dot - path), path);
		if (!json_object_object_get_ex(object, component, &inner)) {
			inner = json_object_new_object();
			if (json_put(object, component, inner)) {
				json_object_put(value);
				return -ENOMEM;
			}
		}
		object = inner;
		path = dot + 1;
	}
	return json_put(object, path, value);
}

int json_write(struct json_object *object, FILE *out, struct error *err)
{
	const char *text = json_object_to_json_string_ext(object, STYLE);

	if (!text)
		return error_set(err, -ENOMEM, "out of memory");
	if (fprintf(out, "%s\n", text) < 0 || fflush(out) != 0)
		return error_errno(err, -EIO, "cannot write the output");
	return 0;
}
