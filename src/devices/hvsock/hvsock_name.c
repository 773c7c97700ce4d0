// SPDX-License-Identifier: MIT
/*
 * Names of hvsocket services. No state.
 */
#include "devices/hvsock/hvsock_name.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "devices/hvsock/hvsock_proto.h"

static const uint8_t template[] = HVSOCK_VSOCK_TEMPLATE;

struct vmbus_guid hvsock_port_guid(uint32_t port)
{
	struct vmbus_guid guid;

	for (unsigned int i = 0; i < 4; i++)
		guid.b[i] = (uint8_t)(port >> 8 * i);
	memcpy(guid.b + 4, template, sizeof(template));
	return guid;
}

bool hvsock_guid_port(const struct vmbus_guid *guid, uint32_t *ret)
{
	if (memcmp(guid->b + 4, template, sizeof(template)) != 0)
		return false;
	*ret = guid->b[0] | (uint32_t)guid->b[1] << 8 | (uint32_t)guid->b[2] << 16 |
	       (uint32_t)guid->b[3] << 24;
	return true;
}

/* Where the bytes of a GUID's text are; 16 stands for a dash. */
static const uint8_t text_order[] = {3,  2, 1, 0,  16, 5,  4,  16, 7,  6,
				     16, 8, 9, 16, 10, 11, 12, 13, 14, 15};

void hvsock_guid_name(const struct vmbus_guid *guid, char name[HVSOCK_NAME_MAX])
{
	char *at = name;
	uint32_t port;

	if (hvsock_guid_port(guid, &port)) {
		snprintf(name, HVSOCK_NAME_MAX, "%" PRIu32, port);
		return;
	}
	for (size_t i = 0; i < sizeof(text_order); i++)
		at += text_order[i] == 16 ? sprintf(at, "-")
					  : sprintf(at, "%02x", guid->b[text_order[i]]);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int parse_guid(const char *text, size_t len, struct vmbus_guid *ret)
{
	const char *at = text;

	if (len != 36)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(text_order); i++) {
		int high, low;

		if (text_order[i] == 16) {
			if (*at++ != '-')
				return -EINVAL;
			continue;
		}
		high = hex_digit(at[0]);
		low = hex_digit(at[1]);
		if (high < 0 || low < 0)
			return -EINVAL;
		ret->b[text_order[i]] = (uint8_t)(high << 4 | low);
		at += 2;
	}
	return 0;
}

static int parse_port(const char *text, size_t len, struct vmbus_guid *ret)
{
	uint64_t port = 0;

	if (len == 0 || len > 10)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		port = port * 10 + (uint64_t)(text[i] - '0');
	}
	/* The last one is AF_VSOCK's "any". */
	if (port >= UINT32_MAX)
		return -EINVAL;
	*ret = hvsock_port_guid((uint32_t)port);
	return 0;
}

int hvsock_parse_connect(const char *line, size_t len, struct vmbus_guid *ret)
{
	static const char word[] = "connect ";
	const size_t word_len = sizeof(word) - 1;
	struct vmbus_guid guid;
	int r;

	if (len && line[len - 1] == '\r')
		len--;
	if (len < word_len || strncasecmp(line, word, word_len) != 0)
		return -EINVAL;
	r = parse_port(line + word_len, len - word_len, &guid);
	if (r < 0)
		r = parse_guid(line + word_len, len - word_len, &guid);
	if (r == 0)
		*ret = guid;
	return r;
}
