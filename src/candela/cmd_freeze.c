// SPDX-License-Identifier: MIT
/*
 * candela freeze and thaw: a moment at which a guest's disks are whole. Main thread.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "candela/command_args.h"
#include "candela/commands.h"
#include "candela/control_client.h"
#include "candela/exit_status.h"
#include "vmm/json_build.h"
#include "vmm/log.h"

#define FREEZE_MS      120000 /* the guest writes what is dirty first */
#define THAW_MS        60000
#define SECONDS_MAX    3600
#define STATUS_CANNOT  126 /* as the shell has them */
#define STATUS_MISSING 127

static int freeze(struct control_client *client, uint32_t seconds, struct error *err)
{
	struct json_object *params = json_object_new_object(), *result = NULL;
	int r = params ? json_put_integer(params, "timeout", seconds) : -ENOMEM;

	if (r < 0) {
		json_object_put(params);
		return error_set(err, r, "out of memory");
	}
	r = control_ask(client, "freeze", params, FREEZE_MS, err, &result);
	json_object_put(result);
	return r;
}

static int thaw(struct control_client *client, struct error *err)
{
	struct json_object *result = NULL;
	int r = control_ask(client, "thaw", NULL, THAW_MS, err, &result);

	json_object_put(result);
	return r;
}

/* --- With a command. ------------------------------------------------------------------------- */

/* What a terminal sends goes to the command, too; it is to end before we thaw. */
static void ignore_signals(struct sigaction old[3])
{
	static const int signals[] = {SIGINT, SIGQUIT, SIGTERM};
	const struct sigaction ignore = {.sa_handler = SIG_IGN};

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &ignore, &old[i]);
}

static void restore_signals(const struct sigaction old[3])
{
	static const int signals[] = {SIGINT, SIGQUIT, SIGTERM};

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &old[i], NULL);
}

/* Its exit status, as a shell has it. */
static int run_command(char **command)
{
	struct sigaction old[3];
	int status;
	pid_t pid;

	ignore_signals(old);
	pid = fork();
	if (pid == 0) {
		restore_signals(old);
		execvp(command[0], command);
		log_error("freeze: %s: %s", command[0], strerrordesc_np(errno));
		_exit(errno == ENOENT ? STATUS_MISSING : STATUS_CANNOT);
	}
	if (pid < 0) {
		log_error("freeze: cannot start %s: %s", command[0], strerrordesc_np(errno));
		return EXIT_FAILURE;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : STATUS_SIGNAL_BASE + WTERMSIG(status);
}

/* A copy during which the guest was thawed is worth nothing. */
static int freeze_around(struct control_client *client, uint32_t seconds, char **command,
			 struct error *err)
{
	int status, r = freeze(client, seconds, err);

	if (r < 0)
		return r;
	status = run_command(command);
	r = thaw(client, err);
	if (r == -EREMOTEIO)
		error_prefix(err, "what %s did is not of one moment: ", command[0]);
	return r < 0 ? r : status;
}

/* --- The command lines. ---------------------------------------------------------------------- */

static int parse_seconds(const char *text, uint32_t *ret, struct error *err)
{
	unsigned long seconds;
	char *end;

	if (!text)
		return 0;
	seconds = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || !seconds || seconds > SECONDS_MAX)
		return error_set(err, -EINVAL, "freeze: --timeout: expected seconds, 1 to %u",
				 SECONDS_MAX);
	*ret = (uint32_t)seconds;
	return 0;
}

/* Without a command it stays frozen. */
static int run_freeze(char **words, int count, uint32_t seconds)
{
	struct control_client *client = NULL;
	struct error err;
	int r = control_connect(words[0], &err, &client);

	/* Behind the words is what was moved: there is room, options or not. */
	words[count] = NULL;
	if (r == 0 && count == 1)
		r = freeze(client, seconds, &err);
	else if (r == 0)
		r = freeze_around(client, seconds, words + 1, &err);
	control_disconnect(client);
	if (r >= 0)
		return r;
	log_error("freeze: %s", err.text);
	return EXIT_FAILURE;
}

int cmd_freeze(int argc, char **argv)
{
	const char *timeout = NULL;
	const struct command_option options[] = {
		{.name = "timeout",
		 .letter = 't',
		 .metavar = "SECONDS",
		 .value = &timeout,
		 .help = "after which they are thawed whatever happens (default 60)"},
	};
	const struct command_spec spec = {
		.name = "freeze",
		.synopsis = "[OPTION]... VM [-- COMMAND [ARGUMENT]...]",
		.about =
			"Freeze the guest's file systems: everything is written to its disks, and\n"
			"nothing more until they are thawed. With COMMAND, run that, and\n"
			"thaw them when it ends, however it does. They are also thawed when the\n"
			"time is over, and then this fails.\n",
		.exit_status = "COMMAND's, or 0; 1 also if the guest cannot be frozen, or was\n"
			       "thawed before COMMAND ended; 2 bad usage; 126 COMMAND cannot be\n"
			       "run; 127 there is none.",
		.options = options,
		.option_count = ARRAY_SIZE(options),
		.words_min = 1,
		.words_max = 4096,
	};
	uint32_t seconds = 60;
	struct error err;
	char **words;
	int count, r = command_parse(&spec, argc, argv, &words, &count, &err);

	if (r == 1)
		return EXIT_SUCCESS;
	if (r == 0)
		r = parse_seconds(timeout, &seconds, &err);
	if (r < 0) {
		log_error("%s", err.text);
		return STATUS_USAGE;
	}
	return run_freeze(words, count, seconds);
}

int cmd_thaw(int argc, char **argv)
{
	static const struct command_spec spec = {
		.name = "thaw",
		.synopsis = "VM",
		.about = "Thaw the guest's file systems after \"candela freeze\".\n",
		.exit_status = "0 done; 1 not: also when they were thawed already; 2 bad usage.",
		.words_min = 1,
		.words_max = 1,
	};
	struct control_client *client = NULL;
	struct error err;
	char **words;
	int count, r = command_parse(&spec, argc, argv, &words, &count, &err);

	if (r == 1)
		return EXIT_SUCCESS;
	if (r < 0) {
		log_error("%s", err.text);
		return STATUS_USAGE;
	}
	r = control_connect(words[0], &err, &client);
	if (r == 0)
		r = thaw(client, &err);
	control_disconnect(client);
	if (r == 0)
		return EXIT_SUCCESS;
	log_error("thaw: %s", err.text);
	return EXIT_FAILURE;
}
