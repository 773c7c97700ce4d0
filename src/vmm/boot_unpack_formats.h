// SPDX-License-Identifier: MIT
/*
 * Between boot_unpack.c and the decompressors; nobody else includes it.
 */
#pragma once

#include "vmm/boot_unpack.h"

/* Where unpacked bytes go. */
struct boot_sink {
	/* Takes bytes [offset, offset + len) of the image. Any thread, in any order. */
	int (*write)(struct boot_sink *sink, uint64_t offset, const void *data, size_t len);
};

/*
 * Unpacks at least the first @want bytes (the whole image when @want is its size: then the end of
 * the data and its checksums are verified too).
 */
struct boot_unpack_format {
	const char *name;
	uint8_t magic[4];
	size_t magic_len;
	bool size_appended; /* the last 4 bytes are not part of the format but the unpacked size */
	/* NULL: not in this build */
	int (*run)(const struct boot_unpack *unpack, uint64_t want, struct boot_sink *sink,
		   struct error *err);
};

/* -EBADMSG with text. */
int boot_unpack_damaged(const struct boot_unpack *unpack, struct error *err) must_check;

int boot_unpack_lz4(const struct boot_unpack *unpack, uint64_t want, struct boot_sink *sink,
		    struct error *err) must_check;
int boot_unpack_gzip(const struct boot_unpack *unpack, uint64_t want, struct boot_sink *sink,
		     struct error *err) must_check;
int boot_unpack_xz(const struct boot_unpack *unpack, uint64_t want, struct boot_sink *sink,
		   struct error *err) must_check;
int boot_unpack_lzma(const struct boot_unpack *unpack, uint64_t want, struct boot_sink *sink,
		     struct error *err) must_check;
int boot_unpack_zstd(const struct boot_unpack *unpack, uint64_t want, struct boot_sink *sink,
		     struct error *err) must_check;
