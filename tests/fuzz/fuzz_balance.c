// SPDX-License-Identifier: MIT
/*
 * Fuzzes what the balancer reads: the host's files, answers of VMs, policy files, descriptions of
 * fleets and histories; the first byte says which. Beyond not crashing:
 *
 *   - what is refused has a message or leaves nothing behind;
 *   - whatever VMs say, a decision keeps to limits and to what the host has;
 *   - whatever is in a history, the page about it is whole, and it can be played again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balancer/host_memory.h"
#include "balancer/report.h"
#include "balancer/simulate.h"
#include "candela/cmd_balance_config.h"
#include "candela/cmd_balance_sample.h"
#include "candela/cmd_balance_simulate.h"

#define VMS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool truth, const char *what)
{
	if (truth)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

/* Calls @each for every line. */
static void each_line(const char *text, size_t size, void *ctx,
		      void (*each)(void *ctx, const char *line, size_t len))
{
	for (const char *end = text + size, *next; text < end; text = next + 1) {
		next = memchr(text, '\n', (size_t)(end - text));
		next = next ? next : end;
		each(ctx, text, (size_t)(next - text));
	}
}

static void fuzz_host(const char *text, size_t size)
{
	struct host_memory m = {0};

	if (host_memory_parse_meminfo(&m, text, size) == 0)
		require(m.available <= m.total, "more available than there is");
	host_memory_parse_stall(&m, text, size);
	host_memory_parse_vmstat(&m, text, size);
	require(m.some <= 10099 && m.full <= 10099, "more than all of the time");
}

/* --- A decision about VMs that say anything. ------------------------------------------------ */

struct fleet {
	struct policy_vm vms[VMS_MAX];
	struct policy_state states[VMS_MAX];
	struct policy_slot slots[VMS_MAX];
	struct policy_decision decisions[VMS_MAX];
	size_t n;
};

static void add_answer(void *ctx, const char *line, size_t len)
{
	struct fleet *fleet = ctx;
	struct json_tokener *tok = json_tokener_new();
	struct json_object *o = json_tokener_parse_ex(tok, line, (int)len);
	struct balance_sample sample;

	if (fleet->n < VMS_MAX && balance_sample_parse(o, &sample) == 0)
		fleet->vms[fleet->n++] = sample.vm;
	json_object_put(o);
	json_tokener_free(tok);
}

static void check_decision(const struct fleet *fleet, const struct policy_totals *totals)
{
	uint64_t before = 0, after = 0;

	for (size_t i = 0; i < fleet->n; i++) {
		const struct policy_vm *vm = &fleet->vms[i];
		const struct policy_decision *d = &fleet->decisions[i];

		if (d->reason == POLICY_INVALID) {
			require(d->target == vm->target, "an impossible VM was moved");
			continue;
		}
		before += max_of(vm->assigned, vm->target);
		after += max_of(vm->assigned, d->target);
		if (d->reason < POLICY_STEADY)
			continue;
		require(d->target <= vm->maximum, "above its maximum");
		require(d->target >= vm->target || d->target >= min_of(vm->minimum, vm->assigned),
			"below its minimum");
	}
	require(after <= before + totals->spare, "more than the host has");
}

static void fuzz_answers(const char *text, size_t size)
{
	static struct fleet fleet;
	const struct policy_host host = {.total = GiB(64), .available = GiB(8)};
	struct policy_settings settings;
	struct policy_totals totals;

	memset(&fleet, 0, sizeof(fleet));
	policy_settings_init(&settings);
	each_line(text, size, &fleet, add_answer);
	for (uint64_t round = 1; round <= 3; round++) {
		policy_decide(&settings, &host, round * 15 * NSEC_PER_SEC, fleet.vms, fleet.states,
			      fleet.n, fleet.slots, fleet.decisions, &totals);
		check_decision(&fleet, &totals);
	}
}

/* --- Files. --------------------------------------------------------------------------------- */

static void fuzz_config(const char *text, size_t size)
{
	struct error err = {.text = ""};
	struct balance_config config;

	balance_config_init(&config);
	if (balance_config_parse(&config, text, size, &err) < 0)
		require(err.text[0] != '\0', "refused without a word");
}

static void fuzz_spec(const char *text, size_t size)
{
	char *copy = strndup(text, size);
	struct error err = {.text = ""};
	struct sim_spec spec;

	if (balance_spec_parse(&spec, copy, &err) < 0)
		require(err.text[0] != '\0', "refused without a word");
	err.text[0] = '\0';
	if (balance_spec_parse_json(&spec, text, size, &err) < 0)
		require(err.text[0] != '\0', "refused without a word");
	free(copy);
}

static void add_line(void *ctx, const char *line, size_t len)
{
	(void)!balance_line_read(ctx, line, len);
}

static void check_page(const struct series *series)
{
	static const char end[] = "</body></html>\n";
	char *page = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&page, &len);

	report_write(out, series);
	fclose(out);
	require(len > sizeof(end) && strcmp(page + len - sizeof(end) + 1, end) == 0, "half a page");
	require(strlen(page) == len, "a NUL on the page");
	require(!strstr(page, "<script"), "a script on the page");
	free(page);
}

static void play(const struct series *series)
{
	struct policy_settings settings;
	struct sim_summary sum;
	struct sim_spec spec;
	struct error err;

	policy_settings_init(&settings);
	sim_spec_init(&spec);
	spec.recorded = series;
	/* Histories may be of a year: a step a day. */
	spec.interval_ns = 24 * 3600 * NSEC_PER_SEC;
	if (series->vm_count && series->vm_count < VMS_MAX)
		(void)!sim_run(&spec, SIM_CANDELA, &settings, NULL, &sum, &err);
}

static void fuzz_history(const char *text, size_t size)
{
	struct series series;

	series_init(&series);
	each_line(text, size, &series, add_line);
	check_page(&series);
	play(&series);
	series_finish(&series);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const what[])(const char *text, size_t size) = {
		fuzz_host, fuzz_answers, fuzz_config, fuzz_spec, fuzz_history};
	const char *text = (const char *)data + 1;

	if (size < 1 || size > KiB(64))
		return 0;
	what[data[0] % ARRAY_SIZE(what)](text, size - 1);
	return 0;
}
