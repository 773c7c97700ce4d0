// SPDX-License-Identifier: MIT
/*
 * Character device on the process's own stdin and stdout. Owner: the loop's thread.
 *
 * The descriptors are inherited: they may be closed, at their end, blocking or not, of any type,
 * and shared with other processes, so they are used as they are found.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/char/chardev_backend.h"
#include "devices/char/chardev_io.h"
#include "devices/char/chardev_tty.h"
#include "vmm/log.h"

#define INPUT_SIZE 512

/* How often to look whether the terminal has become ours, while another job has it. */
#define FOREGROUND_POLL_NS (500 * NSEC_PER_MSEC)

static const char help_text[] = "\r\n"
				"Ctrl-A x  end the virtual machine\r\n"
				"Ctrl-A b  send a break\r\n"
				"Ctrl-A a  send Ctrl-A\r\n"
				"Ctrl-A h  this help\r\n";

static const char client_help_text[] = "\r\n"
				       "Ctrl-A d  detach: the virtual machine goes on\r\n"
				       "Ctrl-A b  send a break\r\n"
				       "Ctrl-A a  send Ctrl-A\r\n"
				       "Ctrl-A h  this help\r\n";

struct stdio {
	struct chardev cd;
	struct chardev_io in;
	struct chardev_io out;
	uint8_t input[INPUT_SIZE];
	size_t input_start, input_end;
	bool input_ended;
	bool is_tty;  /* stdin is a terminal and raw */
	bool escaped; /* the last byte was the escape */
	bool out_failed;
	struct loop_timer foreground;
	/* The help text has been asked for, or is what `out` writes. */
	bool help_wanted;
	bool help_writing;
	const uint8_t *waiting; /* a user's write that came while the help text was under way */
	size_t waiting_len;
	void (*quit)(void *ctx);
	void *quit_ctx;
	bool client;
};

static struct stdio *to_stdio(struct chardev *cd)
{
	return container_of(cd, struct stdio, cd);
}

static void finish_close(struct stdio *s)
{
	if (s->cd.closing && !s->in.busy && !s->out.busy)
		chardev_finish_close(&s->cd);
}

/* --- Output. ------------------------------------------------------------------------------- */

static void write_help(struct stdio *s)
{
	s->help_wanted = false;
	if (s->out_failed)
		return;
	s->help_writing = true;
	if (s->client)
		chardev_io_write(&s->out, (const uint8_t *)client_help_text,
				 sizeof(client_help_text) - 1);
	else
		chardev_io_write(&s->out, (const uint8_t *)help_text, sizeof(help_text) - 1);
}

/* EPIPE and its like stay, so output is given up; others (ENOSPC) may pass. */
static void output_failed(struct stdio *s, int error, size_t lost)
{
	counter_add(&s->cd.counters.errors, 1);
	counter_add(&s->cd.counters.discarded, lost);
	if (counter_get(&s->cd.counters.errors) == 1)
		log_warning("stdio: cannot write the guest's output: %s; it is discarded",
			    strerrordesc_np(-error));
	if (error != -EPIPE && error != -EBADF && error != -ENXIO)
		return;
	s->out_failed = true;
	if (s->cd.user && s->cd.user->output_ended)
		s->cd.user->output_ended(s->cd.user_ctx);
}

static bool stdio_write(struct chardev *cd, const uint8_t *data, size_t len)
{
	struct stdio *s = to_stdio(cd);

	if (s->out_failed) {
		counter_add(&cd->counters.discarded, len);
		return true;
	}
	if (s->help_writing) {
		s->waiting = data;
		s->waiting_len = len;
		return false;
	}
	chardev_io_write(&s->out, data, len);
	return false;
}

static void output_done(struct chardev_io *io, int res)
{
	struct stdio *s = container_of(io, struct stdio, out);
	bool was_help = s->help_writing;

	s->help_writing = false;
	if (!was_help)
		counter_add(&s->cd.counters.bytes_out, io->moved);
	if (s->cd.closing) {
		finish_close(s);
		return;
	}
	if (res < 0)
		output_failed(s, res, was_help ? 0 : io->len);
	if (was_help && s->waiting) {
		const uint8_t *data = s->waiting;

		s->waiting = NULL;
		if (!stdio_write(&s->cd, data, s->waiting_len))
			return;
		was_help = false;
	}
	if (s->help_wanted)
		write_help(s);
	if (!was_help)
		chardev_push_written(&s->cd);
}

/* --- Input. -------------------------------------------------------------------------------- */

static bool quit(struct stdio *s)
{
	if (s->quit)
		s->quit(s->quit_ctx);
	return true;
}

/* The byte after an escape. False: the user has no room for what it means. */
static bool escape_command(struct stdio *s, uint8_t byte)
{
	uint8_t escape = CHARDEV_ESCAPE;

	switch (byte) {
	case CHARDEV_ESCAPE:
	case CHARDEV_ESCAPE_LITERAL:
		return chardev_push_input(&s->cd, &escape, 1) == 1;
	case CHARDEV_ESCAPE_BREAK:
		return chardev_push_break(&s->cd);
	case CHARDEV_ESCAPE_DETACH:
		return !s->client || quit(s);
	case CHARDEV_ESCAPE_QUIT:
		return quit(s);
	case CHARDEV_ESCAPE_HELP:
	case '?':
		s->help_wanted = true;
		if (!s->out.busy)
			write_help(s);
		return true;
	default:
		return true;
	}
}

/* Bytes up to the next escape. False: the user took less. */
static bool deliver_run(struct stdio *s)
{
	const uint8_t *data = s->input + s->input_start;
	size_t len = s->input_end - s->input_start, taken;
	const uint8_t *escape = s->is_tty ? memchr(data, CHARDEV_ESCAPE, len) : NULL;

	if (escape)
		len = (size_t)(escape - data);
	taken = chardev_push_input(&s->cd, data, len);
	s->input_start += taken;
	if (taken < len)
		return false;
	if (escape) {
		s->escaped = true;
		s->input_start++;
	}
	return true;
}

/* True when everything read so far has been taken. */
static bool deliver(struct stdio *s)
{
	while (s->input_start < s->input_end) {
		if (s->escaped) {
			if (!escape_command(s, s->input[s->input_start]))
				return false;
			s->escaped = false;
			s->input_start++;
		} else if (!deliver_run(s)) {
			return false;
		}
	}
	return true;
}

static void end_input(struct stdio *s)
{
	s->input_ended = true;
	if (s->cd.user && s->cd.user->input_ended)
		s->cd.user->input_ended(s->cd.user_ctx);
}

static void read_more(struct stdio *s)
{
	if (s->cd.closing || s->input_ended || s->in.busy)
		return;
	if (s->is_tty && !tty_is_ours(STDIN_FILENO)) {
		loop_timer_set(s->cd.loop, &s->foreground, loop_now() + FOREGROUND_POLL_NS);
		return;
	}
	chardev_io_read(&s->in, s->input, sizeof(s->input));
}

static void foreground_fired(struct loop_timer *timer)
{
	read_more(container_of(timer, struct stdio, foreground));
}

static void input_done(struct chardev_io *io, int res)
{
	struct stdio *s = container_of(io, struct stdio, in);

	if (s->cd.closing) {
		finish_close(s);
		return;
	}
	if (res > 0) {
		s->input_start = 0;
		s->input_end = (size_t)res;
		if (deliver(s))
			read_more(s);
		return;
	}
	/* A terminal answers a background process with EIO: wait until it is ours again. */
	if (res == -EIO && s->is_tty && !tty_is_ours(STDIN_FILENO)) {
		loop_timer_set(s->cd.loop, &s->foreground, loop_now() + FOREGROUND_POLL_NS);
		return;
	}
	if (res < 0)
		counter_add(&s->cd.counters.errors, 1);
	end_input(s);
}

static void stdio_input_resume(struct chardev *cd)
{
	struct stdio *s = to_stdio(cd);

	/* A read in flight means there is nothing left over. */
	if (!s->in.busy && deliver(s))
		read_more(s);
}

/* --- Life. --------------------------------------------------------------------------------- */

static void stdio_start(struct chardev *cd)
{
	read_more(to_stdio(cd));
}

static void stdio_close(struct chardev *cd)
{
	struct stdio *s = to_stdio(cd);

	loop_timer_cancel(cd->loop, &s->foreground);
	if (s->in.busy)
		chardev_io_cancel(&s->in);
	if (s->out.busy)
		chardev_io_cancel(&s->out);
	finish_close(s);
}

static void stdio_destroy(struct chardev *cd)
{
	struct stdio *s = to_stdio(cd);

	if (s->is_tty)
		tty_release();
	chardev_finish(cd);
	free(s);
}

static const struct chardev_ops stdio_ops = {
	.name = "stdio",
	.start = stdio_start,
	.write = stdio_write,
	.input_resume = stdio_input_resume,
	.close = stdio_close,
	.destroy = stdio_destroy,
};

int chardev_stdio_create(struct loop *loop, const struct chardev_config *config, struct error *err,
			 struct chardev **ret)
{
	struct stdio *s = calloc(1, sizeof(*s));
	int r;

	if (!s || chardev_init(&s->cd, &stdio_ops, loop, NULL) < 0) {
		free(s);
		return error_set(err, -ENOMEM, "out of memory");
	}
	chardev_io_init(&s->in, loop, CHARDEV_IO_READ, input_done);
	chardev_io_init(&s->out, loop, CHARDEV_IO_WRITE, output_done);
	chardev_io_set_fd(&s->in, STDIN_FILENO);
	chardev_io_set_fd(&s->out, STDOUT_FILENO);
	s->foreground.fired = foreground_fired;
	s->quit = config->quit;
	s->quit_ctx = config->quit_ctx;
	s->client = config->client;
	s->input_ended = config->output_only || fcntl(STDIN_FILENO, F_GETFD) < 0;
	s->out_failed = fcntl(STDOUT_FILENO, F_GETFD) < 0;
	if (!s->input_ended && isatty(STDIN_FILENO)) {
		r = tty_acquire(STDIN_FILENO, err);
		if (r < 0) {
			stdio_destroy(&s->cd);
			return r;
		}
		s->is_tty = true;
	}
	*ret = &s->cd;
	return 0;
}
