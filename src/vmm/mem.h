// SPDX-License-Identifier: MIT
/*
 * Guest memory: the one door to it.
 *
 * RAM is one file of shared memory (vmm/mem_backing.h), mapped region by region into a reservation
 * with inaccessible guard pages around every region. Every access names a guest physical address
 * *and* a length; both are checked together, without ever computing gpa + len. Guest memory is
 * hostile: copy once with mem_read(), check the copy, use the copy. Pointers into guest memory
 * leave this file only through mem_iov() (device I/O) and mem_map() (rings, overlay pages,
 * loaders), and their contents may change under the reader at any time.
 *
 * Threads: after mem_create() any thread may read, write, map and release, without locks. RAM may
 * be added at any time, by one thread, to a place that was set aside when memory was created; it
 * goes away again only while nobody uses memory.
 *
 * Memory that is given back (mem_release()) stays RAM: who still uses it, be it the guest, a ring
 * in it or a transfer that is under way, finds pages of zeroes there, and never a fault. What the
 * kernel holds for a transfer it keeps until that is over.
 */
#pragma once

#include <sys/uio.h>

#include "vmm/error.h"

enum mem_huge { MEM_HUGE_NONE, MEM_HUGE_TRANSPARENT, MEM_HUGE_2M, MEM_HUGE_1G };

struct mem_config {
	uint64_t size;    /* bytes; see mem_create() */
	uint64_t maximum; /* with what mem_grow() adds; less than size: as size */
	enum mem_huge huge;
	bool prefault; /* allocate every page now instead of at first touch */
};

struct mem_region {
	uint64_t gpa;
	uint64_t len;
	void *host;
	uint64_t offset; /* of the region in the file */
};

struct mem;

/*
 * Sets up @config->size bytes of RAM from GPA 0: up to LAYOUT_MMIO_HOLE, the rest from 4 GiB on.
 * The size must be a multiple of the page size (of the huge page with MEM_HUGE_2M/1G) and at least
 * 1 MiB. Nothing is committed unless prefault or explicit huge pages are asked for, so a guest may
 * be larger than the host. Errors: -EINVAL (size), -ENOMEM (no address space, or not enough huge
 * pages), all with text.
 */
int mem_create(const struct mem_config *config, struct error *err, struct mem **ret) must_check;
void mem_destroy(struct mem *mem);

/* Of what mem_create() made. */
uint64_t mem_size(const struct mem *mem);
int mem_fd(const struct mem *mem);
/* Bytes of it all that the host has pages for now. */
uint64_t mem_resident(const struct mem *mem);

/*
 * The regions that mem_create() made, sorted by GPA; they live as long as the memory. What is added
 * later is not among them.
 */
const struct mem_region *mem_regions(const struct mem *mem, size_t *ret_count);

/*
 * The place for RAM that is added while the VM runs, aligned to MEM_WINDOW_ALIGNMENT and above all
 * other RAM: *ret_gpa and its length, 0 if there is none.
 */
#define MEM_WINDOW_ALIGNMENT GiB(2)
uint64_t mem_window(const struct mem *mem, uint64_t *ret_gpa);

/*
 * Prepares the next @len bytes of the window: *ret says where. KVM is told of them
 * (kvm_add_memory()), and then mem_grow_done() makes them RAM for all threads; or mem_grow_undo()
 * and they never were. One thread at a time. -EINVAL: not a multiple of 2 MiB and of the page size,
 * or more than there is place for; -ENOMEM: the host has no such memory; all with text.
 */
int mem_grow(struct mem *mem, uint64_t len, struct error *err, struct mem_region *ret) must_check;
void mem_grow_done(struct mem *mem, const struct mem_region *region);
void mem_grow_undo(struct mem *mem, const struct mem_region *region);
/* Bytes that have been added. */
uint64_t mem_added(const struct mem *mem);
/* Takes them all away again. No other thread may use memory, and KVM has forgotten them. */
void mem_shrink(struct mem *mem);

/* Copies in and out. -EFAULT, and nothing copied, unless every byte is RAM. Length 0 is fine. */
int mem_read(const struct mem *mem, uint64_t gpa, void *buf, size_t len) must_check;
int mem_write(const struct mem *mem, uint64_t gpa, const void *buf, size_t len) must_check;
int mem_fill(const struct mem *mem, uint64_t gpa, uint8_t byte, size_t len) must_check;

/* True when all of [gpa, gpa + len) is RAM. */
bool mem_is_ram(const struct mem *mem, uint64_t gpa, uint64_t len);

/*
 * Host addresses of [gpa, gpa + len) for device I/O: adds to @iov[*count], joining with the entry
 * before where the bytes are contiguous, and advances *count. -EFAULT when a byte is not RAM,
 * -E2BIG when more than @max entries would be needed; *count is then unchanged.
 */
int mem_iov(const struct mem *mem, uint64_t gpa, uint64_t len, struct iovec *iov, size_t max,
	    size_t *count) must_check;

/* A pointer to bytes that lie in one region, or NULL. For rings, overlay pages and loaders. */
void *mem_map(const struct mem *mem, uint64_t gpa, uint64_t len);

/*
 * Where in mem_fd() the bytes [gpa, gpa + len) are, for a mapping of one's own. Such a mapping
 * shows the RAM also where another page covers it. -EFAULT unless they lie in one region, -ENOTSUP
 * when RAM consists of explicit huge pages, which cannot be mapped in smaller ones.
 */
int mem_offset(const struct mem *mem, uint64_t gpa, uint64_t len, uint64_t *ret) must_check;

/*
 * Gives whole pages back to the host, also out of transparent huge ones: they read as zero
 * afterwards. Of explicit huge pages only whole ones go, to the pool, and small pages serve in
 * their place from then on. -EINVAL unless page-aligned, -EFAULT unless RAM.
 */
int mem_release(struct mem *mem, uint64_t gpa, uint64_t len) must_check;
/*
 * As mem_release() for all that mem_create() made: a machine that is switched off and on. Explicit
 * huge pages are there again, if the host has any. No other thread may use memory.
 */
int mem_release_all(struct mem *mem) must_check;

/*
 * Shows one page of another shared-memory file in place of the RAM page at @gpa, to the guest and
 * to everything in this file, until mem_uncover() brings the RAM page back as it was. -EINVAL when
 * the address is not that of a RAM page, -ENOTSUP when RAM consists of explicit huge pages. A
 * failure to uncover leaves the other page in place.
 */
int mem_cover(struct mem *mem, uint64_t gpa, int fd, uint64_t offset) must_check;
int mem_uncover(struct mem *mem, uint64_t gpa) must_check;
