// SPDX-License-Identifier: MIT
/*
 * A layer that lets so many requests, and so many bytes of reads and writes, through in a second.
 */
#pragma once

#include "devices/block/block_open.h"

/*
 * Owns @lower from here on. Requests beyond the limits wait, in the order in which they came;
 * flushes wait behind what came before them, but count nothing. -ENOMEM.
 */
int block_limits_create(struct block *lower, const struct block_limits *limits, struct loop *loop,
			struct error *err, struct block **ret) must_check;
