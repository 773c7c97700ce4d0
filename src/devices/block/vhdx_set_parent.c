// SPDX-License-Identifier: MIT
/*
 * Another parent locator for a differencing image. Blocks. The new item goes where nothing is in
 * the metadata region, and the table entry points to it, in one log entry.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/block/vhdx_locator.h"
#include "devices/block/vhdx_offline.h"

#define MAX_ITEM 16384u

/* Notes the item, and the entry for it. */
static int change(struct vhdx *v, struct vhdx_changes *changes, const void *item, uint32_t len)
{
	static const struct vhdx_guid guid = VHDX_ITEM_PARENT_LOCATOR;
	uint8_t *table = malloc(VHDX_METADATA_TABLE_SIZE);
	uint64_t region = v->image.metadata.offset, end = VHDX_METADATA_TABLE_SIZE;
	struct vhdx_metadata_header header;
	struct vhdx_metadata_entry entry;
	uint64_t found = 0;
	int ret = table ? file_pread(v->file, table, VHDX_METADATA_TABLE_SIZE, region) : -ENOMEM;

	if (ret)
		goto out;
	memcpy(&header, table, sizeof(header));
	for (unsigned int i = 0; i < header.entry_count; i++) {
		uint64_t at = sizeof(header) + i * sizeof(entry);

		memcpy(&entry, table + at, sizeof(entry));
		if (entry.length)
			end = max_of(end, (uint64_t)entry.offset + entry.length);
		if (vhdx_guid_equal(&entry.item, &guid) && !(entry.flags & VHDX_METADATA_USER))
			found = at;
	}
	end = align_up(end, 8);
	ret = !found ? -EUCLEAN : !range_within(end, len, v->image.metadata.len) ? -ENOSPC : 0;
	if (ret)
		goto out;
	memcpy(&entry, table + found, sizeof(entry));
	entry.offset = (uint32_t)end;
	entry.length = len;
	ret = vhdx_changes_add(changes, region + found, &entry, sizeof(entry));
	if (ret == 0)
		ret = vhdx_changes_add(changes, region + end, item, len);
out:
	free(table);
	return ret;
}

int vhdx_set_parent(struct file *file, const char *parent_path, const char *parent_absolute,
		    const uint8_t *parent_linkage, struct error *err)
{
	struct vhdx_changes changes;
	struct vhdx *v;
	uint8_t item[MAX_ITEM];
	int ret, len = vhdx_locator_build(parent_path, parent_absolute, parent_linkage, item,
					  MAX_ITEM);

	if (len < 0)
		return error_errno(err, len, "%s: the parent's path", file->name);
	ret = vhdx_offline_open(file, err, &v);
	if (ret)
		return ret;
	if (!v->image.has_parent) {
		ret = error_set(err, -EINVAL, "%s: is not based on another image", file->name);
	} else {
		ret = vhdx_offline_begin(v, false, err);
		vhdx_changes_init(&changes, v);
		if (ret == 0) {
			ret = change(v, &changes, item, (uint32_t)len);
			if (ret == 0)
				ret = vhdx_changes_commit(&changes);
			if (ret)
				error_errno(err, ret, "%s: the parent cannot be noted", file->name);
		}
		vhdx_changes_finish(&changes);
	}
	return vhdx_offline_end(v, ret, err);
}
