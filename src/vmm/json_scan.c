// SPDX-License-Identifier: MIT
/*
 * The strict look at a JSON text: recursive descent, as deep as JSON_SCAN_MAX_DEPTH.
 *
 * State lives in one struct scan on the caller's stack and dies with the call. Keys of the objects
 * that are open are kept decoded ("\u0061" is "a"), on a stack of their own; it shrinks as objects
 * close. Any thread.
 */
#include "vmm/json_scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/utf8.h"

struct scan_key {
	size_t offset; /* in scan.bytes */
	size_t len;
};

struct scan {
	const char *text, *p, *end;
	unsigned int depth;
	char *bytes; /* of all keys that are open; as large as the text, so never full */
	size_t byte_count;
	struct scan_key *keys; /* JSON_SCAN_MAX_DEPTH * JSON_SCAN_MAX_KEYS */
	size_t key_count;
	struct error *err;
};

static int scan_value(struct scan *s);

/* The text of an error at @at. Columns count characters, from 1. */
static int fail(struct scan *s, const char *at, const char *what)
{
	size_t line = 1, column = 1;
	const char *p;

	for (p = s->text; p < at; p++) {
		if (*p == '\n') {
			line++;
			column = 1;
		} else if (((unsigned char)*p & 0xc0) != 0x80) {
			column++;
		}
	}
	return error_set(s->err, -EINVAL, "line %zu, column %zu: %s", line, column, what);
}

/* As fail(), for a place where something else was expected: the usual slips get their own words. */
static int unexpected(struct scan *s, const char *what)
{
	if (s->p == s->end)
		return fail(s, s->p, "the text ends too early");
	if (*s->p == '/' || *s->p == '#')
		return fail(s, s->p, "JSON has no comments; remove it");
	if (*s->p == '\'')
		return fail(s, s->p, "JSON strings need double quotes");
	return fail(s, s->p, what);
}

static void skip_blanks(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
		s->p++;
}

static bool take(struct scan *s, char c)
{
	if (s->p == s->end || *s->p != c)
		return false;
	s->p++;
	return true;
}

/* Four hexadecimal digits. */
static bool take_hex4(struct scan *s, uint32_t *ret)
{
	uint32_t v = 0;
	int i;

	if (s->end - s->p < 4)
		return false;
	for (i = 0; i < 4; i++) {
		char c = s->p[i];

		if (c >= '0' && c <= '9')
			v = v * 16 + (uint32_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v * 16 + (uint32_t)(c - 'a') + 10;
		else if (c >= 'A' && c <= 'F')
			v = v * 16 + (uint32_t)(c - 'A') + 10;
		else
			return false;
	}
	s->p += 4;
	*ret = v;
	return true;
}

/* What follows "\u"; @start is the backslash. */
static int scan_unicode(struct scan *s, const char *start, char *out, size_t *ret_len)
{
	uint32_t c, low;

	if (!take_hex4(s, &c))
		return fail(s, start, "expected four hexadecimal digits after \\u");
	if (c == 0)
		return fail(s, start, "a string must not hold a NUL character");
	if (c >= 0xd800 && c <= 0xdbff) {
		if (!take(s, '\\') || !take(s, 'u') || !take_hex4(s, &low) || low < 0xdc00 ||
		    low > 0xdfff)
			return fail(s, start,
				    "the first half of a surrogate pair, without a second");
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	} else if (c >= 0xdc00 && c <= 0xdfff) {
		return fail(s, start, "the second half of a surrogate pair, without a first");
	}
	*ret_len = utf8_put(c, out);
	return 0;
}

/* A backslash and what follows; at most four bytes of @out are written. */
static int scan_escape(struct scan *s, char *out, size_t *ret_len)
{
	static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
	const char *start = s->p++, *found;

	if (s->p == s->end)
		return unexpected(s, "");
	if (take(s, 'u'))
		return scan_unicode(s, start, out, ret_len);
	found = *s->p ? strchr(letters, *s->p) : NULL;
	if (!found)
		return fail(s, start, "not one of JSON's escapes (a backslash is written \\\\)");
	s->p++;
	out[0] = meanings[found - letters];
	*ret_len = 1;
	return 0;
}

/* A string; decoded to @out, which has room for as many bytes as it has in the text; or NULL. */
static int scan_string(struct scan *s, char *out, size_t *ret_len)
{
	const char *start = s->p++;
	size_t len = 0;

	for (;;) {
		char c[4];
		size_t n = 0;

		if (s->p == s->end)
			return fail(s, start, "this string does not end");
		if (take(s, '"'))
			break;
		if (*s->p == '\\') {
			int r = scan_escape(s, c, &n);

			if (r)
				return r;
		} else {
			if ((unsigned char)*s->p < 0x20)
				return fail(s, s->p,
					    "a control character in a string (a line end is "
					    "written \\n, a tab \\t)");
			n = utf8_len(s->p, s->end);
			if (n == 0)
				return fail(s, s->p, "this is not UTF-8");
			memcpy(c, s->p, n);
			s->p += n;
		}
		if (out)
			memcpy(out + len, c, n);
		len += n;
	}
	if (ret_len)
		*ret_len = len;
	return 0;
}

static size_t skip_digits(struct scan *s)
{
	const char *start = s->p;

	while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
		s->p++;
	return (size_t)(s->p - start);
}

static int scan_number(struct scan *s)
{
	const char *start = s->p;

	take(s, '-');
	if (take(s, '0')) {
		if (skip_digits(s) || take(s, 'x'))
			return fail(s, start, "JSON numbers are decimal, without leading zeros");
	} else if (skip_digits(s) == 0) {
		return unexpected(s, "expected a digit");
	}
	if (take(s, '.') && skip_digits(s) == 0)
		return unexpected(s, "expected a digit after the point");
	if (take(s, 'e') || take(s, 'E')) {
		if (!take(s, '+'))
			take(s, '-');
		if (skip_digits(s) == 0)
			return unexpected(s, "expected the digits of the exponent");
	}
	return 0;
}

static int scan_word(struct scan *s)
{
	static const char *const words[] = {"true", "false", "null"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(words); i++) {
		size_t len = strlen(words[i]);

		if ((size_t)(s->end - s->p) >= len && memcmp(s->p, words[i], len) == 0) {
			s->p += len;
			return 0;
		}
	}
	return unexpected(s, "expected a value (strings need double quotes)");
}

/* A key, which goes on the stack; @first is where its object's keys begin there. */
static int scan_key(struct scan *s, size_t first)
{
	struct scan_key *key = &s->keys[s->key_count];
	const char *start = s->p;
	size_t i;
	int r;

	if (s->p == s->end || *s->p != '"')
		return unexpected(s, "expected a key in double quotes");
	if (s->key_count - first == JSON_SCAN_MAX_KEYS)
		return fail(s, s->p, "too many keys in one object");
	key->offset = s->byte_count;
	r = scan_string(s, s->bytes + key->offset, &key->len);
	if (r)
		return r;
	for (i = first; i < s->key_count; i++) {
		if (s->keys[i].len == key->len &&
		    memcmp(s->bytes + s->keys[i].offset, s->bytes + key->offset, key->len) == 0)
			return fail(s, start, "duplicate key");
	}
	s->byte_count += key->len;
	s->key_count++;
	return 0;
}

static int scan_object(struct scan *s)
{
	size_t first = s->key_count, byte_first = s->byte_count;
	int r;

	s->p++;
	skip_blanks(s);
	if (take(s, '}'))
		return 0;
	for (;;) {
		skip_blanks(s);
		if (s->p < s->end && *s->p == '}')
			return fail(s, s->p, "JSON allows no comma before '}'");
		r = scan_key(s, first);
		if (r)
			return r;
		skip_blanks(s);
		if (!take(s, ':'))
			return unexpected(s, "expected ':' after a key");
		r = scan_value(s);
		if (r)
			return r;
		if (take(s, '}'))
			break;
		if (!take(s, ','))
			return unexpected(s, "expected ',' or '}'");
	}
	s->key_count = first;
	s->byte_count = byte_first;
	return 0;
}

static int scan_array(struct scan *s)
{
	int r;

	s->p++;
	skip_blanks(s);
	if (take(s, ']'))
		return 0;
	for (;;) {
		skip_blanks(s);
		if (s->p < s->end && *s->p == ']')
			return fail(s, s->p, "JSON allows no comma before ']'");
		r = scan_value(s);
		if (r)
			return r;
		if (take(s, ']'))
			return 0;
		if (!take(s, ','))
			return unexpected(s, "expected ',' or ']'");
	}
}

/* One value, with the blanks around it. */
static int scan_value(struct scan *s)
{
	char c = '\0';
	int r;

	skip_blanks(s);
	if (s->p < s->end)
		c = *s->p;
	if (c == '{' || c == '[') {
		if (s->depth == JSON_SCAN_MAX_DEPTH)
			return fail(s, s->p, "nested too deeply");
		s->depth++;
		r = c == '{' ? scan_object(s) : scan_array(s);
		s->depth--;
	} else if (c == '"') {
		r = scan_string(s, NULL, NULL);
	} else if (c == '-' || (c >= '0' && c <= '9')) {
		r = scan_number(s);
	} else {
		r = scan_word(s);
	}
	skip_blanks(s);
	return r;
}

int json_scan(const char *text, size_t len, struct error *err)
{
	struct scan s = {.text = text, .p = text, .end = text + len, .err = err};
	int r;

	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		return fail(&s, text, "a byte order mark; save the file without one");
	skip_blanks(&s);
	if (s.p == s.end)
		return fail(&s, s.p, "expected a value, but there is no text");
	s.bytes = malloc(len + 1);
	s.keys = calloc((size_t)JSON_SCAN_MAX_DEPTH * JSON_SCAN_MAX_KEYS, sizeof(s.keys[0]));
	if (s.bytes && s.keys) {
		r = scan_value(&s);
		if (r == 0 && s.p < s.end)
			r = unexpected(&s, "expected the end of the text");
	} else {
		r = error_set(err, -ENOMEM, "out of memory");
	}
	free(s.bytes);
	free(s.keys);
	return r;
}
