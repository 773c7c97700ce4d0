// SPDX-License-Identifier: MIT
/*
 * Character device on a new pseudo-terminal. Owner: the loop's thread.
 *
 * The master end tells with POLLHUP that nobody has the other end open, and tells nothing when
 * somebody opens it, so that is looked for now and then.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "devices/char/chardev_session.h"
#include "vmm/log.h"

#define ATTACH_POLL_NS (200 * NSEC_PER_MSEC)

struct pty {
	struct chardev_session session;
	int master;
	struct loop_timer look;
};

static struct pty *to_pty(struct chardev *cd)
{
	return container_of(cd, struct pty, session.cd);
}

static void look(struct pty *p)
{
	struct pollfd pollfd = {.fd = p->master};

	poll(&pollfd, 1, 0);
	if (!(pollfd.revents & POLLHUP)) {
		chardev_session_attach(&p->session, p->master);
		return;
	}
	/* Somebody may have written and left since we looked last. */
	chardev_session_read_now(&p->session, p->master);
	loop_timer_set(p->session.cd.loop, &p->look, loop_now() + ATTACH_POLL_NS);
}

static void look_fired(struct loop_timer *timer)
{
	look(container_of(timer, struct pty, look));
}

static void pty_detached(struct chardev_session *s)
{
	struct pty *p = container_of(s, struct pty, session);

	if (s->cd.closing)
		chardev_finish_close(&s->cd);
	else
		look(p);
}

static void pty_start(struct chardev *cd)
{
	look(to_pty(cd));
}

static void pty_close(struct chardev *cd)
{
	struct pty *p = to_pty(cd);

	loop_timer_cancel(cd->loop, &p->look);
	if (p->session.attached)
		chardev_session_detach(&p->session);
	else
		chardev_finish_close(cd);
}

static void pty_destroy(struct chardev *cd)
{
	struct pty *p = to_pty(cd);

	if (p->master >= 0)
		close(p->master);
	chardev_session_finish(&p->session);
	free(p);
}

static const struct chardev_ops pty_ops = {
	.name = "pty",
	.start = pty_start,
	.write = chardev_session_write,
	.input_resume = chardev_session_input_resume,
	.close = pty_close,
	.destroy = pty_destroy,
};

/*
 * Raw, so that the terminal's own echo does not type the guest's output back at it. Opening and
 * closing the other end also makes the master report POLLHUP from now on.
 */
static int make_raw(const char *name)
{
	int fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios settings;
	int r = 0;

	if (fd < 0)
		return -errno;
	if (tcgetattr(fd, &settings) < 0)
		r = -errno;
	cfmakeraw(&settings);
	if (r == 0 && tcsetattr(fd, TCSANOW, &settings) < 0)
		r = -errno;
	close(fd);
	return r;
}

static int open_pty(struct pty *p, char *name, size_t size)
{
	p->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (p->master < 0 || grantpt(p->master) < 0 || unlockpt(p->master) < 0)
		return -errno;
	if (ptsname_r(p->master, name, size) != 0)
		return -errno;
	return make_raw(name);
}

int chardev_pty_create(struct loop *loop, const struct chardev_config *config, struct error *err,
		       struct chardev **ret)
{
	struct pty *p = calloc(1, sizeof(*p));
	char name[64];
	int r;

	if (!p)
		return error_set(err, -ENOMEM, "out of memory");
	p->look.fired = look_fired;
	p->session.no_end_of_input = true;
	r = open_pty(p, name, sizeof(name));
	if (r < 0) {
		error_errno(err, r, "cannot open a pseudo-terminal (is /dev/pts mounted?)");
		goto fail;
	}
	r = chardev_session_init(&p->session, &pty_ops, loop, name, CHARDEV_IO_WRITE, pty_detached);
	if (r < 0) {
		error_set(err, r, "out of memory");
		goto fail;
	}
	log_info("the guest's serial port is at %s", name);
	*ret = &p->session.cd;
	return 0;

fail:
	pty_destroy(&p->session.cd);
	return r;
}
