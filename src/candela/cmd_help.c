// SPDX-License-Identifier: MIT
/* candela help: what the commands say of themselves, also as manual pages. Main thread. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "candela/command_args.h"
#include "candela/commands.h"
#include "candela/exit_status.h"
#include "candela/help_man.h"
#include "candela/help_text.h"
#include "candela/show.h"
#include "vmm/log.h"

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < candela_command_count; i++)
		if (strcmp(candela_commands[i].name, name) == 0)
			return &candela_commands[i];
	return NULL;
}

struct verbs {
	const struct command *command;
	struct error *err;
	int result;
};

static void put_verb(void *ctx, const struct help_part *part)
{
	struct verbs *verbs = ctx;
	char verb[64], title[160], *text;

	if (verbs->result < 0)
		return;
	snprintf(verb, sizeof(verb), "%.*s", (int)part->len, part->start);
	verbs->result = help_read(verbs->command, verb, &text, verbs->err);
	if (verbs->result < 0)
		return;
	snprintf(title, sizeof(title), "candela %s %s", verbs->command->name, verb);
	help_man_text(stdout, title, text);
	free(text);
}

static void see_also(const char *page)
{
	printf(".SH SEE ALSO\n.BR %s (1)\n", page);
}

static int put_page(const struct command *command, struct error *err)
{
	struct verbs verbs = {.command = command, .err = err};
	char name[80], *text;
	int r = help_read(command, NULL, &text, err);

	if (r < 0)
		return r;
	snprintf(name, sizeof(name), "candela-%s", command->name);
	help_man_head(stdout, name, command->help);
	help_man_text(stdout, NULL, text);
	help_each_verb(text, put_verb, &verbs);
	free(text);
	see_also("candela");
	return verbs.result;
}

static void put_main_page(void)
{
	help_man_head(stdout, "candela", "a virtual machine monitor for KVM that speaks Hyper-V");
	printf(".SH SYNOPSIS\n.B candela\n.I COMMAND\n.RI [ ARGUMENT ]...\n.SH COMMANDS\n");
	for (size_t i = 0; i < candela_command_count; i++) {
		printf(".TP\n.BR candela\\-");
		for (const char *p = candela_commands[i].name; *p; p++)
			*p == '-' ? fputs("\\-", stdout) : putchar(*p);
		printf(" (1)\n%s\n", candela_commands[i].help);
	}
}

static int help(const char *name, bool man, struct error *err)
{
	const struct command *command = name ? find(name) : NULL;
	char *text;
	int r;

	if (name && !command)
		return error_set(err, -EINVAL, "help: unknown command \"%.40s\"", name);
	if (!command && !man)
		return error_set(err, -EINVAL, "help: of which command?");
	if (!command) {
		put_main_page();
		return 0;
	}
	if (man)
		return put_page(command, err);
	r = help_read(command, NULL, &text, err);
	if (r < 0)
		return r;
	fputs(text, stdout);
	free(text);
	return 0;
}

int cmd_help(int argc, char **argv)
{
	bool man = false;
	const struct command_option options[] = {
		{.name = "man", .flag = &man, .help = "as a manual page, for man -l -"},
	};
	const struct command_spec spec = {
		.name = "help",
		.synopsis = "[--man] [COMMAND]",
		.about = "Print the help text of a command, or of all of candela.\n",
		.exit_status = "0 done; 1 not (standard error says why); 2 bad usage.",
		.options = options,
		.option_count = ARRAY_SIZE(options),
		.words_max = 1,
	};
	struct error err;
	char **words;
	int count, r = command_parse(&spec, argc, argv, &words, &count, &err);

	if (r == 1)
		return EXIT_SUCCESS;
	if (r == 0)
		r = help(count ? words[0] : NULL, man, &err);
	if (r == 0)
		return show_flush("help");
	log_error("%s", err.text);
	return r == -EINVAL ? STATUS_USAGE : EXIT_FAILURE;
}
