// SPDX-License-Identifier: MIT
/*
 * The larger tables' content, for acpi.c, which gives them their place and their header.
 */
#pragma once

#include "vmm/acpi.h"
#include "vmm/acpi_proto.h"

/* Writes the AML behind the DSDT's header. @ram_end: the first address above all RAM. -ENOSPC. */
int acpi_dsdt_build(void *buf, size_t size, const struct acpi_config *config, uint64_t ram_end,
		    size_t *ret_len) must_check;

/* The MADT's length, and its content in that many zeroed bytes. */
size_t acpi_madt_len(unsigned int cpus);
void acpi_madt_fill(struct acpi_madt *madt, unsigned int cpus);
