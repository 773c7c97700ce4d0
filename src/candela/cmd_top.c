// SPDX-License-Identifier: MIT
/*
 * candela top: one screen of all VMs, again and again. Main thread.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "candela/command_args.h"
#include "candela/commands.h"
#include "candela/exit_status.h"
#include "candela/show.h"
#include "candela/top_fleet.h"
#include "candela/top_rows.h"
#include "vmm/log.h"
#include "vmm/loop.h"

#define INTERVAL_DEFAULT_NS (2 * NSEC_PER_SEC)
#define INTERVAL_MIN        0.5 /* seconds */
#define INTERVAL_MAX        3600.0
#define COUNT_MAX           1000000000ul

#define CTRL_C 3

/* ECMA-48: another screen without a cursor, and back. */
#define SCREEN_BEGIN "\033[?1049h\033[?25l"
#define SCREEN_END   "\033[?25h\033[?1049l"
#define SCREEN_HOME  "\033[H"
#define LINE_END     "\033[K\r\n"
#define REST_CLEAR   "\033[J"
#define REVERSE      "\033[7m"
#define PLAIN        "\033[m"

struct top {
	bool batch;
	const char *interval_text, *count_text, *key_text;
	uint64_t interval_ns;
	unsigned long count; /* of samples; 0: no end */
	char key;
	struct top_fleet *fleet;
	struct top_row *rows;
	size_t row_count;
	bool quit;
};

static volatile sig_atomic_t signalled; /* the signal that is to end us; 0: none */

static void on_signal(int sig)
{
	if (sig != SIGWINCH)
		signalled = sig;
}

/* --- The terminal. --------------------------------------------------------------------------- */

static void watch_signals(void)
{
	/* Without SA_RESTART: poll() returns, and the screen is drawn anew or left. */
	const struct sigaction action = {.sa_handler = on_signal};

	sigaction(SIGWINCH, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

static void screen_begin(struct termios *saved)
{
	struct termios raw;

	watch_signals();
	if (tcgetattr(STDIN_FILENO, saved) == 0) {
		raw = *saved;
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	fputs(SCREEN_BEGIN, stdout);
}

static void screen_end(const struct termios *saved)
{
	fputs(SCREEN_END, stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSANOW, saved);
}

static void window_size(size_t *columns, size_t *lines)
{
	struct winsize size = {0};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
		size.ws_col = 0;
	*columns = size.ws_col ? size.ws_col : 80;
	*lines = size.ws_row ? size.ws_row : 24;
}

static void draw(const struct top *top)
{
	size_t columns, lines, shown;
	char text[TOP_LINE];

	window_size(&columns, &lines);
	/* Two lines above the VMs, and none below, so that nothing scrolls. */
	shown = min_of(top->row_count, lines > 3 ? lines - 3 : 0);
	top_summary(top->rows, top->row_count, top->key, text, columns);
	printf(SCREEN_HOME "%s" LINE_END, text);
	top_head(text, columns);
	printf(REVERSE "%s" PLAIN LINE_END, text);
	for (size_t i = 0; i < shown; i++) {
		top_row_text(&top->rows[i], text, columns);
		printf("%s" LINE_END, text);
	}
	fputs(REST_CLEAR, stdout);
	fflush(stdout);
}

static void handle_key(struct top *top, char key)
{
	if (key == 'q' || key == CTRL_C)
		top->quit = true;
	else if (key && strchr(TOP_KEYS, key))
		top->key = key;
}

/* Keys until the next sample is due. */
static void wait_for_keys(struct top *top, uint64_t until)
{
	struct pollfd pfd = {.fd = STDIN_FILENO, .events = POLLIN};
	char keys[16];
	ssize_t n;

	while (!top->quit && !signalled && loop_now() < until) {
		const uint64_t left = until - loop_now();

		if (poll(&pfd, 1, (int)(left / NSEC_PER_MSEC) + 1) > 0) {
			n = read(STDIN_FILENO, keys, sizeof(keys));
			/* A terminal that has gone. */
			top->quit = n == 0 || (n < 0 && errno != EINTR);
			for (ssize_t i = 0; i < n; i++)
				handle_key(top, keys[i]);
		}
		top_sort(top->rows, top->row_count, top->key);
		if (!top->quit && !signalled)
			draw(top);
	}
}

/* --- Samples. -------------------------------------------------------------------------------- */

static int sample(struct top *top, struct error *err)
{
	int r = top_fleet_read(top->fleet, err, &top->rows, &top->row_count);

	if (r == 0)
		top_sort(top->rows, top->row_count, top->key);
	return r;
}

static int run_screen(struct top *top, struct error *err)
{
	struct termios saved;
	int r = 0;

	screen_begin(&saved);
	for (unsigned long i = 0; !top->quit && !signalled; i++) {
		r = sample(top, err);
		if (r < 0 || (top->count && i >= top->count))
			break;
		draw(top);
		/* The first has no rates: they soon follow. */
		wait_for_keys(top, loop_now() + (i ? top->interval_ns : NSEC_PER_SEC / 2));
	}
	screen_end(&saved);
	return r;
}

static void print_batch(const struct top *top)
{
	char text[TOP_LINE];

	top_summary(top->rows, top->row_count, top->key, text, sizeof(text));
	puts(text);
	top_head(text, sizeof(text));
	puts(text);
	for (size_t i = 0; i < top->row_count; i++) {
		top_row_text(&top->rows[i], text, sizeof(text));
		puts(text);
	}
	putchar('\n');
}

/* Whole intervals only: what is read first is what the others are compared with. */
static int run_batch(struct top *top, struct error *err)
{
	int r = sample(top, err);

	for (unsigned long i = 0; r == 0 && (!top->count || i < top->count); i++) {
		const uint64_t until = loop_now() + top->interval_ns;

		while (loop_now() < until)
			poll(NULL, 0, (int)((until - loop_now()) / NSEC_PER_MSEC) + 1);
		r = sample(top, err);
		if (r == 0)
			print_batch(top);
		if (r == 0 && (fflush(stdout) != 0 || ferror(stdout)))
			r = error_set(err, -EIO, "cannot write to standard output");
	}
	return r;
}

/* --- The command. ---------------------------------------------------------------------------- */

static int read_interval(struct top *top, struct error *err)
{
	const char *text = top->interval_text;
	char *end = NULL;
	double seconds;

	top->interval_ns = INTERVAL_DEFAULT_NS;
	if (!text)
		return 0;
	seconds = strtod(text, &end);
	/* Also what is not a number at all. */
	if (end == text || *end || !(seconds >= INTERVAL_MIN && seconds <= INTERVAL_MAX))
		return error_set(err, -EINVAL,
				 "top: --interval: expected %.1f to %.0f seconds, got \"%.40s\"",
				 INTERVAL_MIN, INTERVAL_MAX, text);
	top->interval_ns = (uint64_t)(seconds * (double)NSEC_PER_SEC);
	return 0;
}

static int read_options(struct top *top, struct error *err)
{
	char *end = NULL;
	int r = read_interval(top, err);

	if (r == 0 && top->count_text) {
		top->count = strtoul(top->count_text, &end, 10);
		if (*end || *top->count_text < '0' || *top->count_text > '9' || !top->count ||
		    top->count > COUNT_MAX)
			r = error_set(err, -EINVAL,
				      "top: --count: expected 1 to %lu samples, got \"%.40s\"",
				      COUNT_MAX, top->count_text);
	}
	top->key = top->key_text ? top->key_text[0] : 'c';
	if (r == 0 && (!top_key_name(top->key) || (top->key_text && top->key_text[1])))
		r = error_set(err, -EINVAL, "top: --sort: expected one of %s, got \"%.40s\"",
			      TOP_KEYS, top->key_text);
	if (r == 0 && !top->batch && (!isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO)))
		r = error_set(err, -EINVAL, "top: this is no terminal; say --batch");
	return r;
}

static int parse(int argc, char **argv, struct top *top, struct error *err)
{
	const struct command_option options[] = {
		{.name = "interval",
		 .letter = 'i',
		 .metavar = "SECONDS",
		 .value = &top->interval_text,
		 .help = "between samples; 2 without it"},
		{.name = "count",
		 .letter = 'n',
		 .metavar = "N",
		 .value = &top->count_text,
		 .help = "so many samples, then end"},
		{.name = "sort",
		 .letter = 's',
		 .metavar = "KEY",
		 .value = &top->key_text,
		 .help = "by c, m, d, n, e or N, as the keys below"},
		{.name = "batch",
		 .letter = 'b',
		 .flag = &top->batch,
		 .help = "print tables, one below the other; no terminal is needed"},
	};
	const struct command_spec spec = {
		.name = "top",
		.synopsis = "[OPTION]...",
		.about = "Show what all VMs do, on one screen, at intervals. Keys:\n"
			 "\n"
			 "  c m d n e   sort by CPU, memory, disk, network, exits\n"
			 "  N           sort by name\n"
			 "  q           quit\n"
			 "\n"
			 "docs/stat.md says what the columns mean.\n",
		.exit_status = "0 done; 1 failed; 2 bad usage.",
		.options = options,
		.option_count = ARRAY_SIZE(options),
	};
	char **words;
	int count, r = command_parse(&spec, argc, argv, &words, &count, err);

	return r ? r : read_options(top, err);
}

int cmd_top(int argc, char **argv)
{
	struct top top = {0};
	struct error err;
	int r = parse(argc, argv, &top, &err);

	if (r == 1)
		return EXIT_SUCCESS;
	if (r < 0) {
		log_error("%s", err.text);
		return STATUS_USAGE;
	}
	r = top_fleet_create(&err, &top.fleet);
	if (r == 0)
		r = top.batch ? run_batch(&top, &err) : run_screen(&top, &err);
	top_fleet_destroy(top.fleet);
	if (r < 0) {
		log_error("top: %s", err.text);
		return EXIT_FAILURE;
	}
	return signalled && signalled != SIGINT ? STATUS_SIGNAL_BASE + signalled
						: show_flush("top");
}
