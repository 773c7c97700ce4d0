// SPDX-License-Identifier: MIT
/*
 * candela completion: what a shell needs to know to complete command lines, from what the commands
 * say of themselves. Main thread.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "candela/command_args.h"
#include "candela/commands.h"
#include "candela/exit_status.h"
#include "candela/help_text.h"
#include "candela/show.h"
#include "vmm/log.h"

/* Behind the function with the words of each command. */
static const char script[] =
	"_candela_vms() {\n"
	"\tlocal dir=/run/candela socket\n"
	"\n"
	"\t[[ -z ${XDG_RUNTIME_DIR-} ]] || dir=$XDG_RUNTIME_DIR/candela\n"
	"\tfor socket in \"$dir\"/*.sock; do\n"
	"\t\t[[ ! -S $socket ]] || printf '%s\\n' \"$(basename \"$socket\" .sock)\"\n"
	"\tdone\n"
	"}\n"
	"\n"
	"_candela_files() {\n"
	"\tcompopt -o filenames 2>/dev/null\n"
	"\tmapfile -t COMPREPLY < <(compgen -f -- \"$1\")\n"
	"}\n"
	"\n"
	"_candela() {\n"
	"\tlocal current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}\n"
	"\tlocal command=${COMP_WORDS[1]} first=2\n"
	"\tlocal options='' takes_file='' takes_value='' verbs='' vms='' files='' words=''\n"
	"\n"
	"\tCOMPREPLY=()\n"
	"\tif ((COMP_CWORD == 1)); then\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -W \"$_candela_commands\" -- \"$current\")\n"
	"\t\treturn\n"
	"\tfi\n"
	"\t# --option=value is three words here.\n"
	"\tif [[ $current == '=' ]]; then\n"
	"\t\tcurrent=''\n"
	"\telif [[ $before == '=' ]]; then\n"
	"\t\tbefore=${COMP_WORDS[COMP_CWORD - 2]}\n"
	"\tfi\n"
	"\t_candela_command \"$command\"\n"
	"\tif [[ -n $verbs ]] && ((COMP_CWORD > first)); then\n"
	"\t\tcommand+=\" ${COMP_WORDS[first]}\" verbs=''\n"
	"\t\t_candela_command \"$command\"\n"
	"\tfi\n"
	"\tif [[ $before == --* && \" $takes_file \" == *\" $before \"* ]]; then\n"
	"\t\t_candela_files \"$current\"\n"
	"\telif [[ $before == --* && \" $takes_value \" == *\" $before \"* ]]; then\n"
	"\t\treturn\n"
	"\telif [[ $current == -* ]]; then\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$current\")\n"
	"\telse\n"
	"\t\twords=$verbs\n"
	"\t\t[[ -z $vms ]] || words+=\" $(_candela_vms)\"\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
	"\t\t((${#COMPREPLY[@]})) || [[ -z $files ]] || _candela_files \"$current\"\n"
	"\tfi\n"
	"}\n"
	"\n"
	"complete -F _candela candela\n";

/* --- Words. ---------------------------------------------------------------------------------- */

enum want { WANT_ALL, WANT_FILE, WANT_VALUE };

static void print_option(const struct help_option *o, enum want want)
{
	const bool file = help_names_file(&o->metavar);

	if ((want == WANT_FILE && !file) || (want == WANT_VALUE && (!o->metavar.len || file)))
		return;
	printf("--%.*s ", (int)o->name.len, o->name.start);
	if (want == WANT_ALL && o->has_no)
		printf("--no-%.*s ", (int)o->name.len, o->name.start);
}

static void each_option(void *ctx, const struct help_option *option)
{
	print_option(option, *(const enum want *)ctx);
}

static void each_verb(void *ctx, const struct help_part *verb)
{
	printf("%.*s ", (int)verb->len, verb->start);
}

static void print_options(const char *variable, const char *text, enum want want)
{
	printf(" %s='", variable);
	help_each_option(text, each_option, &want);
	putchar('\'');
}

static void print_case(const char *name, const char *verb, const char *text)
{
	const struct help_part usage = help_usage(text);

	printf("\t'%s%s%s')", name, verb ? " " : "", verb ? verb : "");
	print_options("options", text, WANT_ALL);
	print_options("takes_file", text, WANT_FILE);
	print_options("takes_value", text, WANT_VALUE);
	printf(" verbs='");
	help_each_verb(text, each_verb, NULL);
	printf("' vms=%s files=%s ;;\n", help_usage_has(text, "VM") ? "1" : "''",
	       help_names_file(&usage) ? "1" : "''");
}

/* --- Commands. ------------------------------------------------------------------------------- */

struct verbs {
	const struct command *command;
	struct error *err;
	int result;
};

static void print_verb(void *ctx, const struct help_part *part)
{
	struct verbs *verbs = ctx;
	char verb[64], *text;

	if (verbs->result < 0)
		return;
	snprintf(verb, sizeof(verb), "%.*s", (int)part->len, part->start);
	verbs->result = help_read(verbs->command, verb, &text, verbs->err);
	if (verbs->result == 0) {
		print_case(verbs->command->name, verb, text);
		free(text);
	}
}

static int print_command(const struct command *command, struct error *err)
{
	struct verbs verbs = {.command = command, .err = err};
	char *text;
	int r = help_read(command, NULL, &text, err);

	if (r < 0)
		return r;
	print_case(command->name, NULL, text);
	help_each_verb(text, print_verb, &verbs);
	free(text);
	return verbs.result;
}

static int print_bash(struct error *err)
{
	int r = 0;

	printf("# bash completion for candela %s; by \"candela completion bash\".\n\n"
	       "_candela_commands='--help --version",
	       CANDELA_VERSION);
	for (size_t i = 0; i < candela_command_count; i++)
		printf(" %s", candela_commands[i].name);
	printf("'\n\n_candela_command() {\n\tcase $1 in\n");
	for (size_t i = 0; i < candela_command_count && r == 0; i++)
		r = print_command(&candela_commands[i], err);
	printf("\tesac\n}\n\n%s", script);
	return r;
}

int cmd_completion(int argc, char **argv)
{
	const struct command_spec spec = {
		.name = "completion",
		.synopsis = "bash",
		.about = "Print a script by which a shell completes commands, options, names of\n"
			 "VMs that run, and files. For the shell at hand:\n"
			 "\n"
			 "  source <(candela completion bash)\n",
		.exit_status = "0 done; 1 not (standard error says why); 2 bad usage.",
		.words_min = 1,
		.words_max = 1,
	};
	struct error err;
	char **words;
	int count, r = command_parse(&spec, argc, argv, &words, &count, &err);

	if (r == 1)
		return EXIT_SUCCESS;
	if (r == 0 && strcmp(words[0], "bash") != 0)
		r = error_set(&err, -EINVAL, "completion: expected bash, got \"%.40s\"", words[0]);
	if (r < 0) {
		log_error("%s", err.text);
		return STATUS_USAGE;
	}
	if (print_bash(&err) == 0)
		return show_flush("completion");
	log_error("completion: %s", err.text);
	return EXIT_FAILURE;
}
