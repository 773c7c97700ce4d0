// SPDX-License-Identifier: MIT
/*
 * Is this text one JSON value, by the letter of RFC 8259 and with nothing doubtful in it?
 *
 * A parser builds the value afterwards (json-c). It is lenient where a person's file must not be:
 * of two equal keys it silently takes the last, NUL ends its strings early, and an error has an
 * offset for a place. This looks at the text first, and says line, column and what was expected.
 * What it accepts has: no key twice in an object, no NUL, only valid UTF-8 and whole surrogate
 * pairs, no comments, at most JSON_SCAN_MAX_DEPTH levels, JSON_SCAN_MAX_KEYS keys an object, and
 * nothing behind the value but blanks.
 *
 * No state; any thread. Cost: linear in the text times JSON_SCAN_MAX_KEYS at worst.
 */
#pragma once

#include "vmm/error.h"

#define JSON_SCAN_MAX_DEPTH 16
#define JSON_SCAN_MAX_KEYS  256

/* -EINVAL with text "line 3, column 7: ...", or -ENOMEM. @text needs no NUL at its end. */
int json_scan(const char *text, size_t len, struct error *err) must_check;
