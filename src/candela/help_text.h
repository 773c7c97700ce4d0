// SPDX-License-Identifier: MIT
/*
 * What commands say of themselves, read again: their help texts come from the tables that they work
 * by, in several forms, and a text is what all of them have. No state but the caller's.
 */
#pragma once

#include "vmm/error.h"

struct command;

/* The text of "candela COMMAND [VERB] --help", to be freed. @verb may be NULL. */
int help_read(const struct command *command, const char *verb, char **ret,
	      struct error *err) must_check;

struct help_part {
	const char *start;
	size_t len; /* 0: there is none */
};

struct help_option {
	struct help_part name;    /* without dashes and without "[no-]" */
	struct help_part metavar; /* of its value */
	bool has_no;              /* there is --no-NAME, too */
};

/* Each option in @text; one of two names twice. */
void help_each_option(const char *text, void (*each)(void *ctx, const struct help_option *option),
		      void *ctx);
/* The first column of the block "Verbs:". */
void help_each_verb(const char *text, void (*each)(void *ctx, const struct help_part *verb),
		    void *ctx);

/* True: @word stands in the lines "Usage:", by itself. */
bool help_usage_has(const char *text, const char *word);
/* True: the part, a metavar or a usage line, has a word for a file in it. */
bool help_names_file(const struct help_part *part);
/* The lines "Usage:" and those that go on with it. */
struct help_part help_usage(const char *text);
