// SPDX-License-Identifier: MIT
/*
 * The character device that is not there: output vanishes at once, nothing comes in.
 */
#include <stdlib.h>
#include <errno.h>

#include "devices/char/chardev_backend.h"

static void null_start(struct chardev *cd)
{
}

static bool null_write(struct chardev *cd, const uint8_t *data, size_t len)
{
	counter_add(&cd->counters.bytes_out, len);
	return true;
}

static void null_destroy(struct chardev *cd)
{
	chardev_finish(cd);
	free(cd);
}

static const struct chardev_ops null_ops = {
	.name = "null",
	.start = null_start,
	.write = null_write,
	.close = chardev_finish_close,
	.destroy = null_destroy,
};

int chardev_null_create(struct loop *loop, const struct chardev_config *config, struct error *err,
			struct chardev **ret)
{
	struct chardev *cd = malloc(sizeof(*cd));

	if (!cd || chardev_init(cd, &null_ops, loop, NULL) < 0) {
		free(cd);
		return error_set(err, -ENOMEM, "out of memory");
	}
	*ret = cd;
	return 0;
}
