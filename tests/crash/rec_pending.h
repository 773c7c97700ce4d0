// SPDX-License-Identifier: MIT
/*
 * The operations of a recording file that are not surely on stable storage: how they come, complete
 * and become durable. For recording_file.c only.
 */
#pragma once

#include "recording_file.h"

/* In flight from now on. @data becomes the operation's. */
struct rec_op *rec_pending_add(struct rec_file *rec, enum file_op op, uint64_t offset, uint64_t len,
			       unsigned char *data);
/* Takes effect; with @durable it is on stable storage as well. */
void rec_pending_complete(struct rec_file *rec, struct rec_op *op, bool durable);
/* Failed: the first @part bytes of it took effect. */
void rec_pending_fail(struct rec_file *rec, struct rec_op *op, uint64_t part);
/* What had completed by @mark is durable. */
void rec_pending_sync(struct rec_file *rec, uint64_t mark);
/* A sync failed that covered what had completed by @mark. */
void rec_pending_lose(struct rec_file *rec, uint64_t mark);
void rec_pending_finish(struct rec_file *rec);
