// SPDX-License-Identifier: MIT
/* The printf subset of console.h. Pure. */
#include "kit/console.h"
#include "kit/string.h"

struct out {
	char *buf;
	size_t size;
	size_t len;
};

/* One conversion, as read from the format. */
struct spec {
	bool left;
	char pad;
	size_t width;
	size_t precision; /* of strings; SIZE_MAX: none */
	unsigned int longs;
};

static void put(struct out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len++] = c;
}

static void put_field(struct out *o, const struct spec *s, const char *text, size_t len)
{
	size_t fill = s->width > len ? s->width - len : 0;

	for (; fill && !s->left; fill--)
		put(o, s->pad);
	for (size_t i = 0; i < len; i++)
		put(o, text[i]);
	for (; fill; fill--)
		put(o, ' ');
}

static void put_number(struct out *o, const struct spec *s, uint64_t v, unsigned int base,
		       bool negative)
{
	char text[24];
	size_t at = sizeof(text);

	do {
		text[--at] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	if (negative)
		text[--at] = '-';
	put_field(o, s, text + at, sizeof(text) - at);
}

static size_t read_decimal(const char **fmt)
{
	size_t v = 0;

	for (; **fmt >= '0' && **fmt <= '9'; (*fmt)++)
		v = v * 10 + (size_t)(**fmt - '0');
	return v;
}

static struct spec read_spec(const char **fmt)
{
	struct spec s = {.pad = ' ', .precision = SIZE_MAX};

	for (; **fmt == '-' || **fmt == '0'; (*fmt)++) {
		if (**fmt == '-')
			s.left = true;
		else
			s.pad = '0';
	}
	s.width = read_decimal(fmt);
	if (**fmt == '.') {
		(*fmt)++;
		s.precision = read_decimal(fmt);
	}
	for (; **fmt == 'l' || **fmt == 'z'; (*fmt)++)
		s.longs++;
	return s;
}

static void put_string(struct out *o, struct spec *s, const char *text)
{
	size_t len = 0;

	if (!text)
		text = "(null)";
	while (len < s->precision && text[len])
		len++;
	s->pad = ' ';
	put_field(o, s, text, len);
}

size_t format_text_va(char *buf, size_t size, const char *fmt, va_list args)
{
	struct out o = {.buf = buf, .size = size};

	while (*fmt) {
		if (*fmt != '%') {
			put(&o, *fmt++);
			continue;
		}
		fmt++;
		struct spec s = read_spec(&fmt);

		if (*fmt == 's') {
			put_string(&o, &s, va_arg(args, const char *));
		} else if (*fmt == 'c') {
			char c = (char)va_arg(args, int);

			put_field(&o, &s, &c, 1);
		} else if (*fmt == 'd') {
			int64_t v = s.longs ? va_arg(args, long) : va_arg(args, int);

			put_number(&o, &s, v < 0 ? -(uint64_t)v : (uint64_t)v, 10, v < 0);
		} else if (*fmt == 'u' || *fmt == 'x') {
			uint64_t v =
				s.longs ? va_arg(args, unsigned long) : va_arg(args, unsigned int);

			put_number(&o, &s, v, *fmt == 'u' ? 10 : 16, false);
		} else if (*fmt == 'p') {
			put_number(&o, &s, (uintptr_t)va_arg(args, void *), 16, false);
		} else {
			put(&o, *fmt);
		}
		if (*fmt)
			fmt++;
	}
	if (size)
		buf[o.len] = 0;
	return o.len;
}

size_t format_text(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	size_t len = format_text_va(buf, size, fmt, args);
	va_end(args);
	return len;
}
