// SPDX-License-Identifier: MIT
/* Kernel files for the boot loaders' tests. */
#include "boot_images.h"

#include <check.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#ifdef HAVE_LZ4
#include <lz4.h>
#endif
#ifdef HAVE_ZLIB
#include <zlib.h>
#endif
#ifdef HAVE_LZMA
#include <lzma.h>
#endif
#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

#include "vmm/linux_boot_proto.h"

void image_file_init(struct image_file *file, const void *data, size_t len)
{
	const char *from = data;

	file->fd = memfd_create("image", MFD_CLOEXEC);
	ck_assert_int_ge(file->fd, 0);
	snprintf(file->path, sizeof(file->path), "/proc/self/fd/%d", file->fd);
	for (size_t done = 0; done < len;) {
		ssize_t n = write(file->fd, from + done, len - done);

		ck_assert_int_gt(n, 0);
		done += (size_t)n;
	}
}

void image_file_finish(struct image_file *file)
{
	close(file->fd);
}

static struct bytes bytes_new(size_t len)
{
	struct bytes b = {.data = calloc(1, len), .len = len};

	ck_assert_ptr_nonnull(b.data);
	return b;
}

void bytes_finish(struct bytes *bytes)
{
	free(bytes->data);
	bytes->data = NULL;
}

uint8_t image_pattern(uint64_t at)
{
	uint64_t x = at * 0x9e3779b97f4a7c15ull;

	/* Compressible: the high part changes once in 64 bytes. */
	return (uint8_t)(1 | (at >> 6) * 13 | x >> 62 << 1);
}

static void put_headers_32(const struct image_elf *elf, uint8_t *data)
{
	Elf32_Ehdr ehdr = {.e_type = elf->type ? elf->type : ET_EXEC,
			   .e_machine = elf->machine ? elf->machine : EM_386,
			   .e_version = EV_CURRENT,
			   .e_entry = (uint32_t)elf->entry,
			   .e_phoff = sizeof(ehdr),
			   .e_ehsize = sizeof(ehdr),
			   .e_phentsize = sizeof(Elf32_Phdr),
			   .e_phnum = (uint16_t)elf->phdr_count};

	memcpy(ehdr.e_ident, ELFMAG, SELFMAG);
	ehdr.e_ident[EI_CLASS] = ELFCLASS32;
	ehdr.e_ident[EI_DATA] = ELFDATA2LSB;
	ehdr.e_ident[EI_VERSION] = EV_CURRENT;
	memcpy(data, &ehdr, sizeof(ehdr));
	for (size_t i = 0; i < elf->phdr_count; i++) {
		const struct image_phdr *p = &elf->phdrs[i];
		Elf32_Phdr phdr = {.p_type = p->type,
				   .p_offset = (uint32_t)p->offset,
				   .p_paddr = (uint32_t)p->gpa,
				   .p_vaddr = (uint32_t)p->gpa,
				   .p_filesz = (uint32_t)p->filesz,
				   .p_memsz = (uint32_t)p->memsz,
				   .p_align = (uint32_t)p->align};

		memcpy(data + sizeof(ehdr) + i * sizeof(phdr), &phdr, sizeof(phdr));
	}
}

static void put_headers_64(const struct image_elf *elf, uint8_t *data)
{
	Elf64_Ehdr ehdr = {.e_type = elf->type ? elf->type : ET_EXEC,
			   .e_machine = elf->machine ? elf->machine : EM_X86_64,
			   .e_version = EV_CURRENT,
			   .e_entry = elf->entry,
			   .e_phoff = sizeof(ehdr),
			   .e_ehsize = sizeof(ehdr),
			   .e_phentsize = sizeof(Elf64_Phdr),
			   .e_phnum = (uint16_t)elf->phdr_count};

	memcpy(ehdr.e_ident, ELFMAG, SELFMAG);
	ehdr.e_ident[EI_CLASS] = ELFCLASS64;
	ehdr.e_ident[EI_DATA] = ELFDATA2LSB;
	ehdr.e_ident[EI_VERSION] = EV_CURRENT;
	memcpy(data, &ehdr, sizeof(ehdr));
	for (size_t i = 0; i < elf->phdr_count; i++) {
		const struct image_phdr *p = &elf->phdrs[i];
		Elf64_Phdr phdr = {.p_type = p->type,
				   .p_offset = p->offset,
				   .p_paddr = p->gpa,
				   .p_vaddr = 0xffffffff80000000ull + p->gpa,
				   .p_filesz = p->filesz,
				   .p_memsz = p->memsz,
				   .p_align = p->align};

		memcpy(data + sizeof(ehdr) + i * sizeof(phdr), &phdr, sizeof(phdr));
	}
}

struct bytes image_elf_build(const struct image_elf *elf)
{
	struct bytes b = bytes_new(elf->size);

	for (size_t i = 0; i < b.len; i++)
		b.data[i] = image_pattern(i);
	if (elf->is_32)
		put_headers_32(elf, b.data);
	else
		put_headers_64(elf, b.data);
	return b;
}

struct image_elf image_elf_simple(uint64_t gpa, uint64_t len)
{
	return (struct image_elf){
		.entry = gpa,
		.size = 0x1000 + len,
		.phdr_count = 1,
		.phdrs = {{.type = PT_LOAD,
			   .offset = 0x1000,
			   .filesz = len,
			   .gpa = gpa,
			   .memsz = len}},
	};
}

size_t image_note(struct bytes *image, size_t offset, const char *owner, uint32_t type,
		  const void *desc, uint32_t desc_len)
{
	size_t name_len = strlen(owner) + 1;
	Elf64_Nhdr note = {.n_namesz = (uint32_t)name_len, .n_descsz = desc_len, .n_type = type};
	size_t at = offset;

	ck_assert_uint_le(offset + sizeof(note) + name_len + desc_len + 8, image->len);
	memcpy(image->data + at, &note, sizeof(note));
	at += sizeof(note);
	memcpy(image->data + at, owner, name_len);
	at += align_up(name_len, 4);
	memcpy(image->data + at, desc, desc_len);
	return at + align_up(desc_len, 4) - offset;
}

static void append_u32(struct bytes *b, uint32_t value)
{
	uint8_t raw[] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
			 (uint8_t)(value >> 24)};

	memcpy(b->data + b->len, raw, sizeof(raw));
	b->len += sizeof(raw);
}

/* Room for whatever a compressor makes of @len bytes, and the size behind it. */
static struct bytes room_for(size_t len)
{
	struct bytes b = bytes_new(len + len / 16 + KiB(64));

	b.len = 0;
	return b;
}

static struct bytes pack_lz4(const struct bytes *image)
{
	struct bytes b = room_for(image->len);
#ifdef HAVE_LZ4
	append_u32(&b, 0x184c2102);
	for (size_t at = 0; at < image->len; at += MiB(8)) {
		size_t len = min_of(image->len - at, MiB(8)), where = b.len;
		int n = LZ4_compress_default((const char *)image->data + at,
					     (char *)b.data + where + 4, (int)len,
					     LZ4_compressBound((int)len));

		ck_assert_int_gt(n, 0);
		append_u32(&b, (uint32_t)n);
		b.len += (size_t)n;
	}
#endif
	append_u32(&b, (uint32_t)image->len);
	return b;
}

static struct bytes pack_gzip(const struct bytes *image)
{
	struct bytes b = room_for(image->len);
#ifdef HAVE_ZLIB
	z_stream z = {0};

	ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = image->data;
	z.avail_in = (uInt)image->len;
	z.next_out = b.data;
	z.avail_out = (uInt)(image->len + KiB(64));
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	b.len = z.total_out;
	deflateEnd(&z);
#endif
	return b;
}

static struct bytes pack_lzma(const struct bytes *image, bool alone)
{
	struct bytes b = room_for(image->len);
#ifdef HAVE_LZMA
	lzma_stream lzma = LZMA_STREAM_INIT;
	lzma_options_lzma options;

	ck_assert(!lzma_lzma_preset(&options, 0));
	if (alone)
		ck_assert_int_eq(lzma_alone_encoder(&lzma, &options), LZMA_OK);
	else
		ck_assert_int_eq(lzma_easy_encoder(&lzma, 0, LZMA_CHECK_CRC32), LZMA_OK);
	lzma.next_in = image->data;
	lzma.avail_in = image->len;
	lzma.next_out = b.data;
	lzma.avail_out = image->len + KiB(64);
	ck_assert_int_eq(lzma_code(&lzma, LZMA_FINISH), LZMA_STREAM_END);
	b.len = lzma.total_out;
	lzma_end(&lzma);
#endif
	append_u32(&b, (uint32_t)image->len);
	return b;
}

static struct bytes pack_zstd(const struct bytes *image)
{
	struct bytes b = room_for(image->len);
#ifdef HAVE_ZSTD
	b.len = ZSTD_compress(b.data, ZSTD_compressBound(image->len), image->data, image->len, 3);
	ck_assert(!ZSTD_isError(b.len));
#endif
	append_u32(&b, (uint32_t)image->len);
	return b;
}

struct bytes image_pack(const struct bytes *image, enum image_packing packing)
{
	switch (packing) {
	case PACK_LZ4:
		return pack_lz4(image);
	case PACK_GZIP:
		return pack_gzip(image);
	case PACK_XZ:
		return pack_lzma(image, false);
	case PACK_LZMA:
		return pack_lzma(image, true);
	case PACK_ZSTD:
		return pack_zstd(image);
	}
	ck_abort();
}

#define SETUP_SECTS 3u
#define CODE_BEFORE 0x400u /* where the payload starts in the code */

struct setup_header *image_header(struct bytes *bzimage)
{
	return (struct setup_header *)(bzimage->data + LINUX_SETUP_HEADER_OFFSET);
}

struct bytes image_bzimage(const struct bytes *payload)
{
	size_t setup_len = (SETUP_SECTS + 1ul) * LINUX_SECTOR;
	struct bytes b = bytes_new(setup_len + align_up(CODE_BEFORE + payload->len, 16));

	for (size_t i = setup_len; i < b.len; i++)
		b.data[i] = image_pattern(i);
	memcpy(b.data + setup_len + CODE_BEFORE, payload->data, payload->len);
	*image_header(&b) = (struct setup_header){
		.setup_sects = SETUP_SECTS,
		.syssize = (uint32_t)((b.len - setup_len) / 16),
		.boot_flag = LINUX_BOOT_FLAG,
		.jump = 0x6aeb, /* the header ends at 0x26c */
		.header = LINUX_SETUP_MAGIC,
		.version = 0x020f,
		.loadflags = LINUX_LOADED_HIGH | LINUX_KASLR_FLAG | LINUX_CAN_USE_HEAP,
		.code32_start = 0x100000,
		.initrd_addr_max = 0x7fffffff,
		.kernel_alignment = 0x200000,
		.relocatable_kernel = 1,
		.min_alignment = 21,
		.xloadflags = LINUX_XLF_KERNEL_64 | LINUX_XLF_CAN_BE_LOADED_ABOVE_4G,
		.cmdline_size = 2047,
		.payload_offset = CODE_BEFORE,
		.payload_length = (uint32_t)payload->len,
		.setup_data = 0x1234567,
		.pref_address = 0x1000000,
		.init_size = 0x800000,
	};
	return b;
}

struct mem *image_mem(uint64_t size)
{
	struct mem_config config = {.size = size};
	struct mem *mem;
	struct error err = {0};

	ck_assert_msg(mem_create(&config, &err, &mem) == 0, "%s", err.text);
	return mem;
}

int image_open(const struct bytes *kernel, struct error *err, struct boot_image **ret)
{
	struct image_file file;
	struct boot_config config = {.kernel = file.path};
	int r;

	image_file_init(&file, kernel->data, kernel->len);
	r = boot_open(&config, err, ret);
	image_file_finish(&file);
	return r;
}

bool image_error_has(const struct error *err, const char *text)
{
	bool ok = strncmp(err->text, "/proc/self/fd/", 14) == 0 && strstr(err->text, text) &&
		  !strchr(err->text, '\n');

	if (!ok)
		fprintf(stderr, "unexpected: %s\n", err->text);
	return ok;
}
