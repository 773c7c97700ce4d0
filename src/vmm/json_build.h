// SPDX-License-Identifier: MIT
/*
 * Building json-c objects without a check at every step: these take NULL for a value, which is how
 * json-c says that there was no memory, and they always take the value over. No state.
 */
#pragma once

#include <json-c/json.h>
#include <stdio.h>

#include "vmm/error.h"

/* 0 or -ENOMEM. */
int json_put(struct json_object *object, const char *key, struct json_object *value) must_check;
int json_append(struct json_object *array, struct json_object *value) must_check;
int json_put_string(struct json_object *object, const char *key, const char *text) must_check;
int json_put_integer(struct json_object *object, const char *key, uint64_t v) must_check;

/* Adds @value at a dotted path ("cpus.count"), making the objects that are not there yet. */
int json_put_at(struct json_object *object, const char *path, struct json_object *value) must_check;

/* Writes the object, indented, with a line end. -ENOMEM or -EIO with text. */
int json_write(struct json_object *object, FILE *out, struct error *err) must_check;
