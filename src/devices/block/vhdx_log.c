// SPDX-License-Identifier: MIT
/*
 * The log as it is written, MS-VHDX 2.3: entries as bytes, and the ring they go round in. No I/O.
 * Owner: the disk's loop, or an offline tool.
 *
 * What must stay is everything from the tail that the last durable entry names up to the head:
 * were any of it overwritten, a crash in that write would leave no valid sequence at all. So the
 * tail moves on in two steps: first what the next entry will say, and when that entry is durable,
 * what may be overwritten. There is always room for one more entry without pages, to say just
 * that.
 */
#include <string.h>

#include "devices/block/vhdx_crc.h"
#include "devices/block/vhdx_internal.h"

void vhdx_log_init(struct vhdx_log *log, const struct vhdx_image *image)
{
	*log = (struct vhdx_log){
		.offset = image->log.offset, .length = (uint32_t)image->log.len, .sequence = 1};
	vhdx_guid_make(&log->guid);
}

uint32_t vhdx_log_used(const struct vhdx_log *log)
{
	return (uint32_t)(((uint64_t)log->head + log->length - log->last_tail) % log->length);
}

bool vhdx_log_has_room(const struct vhdx_log *log, unsigned int pages)
{
	uint64_t need = (1ull + pages + 1 + 1) * VHDX_LOG_SECTOR; /* never quite full */

	return vhdx_log_used(log) + need <= log->length;
}

static void add_page(uint8_t *buffer, unsigned int i, const struct vhdx_log_page *page,
		     uint64_t sequence)
{
	struct vhdx_log_descriptor descriptor = {.signature = VHDX_LOG_DESC_SIGNATURE,
						 .file_offset = page->file_offset,
						 .sequence_number = sequence};
	struct vhdx_log_data *data = (void *)(buffer + (1ul + i) * VHDX_LOG_SECTOR);

	memcpy(descriptor.leading, page->data, sizeof(descriptor.leading));
	memcpy(descriptor.trailing, page->data + VHDX_LOG_SECTOR - sizeof(descriptor.trailing),
	       sizeof(descriptor.trailing));
	memcpy(buffer + sizeof(struct vhdx_log_header) + i * sizeof(descriptor), &descriptor,
	       sizeof(descriptor));
	memcpy(data, page->data, VHDX_LOG_SECTOR);
	data->signature = VHDX_LOG_DATA_SIGNATURE;
	data->sequence_high = (uint32_t)(sequence >> 32);
	data->sequence_low = (uint32_t)sequence;
}

uint32_t vhdx_log_build(struct vhdx_log *log, const struct vhdx_log_page *pages, unsigned int count,
			uint8_t *buffer, uint32_t *ret_at)
{
	uint32_t len = (1 + count) * VHDX_LOG_SECTOR;
	struct vhdx_log_header header = {.signature = VHDX_LOG_ENTRY_SIGNATURE,
					 .entry_length = len,
					 .tail = log->tail,
					 .sequence_number = log->sequence,
					 .descriptor_count = count,
					 .log_guid = log->guid,
					 .flushed_file_offset = log->flushed_file_offset,
					 .last_file_offset = log->last_file_offset};

	memset(buffer, 0, VHDX_LOG_SECTOR);
	for (unsigned int i = 0; i < count; i++)
		add_page(buffer, i, &pages[i], log->sequence);
	memcpy(buffer, &header, sizeof(header));
	header.checksum = vhdx_crc(0, buffer, len);
	memcpy(buffer, &header, sizeof(header));
	*ret_at = log->head;
	log->built_tail = log->tail;
	log->sequence++;
	log->head = (uint32_t)(((uint64_t)log->head + len) % log->length);
	return len;
}

void vhdx_log_written(struct vhdx_log *log)
{
	log->written_tail = log->built_tail;
}

void vhdx_log_synced(struct vhdx_log *log)
{
	log->last_tail = log->written_tail;
	log->tail = log->applied;
}
