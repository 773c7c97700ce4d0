// SPDX-License-Identifier: MIT
/*
 * Locks that keep two programs from using one image file at the same time: the byte-range locks
 * that QEMU and its tools ask for (open file description locks), and flock(2), with which others
 * reserve files and block devices. They are gone with the description that @fd names. No state.
 */
#pragma once

#include "vmm/error.h"

/*
 * Locks the file against every other writer and, when @exclusive, against readers that cannot bear
 * one. -EBUSY with text: in use. 0 also where the file system has no locks. @name is for messages.
 */
int file_lock(int fd, bool exclusive, const char *name, struct error *err) must_check;
