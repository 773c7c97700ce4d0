// SPDX-License-Identifier: MIT
/*
 * candela stat: what VMs do and how fast, from what they count. Each sample connects anew, so that
 * a VM that is started again meanwhile is followed. Main thread.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "candela/command_args.h"
#include "candela/commands.h"
#include "candela/control_client.h"
#include "candela/exit_status.h"
#include "candela/show.h"
#include "candela/stat_rates.h"
#include "candela/stat_show.h"
#include "candela/vm_list.h"
#include "vmm/json_build.h"
#include "vmm/log.h"
#include "vmm/loop.h"

#define INTERVAL_MIN 0.1 /* seconds */
#define INTERVAL_MAX 86400.0
#define COUNT_MAX    1000000000UL

struct request {
	const char *vm; /* NULL: all */
	bool all, json;
	const char *interval_text, *count_text;
	uint64_t interval_ns; /* 0: one sample, since the start */
	unsigned long count;  /* of samples; 0: no end */
};

/* A line of JSON, for whoever reads samples as they come. */
static int print_json(struct json_object *sample, struct error *err)
{
	const char *text = json_object_to_json_string_ext(
		sample, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

	if (!text)
		return error_set(err, -ENOMEM, "out of memory");
	if (puts(text) < 0)
		return error_set(err, -EIO, "cannot write to standard output");
	return 0;
}

/* --- Readings. ------------------------------------------------------------------------------- */

static int read_one(const char *vm, struct vm_list *list, struct error *err)
{
	struct control_client *client = NULL;
	int r;

	*list = (struct vm_list){.vms = calloc(1, sizeof(*list->vms))};
	if (!list->vms)
		return error_set(err, -ENOMEM, "out of memory");
	list->count = 1;
	list->vms[0].name = strdup(vm);
	if (!list->vms[0].name)
		return error_set(err, -ENOMEM, "out of memory");
	r = control_connect(vm, err, &client);
	list->vms[0].client = client;
	return r < 0 ? r
		     : control_ask(client, "counters", NULL, CONTROL_ANSWER_MS, err,
				   &list->vms[0].answer);
}

/* To be freed, also after a failure. */
static int read_vms(const struct request *request, struct vm_list *list, struct error *err)
{
	return request->vm ? read_one(request->vm, list, err) : vm_list_ask(list, "counters", err);
}

static struct json_object *find_answer(const struct vm_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->vms[i].name, name) == 0)
			return list->vms[i].answer;
	return NULL;
}

/* --- Samples. -------------------------------------------------------------------------------- */

static int print_sample(const struct request *request, const struct vm_list *before,
			const struct vm_listed *vm, struct error *err)
{
	struct json_object *sample = NULL;
	int r = 0;

	if (!vm->client)
		return 0;
	if (vm->answer)
		r = stat_rates(vm->name, find_answer(before, vm->name), vm->answer, &sample);
	if (r < 0)
		return error_set(err, r, "out of memory");
	if (request->json && sample)
		r = print_json(sample, err);
	else if (request->vm)
		stat_show_vm(sample);
	else if (!request->json)
		stat_show_line(vm->name, sample);
	json_object_put(sample);
	return r;
}

static int print_samples(const struct request *request, const struct vm_list *before,
			 const struct vm_list *now, struct error *err)
{
	int r = 0;

	if (request->all && !request->json)
		stat_show_head();
	for (size_t i = 0; i < now->count && r == 0; i++)
		r = print_sample(request, before, &now->vms[i], err);
	if (r == 0 && (fflush(stdout) != 0 || ferror(stdout)))
		r = error_set(err, -EIO, "cannot write to standard output");
	return r;
}

static void sleep_until(uint64_t ns)
{
	const struct timespec ts = {
		.tv_sec = (time_t)(ns / NSEC_PER_SEC),
		.tv_nsec = (long)(ns % NSEC_PER_SEC),
	};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

/* Times do not drift; those that a slow VM has made us miss are left out. */
static uint64_t next_time(uint64_t last, uint64_t interval)
{
	const uint64_t now = loop_now();

	return last + ((now - last) / interval + 1) * interval;
}

static int watch(const struct request *request, struct error *err)
{
	struct vm_list before, now;
	uint64_t time = loop_now();
	int r = read_vms(request, &before, err);

	for (unsigned long i = 0; r == 0 && (!request->count || i < request->count); i++) {
		time = next_time(time, request->interval_ns);
		sleep_until(time);
		r = read_vms(request, &now, err);
		if (r == 0 && i > 0 && !request->json)
			putchar('\n');
		if (r == 0)
			r = print_samples(request, &before, &now, err);
		vm_list_free(&before);
		before = now;
	}
	vm_list_free(&before);
	return r;
}

static int once(const struct request *request, struct error *err)
{
	const struct vm_list none = {0};
	struct vm_list now;
	int r = read_vms(request, &now, err);

	if (r == 0)
		r = print_samples(request, &none, &now, err);
	vm_list_free(&now);
	return r;
}

/* --- The command. ---------------------------------------------------------------------------- */

static int read_interval(struct request *request, struct error *err)
{
	const char *text = request->interval_text;
	char *end = NULL;
	double seconds;

	if (!text)
		return 0;
	seconds = strtod(text, &end);
	/* Also what is not a number at all. */
	if (end == text || *end || !(seconds >= INTERVAL_MIN && seconds <= INTERVAL_MAX))
		return error_set(err, -EINVAL,
				 "stat: --interval: expected %.1f to %.0f seconds, got \"%.40s\"",
				 INTERVAL_MIN, INTERVAL_MAX, text);
	request->interval_ns = (uint64_t)(seconds * (double)NSEC_PER_SEC);
	return 0;
}

static int read_count(struct request *request, struct error *err)
{
	const char *text = request->count_text;
	char *end = NULL;

	if (!text)
		return 0;
	if (!request->interval_text)
		return error_set(err, -EINVAL, "stat: --count: how far apart? Say --interval, too");
	request->count = strtoul(text, &end, 10);
	if (*end || *text < '0' || *text > '9' || !request->count || request->count > COUNT_MAX)
		return error_set(err, -EINVAL,
				 "stat: --count: expected 1 to %lu samples, got \"%.40s\"",
				 COUNT_MAX, text);
	return 0;
}

static int read_words(struct request *request, char **words, int count, struct error *err)
{
	int r;

	if (request->all && count)
		return error_set(err, -EINVAL, "stat: either a VM or --all, not both");
	if (!request->all && !count)
		return error_set(err, -EINVAL, "stat: which VM? Name one, or say --all");
	request->vm = count ? words[0] : NULL;
	r = read_interval(request, err);
	return r < 0 ? r : read_count(request, err);
}

int cmd_stat(int argc, char **argv)
{
	struct request request = {0};
	const struct command_option options[] = {
		{.name = "all", .letter = 'a', .flag = &request.all, .help = "a line for each VM"},
		{.name = "interval",
		 .letter = 'i',
		 .metavar = "SECONDS",
		 .value = &request.interval_text,
		 .help = "again and again, each time since the last"},
		{.name = "count",
		 .letter = 'n',
		 .metavar = "N",
		 .value = &request.count_text,
		 .help = "so many samples, then end"},
		{.name = "json", .flag = &request.json, .help = "print an object a line"},
	};
	const struct command_spec spec = {
		.name = "stat",
		.synopsis = "[OPTION]... VM | --all",
		.about = "Show what a VM does, a second and on the mean: exits, hypercalls,\n"
			 "interrupts, channels, disks, network interfaces; since its start, or at\n"
			 "intervals. docs/stat.md says what the words mean.\n",
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
		r = read_words(&request, words, count, &err);
	if (r < 0) {
		log_error("%s", err.text);
		return STATUS_USAGE;
	}
	if ((request.interval_ns ? watch(&request, &err) : once(&request, &err)) == 0)
		return show_flush("stat");
	log_error("stat: %s", err.text);
	return EXIT_FAILURE;
}
