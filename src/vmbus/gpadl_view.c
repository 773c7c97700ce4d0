// SPDX-License-Identifier: MIT
/*
 * Buffers in GPADLs: where in the process their bytes are. See gpadl.h.
 *
 * A table of pages, in the ordinary mapping of RAM, and none of its own: guests lend buffers of
 * thousands of pages, scattered, and each would be a mapping.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmbus/gpadl_internal.h"

int gpadl_view(const struct gpadl *gpadl, struct gpadl_view *ret)
{
	const struct gpadl_span *s = gpadl->spans;
	uint8_t **pages;

	if (gpadl->ranges != 1)
		return -EINVAL;
	pages = malloc(s->pages * sizeof(*pages));
	if (!pages)
		return -ENOMEM;
	/* Cannot fail: each page was found to be RAM, and RAM does not change. */
	for (uint32_t i = 0; i < s->pages; i++)
		pages[i] = mem_map(gpadl->table->mem, gpadl->list[s->first + i] << PAGE_SHIFT,
				   PAGE_SIZE);
	*ret = (struct gpadl_view){.pages = pages, .offset = s->offset, .len = s->bytes};
	return 0;
}

void gpadl_view_finish(struct gpadl_view *view)
{
	free(view->pages);
	*view = (struct gpadl_view){0};
}

/* The next piece of [*pos, *pos + *len), and moves past it. */
static uint8_t *next_piece(const struct gpadl_view *view, uint64_t *pos, uint64_t *len,
			   uint64_t *ret_n)
{
	const uint64_t in_page = *pos % PAGE_SIZE;
	uint8_t *at = view->pages[*pos / PAGE_SIZE] + in_page;
	const uint64_t n = min_of(*len, PAGE_SIZE - in_page);

	*pos += n;
	*len -= n;
	*ret_n = n;
	return at;
}

int gpadl_view_iov(const struct gpadl_view *view, uint64_t offset, uint64_t len, struct iovec *iov,
		   size_t max, size_t *count)
{
	uint64_t pos = view->offset + offset;
	size_t used = *count;
	const size_t last_len = used ? iov[used - 1].iov_len : 0;

	if (!range_within(offset, len, view->len))
		return -EFAULT;
	while (len) {
		uint64_t n;
		uint8_t *at = next_piece(view, &pos, &len, &n);

		if (used && (uint8_t *)iov[used - 1].iov_base + iov[used - 1].iov_len == at) {
			iov[used - 1].iov_len += n;
		} else if (used < max) {
			iov[used++] = (struct iovec){.iov_base = at, .iov_len = n};
		} else {
			if (*count)
				iov[*count - 1].iov_len = last_len;
			return -E2BIG;
		}
	}
	*count = used;
	return 0;
}

int gpadl_view_write(const struct gpadl_view *view, uint64_t offset, const void *buf, size_t len)
{
	uint64_t pos = view->offset + offset, left = len;
	const uint8_t *from = buf;

	if (!range_within(offset, len, view->len))
		return -EFAULT;
	while (left) {
		uint64_t n;
		uint8_t *at = next_piece(view, &pos, &left, &n);

		memcpy(at, from, n);
		from += n;
	}
	return 0;
}

int gpadl_view_read(const struct gpadl_view *view, uint64_t offset, void *buf, size_t len)
{
	uint64_t pos = view->offset + offset, left = len;
	uint8_t *to = buf;

	if (!range_within(offset, len, view->len))
		return -EFAULT;
	while (left) {
		uint64_t n;
		const uint8_t *at = next_piece(view, &pos, &left, &n);

		memcpy(to, at, n);
		to += n;
	}
	/* The compiler shall use the copy, not read the guest's memory again. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return 0;
}
