// SPDX-License-Identifier: MIT
/*
 * Guest memory: one file, mapped into a guarded reservation. See mem.h for the contract.
 *
 * The table of regions is filled by mem_create() and never changes afterwards; of memory that is
 * added later only the length does (mem_internal.h). So every lookup runs without a lock on any
 * thread.
 */
#include "vmm/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/layout.h"
#include "vmm/mem_backing.h"
#include "vmm/mem_internal.h"

/*
 * Inaccessible space before, between and behind the regions: an overrun faults, whatever it hits.
 */
#define GUARD_LEN MiB(2)

/*
 * No transparent huge pages in the first few MiB: there lie boot data, the low memory that Linux
 * leaves alone, and small kernels. Clearing whole huge pages for those would be most of the time
 * until their first instruction.
 */
#define SMALL_PAGES_LEN MiB(4)

static int check_size(const struct mem_config *config, struct error *err)
{
	uint64_t page = mem_backing_page(config->huge);

	if (config->size < MiB(1) || config->size > (1ull << 46))
		return error_set(err, -EINVAL, "memory of %llu bytes: expected 1 MiB to 64 TiB",
				 (unsigned long long)config->size);
	if (!is_aligned(config->size, page))
		return error_set(err, -EINVAL,
				 "memory of %llu bytes is not a multiple of the %llu KiB page",
				 (unsigned long long)config->size, (unsigned long long)page >> 10);
	if (config->maximum > (1ull << 46))
		return error_set(err, -EINVAL, "memory of %llu bytes: expected at most 64 TiB",
				 (unsigned long long)config->maximum);
	return 0;
}

static void plan_regions(struct mem *mem)
{
	uint64_t low = min_of(mem->size, (uint64_t)LAYOUT_MMIO_HOLE);

	mem->regions[mem->count++] = (struct mem_region){.gpa = 0, .len = low, .offset = 0};
	if (mem->size > low)
		mem->regions[mem->count++] = (struct mem_region){
			.gpa = LAYOUT_RAM_ABOVE_4G, .len = mem->size - low, .offset = low};
}

/* Above everything else, aligned as any guest wants it; in the file, too, for huge pages. */
static void plan_window(struct mem *mem, uint64_t maximum)
{
	const struct mem_region *last = &mem->regions[mem->count - 1];
	uint64_t page = max_of(mem->page, (uint64_t)MiB(2));

	if (maximum <= mem->size)
		return;
	mem->window.gpa =
		align_up(max_of(last->gpa + last->len, LAYOUT_RAM_ABOVE_4G), MEM_WINDOW_ALIGNMENT);
	mem->window.len = align_down(maximum - mem->size, page);
	mem->window.offset = align_up(mem->size, page);
}

/* One reservation for all regions; each starts at a multiple of the largest useful page. */
static int reserve(struct mem *mem, struct error *err)
{
	uint64_t alignment = max_of(mem->page, (uint64_t)MiB(2));
	uint64_t len = alignment + GUARD_LEN;
	char *next;

	for (size_t i = 0; i < mem->count; i++)
		len += align_up(mem->regions[i].len + GUARD_LEN, alignment);
	len += mem->window.len + GUARD_LEN;
	mem->reservation =
		mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mem->reservation == MAP_FAILED) {
		mem->reservation = NULL;
		return error_errno(err, -errno, "cannot reserve %llu MiB of address space",
				   (unsigned long long)len >> 20);
	}
	mem->reservation_len = len;
	next = (char *)align_up((uintptr_t)mem->reservation + GUARD_LEN, alignment);
	for (size_t i = 0; i < mem->count; i++) {
		mem->regions[i].host = next;
		next += align_up(mem->regions[i].len + GUARD_LEN, alignment);
	}
	mem->window.host = next;
	return 0;
}

int mem_map_file(const struct mem *mem, void *host, uint64_t len, uint64_t offset)
{
	int flags = MAP_SHARED | MAP_FIXED | MAP_NORESERVE;

	if (mem->prefault)
		flags |= MAP_POPULATE;
	if (mmap(host, len, PROT_READ | PROT_WRITE, flags, mem->fd, (off_t)offset) == MAP_FAILED)
		return -errno;
	/* Advice that a kernel without the feature refuses is no loss. */
	if (mem->huge == MEM_HUGE_TRANSPARENT)
		(void)madvise(host, len, MADV_HUGEPAGE);
	(void)madvise(host, len, MADV_DONTDUMP);
	(void)madvise(host, len, MADV_DONTFORK);
	return 0;
}

static int map_regions(struct mem *mem, struct error *err)
{
	for (size_t i = 0; i < mem->count; i++) {
		const struct mem_region *region = &mem->regions[i];
		int r = mem_map_file(mem, region->host, region->len, region->offset);

		if (r < 0)
			return error_errno(err, r, "cannot map %llu MiB of guest memory",
					   (unsigned long long)region->len >> 20);
		if (mem->huge == MEM_HUGE_TRANSPARENT && region->gpa == 0)
			(void)madvise(region->host, min_of(region->len, SMALL_PAGES_LEN),
				      MADV_NOHUGEPAGE);
	}
	return 0;
}

int mem_create(const struct mem_config *config, struct error *err, struct mem **ret)
{
	struct mem *mem;
	int r = check_size(config, err);

	if (r < 0)
		return r;
	mem = calloc(1, sizeof(*mem));
	if (!mem)
		return error_set(err, -ENOMEM, "out of memory");
	mem->fd = mem->spare_fd = -1;
	mem->size = config->size;
	mem->page = mem_backing_page(config->huge);
	mem->huge = config->huge;
	mem->prefault = config->prefault;
	plan_regions(mem);
	plan_window(mem, config->maximum);
	r = mem_backing_open(mem->size, config->huge, err, &mem->fd);
	if (r < 0)
		goto destroy;
	if (mem->page != PAGE_SIZE)
		r = mem_backing_open(mem->window.offset + mem->window.len + mem->size,
				     MEM_HUGE_NONE, err, &mem->spare_fd);
	if (r < 0)
		goto destroy;
	r = reserve(mem, err);
	if (r < 0)
		goto destroy;
	r = map_regions(mem, err);
	if (r < 0)
		goto destroy;
	*ret = mem;
	return 0;

destroy:
	mem_destroy(mem);
	return r;
}

void mem_destroy(struct mem *mem)
{
	if (!mem)
		return;
	if (mem->reservation)
		munmap(mem->reservation, mem->reservation_len);
	if (mem->fd >= 0)
		close(mem->fd);
	if (mem->spare_fd >= 0)
		close(mem->spare_fd);
	free(mem);
}

uint64_t mem_size(const struct mem *mem)
{
	return mem->size;
}

int mem_fd(const struct mem *mem)
{
	return mem->fd;
}

const struct mem_region *mem_regions(const struct mem *mem, size_t *ret_count)
{
	*ret_count = mem->count;
	return mem->regions;
}

/* NULL unless @gpa is in the first @size bytes of @region. */
static const struct mem_region *find_in(const struct mem_region *region, uint64_t size,
					uint64_t gpa, uint64_t len, uint64_t *ret_len)
{
	if (gpa < region->gpa || gpa - region->gpa >= size)
		return NULL;
	*ret_len = min_of(len, size - (gpa - region->gpa));
	return region;
}

const struct mem_region *mem_find(const struct mem *mem, uint64_t gpa, uint64_t len,
				  uint64_t *ret_len)
{
	for (size_t i = 0; i < mem->count; i++) {
		const struct mem_region *r = &mem->regions[i];
		const struct mem_region *found = find_in(r, r->len, gpa, len, ret_len);

		if (found)
			return found;
	}
	return find_in(&mem->window, mem_added(mem), gpa, len, ret_len);
}

bool mem_is_ram(const struct mem *mem, uint64_t gpa, uint64_t len)
{
	uint64_t part;

	while (len) {
		if (!mem_find(mem, gpa, len, &part))
			return false;
		len -= part;
		/* Cannot wrap: a region ends below 2^64, so gpa + part is at most its end. */
		gpa += part;
	}
	return true;
}

int mem_read(const struct mem *mem, uint64_t gpa, void *buf, size_t len)
{
	char *to = buf;
	uint64_t part;

	if (!mem_is_ram(mem, gpa, len))
		return -EFAULT;
	for (; len; len -= part, gpa += part, to += part) {
		const struct mem_region *r = mem_find(mem, gpa, len, &part);

		memcpy(to, (const char *)r->host + (gpa - r->gpa), part);
	}
	return 0;
}

int mem_write(const struct mem *mem, uint64_t gpa, const void *buf, size_t len)
{
	const char *from = buf;
	uint64_t part;

	if (!mem_is_ram(mem, gpa, len))
		return -EFAULT;
	for (; len; len -= part, gpa += part, from += part) {
		const struct mem_region *r = mem_find(mem, gpa, len, &part);

		memcpy((char *)r->host + (gpa - r->gpa), from, part);
	}
	return 0;
}

int mem_fill(const struct mem *mem, uint64_t gpa, uint8_t byte, size_t len)
{
	uint64_t part;

	if (!mem_is_ram(mem, gpa, len))
		return -EFAULT;
	for (; len; len -= part, gpa += part) {
		const struct mem_region *r = mem_find(mem, gpa, len, &part);

		memset((char *)r->host + (gpa - r->gpa), byte, part);
	}
	return 0;
}

int mem_iov(const struct mem *mem, uint64_t gpa, uint64_t len, struct iovec *iov, size_t max,
	    size_t *count)
{
	size_t n = *count;
	struct iovec joined = n ? iov[n - 1] : (struct iovec){0};
	uint64_t part;

	if (!mem_is_ram(mem, gpa, len))
		return -EFAULT;
	for (; len; len -= part, gpa += part) {
		const struct mem_region *r = mem_find(mem, gpa, len, &part);
		char *host = (char *)r->host + (gpa - r->gpa);

		if (n && (char *)iov[n - 1].iov_base + iov[n - 1].iov_len == host) {
			iov[n - 1].iov_len += part;
			continue;
		}
		if (n == max) {
			if (*count)
				iov[*count - 1] = joined;
			return -E2BIG;
		}
		iov[n++] = (struct iovec){.iov_base = host, .iov_len = part};
	}
	*count = n;
	return 0;
}

void *mem_map(const struct mem *mem, uint64_t gpa, uint64_t len)
{
	uint64_t part;
	const struct mem_region *r = mem_find(mem, gpa, len, &part);

	if (!r || part != len)
		return NULL;
	return (char *)r->host + (gpa - r->gpa);
}

int mem_offset(const struct mem *mem, uint64_t gpa, uint64_t len, uint64_t *ret)
{
	uint64_t part;
	const struct mem_region *r = mem_find(mem, gpa, len, &part);

	if (!r || part != len)
		return -EFAULT;
	if (mem->page != PAGE_SIZE)
		return -ENOTSUP;
	*ret = r->offset + (gpa - r->gpa);
	return 0;
}

/* Replaces the mapping of one page. The kernel tells KVM, which drops what it had of it. */
static int remap_page(struct mem *mem, uint64_t gpa, int fd, uint64_t offset)
{
	void *host = mem_map(mem, gpa, PAGE_SIZE);

	if (!host || !is_aligned(gpa, PAGE_SIZE))
		return -EINVAL;
	if (mem->page != PAGE_SIZE)
		return -ENOTSUP;
	if (mmap(host, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE,
		 fd, (off_t)offset) == MAP_FAILED)
		return -errno;
	(void)madvise(host, PAGE_SIZE, MADV_DONTDUMP);
	(void)madvise(host, PAGE_SIZE, MADV_DONTFORK);
	return 0;
}

int mem_cover(struct mem *mem, uint64_t gpa, int fd, uint64_t offset)
{
	return remap_page(mem, gpa, fd, offset);
}

int mem_uncover(struct mem *mem, uint64_t gpa)
{
	uint64_t part;
	const struct mem_region *r = mem_find(mem, gpa, PAGE_SIZE, &part);

	if (!r)
		return -EINVAL;
	return remap_page(mem, gpa, mem->fd, r->offset + (gpa - r->gpa));
}
