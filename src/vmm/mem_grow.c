// SPDX-License-Identifier: MIT
/*
 * Guest memory that comes while the VM runs, and goes when it starts anew. See mem.h for the
 * contract and mem_internal.h for what makes it safe beside readers.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/mem_backing.h"
#include "vmm/mem_internal.h"

uint64_t mem_window(const struct mem *mem, uint64_t *ret_gpa)
{
	*ret_gpa = mem->window.gpa;
	return mem->window.len;
}

uint64_t mem_added(const struct mem *mem)
{
	return atomic_load_explicit(&mem->added, memory_order_acquire);
}

static int check(const struct mem *mem, uint64_t len, struct error *err)
{
	const uint64_t page = max_of(mem->page, (uint64_t)MiB(2));

	if (len == 0 || !is_aligned(len, page))
		return error_set(err, -EINVAL,
				 "memory to add: %llu bytes are no multiple of %llu MiB",
				 (unsigned long long)len, (unsigned long long)page >> 20);
	if (!range_within(mem_added(mem), len, mem->window.len))
		return error_set(err, -EINVAL, "memory to add: %llu MiB are more than the maximum",
				 (unsigned long long)len >> 20);
	return 0;
}

/* The host's pages from @size on go, and so does the file's claim to explicit huge ones. */
static void cut_file(const struct mem *mem, uint64_t size)
{
	/* A file that stays larger than it need be costs nothing. */
	(void)!ftruncate(mem->fd, (off_t)size);
	if (mem->spare_fd >= 0)
		(void)!fallocate(mem->spare_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				 (off_t)size, (off_t)(mem->window.offset + mem->window.len - size));
}

/* Inaccessible again, as it was reserved. If that fails, nothing finds it all the same. */
static void unmap(const struct mem *mem, void *host, uint64_t len, uint64_t offset)
{
	(void)!mmap(host, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
		    -1, 0);
	cut_file(mem, offset);
}

int mem_grow(struct mem *mem, uint64_t len, struct error *err, struct mem_region *ret)
{
	const uint64_t added = mem_added(mem);
	struct mem_region region = {
		.gpa = mem->window.gpa + added,
		.len = len,
		.host = (char *)mem->window.host + added,
		.offset = mem->window.offset + added,
	};
	int r = check(mem, len, err);

	if (r < 0)
		return r;
	if (ftruncate(mem->fd, (off_t)(region.offset + len)) < 0)
		return error_errno(err, -errno, "cannot add %llu MiB of memory",
				   (unsigned long long)len >> 20);
	/* As mem_backing_open(): what cannot be had later would be a SIGBUS then. */
	if (mem->page != PAGE_SIZE && fallocate(mem->fd, 0, (off_t)region.offset, (off_t)len) < 0) {
		cut_file(mem, region.offset);
		return error_set(err, -ENOMEM, "not enough free huge pages for %llu MiB more",
				 (unsigned long long)len >> 20);
	}
	r = mem_map_file(mem, region.host, len, region.offset);
	if (r < 0) {
		cut_file(mem, region.offset);
		return error_errno(err, r, "cannot map %llu MiB of memory",
				   (unsigned long long)len >> 20);
	}
	*ret = region;
	return 0;
}

void mem_grow_done(struct mem *mem, const struct mem_region *region)
{
	atomic_store_explicit(&mem->added, mem_added(mem) + region->len, memory_order_release);
}

void mem_grow_undo(struct mem *mem, const struct mem_region *region)
{
	unmap(mem, region->host, region->len, region->offset);
}

void mem_shrink(struct mem *mem)
{
	const uint64_t len = mem_added(mem);

	atomic_store_explicit(&mem->added, 0, memory_order_release);
	if (len)
		unmap(mem, mem->window.host, len, mem->window.offset);
}
