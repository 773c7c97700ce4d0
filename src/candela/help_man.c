// SPDX-License-Identifier: MIT
/* Help texts as manual pages. See help_man.h. */
#include "candela/help_man.h"

#include <ctype.h>
#include <string.h>

#define TEXT_COLUMN 24 /* where all help texts have what is said of options, or before it */

struct writer {
	FILE *out;
	bool in_item; /* lines that are indented further go on with it */
	bool empty;   /* the last line was */
};

/* What is neither a request nor an escape to roff, and a minus, not a hyphen, to who copies it. */
static void put_text(FILE *out, const char *p, size_t len)
{
	if (len && (*p == '.' || *p == '\''))
		fputs("\\&", out);
	for (size_t i = 0; i < len; i++) {
		if (p[i] == '\\')
			fputs("\\e", out);
		else if (p[i] == '-')
			fputs("\\-", out);
		else if (p[i] == '"')
			fputs("\\(dq", out); /* requests take theirs away */
		else
			putc(p[i], out);
	}
}

static void put_line(FILE *out, const char *p, size_t len)
{
	put_text(out, p, len);
	putc('\n', out);
}

static bool begins(const char *line, size_t len, const char *with)
{
	return len >= strlen(with) && memcmp(line, with, strlen(with)) == 0;
}

static size_t indent_of(const char *line, size_t len)
{
	size_t n = 0;

	while (n < len && line[n] == ' ')
		n++;
	return n;
}

/* The end of the first column: two blanks, or one where the column is full. */
static size_t first_column(const char *line, size_t from, size_t len)
{
	for (size_t i = from; i + 1 < len; i++)
		if (line[i] == ' ' && (line[i + 1] == ' ' || i == TEXT_COLUMN))
			return i;
	return len;
}

/* "  --option VALUE  text", "  word  text". */
static void put_item(struct writer *w, const char *line, size_t indent, size_t len)
{
	const size_t end = first_column(line, indent, len);
	size_t text = end;

	while (text < len && line[text] == ' ')
		text++;
	fputs(".TP\n.B ", w->out);
	put_line(w->out, line + indent, end - indent);
	if (text < len)
		put_line(w->out, line + text, len - text);
	w->in_item = true;
}

/* Indented lines: items, what goes on with them, and examples, which are as they are. */
static void put_indented(struct writer *w, const char *line, size_t indent, size_t len)
{
	const bool option = line[indent] == '-';

	if (w->in_item && !option && indent > 2) {
		put_line(w->out, line + indent, len - indent);
	} else if (option || first_column(line, indent, len) < len) {
		put_item(w, line, indent, len);
	} else {
		fputs(".PP\n.RS\n.nf\n", w->out);
		put_line(w->out, line + indent, len - indent);
		fputs(".fi\n.RE\n", w->out);
		w->in_item = false;
	}
}

static void put_plain(struct writer *w, const char *line, size_t len)
{
	static const char status[] = "Exit status: ";

	if (begins(line, len, status)) {
		fputs(".SS Exit status\n", w->out);
		line += strlen(status);
		len -= strlen(status);
	} else if (line[len - 1] == ':' && w->empty && strncmp(line + len, "\n ", 2) == 0) {
		fputs(".SS ", w->out);
		len--;
	} else if (w->in_item || w->empty) {
		fputs(".PP\n", w->out);
	}
	put_line(w->out, line, len);
	w->in_item = false;
}

static void put_usage(struct writer *w, const char *line, size_t len)
{
	const size_t skip = strlen("Usage: ");

	if (len <= skip)
		return;
	fputs(".PP\n.B ", w->out);
	put_line(w->out, line + skip, len - skip);
}

void help_man_head(FILE *out, const char *name, const char *about)
{
	fputs(".\\\" Written by candela help \\-\\-man.\n.TH ", out);
	for (const char *p = name; *p; p++) {
		if (*p == '-')
			fputs("\\-", out);
		else
			putc(toupper((unsigned char)*p), out);
	}
	fputs(" 1 \"\" \"candela " CANDELA_VERSION "\" \"User Commands\"\n.nh\n.ad l\n.SH NAME\n",
	      out);
	put_text(out, name, strlen(name));
	fputs(" \\- ", out);
	put_line(out, about, strlen(about));
}

void help_man_text(FILE *out, const char *title, const char *text)
{
	struct writer w = {.out = out};
	bool usage = true;

	fprintf(out, ".SH %s\n", title ? "" : "SYNOPSIS");
	if (title)
		put_line(out, title, strlen(title));
	for (size_t len; *text; text += len + (text[len] == '\n')) {
		const size_t indent = indent_of(text, len = strcspn(text, "\n"));

		if (usage && (begins(text, len, "Usage: ") || (len && indent))) {
			put_usage(&w, text, len);
			continue;
		}
		if (usage)
			fputs(title ? ".PP\n" : ".SH DESCRIPTION\n", out);
		usage = false;
		if (indent < len && indent)
			put_indented(&w, text, indent, len);
		else if (len)
			put_plain(&w, text, len);
		w.empty = len == 0;
	}
}
