// SPDX-License-Identifier: MIT
/*
 * Which contents a crash may leave are tried: all of them when they are few, and otherwise those
 * that find most: all prefixes, each operation missing alone, each there alone, and random ones.
 */
#include "explore.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "memory.h"
#include "pattern.h"

/* --- What is looked at. ---------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x < y ? -1 : x > y;
}

static void sample(struct explorer *e, uint64_t offset)
{
	offset = align_down(offset, e->made->kind.sector);
	if (offset >= e->made->kind.size)
		return;
	e->samples = xrealloc(e->samples, (e->sample_count + 1) * sizeof(uint64_t));
	e->samples[e->sample_count++] = offset;
}

static void sample_step(struct explorer *e, const struct step *step)
{
	if (!step->len)
		return;
	sample(e, step->offset);
	sample(e, step->offset + step->len / 2);
	sample(e, step->offset + step->len - 1);
	sample(e, step->offset + step->len);
	if (step->offset)
		sample(e, step->offset - 1);
}

static void sort_samples(struct explorer *e)
{
	size_t n = 0;

	qsort(e->samples, e->sample_count, sizeof(uint64_t), compare);
	for (size_t i = 0; i < e->sample_count; i++)
		if (i == 0 || e->samples[i] != e->samples[n - 1])
			e->samples[n++] = e->samples[i];
	e->sample_count = n;
}

void explorer_init(struct explorer *e, const struct image_template *made,
		   const struct explore_options *options, const struct script *script,
		   uint64_t seed, struct explore_stats *stats, struct verdict *verdict)
{
	const struct image_kind *kind = &made->kind;

	*e = (struct explorer){
		.made = made,
		.options = options,
		.stats = stats,
		.verdict = verdict,
		.prng = {seed},
	};
	for (uint64_t offset = 0; offset < kind->size; offset += kind->block_size) {
		sample(e, offset);
		sample(e, offset + 20 * 1024);
		sample(e, offset + 64 * 1024);
		sample(e, offset + 1024 * prng_below(&e->prng, kind->block_size / 1024));
		sample(e, min_of(offset + kind->block_size, kind->size) - 1);
	}
	e->every = script ? 1 + script->count / 50 : 1;
	for (size_t i = 0; script && i < script->count; i++)
		if (prng_once_in(&e->prng, e->every))
			sample_step(e, &script->steps[i]);
	sort_samples(e);
	e->sets =
		xcalloc(e->sample_count * (kind->sector / PATTERN_UNIT), sizeof(struct oracle_set));
}

void explorer_finish(struct explorer *e)
{
	free(e->samples);
	free(e->sets);
}

static void ask_oracle(struct explorer *e)
{
	unsigned int units = e->made->kind.sector / PATTERN_UNIT;

	for (size_t i = 0; i < e->sample_count; i++)
		for (unsigned int n = 0; n < units; n++)
			oracle_crash(e->oracle, e->samples[i] / PATTERN_UNIT + n,
				     &e->sets[i * units + n]);
}

bool explore_goes_on(const struct explore_options *options)
{
	struct timespec ts;

	if (!options->deadline_ns)
		return true;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec < options->deadline_ns;
}

/* --- Which contents are tried. --------------------------------------------------------------- */

/* One moment: what is pending, and what is to become of it. */
struct moment {
	struct explorer *e;
	const struct rec_file *rec;
	uint8_t *keep;
	size_t *open; /* the operations that may be lost */
	size_t open_count;
	size_t *sizes; /* the values of rec_crash.sizes that make a difference */
	size_t size_count;
	struct rec_crash crash;
};

/* Adds to the verdict's text what had become of what. */
static void describe(const struct moment *m)
{
	static const char *const ops[] = {"read", "write", "sync", "truncate", "discard", "zero"};
	static const char *const keeps[] = {"lost", "kept", "torn"};
	char *text = m->e->verdict->first;
	size_t size = sizeof(m->e->verdict->first), n = strlen(text);

	for (size_t i = 0; i < m->rec->pending_count && n < size; i++) {
		const struct rec_op *op = m->rec->pending[i];

		n += (size_t)snprintf(text + n, size - n, "\n  %s%s %#llx+%#llx: %s",
				      op->completed ? "" : "(in flight) ", ops[op->op],
				      (unsigned long long)op->offset, (unsigned long long)op->len,
				      op->must ? "durable" : keeps[m->keep[i]]);
		if (op->new_size != REC_NO_SIZE && n < size)
			n += (size_t)snprintf(text + n, size - n, ", size %s",
					      i < m->crash.sizes ? "kept" : "lost");
	}
	if (n < size)
		snprintf(text + n, size - n, "\n  torn: parts of %u, mask %#llx%s",
			 m->crash.torn_part, (unsigned long long)m->crash.torn_mask,
			 m->e->depth ? "; in the replay after a crash" : "");
}

static void try_one(struct moment *m, size_t sizes)
{
	struct verdict *verdict = m->e->verdict;
	uint64_t failures = verdict->failures;
	struct pages contents;

	m->crash.keep = m->keep;
	m->crash.sizes = sizes;
	m->crash.in_flight_first = prng_once_in(&m->e->prng, 2);
	rec_file_crash(m->rec, &m->crash, &contents);
	explore_state(m->e, &contents);
	pages_finish(&contents);
	if (failures == 0 && verdict->failures)
		describe(m);
}

static size_t random_sizes(struct moment *m)
{
	return m->sizes[prng_below(&m->e->prng, m->size_count)];
}

static void keep_all(struct moment *m, enum rec_keep keep)
{
	for (size_t i = 0; i < m->open_count; i++)
		m->keep[m->open[i]] = (uint8_t)keep;
}

static void try_all(struct moment *m)
{
	for (uint64_t mask = 0; mask < 1ull << m->open_count; mask++) {
		for (size_t i = 0; i < m->open_count; i++)
			m->keep[m->open[i]] = mask >> i & 1 ? REC_KEPT : REC_LOST;
		for (size_t s = 0; s < m->size_count; s++)
			try_one(m, m->sizes[s]);
	}
}

static void try_some(struct moment *m)
{
	size_t last = m->sizes[m->size_count - 1];

	keep_all(m, REC_LOST);
	try_one(m, m->sizes[0]);
	for (size_t i = 0; i < m->open_count; i++) {
		m->keep[m->open[i]] = REC_KEPT;
		try_one(m, random_sizes(m));
	}
	try_one(m, last);
	for (size_t i = 0; i < m->open_count; i++) {
		keep_all(m, REC_KEPT);
		m->keep[m->open[i]] = REC_LOST;
		try_one(m, last);
		keep_all(m, REC_LOST);
		m->keep[m->open[i]] = REC_KEPT;
		try_one(m, random_sizes(m));
	}
	for (unsigned int n = 0; n < m->e->options->random_states >> 2 * m->e->depth; n++) {
		for (size_t i = 0; i < m->open_count; i++)
			m->keep[m->open[i]] = prng_once_in(&m->e->prng, 2) ? REC_KEPT : REC_LOST;
		try_one(m, random_sizes(m));
	}
}

/* The parts of an operation that are there: from its start, up to its end, or any. */
static uint64_t torn_mask(struct prng *prng, unsigned int how)
{
	uint64_t cut = 1 + prng_below(prng, 7);

	switch (how % 4) {
	case 0:
		return (1ull << cut) - 1;
	case 1:
		return ~((1ull << cut) - 1);
	case 2:
		return ~(1ull << prng_below(prng, 16));
	default:
		return prng_next(prng);
	}
}

/* All of them, none, or each as it comes. */
static void keep_others(struct moment *m)
{
	uint64_t how = prng_below(&m->e->prng, 3);

	keep_all(m, how ? REC_KEPT : REC_LOST);
	for (size_t i = 0; i < m->open_count && how == 2; i++)
		m->keep[m->open[i]] = (uint8_t)prng_below(&m->e->prng, 3);
}

static void try_torn(struct moment *m)
{
	struct explorer *e = m->e;
	/* A replay is tried so often that one each will do. */
	unsigned int torn_max = e->depth ? 1 : UINT_MAX;

	for (size_t i = 0; i < m->open_count; i++) {
		const struct rec_op *op = m->rec->pending[m->open[i]];

		if (op->len <= 512)
			continue;
		for (unsigned int n = 0; n < e->options->torn_states && n < torn_max; n++) {
			keep_others(m);
			m->keep[m->open[i]] = REC_TORN;
			m->crash.torn_mask = torn_mask(&e->prng, n);
			m->crash.torn_part =
				op->len > 4096 && prng_once_in(&e->prng, 2) ? 4096 : 512;
			try_one(m, random_sizes(m));
		}
	}
}

static void find_choices(struct moment *m)
{
	const struct rec_file *rec = m->rec;
	size_t least = rec_file_min_sizes(rec);

	m->keep = xcalloc(rec->pending_count, 1);
	m->open = xcalloc(rec->pending_count, sizeof(size_t));
	m->sizes = xcalloc(rec->pending_count + 1, sizeof(size_t));
	m->sizes[m->size_count++] = least;
	for (size_t i = 0; i < rec->pending_count; i++) {
		const struct rec_op *op = rec->pending[i];

		m->keep[i] = REC_KEPT;
		if (!op->must && op->len)
			m->open[m->open_count++] = i;
		if (i >= least && op->new_size != REC_NO_SIZE)
			m->sizes[m->size_count++] = i + 1;
	}
}

void explore(struct explorer *e, const struct rec_file *rec)
{
	struct moment m = {.e = e, .rec = rec};
	uint64_t flushes = e->depth ? 0 : e->oracle->flushes;
	uint64_t bits = e->options->subset_bits;

	if (e->explored && e->version == rec->version && e->flushes == flushes)
		return;
	if (!explore_goes_on(e->options))
		return;
	if (!e->depth && !prng_once_in(&e->prng, e->every))
		return;
	e->explored = true;
	e->version = rec->version;
	e->flushes = flushes;
	e->stats->points++;
	if (!e->depth)
		ask_oracle(e);
	else
		bits = min_of(bits, (uint64_t)4);
	find_choices(&m);
	e->stats->most_pending = max_of(e->stats->most_pending, (uint64_t)m.open_count);
	if (m.open_count <= bits)
		try_all(&m);
	else
		try_some(&m);
	try_torn(&m);
	free(m.keep);
	free(m.open);
	free(m.sizes);
}
