// SPDX-License-Identifier: MIT
/*
 * Unpacks the compressed payload of a bzImage into guest memory.
 *
 * Data is unpacked into private buffers first and copied from there. That is as fast as unpacking
 * in place (the buffers stay in the cache), touches no guest page outside the segments, and leaves
 * out pages that are all zero: a kernel image carries its bss in the file, and guest memory is
 * zero.
 *
 * The file is untrusted. What is unpacked never exceeds the size the payload itself names, and that
 * size is bounded by guest memory, so that a bomb ends in an error.
 */
#pragma once

#include "vmm/boot_elf.h"

struct boot_unpack_format;

struct boot_unpack {
	const struct boot_unpack_format *format;
	const struct boot_file *file; /* the opener's */
	uint64_t offset, len;         /* of the compressed bytes in the file */
	uint64_t size;                /* of the unpacked image */
};

/*
 * Recognises the payload at [offset, offset + len) of @file, which the caller has checked to lie in
 * the file. -ENOTSUP without text when the compression is unknown or was left out of this build;
 * other errors with text.
 */
int boot_unpack_open(const struct boot_file *file, uint64_t offset, uint64_t len, struct error *err,
		     struct boot_unpack *ret) must_check;

/* The first bytes of the image: up to @len, fewer when the image is shorter. */
int boot_unpack_head(const struct boot_unpack *unpack, void *buf, size_t len, struct error *err,
		     size_t *ret_len) must_check;

/*
 * Unpacks the segments of @elf, which boot_elf_check_memory() has passed, into @mem, whose memory
 * is zero there. -EBADMSG for damaged data, -ENOSPC when the image is larger than all of guest
 * memory.
 */
int boot_unpack_load(const struct boot_unpack *unpack, const struct boot_elf *elf, struct mem *mem,
		     struct error *err) must_check;
