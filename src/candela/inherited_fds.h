// SPDX-License-Identifier: MIT
/*
 * Descriptors that the process has from whoever started it, beyond the standard ones: what is not
 * for the VM is closed before its guest runs. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct inherited_fds {
	int *fds;
	size_t count;
};

/*
 * Notes those that are open now: to be called before anything is opened. -errno: none are noted.
 * Where there is no /proc, there are none.
 */
int inherited_fds_note(struct inherited_fds *fds);

/* Closes those that were noted, but for those that @keep, asked about each, wants to stay. */
void inherited_fds_close(struct inherited_fds *fds, bool (*keep)(const void *ctx, int fd),
			 const void *ctx);

/* Forgets them. Harmless on a zeroed one. */
void inherited_fds_finish(struct inherited_fds *fds);
