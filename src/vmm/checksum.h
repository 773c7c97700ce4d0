// SPDX-License-Identifier: MIT
/*
 * The checksum of firmware tables (ACPI, SMBIOS).
 */
#pragma once

#include "vmm/base.h"

/* What to add to the bytes so that their sum is zero, modulo 256. */
static inline uint8_t checksum8(const void *data, size_t len)
{
	const uint8_t *bytes = data;
	uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + bytes[i]);
	return (uint8_t)-sum;
}
