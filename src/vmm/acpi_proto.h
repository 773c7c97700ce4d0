// SPDX-License-Identifier: MIT
/*
 * ACPI tables as they lie in memory: ACPI 6.3, section 5.2; WAET: "Windows ACPI Emulated Devices
 * Table", Microsoft, 2009. Little endian.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct acpi_rsdp {
	char signature[8]; /* "RSD PTR " */
	uint8_t checksum;  /* of the first ACPI_RSDP_V1_LEN bytes */
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum; /* of all */
	uint8_t reserved[3];
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_rsdp) == 36, "RSDP");
#define ACPI_RSDP_V1_LEN 20

struct acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_header) == 36, "table header");

/* Generic address structure (5.2.3.2). */
struct acpi_gas {
	uint8_t space;
	uint8_t bit_width;
	uint8_t bit_offset;
	uint8_t access_size; /* 1: byte, 2: word, 3: dword, 4: qword */
	uint64_t address;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_gas) == 12, "GAS");
#define ACPI_SPACE_IO 1

struct acpi_fadt {
	struct acpi_header header;
	uint32_t firmware_ctrl; /* the FACS */
	uint32_t dsdt;
	uint8_t int_model; /* ACPI 1.0; reserved since */
	uint8_t preferred_pm_profile;
	uint16_t sci_int;
	uint32_t smi_cmd;
	uint8_t acpi_enable;
	uint8_t acpi_disable;
	uint8_t s4bios_req;
	uint8_t pstate_cnt;
	uint32_t pm1a_evt_blk;
	uint32_t pm1b_evt_blk;
	uint32_t pm1a_cnt_blk;
	uint32_t pm1b_cnt_blk;
	uint32_t pm2_cnt_blk;
	uint32_t pm_tmr_blk;
	uint32_t gpe0_blk;
	uint32_t gpe1_blk;
	uint8_t pm1_evt_len;
	uint8_t pm1_cnt_len;
	uint8_t pm2_cnt_len;
	uint8_t pm_tmr_len;
	uint8_t gpe0_blk_len;
	uint8_t gpe1_blk_len;
	uint8_t gpe1_base;
	uint8_t cst_cnt;
	uint16_t p_lvl2_lat;
	uint16_t p_lvl3_lat;
	uint16_t flush_size;
	uint16_t flush_stride;
	uint8_t duty_offset;
	uint8_t duty_width;
	uint8_t day_alrm;
	uint8_t mon_alrm;
	uint8_t century;
	uint16_t iapc_boot_arch;
	uint8_t reserved;
	uint32_t flags;
	struct acpi_gas reset_reg;
	uint8_t reset_value;
	uint16_t arm_boot_arch;
	uint8_t minor_version;
	uint64_t x_firmware_ctrl;
	uint64_t x_dsdt;
	struct acpi_gas x_pm1a_evt_blk;
	struct acpi_gas x_pm1b_evt_blk;
	struct acpi_gas x_pm1a_cnt_blk;
	struct acpi_gas x_pm1b_cnt_blk;
	struct acpi_gas x_pm2_cnt_blk;
	struct acpi_gas x_pm_tmr_blk;
	struct acpi_gas x_gpe0_blk;
	struct acpi_gas x_gpe1_blk;
	struct acpi_gas sleep_control_reg;
	struct acpi_gas sleep_status_reg;
	char hypervisor_vendor[8];
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_fadt) == 276, "FADT revision 6");
_Static_assert(offsetof(struct acpi_fadt, flags) == 112, "FADT flags");
_Static_assert(offsetof(struct acpi_fadt, x_pm1a_evt_blk) == 148, "FADT extended blocks");

/* acpi_fadt.flags (table 5-35) */
#define ACPI_FADT_WBINVD             (1u << 0)
#define ACPI_FADT_PROC_C1            (1u << 2)
#define ACPI_FADT_PWR_BUTTON         (1u << 4) /* not fixed hardware */
#define ACPI_FADT_SLP_BUTTON         (1u << 5) /* not fixed hardware */
#define ACPI_FADT_FIX_RTC            (1u << 6) /* no RTC wake status in PM1 */
#define ACPI_FADT_TMR_VAL_EXT        (1u << 8) /* the PM timer has 32 bits */
#define ACPI_FADT_RESET_REG_SUP      (1u << 10)
#define ACPI_FADT_USE_PLATFORM_CLOCK (1u << 15)
#define ACPI_FADT_FORCE_APIC_CLUSTER (1u << 18)

/* acpi_fadt.iapc_boot_arch (table 5-36) */
#define ACPI_FADT_LEGACY_DEVICES  (1u << 0)
#define ACPI_FADT_8042            (1u << 1)
#define ACPI_FADT_VGA_NOT_PRESENT (1u << 2)
#define ACPI_FADT_NO_MSI          (1u << 3)
#define ACPI_FADT_NO_CMOS_RTC     (1u << 5)

struct acpi_facs {
	char signature[4];
	uint32_t length;
	uint32_t hardware_signature;
	uint32_t waking_vector;
	uint32_t global_lock;
	uint32_t flags;
	uint64_t x_waking_vector;
	uint8_t version;
	uint8_t reserved1[3];
	uint32_t ospm_flags;
	uint8_t reserved2[24];
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_facs) == 64, "FACS");

struct acpi_madt {
	struct acpi_header header;
	uint32_t lapic;
	uint32_t flags;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_madt) == 44, "MADT");
#define ACPI_MADT_PCAT_COMPAT (1u << 0)

struct acpi_madt_entry {
	uint8_t type;
	uint8_t length;
} __attribute__((packed));
#define ACPI_MADT_LAPIC      0
#define ACPI_MADT_IOAPIC     1
#define ACPI_MADT_OVERRIDE   2
#define ACPI_MADT_LAPIC_NMI  4
#define ACPI_MADT_X2APIC     9
#define ACPI_MADT_X2APIC_NMI 10

struct acpi_madt_lapic {
	struct acpi_madt_entry entry;
	uint8_t uid;
	uint8_t apic_id;
	uint32_t flags;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_madt_lapic) == 8, "local APIC entry");
#define ACPI_MADT_CPU_ENABLED (1u << 0)

struct acpi_madt_ioapic {
	struct acpi_madt_entry entry;
	uint8_t id;
	uint8_t reserved;
	uint32_t address;
	uint32_t gsi_base;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_madt_ioapic) == 12, "I/O APIC entry");

struct acpi_madt_override {
	struct acpi_madt_entry entry;
	uint8_t bus; /* 0: ISA */
	uint8_t source;
	uint32_t gsi;
	uint16_t flags;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_madt_override) == 10, "interrupt source override");

/*
 * MPS INTI flags (table 5-46): polarity in bits 0-1, trigger mode in bits 2-3; 0: as the bus has
 * it.
 */
#define ACPI_MPS_ACTIVE_HIGH (1u << 0)
#define ACPI_MPS_LEVEL       (3u << 2)

struct acpi_madt_lapic_nmi {
	struct acpi_madt_entry entry;
	uint8_t uid; /* 0xff: all */
	uint16_t flags;
	uint8_t lint;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_madt_lapic_nmi) == 6, "local APIC NMI entry");

struct acpi_madt_x2apic {
	struct acpi_madt_entry entry;
	uint16_t reserved;
	uint32_t apic_id;
	uint32_t flags;
	uint32_t uid;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_madt_x2apic) == 16, "local x2APIC entry");

struct acpi_madt_x2apic_nmi {
	struct acpi_madt_entry entry;
	uint16_t flags;
	uint32_t uid; /* 0xffffffff: all */
	uint8_t lint;
	uint8_t reserved[3];
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_madt_x2apic_nmi) == 12, "local x2APIC NMI entry");

struct acpi_waet {
	struct acpi_header header;
	uint32_t flags;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_waet) == 40, "WAET");
#define ACPI_WAET_RTC_GOOD      (1u << 0)
#define ACPI_WAET_PM_TIMER_GOOD (1u << 1)
