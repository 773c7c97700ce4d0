// SPDX-License-Identifier: MIT
/* Small command lines, by table. See command_args.h. */
#include "candela/command_args.h"

#include <errno.h>
#include <string.h>

#include "vmm/suggest.h"

#define HELP_COLUMN 24

struct parser {
	const struct command_spec *spec;
	int argc;
	char **argv;
	int next, words;
	bool help;
	struct error *err;
};

static const struct command_option *find(const struct command_spec *spec, const char *name,
					 size_t len, char letter)
{
	for (size_t i = 0; i < spec->option_count; i++) {
		const struct command_option *o = &spec->options[i];

		if (name ? strlen(o->name) == len && memcmp(o->name, name, len) == 0
			 : o->letter == letter)
			return o;
	}
	return NULL;
}

static int unknown(struct parser *p, const char *word)
{
	struct suggest suggest;
	const char *best = NULL;

	if (word[1] == '-') {
		suggest_init(&suggest, word + 2);
		for (size_t i = 0; i < p->spec->option_count; i++)
			suggest_offer(&suggest, p->spec->options[i].name);
		best = suggest_best(&suggest);
	}
	if (best)
		return error_set(p->err, -EINVAL,
				 "%s: unknown option \"%.60s\"; did you mean --%s?", p->spec->name,
				 word, best);
	return error_set(p->err, -EINVAL, "%s: unknown option \"%.60s\" (see candela %s --help)",
			 p->spec->name, word, p->spec->name);
}

/* @value: what stood behind "=", or behind the letter; NULL: nothing. */
static int apply(struct parser *p, const struct command_option *option, const char *value)
{
	if (!option->metavar) {
		if (value)
			return error_set(p->err, -EINVAL, "%s: --%s takes no value", p->spec->name,
					 option->name);
		*option->flag = true;
		return 0;
	}
	if (!value && p->next == p->argc)
		return error_set(p->err, -EINVAL, "%s: --%s: expected %s after it", p->spec->name,
				 option->name, option->metavar);
	*option->value = value ? value : p->argv[p->next++];
	return 0;
}

static int parse_long(struct parser *p, const char *word)
{
	const size_t len = strcspn(word + 2, "=");
	const struct command_option *option = find(p->spec, word + 2, len, 0);

	if (strcmp(word, "--help") == 0) {
		p->help = true;
		return 0;
	}
	if (!option)
		return unknown(p, word);
	return apply(p, option, word[2 + len] ? word + 2 + len + 1 : NULL);
}

static int parse_short(struct parser *p, const char *word)
{
	const struct command_option *option = find(p->spec, NULL, 0, word[1]);

	if (strcmp(word, "-h") == 0) {
		p->help = true;
		return 0;
	}
	if (!option || (!option->metavar && word[2]))
		return unknown(p, word);
	return apply(p, option, word[2] ? word + 2 : NULL);
}

/* Words are moved to the front of @argv, in their order. */
static int parse_all(struct parser *p)
{
	bool ended = false;
	int r = 0;

	while (r == 0 && !p->help && p->next < p->argc) {
		char *word = p->argv[p->next++];

		if (!ended && strcmp(word, "--") == 0)
			ended = true;
		else if (!ended && strncmp(word, "--", 2) == 0)
			r = parse_long(p, word);
		else if (!ended && word[0] == '-' && word[1])
			r = parse_short(p, word);
		else
			p->argv[p->words++] = word;
	}
	return r;
}

int command_parse(const struct command_spec *spec, int argc, char **argv, char ***ret_words,
		  int *ret_count, struct error *err)
{
	struct parser p = {.spec = spec, .argc = argc, .argv = argv, .next = 1, .err = err};
	int r = parse_all(&p);

	if (r < 0)
		return r;
	if (p.help) {
		command_help(spec, stdout);
		return 1;
	}
	if (p.words < spec->words_min)
		return error_set(err, -EINVAL, "%s: too few arguments: candela %s %s", spec->name,
				 spec->name, spec->synopsis);
	if (p.words > spec->words_max)
		return error_set(err, -EINVAL, "%s: unexpected argument \"%.60s\": candela %s %s",
				 spec->name, argv[spec->words_max], spec->name, spec->synopsis);
	*ret_words = argv;
	*ret_count = p.words;
	return 0;
}

static void help_row(FILE *out, char letter, const char *name, const char *metavar,
		     const char *help)
{
	char left[40], dash[8] = "    ";

	if (letter)
		snprintf(dash, sizeof(dash), "-%c, ", letter);
	snprintf(left, sizeof(left), "  %s--%s%s%s", dash, name, metavar ? " " : "",
		 metavar ? metavar : "");
	fprintf(out, "%-*s %s\n", HELP_COLUMN, left, help);
}

void command_help(const struct command_spec *spec, FILE *out)
{
	fprintf(out, "Usage: candela %s %s\n\n%s\n", spec->name, spec->synopsis, spec->about);
	for (size_t i = 0; i < spec->option_count; i++) {
		const struct command_option *o = &spec->options[i];

		help_row(out, o->letter, o->name, o->metavar, o->help);
	}
	help_row(out, 'h', "help", NULL, "print this text");
	fprintf(out, "\nExit status: %s\n", spec->exit_status);
}
