// SPDX-License-Identifier: MIT
/*
 * The file that guest RAM is: shared memory of the host's, with pages of the size that is asked
 * for. Any thread, before or after others run.
 */
#pragma once

#include "vmm/error.h"
#include "vmm/mem.h"

/* The page size that a kind of memory comes in; for MEM_HUGE_TRANSPARENT the small one. */
uint64_t mem_backing_page(enum mem_huge huge);

/*
 * Opens an empty file of @size bytes, a multiple of mem_backing_page(). Explicit huge pages are
 * claimed now: running out of them later would be a SIGBUS in the guest's hands. -ENOMEM with text
 * when there are too few.
 *
 * With MEM_HUGE_TRANSPARENT the file takes huge pages by itself where the host has some, whatever
 * it does with shared memory in general; where that cannot be had it is as with MEM_HUGE_NONE.
 */
int mem_backing_open(uint64_t size, enum mem_huge huge, struct error *err, int *ret_fd) must_check;
