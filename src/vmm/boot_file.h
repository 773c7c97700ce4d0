// SPDX-License-Identifier: MIT
/*
 * A file that a boot loader reads: opened once, read as often as needed.
 *
 * The files are never mapped: another process may truncate them while we run, and a mapping would
 * turn that into SIGBUS. A file that became shorter than it was when opened is an error.
 */
#pragma once

#include "vmm/error.h"
#include "vmm/mem.h"

struct boot_file {
	int fd; /* -1: not open */
	uint64_t size;
	char *path; /* ours; as the user wrote it */
};

/* Opens a regular, non-empty file. Errors name @path. */
int boot_file_open(struct boot_file *file, const char *path, struct error *err) must_check;
/* Fine on a zeroed or closed file. */
void boot_file_close(struct boot_file *file);

/* Reads exactly @len bytes. -EIO with text when the file has become too short. */
int boot_file_read(const struct boot_file *file, uint64_t offset, void *buf, size_t len,
		   struct error *err) must_check;

/* As boot_file_read(), straight into guest memory, which the caller has checked to be RAM. */
int boot_file_load(const struct boot_file *file, uint64_t offset, uint64_t len, struct mem *mem,
		   uint64_t gpa, struct error *err) must_check;
