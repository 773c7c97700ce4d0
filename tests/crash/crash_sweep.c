// SPDX-License-Identifier: MIT
/*
 * Crashes disks that are in memory, at all moments and in all ways, and says whether something was
 * lost. See usage().
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sweep.h"

static const char *const type_names[] = {[IMAGE_DYNAMIC] = "dynamic",
					 [IMAGE_FIXED] = "fixed",
					 [IMAGE_DIFFERENCING] = "differencing"};

static const char *const format_names[] = {"raw", "vhd", "vhdx"};
static const struct image_format *const formats[] = {&image_raw, &image_vhd, &image_vhdx};

static const struct mode {
	const char *name;
	void (*run)(struct sweep *sweep);
	const char *what;
	unsigned int share; /* of the time */
} modes[] = {
	{"short", sweep_short, "all scripts of a few operations, a crash at each moment", 4},
	{"random", sweep_random, "long random scripts, a crash at each moment, and on after it", 2},
	{"faults", sweep_faults, "each operation of the file fails in turn", 1},
	{"memory", sweep_memory, "each allocation fails in turn", 1},
	{"offline", sweep_offline, "compacting and resizing, a crash at each moment", 1},
};

static void usage(FILE *to)
{
	fprintf(to, "Usage: crash_sweep [OPTION]...\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		fprintf(to, "  --mode %-8s %s\n", modes[i].name, modes[i].what);
	fprintf(to,
		"  --format NAME   raw, vhd or vhdx (the default)\n"
		"  --type NAME     dynamic, fixed or differencing; all without\n"
		"  --sector BYTES  512 or 4096; both without\n"
		"  --operations N  of a short script, at most (3)\n"
		"  --seed N        of what is random (1)\n"
		"  --count N       scripts of each mode and sort of image\n"
		"  --seconds N     of time in all\n"
		"  --only N        one script, by the number in a message\n"
		"  --quick         fewer contents for each moment\n"
		"  --self-test     whether what is wrong is found\n\n"
		"Without --mode all of them run. The exit status is 1 when something was lost.\n");
}

struct arguments {
	struct sweep_options sweep;
	const struct image_format *format;
	int type;        /* -1: all */
	uint32_t sector; /* 0: both */
	const struct mode *mode;
	bool self_test;
};

static const struct explore_options thorough = {.subset_bits = 8,
						.random_states = 32,
						.torn_states = 6,
						.replay_every = 8,
						.full_every = 64};
static const struct explore_options quick = {.subset_bits = 5,
					     .random_states = 8,
					     .torn_states = 2,
					     .replay_every = 32,
					     .full_every = 64};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static uint64_t run_sweep(const struct arguments *args, const struct mode *mode,
			  const struct image_template *made, uint64_t nanoseconds)
{
	const struct image_kind *kind = &made->kind;
	struct sweep_options options = args->sweep;
	struct sweep sweep = {.options = &options, .made = made};
	uint64_t start = now_ns();
	char name[64];

	snprintf(name, sizeof(name), "%s %s %u", kind->format->name, type_names[kind->type],
		 kind->sector);
	sweep.name = name;
	if (nanoseconds)
		options.explore.deadline_ns = start + nanoseconds;
	mode->run(&sweep);
	printf("%-6s %-22s %7llu scripts %8llu moments %9llu contents %9llu in replay "
	       "%3llu pending at most %6.1f s %llu failures\n",
	       mode->name, name, (unsigned long long)sweep.scripts,
	       (unsigned long long)sweep.stats.points, (unsigned long long)sweep.stats.states,
	       (unsigned long long)sweep.stats.replay_states,
	       (unsigned long long)sweep.stats.most_pending,
	       (double)(now_ns() - start) / (double)NSEC_PER_SEC,
	       (unsigned long long)sweep.failures);
	fflush(stdout);
	return sweep.failures;
}

/* All that is asked for, of one sort of image. */
static uint64_t run_kind(const struct arguments *args, const struct image_kind *kind,
			 uint64_t nanoseconds)
{
	struct image_template made;
	unsigned int shares = 0;
	uint64_t failures = 0;

	if (args->self_test) {
		bool good = sweep_self_test(&args->sweep, kind);

		printf("self-test %s %s: %s\n", kind->format->name, type_names[kind->type],
		       good ? "ok" : "FAILED: not all that is wrong is found");
		return !good;
	}
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		shares += modes[i].share;
	image_template_init(&made, kind);
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		if (args->mode == &modes[i])
			failures += run_sweep(args, &modes[i], &made, nanoseconds);
		else if (!args->mode)
			failures += run_sweep(args, &modes[i], &made,
					      nanoseconds * modes[i].share / shares);
	}
	image_template_finish(&made);
	return failures;
}

/* Whether the format has such images, and they are asked for. */
static bool is_wanted(const struct arguments *args, int type, uint32_t sector)
{
	if ((args->type >= 0 && type != args->type) || (args->sector && sector != args->sector))
		return false;
	if (args->format == &image_raw)
		return type == IMAGE_FIXED;
	return args->format != &image_vhd || (type != IMAGE_DIFFERENCING && sector == 512);
}

static uint64_t run_all(const struct arguments *args)
{
	static const uint32_t sectors[] = {512, 4096};
	struct image_kind kinds[2 * IMAGE_TYPES];
	uint64_t failures = 0;
	size_t count = 0;

	for (int type = 0; type < IMAGE_TYPES; type++)
		for (size_t i = 0; i < ARRAY_SIZE(sectors); i++) {
			if (!is_wanted(args, type, sectors[i]))
				continue;
			kinds[count++] = (struct image_kind){
				.format = args->format,
				.type = (enum image_type)type,
				.sector = sectors[i],
				.block_size = (uint32_t)MiB(1),
				.size = MiB(3) + KiB(512),
			};
		}
	for (size_t i = 0; i < count; i++)
		failures += run_kind(args, &kinds[i], args->sweep.seconds * NSEC_PER_SEC / count);
	return failures;
}

static uint64_t number(const char *text)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 0);

	if (*end || end == text) {
		fprintf(stderr, "not a number: %s\n", text);
		exit(2);
	}
	return value;
}

static int find(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return (int)i;
	usage(stderr);
	exit(2);
}

static const struct mode *find_mode(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		if (strcmp(modes[i].name, name) == 0)
			return &modes[i];
	usage(stderr);
	exit(2);
}

enum choice {
	MODE,
	FORMAT,
	TYPE,
	SECTOR,
	OPERATIONS,
	SEED,
	COUNT,
	SECONDS,
	ONLY,
	QUICK,
	SELF,
	HELP
};

static const struct option long_options[] = {
	{"mode", required_argument, NULL, MODE},
	{"format", required_argument, NULL, FORMAT},
	{"type", required_argument, NULL, TYPE},
	{"sector", required_argument, NULL, SECTOR},
	{"operations", required_argument, NULL, OPERATIONS},
	{"seed", required_argument, NULL, SEED},
	{"count", required_argument, NULL, COUNT},
	{"seconds", required_argument, NULL, SECONDS},
	{"only", required_argument, NULL, ONLY},
	{"quick", no_argument, NULL, QUICK},
	{"self-test", no_argument, NULL, SELF},
	{"help", no_argument, NULL, HELP},
	{},
};

static void take(struct arguments *args, int option)
{
	switch (option) {
	case MODE:
		args->mode = find_mode(optarg);
		break;
	case FORMAT:
		args->format = formats[find(format_names, ARRAY_SIZE(format_names), optarg)];
		break;
	case TYPE:
		args->type = find(type_names, ARRAY_SIZE(type_names), optarg);
		break;
	case SECTOR:
		args->sector = (uint32_t)number(optarg);
		break;
	case OPERATIONS:
		args->sweep.operations = (unsigned int)number(optarg);
		break;
	case SEED:
		args->sweep.seed = number(optarg);
		break;
	case COUNT:
		args->sweep.count = number(optarg);
		break;
	case SECONDS:
		args->sweep.seconds = number(optarg);
		break;
	case ONLY:
		args->sweep.only = number(optarg);
		args->sweep.only_given = true;
		break;
	case QUICK:
		args->sweep.explore = quick;
		break;
	case SELF:
		args->self_test = true;
		break;
	case HELP:
		usage(stdout);
		exit(0);
	default:
		usage(stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct arguments args = {
		.sweep = {.operations = 3, .seed = 1, .explore = thorough},
		.format = &image_vhdx,
		.type = -1,
	};
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		take(&args, option);
	if (optind != argc) {
		usage(stderr);
		return 2;
	}
	return run_all(&args) ? 1 : 0;
}
