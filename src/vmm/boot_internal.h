// SPDX-License-Identifier: MIT
/*
 * What the boot loaders share among themselves; nobody outside vmm/boot*.c includes it.
 *
 * A loader is a row of the table in boot.c: probe() looks at the first bytes of the kernel file and
 * does all checks that need no guest memory, load() may then run any number of times.
 */
#pragma once

#include "vmm/boot.h"
#include "vmm/boot_elf.h"
#include "vmm/boot_file.h"
#include "vmm/boot_unpack.h"
#include "vmm/linux_boot_proto.h"

#define BOOT_MODULES_MAX 64

struct boot_image_module {
	struct boot_file file;
	char *cmdline; /* ours; NULL: none */
};

struct boot_linux {
	struct setup_header hdr;
	uint64_t code_offset, code_len; /* the 32-bit code in the file */
	bool unpacked;                  /* by us; else the kernel does it itself */
	struct boot_unpack unpack;
};

struct boot_image {
	const struct boot_loader *loader;
	struct boot_file kernel;
	char *cmdline;   /* ours; never NULL */
	bool has_initrd; /* it is modules[0] */
	size_t module_count;
	struct boot_image_module modules[BOOT_MODULES_MAX];

	/* Filled by the loader's probe(). */
	enum boot_protocol protocol;
	struct boot_elf elf; /* what to copy; for Linux: from the unpacked payload */
	uint64_t entry;
	struct boot_linux bzimage;
};

struct boot_loader {
	/*
	 * 1: @image is ours and usable; 0: not ours; -errno with text: ours, but unusable. @head
	 * holds the first bytes of the kernel file and may be changed where it is ours.
	 */
	int (*probe)(struct boot_image *image, void *head, size_t head_len, struct error *err);
	int (*load)(struct boot_image *image, struct mem *mem, uint64_t rsdp, struct error *err,
		    struct boot_entry *ret);
};

extern const struct boot_loader boot_linux_loader;
extern const struct boot_loader boot_multiboot_loader;
extern const struct boot_loader boot_pvh_loader;

/* Where a module ended up. */
struct boot_placed {
	uint64_t start;
	uint64_t len;
	uint64_t cmdline; /* of its string; 0: none */
};

/*
 * Copies @text to LAYOUT_CMDLINE. -E2BIG naming both lengths when it is longer than @max (without
 * the terminating zero).
 */
int boot_write_cmdline(const struct boot_image *image, const char *text, uint64_t max,
		       struct mem *mem, struct error *err) must_check;

/*
 * Loads all modules one after the other, page-aligned, behind the kernel and below the MMIO hole,
 * and their command lines behind the start info. @ret has image->module_count entries. With
 * @always_string a module without a command line gets its path.
 */
int boot_load_modules(const struct boot_image *image, bool always_string, struct mem *mem,
		      struct error *err, struct boot_placed *ret) must_check;

/* The identity map that boot_set_regs() makes for long mode ends here. */
uint64_t boot_identity_end(const struct mem *mem);

/*
 * Places in the layout's boot areas. Start infos and their strings share LAYOUT_BOOT_PARAMS, as do
 * the zero page and its setup data.
 */
#define BOOT_SETUP_DATA  (LAYOUT_BOOT_PARAMS + KiB(4))
#define BOOT_STRINGS     (LAYOUT_BOOT_PARAMS + KiB(4))
#define BOOT_STRINGS_END (LAYOUT_BOOT_PARAMS + KiB(16))
#define BOOT_MODLIST     (LAYOUT_BOOT_MEMMAP + KiB(4))
#define BOOT_MODLIST_LEN KiB(4)
