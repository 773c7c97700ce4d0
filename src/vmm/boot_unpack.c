// SPDX-License-Identifier: MIT
/*
 * Payload unpacking: the formats, and where the bytes go. No state; the sinks are used by several
 * threads at once.
 */
#include "vmm/boot_unpack.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "vmm/boot_unpack_formats.h"

#ifdef HAVE_LZ4
#define RUN_LZ4 boot_unpack_lz4
#else
#define RUN_LZ4 NULL
#endif
#ifdef HAVE_ZSTD
#define RUN_ZSTD boot_unpack_zstd
#else
#define RUN_ZSTD NULL
#endif
#ifdef HAVE_LZMA
#define RUN_XZ   boot_unpack_xz
#define RUN_LZMA boot_unpack_lzma
#else
#define RUN_XZ   NULL
#define RUN_LZMA NULL
#endif
#ifdef HAVE_ZLIB
#define RUN_GZIP boot_unpack_gzip
#else
#define RUN_GZIP NULL
#endif

/* Below this a fault or two are cheaper than a system call. */
#define PREFAULT_MIN KiB(32)

/* Magic numbers from the boot protocol's payload_offset and the formats' own specifications. */
static const struct boot_unpack_format formats[] = {
	{"LZ4", {0x02, 0x21, 0x4c, 0x18}, 4, true, RUN_LZ4},
	{"zstd", {0x28, 0xb5, 0x2f, 0xfd}, 4, true, RUN_ZSTD},
	{"xz", {0xfd, 0x37, 0x7a, 0x58}, 4, true, RUN_XZ},
	{"LZMA", {0x5d, 0x00, 0x00}, 3, true, RUN_LZMA},
	{"gzip", {0x1f, 0x8b}, 2, false, RUN_GZIP},
};

static const struct boot_unpack_format *find_format(const uint8_t *magic)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (memcmp(magic, formats[i].magic, formats[i].magic_len) == 0)
			return &formats[i];
	return NULL;
}

int boot_unpack_damaged(const struct boot_unpack *unpack, struct error *err)
{
	return error_set(err, -EBADMSG, "%s: the %s payload is damaged", unpack->file->path,
			 unpack->format->name);
}

int boot_unpack_open(const struct boot_file *file, uint64_t offset, uint64_t len, struct error *err,
		     struct boot_unpack *ret)
{
	struct boot_unpack unpack = {.file = file, .offset = offset, .len = len};
	uint8_t magic[4], size[4];
	int r;

	if (len < sizeof(magic) + sizeof(size))
		return -ENOTSUP;
	r = boot_file_read(file, offset, magic, sizeof(magic), err);
	if (r < 0)
		return r;
	unpack.format = find_format(magic);
	if (!unpack.format || !unpack.format->run)
		return -ENOTSUP;
	r = boot_file_read(file, offset + len - sizeof(size), size, sizeof(size), err);
	if (r < 0)
		return r;
	if (unpack.format->size_appended)
		unpack.len -= sizeof(size);
	unpack.size = size[0] | size[1] << 8 | size[2] << 16 | (uint64_t)size[3] << 24;
	if (unpack.size == 0)
		return boot_unpack_damaged(&unpack, err);
	*ret = unpack;
	return 0;
}

/* The first bytes into a buffer. */
struct head_sink {
	struct boot_sink sink;
	uint8_t *buf;
	size_t len;
};

static int head_write(struct boot_sink *sink, uint64_t offset, const void *data, size_t len)
{
	struct head_sink *head = container_of(sink, struct head_sink, sink);

	if (offset < head->len)
		memcpy(head->buf + offset, data, min_of(len, head->len - offset));
	return 0;
}

int boot_unpack_head(const struct boot_unpack *unpack, void *buf, size_t len, struct error *err,
		     size_t *ret_len)
{
	struct head_sink head = {
		.sink.write = head_write, .buf = buf, .len = min_of(len, unpack->size)};
	int r = unpack->format->run(unpack, head.len, &head.sink, err);

	if (r == 0)
		*ret_len = head.len;
	return r;
}

/* The segments into guest memory. */
struct segment_sink {
	struct boot_sink sink;
	const struct boot_elf *elf;
	struct mem *mem;
};

static bool is_zero(const uint8_t *data, size_t len)
{
	return data[0] == 0 && memcmp(data, data + 1, len - 1) == 0;
}

/* The bytes of @data up to the end of the guest page that @gpa lies in. */
static size_t page_part(uint64_t gpa, size_t len)
{
	return min_of(len, PAGE_SIZE - (gpa & (PAGE_SIZE - 1)));
}

/*
 * Allocates the pages under a stretch about to be written, in one call instead of one fault a page:
 * a fifth less time for a whole kernel. Only advice, which an old kernel refuses.
 */
static void prefault(void *host, size_t len)
{
	uintptr_t start = align_down((uintptr_t)host, PAGE_SIZE);
	uintptr_t end = align_up((uintptr_t)host + len, PAGE_SIZE);

	if (len >= PREFAULT_MIN)
		(void)madvise((void *)start, end - start, MADV_POPULATE_WRITE);
}

/* Copies to memory that is zero: runs of pages with something in them are written in one go. */
static int write_nonzero(const struct mem *mem, uint64_t gpa, const uint8_t *data, size_t len)
{
	while (len) {
		size_t run = 0, part;
		void *host;

		while (run < len) {
			part = page_part(gpa + run, len - run);
			if (is_zero(data + run, part))
				break;
			run += part;
		}
		if (run) {
			host = mem_map(mem, gpa, run);
			if (host)
				prefault(host, run);
			if (mem_write(mem, gpa, data, run) < 0)
				return -EFAULT;
		} else {
			run = page_part(gpa, len);
		}
		gpa += run;
		data += run;
		len -= run;
	}
	return 0;
}

static int segment_write(struct boot_sink *sink, uint64_t offset, const void *data, size_t len)
{
	struct segment_sink *to = container_of(sink, struct segment_sink, sink);
	uint64_t end = offset + len;

	for (size_t i = 0; i < to->elf->segment_count; i++) {
		const struct boot_segment *s = &to->elf->segments[i];
		uint64_t from = max_of(offset, s->offset);
		uint64_t until = min_of(end, s->offset + s->filesz);
		int r;

		if (from >= until)
			continue;
		r = write_nonzero(to->mem, s->gpa + (from - s->offset),
				  (const uint8_t *)data + (from - offset), until - from);
		if (r < 0)
			return r;
	}
	return 0;
}

int boot_unpack_load(const struct boot_unpack *unpack, const struct boot_elf *elf, struct mem *mem,
		     struct error *err)
{
	struct segment_sink to = {.sink.write = segment_write, .elf = elf, .mem = mem};

	if (unpack->size > mem_size(mem))
		return error_set(err, -ENOSPC,
				 "%s: unpacks to %llu MiB, the VM has %llu MiB of memory",
				 unpack->file->path, (unsigned long long)unpack->size >> 20,
				 (unsigned long long)mem_size(mem) >> 20);
	return unpack->format->run(unpack, unpack->size, &to.sink, err);
}
