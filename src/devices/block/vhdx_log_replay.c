// SPDX-License-Identifier: MIT
/*
 * Finding and replaying the log, MS-VHDX 2.3.2 and 2.3.3.
 *
 * An entry counts when its header, every descriptor, every data sector and the checksum over all
 * of it agree; a sequence counts when its entries follow each other by number and the tail of the
 * last is the start of one of them. Of a torn or reordered write nothing is believed. Descriptors
 * may aim at the region tables and everything behind the header section, but not at the log.
 *
 * An entry is read sector by sector, so that memory does not depend on what the file says. Time
 * neither: a sector is part of one entry only, as its first bytes tell which kind it is, and the
 * entries of a sequence are not tried as the start of another, which would have the same end and so
 * the same fault. The log is read three times at most.
 */
#include "devices/block/vhdx_log_replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/block/vhdx_crc.h"

#define SECTOR     VHDX_LOG_SECTOR
#define DESCRIPTOR 32u
#define AGAIN_STEP 65536u

/* A log being read: one sector of descriptors and one of data are in memory. */
struct reader {
	const struct vhdx_image *image;
	struct file *file;
	uint32_t length;
	int error; /* of the file: the search stops */
	uint8_t descriptors[SECTOR];
	uint8_t data[SECTOR];
};

static uint32_t wrap(const struct reader *r, uint64_t offset)
{
	return (uint32_t)(offset % r->length);
}

static bool read_sector(struct reader *r, uint64_t offset, void *sector)
{
	int ret = file_pread(r->file, sector, SECTOR, r->image->log.offset + wrap(r, offset));

	if (ret)
		r->error = ret;
	return ret == 0;
}

static uint32_t descriptor_sectors(uint32_t count)
{
	return (uint32_t)((64 + (uint64_t)count * DESCRIPTOR + SECTOR - 1) / SECTOR);
}

static bool target_is_valid(const struct vhdx_image *image, uint64_t offset, uint64_t len)
{
	return is_aligned(offset, SECTOR) && is_aligned(len, SECTOR) && len &&
	       offset >= VHDX_REGION_TABLE1 && range_within(offset, len, VHDX_MAX_FILE) &&
	       (offset + len <= image->log.offset || offset >= image->log.offset + image->log.len);
}

/* Data sectors it stands for (1 or 0), or -1. */
static int descriptor_kind(const struct vhdx_image *image, const void *bytes, uint64_t sequence)
{
	struct vhdx_log_descriptor data;
	struct vhdx_log_zero zero;

	memcpy(&data, bytes, sizeof(data));
	memcpy(&zero, bytes, sizeof(zero));
	if (data.signature == VHDX_LOG_DESC_SIGNATURE)
		return data.sequence_number == sequence &&
				       target_is_valid(image, data.file_offset, SECTOR)
			       ? 1
			       : -1;
	if (zero.signature == VHDX_LOG_ZERO_SIGNATURE)
		return zero.sequence_number == sequence && !zero.reserved &&
				       target_is_valid(image, zero.file_offset, zero.length)
			       ? 0
			       : -1;
	return -1;
}

static bool header_is_valid(const struct reader *r, const struct vhdx_log_header *header)
{
	return header->signature == VHDX_LOG_ENTRY_SIGNATURE && header->sequence_number > 0 &&
	       vhdx_guid_equal(&header->log_guid, &r->image->header.log_guid) &&
	       header->reserved == 0 && is_aligned(header->entry_length, SECTOR) &&
	       header->entry_length >= SECTOR && header->entry_length <= r->length &&
	       is_aligned(header->tail, SECTOR) && header->tail < r->length &&
	       header->descriptor_count <= header->entry_length / DESCRIPTOR &&
	       descriptor_sectors(header->descriptor_count) <= header->entry_length / SECTOR &&
	       is_aligned(header->flushed_file_offset, VHDX_MIB) &&
	       is_aligned(header->last_file_offset, VHDX_MIB) &&
	       header->flushed_file_offset <= VHDX_MAX_FILE &&
	       header->last_file_offset <= VHDX_MAX_FILE;
}

/* The descriptors and the checksum over their sectors; data sectors counted in *ret_data. */
static bool check_descriptors(struct reader *r, uint32_t start,
			      const struct vhdx_log_header *header, uint32_t *crc,
			      uint32_t *ret_data)
{
	uint32_t data = 0;

	*crc = vhdx_crc_without(r->descriptors, SECTOR, offsetof(struct vhdx_log_header, checksum));
	for (uint32_t i = 0; i < header->descriptor_count; i++) {
		uint32_t at = 64 + i * DESCRIPTOR;
		int kind;

		if (at % SECTOR == 0) {
			if (!read_sector(r, (uint64_t)start + at, r->descriptors))
				return false;
			*crc = vhdx_crc(*crc, r->descriptors, SECTOR);
		}
		kind = descriptor_kind(r->image, r->descriptors + at % SECTOR,
				       header->sequence_number);
		if (kind < 0)
			return false;
		data += (uint32_t)kind;
	}
	*ret_data = data;
	return true;
}

static bool data_is_valid(const struct vhdx_log_data *data, uint64_t sequence)
{
	return data->signature == VHDX_LOG_DATA_SIGNATURE &&
	       data->sequence_high == (uint32_t)(sequence >> 32) &&
	       data->sequence_low == (uint32_t)sequence;
}

/* True when a valid entry starts at @start; its header is in *ret. */
static bool read_entry(struct reader *r, uint32_t start, struct vhdx_log_header *ret)
{
	uint32_t crc, data, sectors;

	if (!read_sector(r, start, r->descriptors))
		return false;
	memcpy(ret, r->descriptors, sizeof(*ret));
	if (!header_is_valid(r, ret) || !check_descriptors(r, start, ret, &crc, &data))
		return false;
	sectors = descriptor_sectors(ret->descriptor_count);
	if (ret->entry_length != (uint64_t)(sectors + data) * SECTOR)
		return false;
	for (uint32_t i = 0; i < data; i++) {
		if (!read_sector(r, start + (uint64_t)(sectors + i) * SECTOR, r->data) ||
		    !data_is_valid((const void *)r->data, ret->sequence_number))
			return false;
		crc = vhdx_crc(crc, r->data, SECTOR);
	}
	return crc == ret->checksum;
}

/*
 * The longest sequence from @start on, in *ret; false when there is none. *ret_end: where the
 * entries that were read end, also when they make no valid sequence; @start when there is no
 * entry.
 */
static bool read_sequence(struct reader *r, uint32_t start, struct vhdx_log_sequence *ret,
			  uint64_t *ret_end)
{
	struct vhdx_log_header header;
	uint64_t at = start, count = 0;
	uint64_t distance;
	bool tail_seen = false;

	*ret = (struct vhdx_log_sequence){0};
	while (at - start < r->length && read_entry(r, wrap(r, at), &header)) {
		if ((count && header.sequence_number != ret->last + 1) ||
		    header.entry_length > r->length - (at - start))
			break;
		ret->last = header.sequence_number;
		ret->tail = header.tail;
		ret->flushed_file_offset = header.flushed_file_offset;
		ret->last_file_offset = header.last_file_offset;
		at += header.entry_length;
		count++;
	}
	*ret_end = at;
	if (!count || r->error)
		return false;
	/* The tail must be where one of the entries starts: count them from there. */
	ret->head = wrap(r, at);
	distance = wrap(r, (uint64_t)ret->tail + r->length - start);
	ret->count = 0;
	for (uint64_t p = start; p < at;) {
		if (!read_sector(r, p, r->descriptors))
			return false;
		memcpy(&header, r->descriptors, sizeof(header));
		tail_seen |= p - start == distance;
		ret->count += tail_seen;
		p += header.entry_length;
	}
	return tail_seen;
}

int vhdx_log_find(const struct vhdx_image *image, struct file *file, struct error *err,
		  struct vhdx_log_sequence *ret)
{
	struct reader *r = calloc(1, sizeof(*r));
	struct vhdx_log_sequence best = {0};
	uint64_t at = 0;
	int error;

	if (!r)
		return error_errno(err, -ENOMEM, "%s", file->name);
	*r = (struct reader){.image = image, .file = file, .length = (uint32_t)image->log.len};
	while (at < r->length && !r->error) {
		struct vhdx_log_sequence sequence;
		uint64_t end;

		if (read_sequence(r, (uint32_t)at, &sequence, &end) && sequence.last > best.last)
			best = sequence;
		at = end > at ? end : at + SECTOR;
	}
	error = r->error;
	free(r);
	if (error)
		return error_errno(err, error, "%s: the log cannot be read", file->name);
	if (!best.last)
		return error_set(err, -EUCLEAN, "%s: was not closed cleanly and its log is damaged",
				 file->name);
	if (image->file_size < best.flushed_file_offset)
		return error_set(err, -EUCLEAN,
				 "%s: truncated: %llu bytes of at least %llu are there", file->name,
				 (unsigned long long)image->file_size,
				 (unsigned long long)best.flushed_file_offset);
	*ret = best;
	return 0;
}

static int apply_data(struct reader *r, const void *bytes, uint64_t at,
		      const struct vhdx_log_target *target)
{
	struct vhdx_log_descriptor descriptor;

	memcpy(&descriptor, bytes, sizeof(descriptor));
	if (!read_sector(r, at, r->data))
		return r->error;
	memcpy(r->data, descriptor.leading, sizeof(descriptor.leading));
	memcpy(r->data + SECTOR - sizeof(descriptor.trailing), descriptor.trailing,
	       sizeof(descriptor.trailing));
	return target->page(target->ctx, descriptor.file_offset, r->data);
}

static int apply_zero(const void *bytes, const struct vhdx_log_target *target)
{
	struct vhdx_log_zero zero;

	memcpy(&zero, bytes, sizeof(zero));
	return target->zero(target->ctx, zero.file_offset, zero.length);
}

static int apply_entry(struct reader *r, uint32_t start, const struct vhdx_log_header *header,
		       const struct vhdx_log_target *target)
{
	uint64_t data = start + (uint64_t)descriptor_sectors(header->descriptor_count) * SECTOR;
	int ret = 0;

	if (!read_sector(r, start, r->descriptors))
		return r->error;
	for (uint32_t i = 0; ret == 0 && i < header->descriptor_count; i++) {
		uint32_t at = 64 + i * DESCRIPTOR;
		const uint8_t *bytes = r->descriptors + at % SECTOR;

		if (at % SECTOR == 0 && !read_sector(r, (uint64_t)start + at, r->descriptors))
			return r->error;
		if (descriptor_kind(r->image, bytes, header->sequence_number) == 1) {
			ret = apply_data(r, bytes, data, target);
			data += SECTOR;
		} else {
			ret = apply_zero(bytes, target);
		}
	}
	return ret;
}

int vhdx_log_apply(const struct vhdx_image *image, struct file *file,
		   const struct vhdx_log_sequence *sequence, const struct vhdx_log_target *target,
		   struct error *err)
{
	struct reader *r = calloc(1, sizeof(*r));
	uint32_t at = sequence->tail;
	int ret = r ? 0 : -ENOMEM;

	if (r)
		*r = (struct reader){
			.image = image, .file = file, .length = (uint32_t)image->log.len};
	for (uint64_t i = 0; ret == 0 && i < sequence->count; i++) {
		struct vhdx_log_header header;

		/* Checked before; read again, for what is applied must be what was checked. */
		if (!read_entry(r, at, &header)) {
			ret = r->error ? r->error : -EUCLEAN;
			break;
		}
		ret = apply_entry(r, at, &header, target);
		at = wrap(r, (uint64_t)at + header.entry_length);
	}
	if (ret == 0)
		ret = target->extend(target->ctx, sequence->last_file_offset);
	free(r);
	return ret ? error_errno(err, ret, "%s: the log cannot be replayed", file->name) : 0;
}

/* --- Into the file itself. ----------------------------------------------------------------- */

static int file_page(void *ctx, uint64_t offset, const void *page)
{
	return file_pwrite(ctx, page, SECTOR, offset);
}

static int file_zero(void *ctx, uint64_t offset, uint64_t len)
{
	static const uint8_t zeroes[65536];
	uint64_t size;
	int ret = file_size(ctx, &size);

	/* What is beyond the end is zero once the file is that long. */
	if (ret == 0 && offset + len > size)
		ret = file_truncate(ctx, offset + len);
	len = offset < size ? min_of(len, size - offset) : 0;
	if (ret == 0 && len >= VHDX_MIB && file_discard(ctx, offset, len) == 0)
		return 0;
	while (ret == 0 && len) {
		uint64_t step = min_of(len, (uint64_t)sizeof(zeroes));

		ret = file_pwrite(ctx, zeroes, step, offset);
		offset += step;
		len -= step;
	}
	return ret;
}

static int file_extend(void *ctx, uint64_t end)
{
	uint64_t size;
	int ret = file_size(ctx, &size);

	return ret || size >= end ? ret : file_truncate(ctx, end);
}

/*
 * What can be read may be in the host's cache only: who wrote it was killed before its sync, or its
 * sync failed, and the host counts as written what is not. Pages must not reach their places before
 * the entries that have them, so these are written again and synced, with all else there is.
 */
static int write_again(const struct vhdx_image *image, struct file *file,
		       const struct vhdx_log_sequence *sequence)
{
	uint32_t length = (uint32_t)image->log.len, at = sequence->tail, step;
	uint32_t left = (sequence->head + length - sequence->tail) % length;
	uint8_t *buffer = aligned_alloc(SECTOR, AGAIN_STEP);
	int ret = buffer ? 0 : -ENOMEM;

	if (left == 0 && sequence->count)
		left = length;
	for (; ret == 0 && left; left -= step, at = (at + step) % length) {
		step = min_of(left, length - at);
		step = min_of(step, AGAIN_STEP);
		ret = file_pread(file, buffer, step, image->log.offset + at);
		if (ret == 0)
			ret = file_pwrite(file, buffer, step, image->log.offset + at);
	}
	free(buffer);
	return ret ? ret : file_sync(file);
}

int vhdx_log_replay(struct vhdx_image *image, struct file *file, struct error *err)
{
	struct vhdx_log_target target = {file_page, file_zero, file_extend, file};
	struct vhdx_log_sequence sequence;
	int ret;

	if (vhdx_guid_is_zero(&image->header.log_guid))
		return 0;
	ret = vhdx_log_find(image, file, err, &sequence);
	if (ret)
		return ret;
	ret = write_again(image, file, &sequence);
	if (ret)
		return error_errno(err, ret, "%s: its log cannot be made durable", file->name);
	ret = vhdx_log_apply(image, file, &sequence, &target, err);
	if (ret)
		return ret;
	ret = file_sync(file);
	if (ret)
		return error_errno(err, ret, "%s: the replayed log cannot be made durable",
				   file->name);
	image->header.log_guid = (struct vhdx_guid){0};
	vhdx_guid_make(&image->header.file_write_guid);
	return vhdx_header_update(image, file, err);
}
