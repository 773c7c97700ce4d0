// SPDX-License-Identifier: MIT
/*
 * CRC-32C (Castagnoli), which guards a VHDX's headers, region tables and log entries. Pure.
 */
#pragma once

#include "vmm/base.h"

/*
 * The CRC-32C of @len bytes behind those whose value is @crc; 0 for the first. Uses the CPU's
 * instruction where it has one.
 */
uint32_t vhdx_crc(uint32_t crc, const void *data, size_t len);

/* The same value, computed by the table. */
uint32_t vhdx_crc_by_table(uint32_t crc, const void *data, size_t len);

/* The CRC-32C of @len bytes in which the four at @skip count as zero: a checksum's own place. */
uint32_t vhdx_crc_without(const void *data, size_t len, size_t skip);
