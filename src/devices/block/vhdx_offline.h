// SPDX-License-Identifier: MIT
/*
 * What the offline tools have in common: an image opened for plain calls, changed through the log
 * as a VM would, and closed again. The file stays the caller's. Everything blocks.
 */
#pragma once

#include "devices/block/vhdx_internal.h"

/* Opens the image, replaying its log. */
int vhdx_offline_open(struct file *file, struct error *err, struct vhdx **ret) must_check;
/* Marks it as being written to. @data: the disk's contents will change. */
int vhdx_offline_begin(struct vhdx *v, bool data, struct error *err) must_check;
/* Closes it, cleanly unless the file failed, and frees it. Returns the first error. */
int vhdx_offline_end(struct vhdx *v, int ret_so_far, struct error *err) must_check;

/*
 * Changes @len bytes at @offset in the file, all or nothing, with up to VHDX_OFFLINE_CHANGES
 * others: first they are noted, then applied together.
 */
#define VHDX_OFFLINE_PAGES 64u

struct vhdx_changes {
	struct vhdx *v;
	unsigned int count;
	uint64_t offsets[VHDX_OFFLINE_PAGES];
	uint8_t *pages[VHDX_OFFLINE_PAGES];
};

void vhdx_changes_init(struct vhdx_changes *changes, struct vhdx *v);
void vhdx_changes_finish(struct vhdx_changes *changes);
int vhdx_changes_add(struct vhdx_changes *changes, uint64_t offset, const void *data,
		     uint64_t len) must_check;
int vhdx_changes_commit(struct vhdx_changes *changes) must_check;

/* Makes a range of the file read as zero, in a way the host likes best. */
int vhdx_offline_zero(struct vhdx *v, uint64_t offset, uint64_t len) must_check;
/* Copies between ranges that do not overlap; holes stay holes where the host can do that. */
int vhdx_offline_copy(struct vhdx *v, uint64_t from, uint64_t to, uint64_t len) must_check;
/* Makes the file at least so long. */
int vhdx_offline_extend(struct vhdx *v, uint64_t mib) must_check;
