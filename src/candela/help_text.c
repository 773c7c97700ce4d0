// SPDX-License-Identifier: MIT
/* Help texts, read again. See help_text.h. */
#include "candela/help_text.h"

#include <ctype.h>
#include <string.h>

static const char *line_end(const char *line)
{
	return line + strcspn(line, "\n");
}

static const char *next_line(const char *line)
{
	line = line_end(line);
	return *line ? line + 1 : line;
}

static size_t name_len(const char *p)
{
	return strspn(p, "abcdefghijklmnopqrstuvwxyz0123456789-");
}

/* At "--"; what follows its name, or NULL when it is no option. */
static const char *read_name(const char *p, struct help_option *option)
{
	static const char no[] = "[no-]";

	if (strncmp(p, "--", 2) != 0)
		return NULL;
	p += 2;
	option->has_no = strncmp(p, no, strlen(no)) == 0;
	if (option->has_no)
		p += strlen(no);
	option->name = (struct help_part){p, name_len(p)};
	return option->name.len ? p + option->name.len : NULL;
}

/* One blank, and a word, or several in quotes. Two blanks are the space before the next column. */
static struct help_part read_metavar(const char *p)
{
	size_t len;

	if (p[0] != ' ' || !p[1] || isspace((unsigned char)p[1]))
		return (struct help_part){NULL, 0};
	p++;
	len = *p == '"' ? strcspn(p + 1, "\"\n") + 2 : strcspn(p, " \n");
	return (struct help_part){p, len};
}

/* "  -m, --memory SIZE  text" */
static void read_options(const char *line, void (*each)(void *, const struct help_option *),
			 void *ctx)
{
	struct help_option first, second;
	const char *p = line + strspn(line, " "), *rest;

	if (p == line)
		return;
	if (p[0] == '-' && p[1] != '-' && strncmp(p + 2, ", ", 2) == 0)
		p += 4;
	p = read_name(p, &first);
	if (!p)
		return;
	rest = strncmp(p, ", ", 2) == 0 ? read_name(p + 2, &second) : NULL;
	first.metavar = read_metavar(rest ? rest : p);
	each(ctx, &first);
	if (rest) {
		second.metavar = first.metavar;
		each(ctx, &second);
	}
}

void help_each_option(const char *text, void (*each)(void *ctx, const struct help_option *option),
		      void *ctx)
{
	for (; *text; text = next_line(text))
		read_options(text, each, ctx);
}

void help_each_verb(const char *text, void (*each)(void *ctx, const struct help_part *verb),
		    void *ctx)
{
	static const char head[] = "\nVerbs:\n";
	const char *line = strstr(text, head);

	if (!line)
		return;
	for (line += strlen(head); *line == ' '; line = next_line(line)) {
		const char *p = line + strspn(line, " ");
		const struct help_part verb = {p, name_len(p)};

		if (verb.len)
			each(ctx, &verb);
	}
}

struct help_part help_usage(const char *text)
{
	const char *end = next_line(text);

	if (strncmp(text, "Usage: ", 7) != 0)
		return (struct help_part){NULL, 0};
	while (*end == ' ')
		end = next_line(end);
	return (struct help_part){text, (size_t)(end - text)};
}

static const char *find_in(const struct help_part *part, const char *word)
{
	return part->len ? memmem(part->start, part->len, word, strlen(word)) : NULL;
}

bool help_usage_has(const char *text, const char *word)
{
	struct help_part rest = help_usage(text);
	const size_t len = strlen(word);
	const char *p;

	while ((p = find_in(&rest, word))) {
		const bool begins = p > text && !isalnum((unsigned char)p[-1]);

		rest.len -= (size_t)(p + len - rest.start);
		rest.start = p + len;
		if (begins && !isalnum((unsigned char)*rest.start))
			return true;
	}
	return false;
}

bool help_names_file(const struct help_part *part)
{
	static const char *const words[] = {
		"FILE", "PATH", "PARENT", "SOURCE", "TRACE", ".json", ".html",
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (find_in(part, words[i]))
			return true;
	return false;
}
