// SPDX-License-Identifier: MIT
/* A VM in the background. See detach.h. */
#include "candela/detach.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "candela/exit_status.h"

/* The child's last word, or that it needs no more of us. */
static int await_child(int fd, pid_t pid)
{
	char ready;
	ssize_t n;
	int status;

	do {
		n = read(fd, &ready, 1);
	} while (n < 0 && errno == EINTR);
	if (n == 1)
		return EXIT_SUCCESS;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return STATUS_INTERNAL;
	return WIFEXITED(status) ? WEXITSTATUS(status) : STATUS_SIGNAL_BASE + WTERMSIG(status);
}

int detach_begin(struct detach *d, int *ret_status, struct error *err)
{
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_errno(err, -errno, "cannot create a pipe");
	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		close(fds[0]);
		close(fds[1]);
		return error_errno(err, -errno, "cannot create a process");
	}
	if (pid > 0) {
		close(fds[1]);
		*ret_status = await_child(fds[0], pid);
		close(fds[0]);
		return 1;
	}
	close(fds[0]);
	d->fd = fds[1];
	/* Now, because a VM that runs may open nothing. */
	d->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	return 0;
}

void detach_done(struct detach *d)
{
	const char ready = 0;

	fflush(NULL);
	/* Only now: until here whoever interrupts the parent at the terminal interrupts us, too. */
	setsid();
	for (int fd = 0; d->null >= 0 && fd <= STDERR_FILENO; fd++)
		dup2(d->null, fd);
	if (d->null >= 0)
		close(d->null);
	/* Nobody is there any more? Then nobody needs to be told. */
	if (write(d->fd, &ready, 1) < 0)
		errno = 0;
	close(d->fd);
}
