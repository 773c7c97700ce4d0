// SPDX-License-Identifier: MIT
/*
 * Parent locators. No state. Strings are UTF-16 without a terminator; offsets count from the start
 * of the item.
 */
#include "devices/block/vhdx_locator.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct vhdx_guid vhdx_type = VHDX_LOCATOR_VHDX;

/* --- UTF-16. ------------------------------------------------------------------------------- */

static uint16_t unit_at(const void *utf16, size_t i)
{
	uint16_t unit;

	memcpy(&unit, (const char *)utf16 + 2 * i, sizeof(unit));
	return unit;
}

static size_t put_utf8(uint32_t c, char out[4])
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

void vhdx_utf8(const void *utf16, size_t units, char *out, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < units; i++) {
		uint32_t c = unit_at(utf16, i);
		char bytes[4];
		size_t len;

		if (c == 0)
			break;
		if (c >= 0xd800 && c < 0xdc00 && i + 1 < units &&
		    (unit_at(utf16, i + 1) & 0xfc00) == 0xdc00)
			c = 0x10000 + ((c & 0x3ff) << 10) + (unit_at(utf16, ++i) & 0x3ff);
		else if (c >= 0xd800 && c < 0xe000)
			c = '?';
		len = put_utf8(c, bytes);
		if (used + len >= size)
			break;
		memcpy(out + used, bytes, len);
		used += len;
	}
	out[used] = '\0';
}

/* The next character of @s, or -EILSEQ; *len its bytes. */
static int64_t next_utf8(const char *s, size_t *len)
{
	static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
	uint8_t first = (uint8_t)*s;
	uint32_t c;

	*len = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
	if (first >= 0xf8 || (first >= 0x80 && first < 0xc0))
		return -EILSEQ;
	c = *len == 1 ? first : first & (0x7fu >> *len);
	for (size_t i = 1; i < *len; i++) {
		if (((uint8_t)s[i] & 0xc0) != 0x80)
			return -EILSEQ;
		c = c << 6 | ((uint8_t)s[i] & 0x3f);
	}
	if (c < least[*len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return -EILSEQ;
	return c;
}

int vhdx_utf16(const char *utf8, void *out, size_t max_units)
{
	size_t used = 0, len;

	for (; *utf8; utf8 += len) {
		int64_t c = next_utf8(utf8, &len);
		uint16_t units[2];
		size_t count = c >= 0x10000 ? 2 : 1;

		if (c < 0)
			return (int)c;
		if (used + count > max_units)
			return -ENAMETOOLONG;
		units[0] = (uint16_t)(count == 2 ? 0xd800 + ((c - 0x10000) >> 10) : c);
		units[1] = (uint16_t)(0xdc00 + ((c - 0x10000) & 0x3ff));
		memcpy((char *)out + 2 * used, units, 2 * count);
		used += count;
	}
	return (int)used;
}

/* --- Parsing. ------------------------------------------------------------------------------ */

static bool string_is_inside(uint32_t offset, uint16_t bytes, size_t len)
{
	return bytes && bytes % 2 == 0 && range_within(offset, bytes, len);
}

/* "{aabbccdd-eeff-gghh-iijj-kkllmmnnoopp}", the braces optional. */
static bool parse_guid(const char *text, struct vhdx_guid *ret)
{
	static const uint8_t place[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
	size_t at = *text == '{';

	for (unsigned int i = 0; i < 16; i++) {
		char hex[3] = {0};
		char *end;

		if ((i == 4 || i == 6 || i == 8 || i == 10) && text[at++] != '-')
			return false;
		hex[0] = text[at];
		hex[1] = hex[0] ? text[at + 1] : '\0';
		if (!strchr("0123456789abcdefABCDEF", hex[0]) || hex[0] == '\0')
			return false;
		ret->bytes[place[i]] = (uint8_t)strtoul(hex, &end, 16);
		if (*end || end != hex + 2)
			return false;
		at += 2;
	}
	return text[at] == '\0' || strcmp(text + at, "}") == 0;
}

static int take_pair(struct vhdx_locator *ret, const char *key, const char *value)
{
	int linkage = strcmp(key, "parent_linkage") == 0    ? 0
		      : strcmp(key, "parent_linkage2") == 0 ? 1
							    : -1;

	if (linkage >= 0) {
		ret->has_linkage[linkage] = parse_guid(value, &ret->linkage[linkage]);
		return ret->has_linkage[linkage] ? 0 : -EUCLEAN;
	}
	if (strcmp(key, "relative_path") == 0)
		memcpy(ret->relative, value, VHDX_PATH_MAX);
	else if (strcmp(key, "volume_path") == 0)
		memcpy(ret->volume, value, VHDX_PATH_MAX);
	else if (strcmp(key, "absolute_win32_path") == 0)
		memcpy(ret->absolute, value, VHDX_PATH_MAX);
	return 0; /* others are kept for others */
}

int vhdx_locator_parse(const void *item, size_t len, struct vhdx_locator *ret)
{
	struct vhdx_locator_header header;
	const char *bytes = item;
	char key[64], value[VHDX_PATH_MAX];

	memset(ret, 0, sizeof(*ret));
	if (len < sizeof(header))
		return -EUCLEAN;
	memcpy(&header, bytes, sizeof(header));
	if (!vhdx_guid_equal(&header.type, &vhdx_type))
		return -ENOTSUP;
	if (header.reserved || header.count == 0 || header.count > VHDX_LOCATOR_MAX_ENTRIES ||
	    len < sizeof(header) + header.count * sizeof(struct vhdx_locator_entry))
		return -EUCLEAN;
	for (uint16_t i = 0; i < header.count; i++) {
		struct vhdx_locator_entry entry;
		int error;

		memcpy(&entry, bytes + sizeof(header) + i * sizeof(entry), sizeof(entry));
		if (!string_is_inside(entry.key_offset, entry.key_length, len) ||
		    !string_is_inside(entry.value_offset, entry.value_length, len))
			return -EUCLEAN;
		memset(value, 0, sizeof(value));
		vhdx_utf8(bytes + entry.key_offset, entry.key_length / 2, key, sizeof(key));
		vhdx_utf8(bytes + entry.value_offset, entry.value_length / 2, value, sizeof(value));
		error = take_pair(ret, key, value);
		if (error)
			return error;
	}
	return ret->has_linkage[0] ? 0 : -EUCLEAN;
}

int vhdx_locator_read(const struct vhdx_image *image, struct file *file, struct error *err,
		      struct vhdx_locator *ret)
{
	void *item = malloc(image->locator.len);
	int error;

	if (!item)
		return error_errno(err, -ENOMEM, "%s", file->name);
	error = file_pread(file, item, image->locator.len, image->locator.offset);
	if (error) {
		error_errno(err, error, "%s: the parent locator cannot be read", file->name);
	} else {
		error = vhdx_locator_parse(item, image->locator.len, ret);
		if (error)
			error_set(err, error, "%s: the parent locator is %s", file->name,
				  error == -ENOTSUP ? "not one for a VHDX parent" : "damaged");
	}
	free(item);
	return error;
}

/* --- Building. ----------------------------------------------------------------------------- */

struct builder {
	uint8_t *item;
	size_t size, used;
	uint16_t count;
};

static int add_string(struct builder *b, const char *text, uint32_t *ret_offset, uint16_t *ret_len)
{
	int units = vhdx_utf16(text, b->item + b->used, (b->size - b->used) / 2);

	if (units < 0)
		return units;
	if (units > UINT16_MAX / 2)
		return -ENAMETOOLONG;
	*ret_offset = (uint32_t)b->used;
	*ret_len = (uint16_t)(2 * units);
	b->used += 2 * (size_t)units;
	return 0;
}

static int add_pair(struct builder *b, const char *key, const char *value)
{
	uint32_t key_offset, value_offset;
	uint16_t key_length, value_length;
	struct vhdx_locator_entry entry;
	int ret = add_string(b, key, &key_offset, &key_length);

	if (ret == 0)
		ret = add_string(b, value, &value_offset, &value_length);
	if (ret)
		return ret;
	entry = (struct vhdx_locator_entry){key_offset, value_offset, key_length, value_length};
	memcpy(b->item + sizeof(struct vhdx_locator_header) + b->count++ * sizeof(entry), &entry,
	       sizeof(entry));
	return 0;
}

int vhdx_locator_build(const char *relative, const char *absolute, const uint8_t *linkage,
		       void *item, size_t size)
{
	const uint8_t *g = linkage;
	struct builder b = {.item = item, .size = size};
	struct vhdx_locator_header header = {.type = vhdx_type};
	char text[VHDX_PATH_MAX];
	int ret;

	b.used = sizeof(header) + 3 * sizeof(struct vhdx_locator_entry);
	if (size < b.used || strlen(relative) >= sizeof(text))
		return -ENAMETOOLONG;
	memset(item, 0, b.used);
	snprintf(text, sizeof(text),
		 "{%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x}", g[3],
		 g[2], g[1], g[0], g[5], g[4], g[7], g[6], g[8], g[9], g[10], g[11], g[12], g[13],
		 g[14], g[15]);
	ret = add_pair(&b, "parent_linkage", text);
	if (ret == 0) {
		strcpy(text, relative);
		for (char *p = text; *p; p++)
			*p = *p == '/' ? '\\' : *p;
		ret = add_pair(&b, "relative_path", text);
	}
	if (ret == 0 && absolute)
		ret = add_pair(&b, "absolute_win32_path", absolute);
	header.count = b.count;
	memcpy(item, &header, sizeof(header));
	return ret ? ret : (int)b.used;
}

bool vhdx_locator_path(const char *name, const char *path, char *out, size_t size)
{
	const char *slash = strrchr(name, '/');
	int directory = slash ? (int)(slash - name + 1) : 0;
	const char *p;
	int len;

	if (!*path)
		return false;
	if (*path == '/') {
		len = snprintf(out, size, "%s", path);
	} else {
		/*
		 * A drive, a volume or a share means nothing here: the file may be beside the
		 * image.
		 */
		if (strncmp(path, "\\\\", 2) == 0 || (path[0] && path[1] == ':')) {
			p = strrchr(path, '\\');
			path = p ? p + 1 : path + 2;
			if (!*path)
				return false;
		}
		while (strncmp(path, ".\\", 2) == 0)
			path += 2;
		len = snprintf(out, size, "%.*s%s", directory, name, path);
		for (char *q = out + directory; len > 0 && (size_t)len < size && *q; q++)
			*q = *q == '\\' ? '/' : *q;
	}
	return len > 0 && (size_t)len < size;
}
