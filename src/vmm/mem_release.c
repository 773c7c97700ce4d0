// SPDX-License-Identifier: MIT
/*
 * Guest memory that goes back to the host. See mem.h for the contract. Any thread; the kernel
 * orders what several do to the same pages.
 *
 * Holes are made in the file, and the mappings stay: whoever touches a page that is gone gets a
 * new one. Explicit huge pages are another matter: the pool that a new one would come from may be
 * empty then, which is a SIGBUS. So before one is given back, small pages take its place in the
 * mapping, out of a second file at the same offset (@spare_fd), of which a page exists only once it
 * is touched.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "vmm/mem_internal.h"

static int punch(int fd, uint64_t offset, uint64_t len)
{
	return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
			 (off_t)len) < 0
		       ? -errno
		       : 0;
}

/* Small pages in place of the whole huge pages of [@host, @host + @len), which is @offset. */
static int put_spare(const struct mem *mem, char *host, uint64_t len, uint64_t offset)
{
	const uint64_t first = align_up(offset, mem->page);
	const uint64_t last = align_down(offset + len, mem->page);
	char *start = host + (first - offset);

	if (first >= last)
		return 0;
	if (mmap(start, last - first, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED | MAP_NORESERVE, mem->spare_fd, (off_t)first) == MAP_FAILED)
		return -errno;
	(void)madvise(start, last - first, MADV_DONTDUMP);
	(void)madvise(start, last - first, MADV_DONTFORK);
	return 0;
}

static int release(const struct mem *mem, char *host, uint64_t len, uint64_t offset)
{
	int r = mem->page == PAGE_SIZE ? 0 : put_spare(mem, host, len, offset);

	/* Of huge pages that are not covered wholly the kernel clears what is. */
	if (r == 0)
		r = punch(mem->fd, offset, len);
	if (r == 0 && mem->page != PAGE_SIZE)
		r = punch(mem->spare_fd, offset, len);
	return r;
}

int mem_release(struct mem *mem, uint64_t gpa, uint64_t len)
{
	uint64_t part;

	if (!is_aligned(gpa, PAGE_SIZE) || !is_aligned(len, PAGE_SIZE))
		return -EINVAL;
	if (!mem_is_ram(mem, gpa, len))
		return -EFAULT;
	for (; len; len -= part, gpa += part) {
		const struct mem_region *region = mem_find(mem, gpa, len, &part);
		const uint64_t at = gpa - region->gpa;
		int r = release(mem, (char *)region->host + at, part, region->offset + at);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Huge pages again, if the pool has them still; they are claimed, as when memory was created. */
static int restore_huge(const struct mem *mem, const struct mem_region *region)
{
	if (fallocate(mem->fd, 0, (off_t)region->offset, (off_t)region->len) < 0)
		return punch(mem->fd, region->offset, region->len);
	return mem_map_file(mem, region->host, region->len, region->offset);
}

int mem_release_all(struct mem *mem)
{
	for (size_t i = 0; i < mem->count; i++) {
		const struct mem_region *region = &mem->regions[i];
		int r = mem_release(mem, region->gpa, region->len);

		if (r == 0 && mem->page != PAGE_SIZE)
			r = restore_huge(mem, region);
		if (r < 0)
			return r;
	}
	return 0;
}

static uint64_t blocks(int fd)
{
	struct stat st;

	/* POSIX leaves their size open; on Linux it is 512 bytes. */
	return fd < 0 || fstat(fd, &st) < 0 ? 0 : (uint64_t)st.st_blocks * 512;
}

uint64_t mem_resident(const struct mem *mem)
{
	return blocks(mem->fd) + blocks(mem->spare_fd);
}
