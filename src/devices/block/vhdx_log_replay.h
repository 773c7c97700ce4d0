// SPDX-License-Identifier: MIT
/*
 * The log of an image that was not closed cleanly, MS-VHDX 2.3.3. Plain calls; nothing else may use
 * the file meanwhile.
 */
#pragma once

#include "devices/block/vhdx_image.h"

struct vhdx_log_sequence {
	uint32_t tail;  /* offset in the log of the first entry to replay */
	uint32_t head;  /* and of what follows the last */
	uint64_t last;  /* sequence number of the last entry */
	uint64_t count; /* entries */
	uint64_t flushed_file_offset, last_file_offset; /* of the last entry */
};

/*
 * Finds the active sequence: that of valid entries with the greatest sequence number.
 * -EUCLEAN: there is none, or the file is shorter than it was.
 */
int vhdx_log_find(const struct vhdx_image *image, struct file *file, struct error *err,
		  struct vhdx_log_sequence *ret) must_check;

struct vhdx_log_target {
	/* Each returns 0 or -errno. Pages are 4 KiB, aligned; ranges too. */
	int (*page)(void *ctx, uint64_t offset, const void *page);
	int (*zero)(void *ctx, uint64_t offset, uint64_t len);
	int (*extend)(void *ctx, uint64_t size); /* at least so long */
	void *ctx;
};

/* Hands out everything in @sequence, in order. */
int vhdx_log_apply(const struct vhdx_image *image, struct file *file,
		   const struct vhdx_log_sequence *sequence, const struct vhdx_log_target *target,
		   struct error *err) must_check;

/*
 * Replays the log into the file, makes that durable, and notes in the headers that the log is
 * empty. It can be interrupted anywhere and begun again. Does nothing to a clean image.
 */
int vhdx_log_replay(struct vhdx_image *image, struct file *file, struct error *err) must_check;
