// SPDX-License-Identifier: MIT
/*
 * What the fuzz targets of the boot loaders share: one input is a kernel file. It is opened and
 * loaded as the program would, into a small machine that is emptied after every input.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define FUZZ_BOOT_MEMORY (24u << 20)

/* Inputs longer than this are cut. */
#define FUZZ_BOOT_INPUT_MAX (64u << 10)

/* Opens and loads @len bytes; aborts when a rule of vmm/boot.h is broken. */
void fuzz_boot_run(const uint8_t *data, size_t len);
