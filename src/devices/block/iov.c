// SPDX-License-Identifier: MIT
/*
 * Parts of I/O vectors. No state; any thread.
 */
#include "devices/block/iov.h"

#include <string.h>

uint64_t iov_length(const struct iovec *iov, unsigned int count)
{
	uint64_t len = 0;

	for (unsigned int i = 0; i < count; i++)
		if (!checked_add(len, iov[i].iov_len, &len))
			return UINT64_MAX;
	return len;
}

/* The next piece of at most @left bytes, from *@skip on in what begins at **@iov; moves on. */
static struct iovec next_piece(const struct iovec **iov, uint64_t *skip, uint64_t left)
{
	struct iovec piece;

	while (*skip >= (*iov)->iov_len) {
		*skip -= (*iov)->iov_len;
		(*iov)++;
	}
	piece.iov_base = (char *)(*iov)->iov_base + *skip;
	piece.iov_len = (size_t)min_of((*iov)->iov_len - *skip, left);
	*skip += piece.iov_len;
	return piece;
}

unsigned int iov_slice(const struct iovec *iov, unsigned int count, uint64_t skip, uint64_t len,
		       struct iovec *out, unsigned int max, uint64_t *ret_len)
{
	uint64_t left = len;
	unsigned int n = 0;

	while (left && n < max) {
		out[n] = next_piece(&iov, &skip, left);
		left -= out[n++].iov_len;
	}
	*ret_len = len - left;
	return n;
}

void iov_zero(const struct iovec *iov, unsigned int count, uint64_t skip, uint64_t len)
{
	while (len) {
		struct iovec piece = next_piece(&iov, &skip, len);

		memset(piece.iov_base, 0, piece.iov_len);
		len -= piece.iov_len;
	}
}

void iov_copy_in(const struct iovec *iov, unsigned int count, uint64_t skip, const void *buf,
		 size_t len)
{
	const char *from = buf;

	while (len) {
		struct iovec piece = next_piece(&iov, &skip, len);

		memcpy(piece.iov_base, from, piece.iov_len);
		from += piece.iov_len;
		len -= piece.iov_len;
	}
}

void iov_copy_out(const struct iovec *iov, unsigned int count, uint64_t skip, void *buf, size_t len)
{
	char *to = buf;

	while (len) {
		struct iovec piece = next_piece(&iov, &skip, len);

		memcpy(to, piece.iov_base, piece.iov_len);
		to += piece.iov_len;
		len -= piece.iov_len;
	}
}
