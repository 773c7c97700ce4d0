// SPDX-License-Identifier: MIT
/*
 * What may be read from a disk, now and after a crash.
 */
#include "oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

void oracle_init(struct oracle *oracle, uint64_t units)
{
	*oracle = (struct oracle){
		.units = units,
		.initial = xcalloc(units, sizeof(uint32_t)),
		.clock = 1,
	};
}

void oracle_finish(struct oracle *oracle)
{
	free(oracle->initial);
	free(oracle->writes);
	*oracle = (struct oracle){};
}

size_t oracle_submit(struct oracle *oracle, enum oracle_kind kind, uint32_t generation,
		     uint64_t start, uint64_t count)
{
	oracle->writes =
		xrealloc(oracle->writes, (oracle->count + 1) * sizeof(struct oracle_write));
	oracle->writes[oracle->count] = (struct oracle_write){
		.kind = kind,
		.generation = kind == ORACLE_WRITE ? generation : 0,
		.start = start,
		.end = start + count,
		.submitted = oracle->clock++,
	};
	return oracle->count++;
}

void oracle_done(struct oracle *oracle, size_t index, bool failed, bool fua)
{
	struct oracle_write *w = &oracle->writes[index];

	w->done = oracle->clock++;
	w->failed = failed;
	if (fua && !failed) {
		w->flushed = true;
		oracle->flushes++;
	}
}

uint64_t oracle_stamp(struct oracle *oracle)
{
	return oracle->clock++;
}

void oracle_flushed(struct oracle *oracle, uint64_t stamp)
{
	for (size_t i = 0; i < oracle->count; i++) {
		struct oracle_write *w = &oracle->writes[i];

		if (w->done && w->done < stamp && !w->failed && !w->flushed) {
			w->flushed = true;
			oracle->flushes++;
		}
	}
}

void oracle_abandon(struct oracle *oracle)
{
	for (size_t i = 0; i < oracle->count; i++)
		if (!oracle->writes[i].flushed)
			oracle->writes[i].failed = true;
}

void oracle_copy_killed(struct oracle *to, const struct oracle *from)
{
	*to = *from;
	to->initial = xcalloc(from->units, sizeof(uint32_t));
	memcpy(to->initial, from->initial, from->units * sizeof(uint32_t));
	to->writes = xcalloc(from->count, sizeof(struct oracle_write));
	if (from->count)
		memcpy(to->writes, from->writes, from->count * sizeof(struct oracle_write));
	oracle_abandon(to);
	for (size_t i = 0; i < to->count; i++)
		if (!to->writes[i].done)
			to->writes[i].done = to->clock++;
}

static void add(struct oracle_set *set, uint32_t generation)
{
	if (oracle_has(set, generation))
		return;
	if (set->count == ORACLE_SET) {
		set->any = true;
		return;
	}
	set->generations[set->count++] = generation;
}

static bool covers(const struct oracle_write *w, uint64_t unit)
{
	return w->start <= unit && unit < w->end;
}

/* Whether @w hides what was done before it was submitted. */
static bool hides(const struct oracle_write *w, bool after_crash, uint64_t stamp)
{
	if (w->kind == ORACLE_UNMAP || w->failed || !w->done)
		return false;
	return after_crash ? w->flushed : w->done < stamp;
}

static void allowed(const struct oracle *oracle, uint64_t unit, bool after_crash, uint64_t stamp,
		    struct oracle_set *ret)
{
	uint64_t hidden = 0;

	*ret = (struct oracle_set){};
	for (size_t i = 0; i < oracle->count; i++) {
		const struct oracle_write *w = &oracle->writes[i];

		if (covers(w, unit) && hides(w, after_crash, stamp))
			hidden = max_of(hidden, w->submitted);
	}
	if (!hidden)
		add(ret, oracle->initial[unit]);
	for (size_t i = 0; i < oracle->count; i++) {
		const struct oracle_write *w = &oracle->writes[i];

		if (covers(w, unit) && (!w->done || w->done >= hidden))
			add(ret, w->generation);
	}
}

void oracle_now(const struct oracle *oracle, uint64_t unit, uint64_t stamp, struct oracle_set *ret)
{
	allowed(oracle, unit, false, stamp, ret);
}

void oracle_crash(const struct oracle *oracle, uint64_t unit, struct oracle_set *ret)
{
	allowed(oracle, unit, true, 0, ret);
}

bool oracle_has(const struct oracle_set *set, uint32_t generation)
{
	if (set->any)
		return true;
	for (unsigned int i = 0; i < set->count; i++)
		if (set->generations[i] == generation)
			return true;
	return false;
}

const char *oracle_text(const struct oracle_set *set, char *buf, size_t len)
{
	size_t n = 0;

	buf[0] = '\0';
	for (unsigned int i = 0; i < set->count && n < len; i++)
		n += (size_t)snprintf(buf + n, len - n, "%s%u", i ? " " : "", set->generations[i]);
	return buf;
}
