// SPDX-License-Identifier: MIT
/*
 * The part of a character device that is the same for all backends: life cycle and the way up to
 * the user. Owner: the loop's thread.
 */
#include "devices/char/chardev.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "devices/char/chardev_backend.h"

/*
 * Pipes and sockets whose reader goes away must cost us output, not the VM. A process-wide setting,
 * so one that the program has made itself is left alone.
 */
static void ignore_sigpipe(void)
{
	struct sigaction action;

	if (sigaction(SIGPIPE, NULL, &action) == 0 && !(action.sa_flags & SA_SIGINFO) &&
	    action.sa_handler == SIG_DFL)
		signal(SIGPIPE, SIG_IGN);
}

int chardev_create(struct loop *loop, const struct chardev_config *config, struct error *err,
		   struct chardev **ret)
{
	static int (*const create[])(struct loop *, const struct chardev_config *, struct error *,
				     struct chardev **) = {
		[CHARDEV_NULL] = chardev_null_create, [CHARDEV_STDIO] = chardev_stdio_create,
		[CHARDEV_FILE] = chardev_file_create, [CHARDEV_PTY] = chardev_pty_create,
		[CHARDEV_UNIX] = chardev_unix_create,
	};

	assert((size_t)config->kind < ARRAY_SIZE(create));
	ignore_sigpipe();
	return create[config->kind](loop, config, err, ret);
}

static void run_closed(struct loop_task *task)
{
	struct chardev *cd = container_of(task, struct chardev, closed_task);

	cd->closed = true;
	cd->closed_cb(cd->closed_ctx);
}

int chardev_init(struct chardev *cd, const struct chardev_ops *ops, struct loop *loop,
		 const char *path)
{
	assert(ops->name && ops->start && ops->write && ops->close && ops->destroy);
	*cd = (struct chardev){.ops = ops, .loop = loop, .closed_task = {.run = run_closed}};
	if (path) {
		cd->path = strdup(path);
		if (!cd->path)
			return -ENOMEM;
	}
	return 0;
}

void chardev_finish(struct chardev *cd)
{
	free(cd->path);
}

void chardev_destroy(struct chardev *cd)
{
	if (!cd)
		return;
	assert(cd->closed || (!cd->started && !cd->closing));
	cd->ops->destroy(cd);
}

void chardev_start(struct chardev *cd, const struct chardev_user *user, void *ctx)
{
	assert(!cd->started && !cd->closing);
	assert(user->input && user->input_break && user->written);
	cd->started = true;
	cd->user = user;
	cd->user_ctx = ctx;
	cd->ops->start(cd);
}

bool chardev_write(struct chardev *cd, const uint8_t *data, size_t len)
{
	assert(cd->started && len > 0);
	if (cd->closing) {
		counter_add(&cd->counters.discarded, len);
		return true;
	}
	return cd->ops->write(cd, data, len);
}

void chardev_input_resume(struct chardev *cd)
{
	if (cd->user && cd->ops->input_resume)
		cd->ops->input_resume(cd);
}

void chardev_close(struct chardev *cd, void (*closed)(void *ctx), void *ctx)
{
	assert(!cd->closing);
	cd->closing = true;
	cd->user = NULL;
	cd->closed_cb = closed;
	cd->closed_ctx = ctx;
	if (cd->started)
		cd->ops->close(cd);
	else
		chardev_finish_close(cd);
}

void chardev_finish_close(struct chardev *cd)
{
	loop_post(cd->loop, &cd->closed_task);
}

size_t chardev_push_input(struct chardev *cd, const uint8_t *data, size_t len)
{
	size_t taken;

	if (!cd->user || len == 0)
		return 0;
	taken = cd->user->input(cd->user_ctx, data, len);
	counter_add(&cd->counters.bytes_in, taken);
	return taken;
}

bool chardev_push_break(struct chardev *cd)
{
	return cd->user && cd->user->input_break(cd->user_ctx);
}

void chardev_push_written(struct chardev *cd)
{
	if (cd->user)
		cd->user->written(cd->user_ctx);
}

const char *chardev_path(const struct chardev *cd)
{
	return cd->path;
}

const struct chardev_counters *chardev_counters(const struct chardev *cd)
{
	return &cd->counters;
}
