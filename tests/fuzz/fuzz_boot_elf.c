// SPDX-License-Identifier: MIT
/* ELF files: headers, segments, notes, and what becomes of those that load. */
#include <elf.h>
#include <string.h>

#include "fuzz_boot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t copy[FUZZ_BOOT_INPUT_MAX];

	if (size < SELFMAG || size > sizeof(copy))
		return 0;
	memcpy(copy, data, size);
	/* Other inputs are for other targets. */
	memcpy(copy, ELFMAG, SELFMAG);
	fuzz_boot_run(copy, size);
	return 0;
}
