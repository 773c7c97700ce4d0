// SPDX-License-Identifier: MIT
/*
 * candela pause, resume, reset, nmi and kill: one request to each of the VMs that are named. Main
 * thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "candela/command_args.h"
#include "candela/commands.h"
#include "candela/control_client.h"
#include "candela/exit_status.h"
#include "vmm/log.h"

#define GONE_MS 60000 /* delivering the last output and closing disks may take a while */

struct verb {
	struct command_spec spec;
	bool ends; /* wait until the VM is gone */
};

#define EXIT_TEXT "0 done; 1 not, for at least one of them (standard error says why); 2 bad usage."
#define VERB(name_, about_)                                                                        \
	.spec = {.name = name_,                                                                    \
		 .synopsis = "VM...",                                                              \
		 .about = about_,                                                                  \
		 .exit_status = EXIT_TEXT,                                                         \
		 .words_min = 1,                                                                   \
		 .words_max = 1024}

static const struct verb verbs[] = {
	{VERB("pause", "Stop the virtual processors of VMs. Clocks of the guest go on; what its\n"
		       "timers miss comes when it is resumed.\n")},
	{VERB("resume", "Let VMs go on that were paused.\n")},
	{VERB("reset",
	      "Reset VMs, as their reset button would, whatever --on-reset says. One that\n"
	      "is paused starts when it is resumed.\n")},
	{VERB("nmi",
	      "Interrupt the first virtual processor of VMs with an NMI. What it does is up\n"
	      "to the guest: many write a crash dump.\n")},
	{VERB("reopen-log",
	      "Open the event logs of VMs again by their names: for rotation, after they\n"
	      "were moved.\n")},
	{VERB("kill",
	      "End VMs at once, as if their power was cut: guests are not asked. Disks are\n"
	      "closed in order. Returns when they are gone.\n"),
	 .ends = true},
};

static int ask(const struct verb *verb, const char *name, struct error *err)
{
	struct control_client *client = NULL;
	struct json_object *result;
	int r = control_connect(name, err, &client);

	if (r == 0)
		r = control_ask(client, verb->spec.name, NULL, CONTROL_ANSWER_MS, err, &result);
	if (r == 0) {
		json_object_put(result);
		if (verb->ends)
			r = control_wait_gone(client, GONE_MS, err);
	} else if (r == -EPIPE && verb->ends) {
		r = 0; /* it was quicker */
	}
	control_disconnect(client);
	return r;
}

static const struct verb *find(const char *name)
{
	size_t i = 0;

	while (strcmp(verbs[i].spec.name, name) != 0)
		i++;
	return &verbs[i];
}

int cmd_control(int argc, char **argv)
{
	const struct verb *verb = find(argv[0]);
	int count, status = EXIT_SUCCESS;
	struct error err;
	char **words;
	int r = command_parse(&verb->spec, argc, argv, &words, &count, &err);

	if (r < 0) {
		log_error("%s", err.text);
		return STATUS_USAGE;
	}
	for (int i = 0; r == 0 && i < count; i++) {
		if (ask(verb, words[i], &err) == 0)
			continue;
		log_error("%s: %s", verb->spec.name, err.text);
		status = EXIT_FAILURE;
	}
	return status;
}
