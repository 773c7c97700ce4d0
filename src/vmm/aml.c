// SPDX-License-Identifier: MIT
/*
 * The AML encoder: ACPI 6.3, chapter 20. What stands in resource templates is in aml_resource.c.
 *
 * The length of a block is known only when it ends, and the length's own size depends on it, so
 * aml_end() moves the block's body up to make room. No state outside the caller's struct.
 */
#include "vmm/aml.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define AML_ZERO          0x00
#define AML_ONE           0x01
#define AML_NAME          0x08
#define AML_BYTE_PREFIX   0x0a
#define AML_WORD_PREFIX   0x0b
#define AML_DWORD_PREFIX  0x0c
#define AML_STRING_PREFIX 0x0d
#define AML_QWORD_PREFIX  0x0e
#define AML_SCOPE         0x10
#define AML_BUFFER        0x11
#define AML_PACKAGE       0x12
#define AML_METHOD        0x14
#define AML_DUAL_NAME     0x2e
#define AML_MULTI_NAME    0x2f
#define AML_EXT_PREFIX    0x5b
#define AML_EXT_DEVICE    0x82
#define AML_AND           0x7b
#define AML_OR            0x7d
#define AML_RETURN        0xa4
#define AML_ONES          0xff

void aml_init(struct aml *aml, void *buf, size_t size)
{
	*aml = (struct aml){.buf = buf, .size = size};
}

int aml_finish(const struct aml *aml, size_t *ret_len)
{
	assert(aml->depth == 0);
	if (aml->overflow)
		return -ENOSPC;
	*ret_len = aml->len;
	return 0;
}

void aml_bytes(struct aml *aml, const void *data, size_t len)
{
	if (aml->overflow || len > aml->size - aml->len) {
		aml->overflow = true;
		return;
	}
	memcpy(aml->buf + aml->len, data, len);
	aml->len += len;
}

static void put_byte(struct aml *aml, uint8_t byte)
{
	aml_bytes(aml, &byte, 1);
}

/* The low @len bytes of @value, least significant first. */
static void put_le(struct aml *aml, uint64_t value, size_t len)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
	aml_bytes(aml, bytes, len);
}

/* An integer in its shortest form, at most 10 bytes. Returns their number. */
static size_t encode_int(uint64_t value, uint8_t out[10])
{
	size_t len = 8;

	if (value <= 1 || value == UINT64_MAX) {
		out[0] = value == 0 ? AML_ZERO : value == 1 ? AML_ONE : AML_ONES;
		return 1;
	}
	out[0] = AML_QWORD_PREFIX;
	if (value <= UINT8_MAX) {
		out[0] = AML_BYTE_PREFIX;
		len = 1;
	} else if (value <= UINT16_MAX) {
		out[0] = AML_WORD_PREFIX;
		len = 2;
	} else if (value <= UINT32_MAX) {
		out[0] = AML_DWORD_PREFIX;
		len = 4;
	}
	for (size_t i = 0; i < len; i++)
		out[1 + i] = (uint8_t)(value >> (8 * i));
	return 1 + len;
}

/*
 * PkgLength of a block whose content has @content bytes; the value counts its own bytes too. Up to
 * 63 in one byte; else the top two bits of the first byte say how many follow, its low four bits
 * are the value's lowest.
 */
static size_t encode_package_length(size_t content, uint8_t out[4])
{
	size_t extra = 0;
	size_t value;

	while (extra < 3 && content + 1 + extra >= (extra ? (size_t)1 << (4 + 8 * extra) : 64))
		extra++;
	value = content + 1 + extra;
	assert(value < (size_t)1 << 28);
	if (extra == 0) {
		out[0] = (uint8_t)value;
		return 1;
	}
	out[0] = (uint8_t)(extra << 6 | (value & 0xf));
	for (size_t i = 0; i < extra; i++)
		out[1 + i] = (uint8_t)(value >> (4 + 8 * i));
	return 1 + extra;
}

static void block_open(struct aml *aml, enum aml_block kind)
{
	assert(aml->depth < AML_DEPTH_MAX);
	aml->open[aml->depth].start = aml->len;
	aml->open[aml->depth].kind = kind;
	aml->depth++;
}

/* Puts @len bytes in front of what stands at @start and after it. */
static void insert(struct aml *aml, size_t start, const void *data, size_t len)
{
	if (aml->overflow || len > aml->size - aml->len) {
		aml->overflow = true;
		return;
	}
	memmove(aml->buf + start + len, aml->buf + start, aml->len - start);
	memcpy(aml->buf + start, data, len);
	aml->len += len;
}

void aml_end(struct aml *aml)
{
	uint8_t encoded[10];
	size_t start;

	assert(aml->depth > 0);
	aml->depth--;
	start = aml->open[aml->depth].start;
	if (aml->open[aml->depth].kind == AML_BLOCK_RESOURCES) {
		/* End tag; a checksum of zero means "none". */
		put_le(aml, 0x0079, 2);
		insert(aml, start, encoded, encode_int(aml->len - start, encoded));
	}
	insert(aml, start, encoded, encode_package_length(aml->len - start, encoded));
}

static bool is_lead_char(char c)
{
	return (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name_char(char c)
{
	return is_lead_char(c) || (c >= '0' && c <= '9');
}

/* One segment at @path, padded to four. Returns what follows it. */
static const char *put_segment(struct aml *aml, const char *path)
{
	char segment[4] = {'_', '_', '_', '_'};
	size_t len = 0;

	assert(is_lead_char(*path));
	while (is_name_char(path[len])) {
		assert(len < sizeof(segment));
		segment[len] = path[len];
		len++;
	}
	aml_bytes(aml, segment, sizeof(segment));
	return path + len;
}

static void put_path(struct aml *aml, const char *path)
{
	size_t segments = 1;

	if (*path == '\\')
		put_byte(aml, (uint8_t)*path++);
	else
		while (*path == '^')
			put_byte(aml, (uint8_t)*path++);
	for (const char *p = path; *p; p++)
		segments += *p == '.';
	assert(segments <= UINT8_MAX);
	if (segments == 2)
		put_byte(aml, AML_DUAL_NAME);
	if (segments > 2) {
		put_byte(aml, AML_MULTI_NAME);
		put_byte(aml, (uint8_t)segments);
	}
	path = put_segment(aml, path);
	while (*path == '.')
		path = put_segment(aml, path + 1);
	assert(*path == '\0');
}

void aml_scope(struct aml *aml, const char *path)
{
	put_byte(aml, AML_SCOPE);
	block_open(aml, AML_BLOCK_PACKAGE_LENGTH);
	put_path(aml, path);
}

void aml_device(struct aml *aml, const char *path)
{
	put_byte(aml, AML_EXT_PREFIX);
	put_byte(aml, AML_EXT_DEVICE);
	block_open(aml, AML_BLOCK_PACKAGE_LENGTH);
	put_path(aml, path);
}

void aml_method(struct aml *aml, const char *path, unsigned int args, bool serialized)
{
	assert(args <= 7);
	put_byte(aml, AML_METHOD);
	block_open(aml, AML_BLOCK_PACKAGE_LENGTH);
	put_path(aml, path);
	put_byte(aml, (uint8_t)(args | (serialized ? 1u << 3 : 0)));
}

void aml_package(struct aml *aml, uint8_t elements)
{
	put_byte(aml, AML_PACKAGE);
	block_open(aml, AML_BLOCK_PACKAGE_LENGTH);
	put_byte(aml, elements);
}

void aml_resources(struct aml *aml)
{
	put_byte(aml, AML_BUFFER);
	block_open(aml, AML_BLOCK_RESOURCES);
}

void aml_name(struct aml *aml, const char *path)
{
	put_byte(aml, AML_NAME);
	put_path(aml, path);
}

void aml_int(struct aml *aml, uint64_t value)
{
	uint8_t encoded[10];

	aml_bytes(aml, encoded, encode_int(value, encoded));
}

void aml_string(struct aml *aml, const char *text)
{
	put_byte(aml, AML_STRING_PREFIX);
	aml_bytes(aml, text, strlen(text) + 1);
}

static unsigned int hex_digit(char c)
{
	assert((c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'));
	return c <= '9' ? (unsigned int)(c - '0') : (unsigned int)(c - 'A') + 10;
}

/* Three letters in five bits each, four hex digits; the whole is big endian (section 6.1.5). */
void aml_eisa_id(struct aml *aml, const char *id)
{
	uint32_t value = 0;

	assert(strlen(id) == 7);
	for (size_t i = 0; i < 3; i++) {
		assert(id[i] >= 'A' && id[i] <= 'Z');
		value = value << 5 | (uint32_t)(id[i] - 'A' + 1);
	}
	for (size_t i = 3; i < 7; i++)
		value = value << 4 | hex_digit(id[i]);
	put_byte(aml, AML_DWORD_PREFIX);
	put_le(aml, __builtin_bswap32(value), 4);
}

void aml_buffer(struct aml *aml, const void *data, size_t len)
{
	put_byte(aml, AML_BUFFER);
	block_open(aml, AML_BLOCK_PACKAGE_LENGTH);
	aml_int(aml, len);
	aml_bytes(aml, data, len);
	aml_end(aml);
}

void aml_return_name(struct aml *aml, const char *path)
{
	put_byte(aml, AML_RETURN);
	put_path(aml, path);
}

static void put_binary(struct aml *aml, uint8_t op, const char *operand, uint64_t mask,
		       const char *target)
{
	put_byte(aml, op);
	put_path(aml, operand);
	aml_int(aml, mask);
	put_path(aml, target);
}

void aml_and(struct aml *aml, const char *operand, uint64_t mask, const char *target)
{
	put_binary(aml, AML_AND, operand, mask, target);
}

void aml_or(struct aml *aml, const char *operand, uint64_t mask, const char *target)
{
	put_binary(aml, AML_OR, operand, mask, target);
}
