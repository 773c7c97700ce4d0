// SPDX-License-Identifier: MIT
/*
 * The parent locator, MS-VHDX 2.6.2.6: which image a differencing one is based on. Pure functions
 * on the bytes of the metadata item, and its strings as UTF-8.
 */
#pragma once

#include "devices/block/vhdx_image.h"

#define VHDX_PATH_MAX 1024u

struct vhdx_locator {
	struct vhdx_guid linkage[2]; /* DataWriteGuid of the parent; the second may be zero */
	bool has_linkage[2];
	/* As in the file, in the order they are to be tried; empty: not there. */
	char relative[VHDX_PATH_MAX];
	char volume[VHDX_PATH_MAX];
	char absolute[VHDX_PATH_MAX];
};

/* -EUCLEAN: it is not well-formed; -ENOTSUP: of another kind than for VHDX parents. */
int vhdx_locator_parse(const void *item, size_t len, struct vhdx_locator *ret) must_check;

/*
 * Makes an item. @absolute may be NULL. Separators in @relative become backslashes, as Windows
 * wants them. The length, or -ENAMETOOLONG or -EILSEQ; @item has room for @size bytes.
 */
int vhdx_locator_build(const char *relative, const char *absolute, const uint8_t *linkage,
		       void *item, size_t size) must_check;

/* UTF-16 of @units to UTF-8; what is no character becomes '?'. Always terminates. */
void vhdx_utf8(const void *utf16, size_t units, char *out, size_t size);
/* The other way: units written, or -EILSEQ or -ENAMETOOLONG. */
int vhdx_utf16(const char *utf8, void *out, size_t max_units) must_check;

/* Reads image->locator from the file. */
int vhdx_locator_read(const struct vhdx_image *image, struct file *file, struct error *err,
		      struct vhdx_locator *ret) must_check;

/*
 * How a path in the image @name is reached from here, with slashes: relative ones from the image's
 * directory; of Windows' absolute ones, when they are not ours ("/..."), what follows the last
 * separator, in the image's directory. False when it does not fit or there is none.
 */
bool vhdx_locator_path(const char *name, const char *path, char *out, size_t size);
