// SPDX-License-Identifier: MIT
/*
 * The page list of a packet: what guest memory it is about. Works on a private copy of the list.
 */
#include <errno.h>
#include <string.h>

#include "vmbus/channel_internal.h"

/* How many page numbers a range has, from its copied head. 0: it is empty or makes no sense. */
static uint64_t range_pages(const struct gpa_range *range)
{
	if (range->byte_count == 0 || range->byte_offset >= PAGE_SIZE)
		return 0;
	return ((uint64_t)range->byte_offset + range->byte_count + PAGE_SIZE - 1) / PAGE_SIZE;
}

static int add_range(const struct mem *mem, const struct gpa_range *range, const uint8_t *pfns,
		     struct iovec *iov, size_t max, size_t *count)
{
	uint64_t offset = range->byte_offset, left = range->byte_count;

	for (; left; pfns += sizeof(uint64_t)) {
		const uint64_t len = min_of(left, (uint64_t)PAGE_SIZE - offset);
		uint64_t pfn;
		int r;

		memcpy(&pfn, pfns, sizeof(pfn));
		if (pfn > UINT64_MAX / PAGE_SIZE)
			return -EFAULT;
		r = mem_iov(mem, pfn * PAGE_SIZE + offset, len, iov, max, count);
		if (r < 0)
			return r;
		left -= len;
		offset = 0;
	}
	return 0;
}

static int add_ranges(const struct mem *mem, const struct ring_packet *packet, struct iovec *iov,
		      size_t max, size_t *count, uint64_t *total)
{
	struct vmdata_gpa_direct_list list;
	const uint8_t *p = packet->list;
	size_t left = packet->list_len;

	if (packet->type != VM_PKT_DATA_USING_GPA_DIRECT || left < sizeof(list))
		return -EINVAL;
	memcpy(&list, p, sizeof(list));
	p += sizeof(list);
	left -= sizeof(list);
	if (list.range_cnt == 0)
		return -EINVAL;
	for (uint32_t i = 0; i < list.range_cnt; i++) {
		struct gpa_range range;
		uint64_t pages;
		int r;

		if (left < sizeof(range))
			return -EINVAL;
		memcpy(&range, p, sizeof(range));
		p += sizeof(range);
		left -= sizeof(range);
		pages = range_pages(&range);
		if (pages == 0 || pages > left / sizeof(uint64_t))
			return -EINVAL;
		r = add_range(mem, &range, p, iov, max, count);
		if (r < 0)
			return r;
		p += pages * sizeof(uint64_t);
		left -= pages * sizeof(uint64_t);
		*total += range.byte_count;
	}
	return 0;
}

int channel_gpa_iov(const struct channel *ch, const struct ring_packet *packet, struct iovec *iov,
		    size_t max, size_t *count, uint64_t *ret_len)
{
	/* The first bytes may have been joined to the entry before. */
	struct iovec *last = *count ? &iov[*count - 1] : NULL;
	const size_t last_len = last ? last->iov_len : 0;
	uint64_t total = *ret_len;
	size_t used = *count;
	int r = add_ranges(ch->device->bus->mem, packet, iov, max, &used, &total);

	if (r < 0) {
		if (last)
			last->iov_len = last_len;
		return r;
	}
	*count = used;
	*ret_len = total;
	return 0;
}
