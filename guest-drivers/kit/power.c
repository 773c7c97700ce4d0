// SPDX-License-Identifier: MIT
/* See power.h. No state. */
#include "kit/acpi.h"
#include "kit/cpu.h"
#include "kit/power.h"

#define SLP_TYP_SHIFT 10
#define SLP_EN        BIT(13)
#define SLP_MASK      0x3c00u

bool acpi_power_off(void)
{
	const struct acpi_fadt *fadt = acpi_fadt();
	uint8_t a, b;

	if (!fadt || !fadt->pm1a_control_port || !acpi_s5_types(&a, &b))
		return false;

	uint16_t port = (uint16_t)fadt->pm1a_control_port;
	uint16_t keep = (uint16_t)(in16(port) & ~(SLP_MASK | SLP_EN));

	out16(port, (uint16_t)(keep | a << SLP_TYP_SHIFT | SLP_EN));
	return true;
}

bool reset_acpi(void)
{
	const struct acpi_fadt *fadt = acpi_fadt();

	if (!fadt || !(fadt->flags & FADT_RESET_REG_SUP) || fadt->reset.space != 1)
		return false;
	out8((uint16_t)fadt->reset.address, fadt->reset_value);
	return true;
}

void reset_cf9(void)
{
	out8(0xcf9, 0x02);
	out8(0xcf9, 0x06);
}

void reset_i8042(void)
{
	/* The input buffer may still be full; after 10000 looks it will not empty any more. */
	for (unsigned int tries = 0; tries < 10000 && in8(0x64) & 0x02; tries++)
		;
	out8(0x64, 0xfe);
}

void reset_port92(void)
{
	uint8_t v = in8(0x92);

	out8(0x92, (uint8_t)(v & ~1));
	out8(0x92, (uint8_t)(v | 1));
}

void triple_fault(void)
{
	static const struct __packed {
		uint16_t limit;
		uint64_t base;
	} empty;

	__asm__ volatile("lidt %0; ud2" : : "m"(empty));
}
