// SPDX-License-Identifier: MIT
/*
 * Raw images: the disk is the file, or the block device.
 */
#pragma once

#include "devices/block/block.h"

struct raw_options {
	bool read_only;
	uint64_t size;            /* of the disk, when it is not all of the file; 0: it is */
	uint32_t logical_sector;  /* 512 or 4096 */
	uint32_t physical_sector; /* at least logical_sector */
	bool unmap;               /* the file can give space back */
	uint32_t unmap_granularity;
};

/*
 * Owns @file when it succeeds. A last part of a file that is less than a sector counts as one, of a
 * device not at all. -EINVAL with text: it is empty.
 */
int raw_open(struct file *file, bool is_device, const struct raw_options *options,
	     struct error *err, struct block **ret) must_check;
