// SPDX-License-Identifier: MIT
/*
 * A layer that keeps requests for which the host had no space, and asks for the VM to be paused
 * instead (BLOCK_ERROR_STOP_ENOSPC).
 */
#pragma once

#include "devices/block/block_open.h"

/* Owns @lower from here on. @stop and @ctx as in struct block_config. -ENOMEM. */
int block_retry_create(struct block *lower, void (*stop)(void *ctx, const char *why), void *ctx,
		       struct error *err, struct block **ret) must_check;
