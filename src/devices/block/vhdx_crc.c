// SPDX-License-Identifier: MIT
/*
 * CRC-32C, reflected polynomial 0x82f63b78: by SSE4.2's instruction, or by a table of 16 entries
 * that is worked through half a byte at a time. No state.
 */
#include "devices/block/vhdx_crc.h"

#include <string.h>

static const uint32_t nibbles[16] = {
	0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
	0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
	0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

uint32_t vhdx_crc_by_table(uint32_t crc, const void *data, size_t len)
{
	const uint8_t *bytes = data;

	crc = ~crc;
	for (size_t i = 0; i < len; i++) {
		crc ^= bytes[i];
		crc = nibbles[crc & 15] ^ crc >> 4;
		crc = nibbles[crc & 15] ^ crc >> 4;
	}
	return ~crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t crc_by_cpu(uint32_t crc, const void *data,
							     size_t len)
{
	const uint8_t *bytes = data;
	uint64_t wide = (uint32_t)~crc;

	for (; len >= 8; len -= 8, bytes += 8) {
		uint64_t word;

		memcpy(&word, bytes, 8);
		wide = __builtin_ia32_crc32di(wide, word);
	}
	crc = (uint32_t)wide;
	for (; len; len--, bytes++)
		crc = __builtin_ia32_crc32qi(crc, *bytes);
	return ~crc;
}
#endif

uint32_t vhdx_crc(uint32_t crc, const void *data, size_t len)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("sse4.2"))
		return crc_by_cpu(crc, data, len);
#endif
	return vhdx_crc_by_table(crc, data, len);
}

uint32_t vhdx_crc_without(const void *data, size_t len, size_t skip)
{
	static const uint8_t zero[4];
	const uint8_t *bytes = data;
	uint32_t crc = vhdx_crc(0, bytes, skip);

	crc = vhdx_crc(crc, zero, sizeof(zero));
	return vhdx_crc(crc, bytes + skip + sizeof(zero), len - skip - sizeof(zero));
}
