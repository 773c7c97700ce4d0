// SPDX-License-Identifier: MIT
/*
 * The descriptors of resource templates: ACPI 6.3, section 6.4. Each fills one wire struct.
 */
#include "vmm/aml.h"
#include "vmm/aml_proto.h"

#include <assert.h>

void aml_io(struct aml *aml, uint16_t first, uint8_t len)
{
	struct acpi_res_io res = {
		.tag = ACPI_RES_IO,
		.decode = ACPI_RES_IO_DECODE16,
		.min = first,
		.max = first,
		.align = 1,
		.len = len,
	};

	aml_bytes(aml, &res, sizeof(res));
}

void aml_irq(struct aml *aml, unsigned int irq, enum aml_trigger trigger,
	     enum aml_polarity polarity)
{
	struct acpi_res_irq res = {
		.tag = ACPI_RES_IRQ,
		.flags = (uint8_t)((trigger == AML_EDGE ? ACPI_RES_IRQ_EDGE : 0) |
				   (polarity == AML_ACTIVE_LOW ? ACPI_RES_IRQ_LOW : 0)),
	};

	assert(irq < 16);
	res.mask = (uint16_t)(1u << irq);
	aml_bytes(aml, &res, sizeof(res));
}

void aml_extended_irq(struct aml *aml, uint32_t gsi, enum aml_trigger trigger,
		      enum aml_polarity polarity)
{
	struct acpi_res_extended_irq res = {
		.tag = ACPI_RES_EXTENDED_IRQ,
		.length = sizeof(res) - ACPI_RES_LARGE_HEADER,
		.flags = (uint8_t)(ACPI_RES_EXTENDED_IRQ_CONSUMER |
				   (trigger == AML_EDGE ? ACPI_RES_EXTENDED_IRQ_EDGE : 0) |
				   (polarity == AML_ACTIVE_LOW ? ACPI_RES_EXTENDED_IRQ_LOW : 0)),
		.count = 1,
		.gsi = gsi,
	};

	aml_bytes(aml, &res, sizeof(res));
}

void aml_memory32_fixed(struct aml *aml, uint32_t base, uint32_t len, bool writable)
{
	struct acpi_res_memory32_fixed res = {
		.tag = ACPI_RES_MEMORY32_FIXED,
		.length = sizeof(res) - ACPI_RES_LARGE_HEADER,
		.writable = writable,
		.base = base,
		.len = len,
	};

	aml_bytes(aml, &res, sizeof(res));
}

void aml_word_io_producer(struct aml *aml, uint16_t base, uint16_t len)
{
	struct acpi_res_word_range res = {
		.tag = ACPI_RES_WORD_RANGE,
		.length = sizeof(res) - ACPI_RES_LARGE_HEADER,
		.type = ACPI_RES_RANGE_IO,
		.flags = ACPI_RES_RANGE_MIN_FIXED | ACPI_RES_RANGE_MAX_FIXED,
		.type_flags = ACPI_RES_RANGE_IO_ENTIRE,
		.min = base,
		.max = (uint16_t)(base + (len - 1)),
		.len = len,
	};

	assert(len > 0 && len - 1 <= UINT16_MAX - base);
	aml_bytes(aml, &res, sizeof(res));
}

void aml_dword_memory_producer(struct aml *aml, uint32_t base, uint32_t len)
{
	struct acpi_res_dword_range res = {
		.tag = ACPI_RES_DWORD_RANGE,
		.length = sizeof(res) - ACPI_RES_LARGE_HEADER,
		.type = ACPI_RES_RANGE_MEMORY,
		.flags = ACPI_RES_RANGE_MIN_FIXED | ACPI_RES_RANGE_MAX_FIXED,
		.type_flags = ACPI_RES_RANGE_CACHEABLE | ACPI_RES_RANGE_WRITABLE,
		.min = base,
		.max = base + (len - 1),
		.len = len,
	};

	assert(len > 0 && len - 1 <= UINT32_MAX - base);
	aml_bytes(aml, &res, sizeof(res));
}

void aml_qword_memory_producer(struct aml *aml, uint64_t base, uint64_t len)
{
	struct acpi_res_qword_range res = {
		.tag = ACPI_RES_QWORD_RANGE,
		.length = sizeof(res) - ACPI_RES_LARGE_HEADER,
		.type = ACPI_RES_RANGE_MEMORY,
		.flags = ACPI_RES_RANGE_MIN_FIXED | ACPI_RES_RANGE_MAX_FIXED,
		.type_flags = ACPI_RES_RANGE_CACHEABLE | ACPI_RES_RANGE_WRITABLE,
		.min = base,
		.max = base + (len - 1),
		.len = len,
	};

	assert(len > 0 && len - 1 <= UINT64_MAX - base);
	aml_bytes(aml, &res, sizeof(res));
}
