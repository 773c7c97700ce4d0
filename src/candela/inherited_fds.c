// SPDX-License-Identifier: MIT
/* Descriptors that were open from the beginning, as /proc has them. */
#include "candela/inherited_fds.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* For few: there are none, usually. */
static int add(struct inherited_fds *fds, int fd)
{
	int *grown = realloc(fds->fds, (fds->count + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	fds->fds = grown;
	fds->fds[fds->count++] = fd;
	return 0;
}

int inherited_fds_note(struct inherited_fds *fds)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int r = 0;

	*fds = (struct inherited_fds){0};
	if (!dir)
		return 0;
	while (r == 0 && (entry = readdir(dir))) {
		char *end;
		const long fd = strtol(entry->d_name, &end, 10);

		if (*end == '\0' && fd > STDERR_FILENO && fd != dirfd(dir))
			r = add(fds, (int)fd);
	}
	closedir(dir);
	if (r < 0)
		inherited_fds_finish(fds);
	return r;
}

void inherited_fds_close(struct inherited_fds *fds, bool (*keep)(const void *ctx, int fd),
			 const void *ctx)
{
	for (size_t i = 0; i < fds->count; i++)
		if (!keep(ctx, fds->fds[i]))
			close(fds->fds[i]);
	inherited_fds_finish(fds);
}

void inherited_fds_finish(struct inherited_fds *fds)
{
	free(fds->fds);
	*fds = (struct inherited_fds){0};
}
