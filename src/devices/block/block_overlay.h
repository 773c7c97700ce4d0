// SPDX-License-Identifier: MIT
/*
 * A throw-away layer: what is written goes into a file without a name, and is gone when the disk is
 * closed; the disk below is only read.
 */
#pragma once

#include "devices/block/block_open.h"

/*
 * Owns @lower and @file from here on; @file is an empty, writable one. Which sectors were written
 * is kept in memory, a bit each where an area of 4096 sectors is partly written: at most 1/4096 of
 * the disk's size with sectors of 512 bytes. -ENOMEM, and what the file returned.
 */
int block_overlay_create(struct block *lower, struct file *file, struct loop *loop,
			 struct error *err, struct block **ret) must_check;
