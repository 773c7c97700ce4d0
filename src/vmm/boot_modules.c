// SPDX-License-Identifier: MIT
/*
 * Command line and modules: what PVH and multiboot loaders have in common. No state.
 */
#include "vmm/boot_internal.h"

#include <errno.h>
#include <string.h>

#include "vmm/boot_memmap.h"
#include "vmm/layout.h"

int boot_write_cmdline(const struct boot_image *image, const char *text, uint64_t max,
		       struct mem *mem, struct error *err)
{
	size_t len = strlen(text);
	uint64_t limit = min_of(max, LAYOUT_CMDLINE_MAX - 1);
	int r;

	if (len > limit)
		return error_set(err, -E2BIG,
				 "%s: command line of %zu bytes: this kernel takes at most %llu",
				 image->kernel.path, len, (unsigned long long)limit);
	r = mem_write(mem, LAYOUT_CMDLINE, text, len + 1);
	if (r < 0)
		return error_errno(err, r, "%s: cannot write the command line", image->kernel.path);
	return 0;
}

/* Appends a string to the boot strings; *at moves behind it. */
static int add_string(const char *path, const char *text, struct mem *mem, uint64_t *at,
		      struct error *err, uint64_t *ret)
{
	size_t len = strlen(text) + 1;
	int r;

	if (!range_within(*at, len, BOOT_STRINGS_END))
		return error_set(err, -E2BIG, "%s: module command lines exceed %llu bytes in all",
				 path, (unsigned long long)(BOOT_STRINGS_END - BOOT_STRINGS));
	r = mem_write(mem, *at, text, len);
	if (r < 0)
		return error_errno(err, r, "%s: cannot write its command line", path);
	*ret = *at;
	*at += len;
	return 0;
}

int boot_load_modules(const struct boot_image *image, bool always_string, struct mem *mem,
		      struct error *err, struct boot_placed *ret)
{
	uint64_t end = boot_memmap_low_end(mem), at = max_of(image->elf.end, LAYOUT_HIGH_RAM);
	uint64_t strings = BOOT_STRINGS;

	for (size_t i = 0; i < image->module_count; i++) {
		const struct boot_image_module *m = &image->modules[i];
		const char *text = m->cmdline ? m->cmdline : always_string ? m->file.path : NULL;
		struct boot_placed placed = {.len = m->file.size};
		int r;

		/* The kernel lies in RAM above 4 GiB, or the memory is used up. */
		if (at > end || !range_within(align_up(at, PAGE_SIZE), placed.len, end))
			return error_set(
				err, -ENOSPC,
				"%s: %llu bytes do not fit into memory between the kernel's "
				"end (%#llx) and %#llx",
				m->file.path, (unsigned long long)placed.len,
				(unsigned long long)at, (unsigned long long)end);
		placed.start = align_up(at, PAGE_SIZE);
		r = boot_file_load(&m->file, 0, placed.len, mem, placed.start, err);
		if (r == 0 && text)
			r = add_string(m->file.path, text, mem, &strings, err, &placed.cmdline);
		if (r < 0)
			return r;
		ret[i] = placed;
		at = placed.start + placed.len;
	}
	return 0;
}
