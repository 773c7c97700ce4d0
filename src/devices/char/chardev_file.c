// SPDX-License-Identifier: MIT
/*
 * Character device that writes its output into a file and has no input. Regular files are
 * truncated; terminals, named pipes with a reader and other devices work too. Owner: the loop's
 * thread.
 *
 * A write that fails (a full disk) loses its bytes, not the VM; the next one is tried again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/char/chardev_backend.h"
#include "devices/char/chardev_io.h"
#include "vmm/log.h"

struct file {
	struct chardev cd;
	struct chardev_io out;
	int fd;
	bool warned;
};

static struct file *to_file(struct chardev *cd)
{
	return container_of(cd, struct file, cd);
}

static void file_start(struct chardev *cd)
{
}

static bool file_write(struct chardev *cd, const uint8_t *data, size_t len)
{
	struct file *f = to_file(cd);

	chardev_io_write(&f->out, data, len);
	return false;
}

static void write_done(struct chardev_io *io, int res)
{
	struct file *f = container_of(io, struct file, out);

	counter_add(&f->cd.counters.bytes_out, io->moved);
	if (f->cd.closing) {
		chardev_finish_close(&f->cd);
		return;
	}
	if (res < 0) {
		counter_add(&f->cd.counters.errors, 1);
		counter_add(&f->cd.counters.discarded, io->len);
		if (!f->warned)
			log_warning("%s: cannot write the guest's output: %s; it is discarded",
				    f->cd.path, strerrordesc_np(-res));
		f->warned = true;
	}
	chardev_push_written(&f->cd);
}

static void file_close(struct chardev *cd)
{
	struct file *f = to_file(cd);

	if (f->out.busy)
		chardev_io_cancel(&f->out);
	else
		chardev_finish_close(cd);
}

static void file_destroy(struct chardev *cd)
{
	struct file *f = to_file(cd);

	if (f->fd >= 0)
		close(f->fd);
	chardev_finish(cd);
	free(f);
}

static const struct chardev_ops file_ops = {
	.name = "file",
	.start = file_start,
	.write = file_write,
	.close = file_close,
	.destroy = file_destroy,
};

int chardev_file_create(struct loop *loop, const struct chardev_config *config, struct error *err,
			struct chardev **ret)
{
	struct file *f = calloc(1, sizeof(*f));
	int r;

	if (!f || chardev_init(&f->cd, &file_ops, loop, config->path) < 0) {
		free(f);
		return error_set(err, -ENOMEM, "out of memory");
	}
	chardev_io_init(&f->out, loop, CHARDEV_IO_WRITE, write_done);
	/* O_NONBLOCK: a named pipe that nobody reads fails here (ENXIO) and does not hang. */
	f->fd = open(config->path, O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY | O_NONBLOCK | O_CLOEXEC,
		     0644);
	if (f->fd < 0) {
		r = -errno;
		if (r == -ENXIO)
			error_set(err, r, "%s: nobody reads from this pipe; start a reader first",
				  config->path);
		else
			error_errno(err, r, "cannot open %s for output", config->path);
		file_destroy(&f->cd);
		return r;
	}
	/* Our own open file, so this concerns nobody else; io_uring copes with the blocking. */
	fcntl(f->fd, F_SETFL, fcntl(f->fd, F_GETFL) & ~O_NONBLOCK);
	chardev_io_set_fd(&f->out, f->fd);
	*ret = &f->cd;
	return 0;
}
