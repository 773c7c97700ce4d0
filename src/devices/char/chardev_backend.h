// SPDX-License-Identifier: MIT
/*
 * What the backends of a character device share: the base object, its operations and the
 * constructors. Only the files in this folder include it.
 */
#pragma once

#include "devices/char/chardev.h"

struct chardev_ops {
	const char *name;
	/* Mandatory: starts reading or accepting. */
	void (*start)(struct chardev *cd);
	/* Mandatory: as chardev_write(). */
	bool (*write)(struct chardev *cd, const uint8_t *data, size_t len);
	/* Optional, for backends with input: offer what is left, then read on. */
	void (*input_resume)(struct chardev *cd);
	/*
	 * Mandatory: cancels all operations. When none is in flight any more, at the earliest in
	 * this call, chardev_finish_close() is called once.
	 */
	void (*close)(struct chardev *cd);
	/* Mandatory: frees the backend; nothing is in flight. */
	void (*destroy)(struct chardev *cd);
};

/* Embedded first in each backend. Owner: the loop's thread. */
struct chardev {
	const struct chardev_ops *ops;
	struct loop *loop;
	const struct chardev_user *user; /* NULL until started, and again once closing */
	void *user_ctx;
	bool started;
	bool closing;
	bool closed;
	void (*closed_cb)(void *ctx);
	void *closed_ctx;
	struct loop_task closed_task;
	struct chardev_counters counters;
	char *path; /* owned; NULL: none */
};

/* Checks that the mandatory operations are there. @path is copied and may be NULL. */
int chardev_init(struct chardev *cd, const struct chardev_ops *ops, struct loop *loop,
		 const char *path) must_check;
void chardev_finish(struct chardev *cd);

/* The last operation is over: closed() follows from the loop. */
void chardev_finish_close(struct chardev *cd);

/* For the backends: the user's callbacks, silent once closing. */
size_t chardev_push_input(struct chardev *cd, const uint8_t *data, size_t len);
bool chardev_push_break(struct chardev *cd);
void chardev_push_written(struct chardev *cd);

int chardev_null_create(struct loop *loop, const struct chardev_config *config, struct error *err,
			struct chardev **ret) must_check;
int chardev_stdio_create(struct loop *loop, const struct chardev_config *config, struct error *err,
			 struct chardev **ret) must_check;
int chardev_file_create(struct loop *loop, const struct chardev_config *config, struct error *err,
			struct chardev **ret) must_check;
int chardev_pty_create(struct loop *loop, const struct chardev_config *config, struct error *err,
		       struct chardev **ret) must_check;
int chardev_unix_create(struct loop *loop, const struct chardev_config *config, struct error *err,
			struct chardev **ret) must_check;
