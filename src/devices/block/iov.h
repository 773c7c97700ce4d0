// SPDX-License-Identifier: MIT
/*
 * Parts of an I/O vector: a request's data seen from byte @skip on. No state; any thread.
 *
 * The memory may be a guest's; nothing here reads it but iov_copy_out().
 */
#pragma once

#include <sys/uio.h>

#include "vmm/base.h"

/* Bytes in all; UINT64_MAX when they do not fit. */
uint64_t iov_length(const struct iovec *iov, unsigned int count);

/*
 * Fills @out with at most @max pieces that are @len bytes of @iov from byte @skip on, which it must
 * have. The number of pieces; *ret_len is what they hold: less than @len when @max were too few.
 */
unsigned int iov_slice(const struct iovec *iov, unsigned int count, uint64_t skip, uint64_t len,
		       struct iovec *out, unsigned int max, uint64_t *ret_len);

/* Sets @len bytes from byte @skip on to zero. */
void iov_zero(const struct iovec *iov, unsigned int count, uint64_t skip, uint64_t len);
/* Copies between @buf and @len bytes from byte @skip on. */
void iov_copy_in(const struct iovec *iov, unsigned int count, uint64_t skip, const void *buf,
		 size_t len);
void iov_copy_out(const struct iovec *iov, unsigned int count, uint64_t skip, void *buf,
		  size_t len);
