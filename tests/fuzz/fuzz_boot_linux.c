// SPDX-License-Identifier: MIT
/* bzImages: the setup header, the payload's decompressors, the kernel inside. */
#include <string.h>

#include "fuzz_boot.h"
#include "vmm/linux_boot_proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t copy[FUZZ_BOOT_INPUT_MAX];
	const uint16_t flag = LINUX_BOOT_FLAG;
	const uint32_t magic = LINUX_SETUP_MAGIC;

	if (size < 0x208 || size > sizeof(copy))
		return 0;
	memcpy(copy, data, size);
	/* Other inputs are for other targets. */
	memcpy(copy + LINUX_BOOT_FLAG_OFFSET, &flag, sizeof(flag));
	memcpy(copy + LINUX_SETUP_HEADER_OFFSET + offsetof(struct setup_header, header), &magic,
	       sizeof(magic));
	fuzz_boot_run(copy, size);
	return 0;
}
