// SPDX-License-Identifier: MIT
/*
 * Where the parent of a differencing image is: its locators, and the name in its header. Windows
 * writes them; here, what is relative to the image is looked for beside it, absolute paths are
 * tried when they are ones of this system, and last the name alone beside the image. No state.
 */
#include <endian.h>
#include <stdio.h>

#include "devices/block/vhd_image.h"
#include "vmm/utf8.h"

#define UNITS_MAX (VHD_PATH_MAX / 2)

/* One code point of UTF-16 at *@p, which is moved behind it; what is broken is "?". */
static uint32_t take_utf16(const uint16_t *units, size_t count, size_t *p)
{
	uint32_t unit = units[(*p)++];

	if (unit < 0xd800 || unit > 0xdfff)
		return unit;
	if (unit > 0xdbff || *p == count || units[*p] < 0xdc00 || units[*p] > 0xdfff)
		return '?';
	return 0x10000 + ((unit - 0xd800) << 10) + (units[(*p)++] - 0xdc00u);
}

/* @count units of the host's order; ends at the first zero, and where there is no room. */
static void to_utf8(const uint16_t *units, size_t count, char ret[VHD_PATH_MAX])
{
	size_t len = 0, p = 0;

	while (p < count && units[p] && len + 5 <= VHD_PATH_MAX)
		len += utf8_put(take_utf16(units, count, &p), ret + len);
	ret[len] = '\0';
}

size_t vhd_to_utf16(const char *text, uint16_t *out, size_t max)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t n = 0;

	if (!utf8_valid(text, strlen(text)))
		return 0;
	while (*p) {
		unsigned int more = *p >= 0xf0 ? 3 : *p >= 0xe0 ? 2 : *p >= 0xc0 ? 1 : 0;
		uint32_t c = more ? *p & (0x3fu >> more) : *p;

		for (p++; more; more--)
			c = c << 6 | (*p++ & 0x3fu);
		if (n + 2 > max)
			return 0;
		if (c >= 0x10000) {
			out[n++] = (uint16_t)(0xd800 + ((c - 0x10000) >> 10));
			out[n++] = (uint16_t)(0xdc00 + ((c - 0x10000) & 0x3ff));
		} else {
			out[n++] = (uint16_t)c;
		}
	}
	return n;
}

/* The path in a locator, with this system's slashes. False: none that is good here. */
static bool read_locator(struct file *file, const struct vhd_layout *layout, unsigned int i,
			 char ret[VHD_PATH_MAX])
{
	const struct vhd_locator *locator = &layout->header.parent_locators[i];
	uint32_t code = be32toh(locator->platform_code), len = be32toh(locator->data_length);
	uint64_t offset = be64toh(locator->data_offset);
	uint16_t units[UNITS_MAX];

	if ((code != VHD_PLATFORM_W2RU && code != VHD_PLATFORM_W2KU) || len < 2 ||
	    len > sizeof(units) || !range_within(offset, len, layout->file_size) ||
	    file_pread(file, units, len, offset))
		return false;
	for (uint32_t n = 0; n < len / 2; n++)
		units[n] = le16toh(units[n]);
	to_utf8(units, len / 2, ret);
	for (char *p = ret; *p; p++)
		if (*p == '\\')
			*p = '/';
	/* "C:/..." is nowhere here. */
	return *ret && ret[1] != ':' && (*ret == '/') == (code == VHD_PLATFORM_W2KU);
}

void vhd_parent_name(struct file *file, const struct vhd_layout *layout, char ret[VHD_PATH_MAX])
{
	uint16_t units[ARRAY_SIZE(layout->header.parent_unicode_name)];

	memcpy(units, layout->header.parent_unicode_name, sizeof(units));
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		units[i] = be16toh(units[i]);
	to_utf8(units, ARRAY_SIZE(units), ret);
	for (unsigned int i = 0; i < VHD_LOCATORS && !*ret; i++)
		if (!read_locator(file, layout, i, ret))
			*ret = '\0';
}

/* @path seen from where the image is. False: too long. */
static bool beside(const char *image, const char *path, char ret[VHD_PATH_MAX])
{
	const char *slash = strrchr(image, '/');
	int dir_len = slash ? (int)(slash - image) + 1 : 0;

	if (*path == '/')
		dir_len = 0;
	return snprintf(ret, VHD_PATH_MAX, "%.*s%s", dir_len, image, path) < (int)VHD_PATH_MAX;
}

bool vhd_parent_path(struct file *file, const struct vhd_layout *layout, unsigned int n,
		     char ret[VHD_PATH_MAX])
{
	char path[VHD_PATH_MAX], *name;

	for (unsigned int i = 0; i < VHD_LOCATORS; i++)
		if (read_locator(file, layout, i, path) && n-- == 0)
			return beside(file->name, path, ret);
	vhd_parent_name(file, layout, path);
	for (char *p = path; *p; p++)
		if (*p == '\\')
			*p = '/';
	name = strrchr(path, '/');
	name = name ? name + 1 : path;
	return n == 0 && *name && beside(file->name, name, ret);
}
