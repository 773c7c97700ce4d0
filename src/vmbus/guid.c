// SPDX-License-Identifier: MIT
/*
 * GUIDs of devices. No state.
 */
#include "vmbus/guid.h"

#include <string.h>

typedef unsigned __int128 hash128;

#define FNV_OFFSET ((hash128)0x6c62272e07bb0142ull << 64 | 0x62b821756295c58dull)
#define FNV_PRIME  ((hash128)1 << 88 | 0x13b)

static hash128 hash(hash128 h, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * FNV_PRIME;
	return h;
}

bool vmbus_guid_equal(const struct vmbus_guid *a, const struct vmbus_guid *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

struct vmbus_guid vmbus_instance_guid(const char *vm, const char *type, uint32_t index)
{
	const uint8_t tail[] = {(uint8_t)index, (uint8_t)(index >> 8), (uint8_t)(index >> 16),
				(uint8_t)(index >> 24)};
	struct vmbus_guid guid;
	hash128 h = hash(FNV_OFFSET, vm, strlen(vm) + 1);

	h = hash(h, type, strlen(type) + 1);
	h = hash(h, tail, sizeof(tail));
	for (unsigned int i = 0; i < sizeof(guid.b); i++)
		guid.b[i] = (uint8_t)(h >> (120 - 8 * i));
	/* The version is in the third group, which is little-endian; the variant in the fourth. */
	guid.b[7] = (uint8_t)((guid.b[7] & 0x0f) | 0x80);
	guid.b[8] = (uint8_t)((guid.b[8] & 0x3f) | 0x80);
	return guid;
}
