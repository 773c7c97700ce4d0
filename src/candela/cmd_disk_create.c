// SPDX-License-Identifier: MIT
/*
 * candela disk create. Main thread.
 */
#include <errno.h>
#include <stdlib.h>

#include "candela/cmd_disk.h"

static int create(const struct disk_args *args, struct error *err)
{
	const char *path = args->words[0];
	struct disk_target target;
	struct disk_new new;
	int r;

	r = disk_new_from_args(args, path, &new, err);
	if (r == 0 && args->word_count == 2)
		r = disk_size_parse(args->words[1], &new.size, err);
	else if (r == 0 && !args->parent)
		r = error_set(err, -EINVAL, "disk create: expected SIZE behind %s", path);
	if (r)
		return r;
	r = disk_target_open(&target, path, args->force, NULL, err);
	if (r == 0 && !target.temporary[0])
		r = error_set(err, -EINVAL, "%s: a block device is there already", path);
	if (r == 0)
		r = disk_make(target.file, path, &new, err);
	if (r == 0)
		r = disk_target_commit(&target, err);
	disk_target_finish(&target);
	return r;
}

int cmd_disk_create(const struct disk_args *args)
{
	struct error err;
	int r = create(args, &err);

	return r ? disk_fail(r, &err) : EXIT_SUCCESS;
}
