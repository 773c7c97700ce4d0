// SPDX-License-Identifier: MIT
/* What a fuzz target is given, taken piece by piece: what there is not is zero. */
#pragma once

#include <string.h>

#include "vmm/base.h"

struct input {
	const uint8_t *data;
	size_t left;
};

static inline void take(struct input *in, void *buf, size_t len)
{
	size_t n = min_of(in->left, len);

	memset(buf, 0, len);
	memcpy(buf, in->data, n);
	in->data += n;
	in->left -= n;
}

static inline uint8_t u8(struct input *in)
{
	uint8_t v;

	take(in, &v, sizeof(v));
	return v;
}

static inline uint16_t u16(struct input *in)
{
	uint16_t v;

	take(in, &v, sizeof(v));
	return v;
}

static inline uint32_t u32(struct input *in)
{
	uint32_t v;

	take(in, &v, sizeof(v));
	return v;
}
