// SPDX-License-Identifier: MIT
/*
 * Runs a script of requests on an image, with as many in flight as the script lets it, and keeps
 * the oracle.
 */
#pragma once

#include "image.h"
#include "oracle.h"

enum step_kind {
	STEP_WRITE,
	STEP_READ,
	STEP_FLUSH,
	STEP_UNMAP,
	STEP_ZEROES,
	STEP_REOPEN, /* waits for all that is in flight */
};

struct step {
	enum step_kind kind;
	bool fua;
	bool unmap; /* STEP_ZEROES */
	bool alone; /* once all before it is done */
	uint64_t offset;
	uint64_t len;
};

struct script {
	struct step *steps;
	size_t count;
};

struct run {
	struct image image;
	struct block *block; /* NULL: not open */
	struct oracle oracle;
	struct verdict *verdict;
	struct prng prng;
	size_t in_flight;
	bool leaves; /* run_script() leaves what is in flight in flight */
	uint32_t generation;
	uint64_t failed;   /* requests, opens and closes */
	uint64_t requests; /* that were submitted */
	/* Called when less may be lost than before, from then on. May be NULL. */
	void (*flushed)(struct run *run);
	void *ctx;
};

/* As text that names every step, for messages. */
const char *script_text(const struct script *script, char *buf, size_t len);

/* @contents, @initial NULL: the template's. Nothing is opened yet. */
void run_init(struct run *run, const struct image_template *made, const struct pages *contents,
	      const uint32_t *initial, enum sim_order order, uint64_t seed,
	      struct verdict *verdict);
/* Also when it is not closed: its disk is then, and nobody looks at the result. */
void run_finish(struct run *run);
/* What another process would find when the one of @killed is killed now. */
void run_init_killed(struct run *run, const struct run *killed, enum sim_order order,
		     uint64_t seed);

/* False: cannot go on, because a fault made it so. */
bool run_open(struct run *run);
bool run_script(struct run *run, const struct script *script);
bool run_close(struct run *run);
