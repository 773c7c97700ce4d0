// SPDX-License-Identifier: MIT
/* Multiboot kernels, flat and ELF. */
#include <string.h>

#include "fuzz_boot.h"
#include "vmm/multiboot_proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Makes the checksum right behind the first magic number, which chance would never do. */
static void fix_checksum(uint8_t *data, size_t size)
{
	for (size_t at = 0; at + MULTIBOOT_HEADER_MIN_LEN <= size; at += MULTIBOOT_HEADER_ALIGN) {
		uint32_t word[3];

		memcpy(word, data + at, sizeof(word));
		if (word[0] != MULTIBOOT_HEADER_MAGIC)
			continue;
		word[2] = 0 - (word[0] + word[1]);
		memcpy(data + at, word, sizeof(word));
		return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t copy[FUZZ_BOOT_INPUT_MAX];

	if (size == 0 || size > sizeof(copy))
		return 0;
	memcpy(copy, data, size);
	fix_checksum(copy, size);
	fuzz_boot_run(copy, size);
	return 0;
}
