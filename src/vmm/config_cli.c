// SPDX-License-Identifier: MIT
/*
 * The command line, by table. The arguments are walked twice with one scanner: first for --help,
 * the file's name and anything that is no option at all, then, with the file read, to apply the
 * options.
 *
 * No state; any thread.
 */
#include "vmm/config_cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/config_tree.h"
#include "vmm/config_value.h"
#include "vmm/config_verb.h"
#include "vmm/suggest.h"

/* An option has its row in one of two tables, each for a struct of its own. */
struct option {
	const struct config_row *row;
	bool is_vm;   /* its struct is the vm_config */
	bool negated; /* --no-option */
};

/* One step of the walk. */
struct argument {
	struct option option; /* row NULL: no option, but text alone */
	const char *text;     /* value or positional text; NULL: an option without a value */
	char name[40];        /* of the option as it was written, for messages */
};

struct scanner {
	int argc;
	char **argv;
	int next;
	const char *cluster; /* what is left of "-vm512M" */
	bool ended;          /* "--" was seen */
	const struct config_verb_info *verb;
};

static const struct config_table *const tables[] = {&config_vm_table, &config_cli_table};

static bool is_name(const char *name, const char *text, size_t len)
{
	return name && strncmp(name, text, len) == 0 && name[len] == '\0';
}

static bool takes_value(const struct config_row *row)
{
	return row->kind != CONFIG_BOOL && row->kind != CONFIG_COUNT;
}

/* What --no-option can empty. */
static bool can_negate(const struct config_row *row)
{
	return row->kind == CONFIG_BOOL || row->kind == CONFIG_STRING || row->kind == CONFIG_PATH ||
	       row->kind == CONFIG_ARRAY;
}

/* The option with the long @name of @len bytes or, when that is NULL, with @letter. */
static bool find_option(const struct config_verb_info *verb, const char *name, size_t len,
			char letter, struct option *ret)
{
	size_t t, i;

	for (t = 0; t < ARRAY_SIZE(tables); t++) {
		for (i = 0; i < tables[t]->row_count; i++) {
			const struct config_row *row = &tables[t]->rows[i];

			if (!config_verb_has(verb, row))
				continue;
			if (name ? is_name(row->option, name, len) || is_name(row->alias, name, len)
				 : row->letter == letter) {
				*ret = (struct option){.row = row,
						       .is_vm = tables[t] == &config_vm_table};
				return true;
			}
		}
	}
	return false;
}

static bool find_long(const struct config_verb_info *verb, const char *name, size_t len,
		      struct option *ret)
{
	if (find_option(verb, name, len, 0, ret))
		return true;
	if (len <= 3 || strncmp(name, "no-", 3) != 0 ||
	    !find_option(verb, name + 3, len - 3, 0, ret) || !can_negate(ret->row))
		return false;
	ret->negated = true;
	return true;
}

static int unknown_option(const struct config_verb_info *verb, const char *name, struct error *err)
{
	bool negated = strncmp(name, "no-", 3) == 0;
	struct suggest suggest;
	const char *best;
	size_t t, i;

	suggest_init(&suggest, negated ? name + 3 : name);
	for (t = 0; t < ARRAY_SIZE(tables); t++) {
		for (i = 0; i < tables[t]->row_count; i++) {
			const struct config_row *row = &tables[t]->rows[i];

			if (!config_verb_has(verb, row) || (negated && !can_negate(row)))
				continue;
			suggest_offer(&suggest, row->option);
			if (row->alias)
				suggest_offer(&suggest, row->alias);
		}
	}
	best = suggest_best(&suggest);
	if (best)
		return error_set(err, -EINVAL, "unknown option --%.40s; did you mean --%s%s?", name,
				 negated ? "no-" : "", best);
	return error_set(err, -EINVAL, "unknown option --%.40s; see candela %s --help", name,
			 verb->name);
}

/* --- the walk --- */

/* The value of an option, from the argument behind it. */
static int take_value(struct scanner *s, struct argument *arg, struct error *err)
{
	const char *metavar = arg->option.row->metavar;
	struct option other;
	const char *word;

	if (s->next == s->argc)
		return error_set(err, -EINVAL, "%s: expected %s after it", arg->name, metavar);
	word = s->argv[s->next];
	/* A value was forgotten, more likely than that one looks like an option by chance. */
	if (strncmp(word, "--", 2) == 0 &&
	    (!word[2] || find_long(s->verb, word + 2, strcspn(word + 2, "="), &other)))
		return error_set(err, -EINVAL,
				 "%s: expected %s, got the option %.40s (if it is the "
				 "value, write %s=%.40s)",
				 arg->name, metavar, word, arg->name, word);
	s->next++;
	arg->text = word;
	return 1;
}

/* "--option", "--option=value"; @name is what follows the dashes. */
static int next_long(struct scanner *s, const char *name, struct argument *arg, struct error *err)
{
	size_t len = strcspn(name, "=");
	char copy[64];

	if (!find_long(s->verb, name, len, &arg->option)) {
		snprintf(copy, sizeof(copy), "%.*s", (int)min_of(len, sizeof(copy)), name);
		return unknown_option(s->verb, copy, err);
	}
	snprintf(arg->name, sizeof(arg->name), "--%.*s", (int)min_of(len, sizeof(arg->name)), name);
	if (name[len]) {
		if (arg->option.negated || arg->option.row->kind == CONFIG_COUNT)
			return error_set(err, -EINVAL, "%s: takes no value", arg->name);
		arg->text = name + len + 1;
		return 1;
	}
	if (arg->option.negated || !takes_value(arg->option.row))
		return 1;
	return take_value(s, arg, err);
}

/* The next letter of "-vm512M". */
static int next_short(struct scanner *s, struct argument *arg, struct error *err)
{
	char letter = *s->cluster++;
	const char *rest = *s->cluster ? s->cluster : NULL;

	if (!find_option(s->verb, NULL, 0, letter, &arg->option))
		return error_set(err, -EINVAL, "unknown option -%c; see candela %s --help",
				 letter > ' ' && letter < 0x7f ? letter : '?', s->verb->name);
	snprintf(arg->name, sizeof(arg->name), "-%c", letter);
	s->cluster = rest;
	if (!takes_value(arg->option.row))
		return 1;
	s->cluster = NULL;
	arg->text = rest;
	return rest ? 1 : take_value(s, arg, err);
}

/* The next argument: 1, 0 at the end, or -EINVAL. A command behind "--" is not walked into. */
static int scanner_next(struct scanner *s, struct argument *arg, struct error *err)
{
	const char *word;

	memset(arg, 0, sizeof(*arg));
	if (s->cluster)
		return next_short(s, arg, err);
	if (s->next < s->argc && !s->ended && strcmp(s->argv[s->next], "--") == 0) {
		s->next++;
		s->ended = true;
	}
	if (s->next == s->argc || (s->ended && s->verb->takes_command))
		return 0;
	word = s->argv[s->next++];
	if (!s->ended && strncmp(word, "--", 2) == 0)
		return next_long(s, word + 2, arg, err);
	if (!s->ended && word[0] == '-' && word[1]) {
		s->cluster = word + 1;
		return next_short(s, arg, err);
	}
	arg->text = word;
	return 1;
}

/* --- what options do --- */

/* --set KEY=VALUE */
static int apply_assign(struct vm_config *config, const char *text, struct error *err)
{
	const char *equals = strchr(text, '=');
	char quoted[CONFIG_QUOTE_MAX], *key;
	int r;

	config_quote(text, quoted);
	if (!equals)
		return error_set(err, -EINVAL, "--set: expected KEY=VALUE, got %s", quoted);
	key = strndup(text, (size_t)(equals - text));
	if (!key)
		return error_set(err, -ENOMEM, "out of memory");
	r = config_tree_set(&config_vm_table, config, key, equals + 1, NULL, err);
	if (r) {
		config_quote(key, quoted);
		error_prefix(err, "--set %.*s", (int)strlen(quoted) - 2, quoted + 1);
	}
	free(key);
	return r;
}

static int apply_negated(const struct config_row *row, void *base)
{
	if (row->kind == CONFIG_ARRAY)
		config_array_clear(row, base);
	else
		config_value_finish(row, (char *)base + row->offset);
	return 0;
}

static int apply(const struct argument *arg, struct vm_config *config,
		 struct config_cli_result *result, struct error *err)
{
	const struct config_row *row = arg->option.row;
	void *base = arg->option.is_vm ? (void *)config : result;
	const char *text = arg->text ? arg->text : "true";
	int r;

	if (row->kind == CONFIG_ASSIGN)
		return apply_assign(config, text, err);
	if (arg->option.negated)
		return apply_negated(row, base);
	if (row->kind == CONFIG_ARRAY)
		r = config_array_parse(row, base, text, NULL, err);
	else
		r = config_value_parse(row, text, NULL, (char *)base + row->offset, err);
	if (r)
		error_prefix(err, "%s", arg->name);
	return r;
}

/* Does the option change the VM? Then it waits until the file was read. */
static bool is_late(const struct argument *arg)
{
	return arg->option.is_vm || arg->option.row->kind == CONFIG_ASSIGN;
}

/* First walk: what is no part of the VM, and the shape of the whole line. */
static int walk_early(struct scanner *s, struct vm_config *config, struct config_cli_result *result,
		      struct error *err)
{
	struct argument arg;
	int r = 0;

	while (!result->help && (r = scanner_next(s, &arg, err)) > 0) {
		if (arg.option.row) {
			r = is_late(&arg) ? 0 : apply(&arg, config, result, err);
			if (r)
				return r;
		} else if (result->file) {
			return error_set(err, -EINVAL,
					 "%s: unexpected argument; the configuration file "
					 "is %s already",
					 arg.text, result->file);
		} else {
			result->file = arg.text;
		}
	}
	result->command_argc = s->argc - s->next;
	result->command_argv = s->argv + s->next;
	return r < 0 ? r : 0;
}

static int walk_late(struct scanner *s, struct vm_config *config, struct config_cli_result *result,
		     struct error *err)
{
	struct argument arg;
	int r;

	while ((r = scanner_next(s, &arg, err)) > 0) {
		r = arg.option.row && is_late(&arg) ? apply(&arg, config, result, err) : 0;
		if (r)
			return r;
	}
	return r;
}

int config_parse_args(struct vm_config *config, int argc, char **argv,
		      struct config_cli_result *ret, struct error *err)
{
	struct scanner early = {
		.argc = argc, .argv = argv, .next = 1, .verb = config_verb_find(argv[0])};
	struct scanner late = early;
	int r;

	config_tree_init(&config_cli_table, ret);
	r = walk_early(&early, config, ret, err);
	if (r || ret->help)
		return r;
	if (ret->file) {
		r = config_load_file(config, ret->file, err);
		if (r)
			return r;
	}
	return walk_late(&late, config, ret, err);
}
