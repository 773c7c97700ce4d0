// SPDX-License-Identifier: MIT
/*
 * Has a command print its help text, in a process of its own: what a command leaves behind, or that
 * it ends, is nobody else's business. See help_text.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "candela/commands.h"
#include "candela/help_text.h"

static _Noreturn void print(const struct command *command, const char *verb, int fd)
{
	char *name = strdup(command->name), *word = strdup(verb ? verb : "--help");
	char help[] = "--help";
	char *argv[] = {name, word, verb ? help : NULL, NULL};
	int status = EXIT_FAILURE;

	if (name && word && dup2(fd, STDOUT_FILENO) >= 0)
		status = command->run(verb ? 3 : 2, argv);
	if (fflush(stdout) != 0)
		status = EXIT_FAILURE;
	_exit(status);
}

static int read_all(int fd, char **ret)
{
	FILE *in = fdopen(fd, "r");
	size_t size = 0;

	*ret = NULL;
	if (!in) {
		close(fd);
		return -ENOMEM;
	}
	/* There is no NUL in it: this is all of it. */
	if (getdelim(ret, &size, '\0', in) < 0) {
		free(*ret);
		*ret = NULL;
	}
	fclose(in);
	return *ret ? 0 : -EIO;
}

int help_read(const struct command *command, const char *verb, char **ret, struct error *err)
{
	int fds[2], status = 0, r;
	pid_t child;

	if (fflush(NULL) != 0 || pipe2(fds, O_CLOEXEC) < 0)
		return error_errno(err, -errno, "%s", command->name);
	child = fork();
	if (child == 0)
		print(command, verb, fds[1]);
	close(fds[1]);
	if (child < 0) {
		close(fds[0]);
		return error_errno(err, -EAGAIN, "%s", command->name);
	}
	r = read_all(fds[0], ret);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (r == 0 && status != 0) {
		free(*ret);
		r = -EIO;
	}
	return r < 0 ? error_set(err, r, "%s: no help text", command->name) : 0;
}
