// SPDX-License-Identifier: MIT
/*
 * A guest without a machine: what it commits over time, and how fast its size follows its target.
 * The same seed makes the same guest. Owner: the simulation; one thread.
 */
#pragma once

#include "balancer/series.h"

enum sim_kind {
	SIM_STEADY,   /* about the same all day */
	SIM_DAILY,    /* most in the afternoon, least at night */
	SIM_BURSTY,   /* a little, and much for minutes */
	SIM_BATCH,    /* a little, and nearly all for an hour a night */
	SIM_RECORDED, /* as a series says */
	SIM_STEPS,    /* from one size to another at one time */
	SIM_KIND_COUNT,
};

struct sim_guest {
	enum sim_kind kind;
	uint64_t minimum, maximum, startup;
	uint32_t buffer, weight;

	uint64_t demand; /* committed now ... */
	uint64_t goal;   /* ... and where it goes, by so much a second */
	uint64_t rate, next_ns;
	uint64_t random, phase_ns;
	bool high;
	/* SIM_STEPS: what comes, and when. 0 bytes: it ends. */
	uint64_t step_ns, step_bytes;
	const struct series_vm *recorded;
	size_t at;

	bool running;
	uint64_t assigned, target;
	uint64_t most; /* that it ever had: beyond it memory is added, not given back */
	struct series_counts counts;
};

/* Sets what is not set: limits, kind and all that follows from @seed. */
void sim_guest_generate(struct sim_guest *guest, uint64_t seed);

/* Its demand at @now_ns, @step_ns after the last time. */
void sim_guest_live(struct sim_guest *guest, uint64_t now_ns, uint64_t step_ns);
/* Moves towards its target for @step_ns. */
void sim_guest_move(struct sim_guest *guest, uint64_t step_ns);
/* What it would have to itself if it could: the part of the demand that it touches. */
uint64_t sim_guest_used(const struct sim_guest *guest);
/* Asks for a size, and counts it. */
void sim_guest_order(struct sim_guest *guest, uint64_t target);
