// SPDX-License-Identifier: MIT
/*
 * What may be read from a disk, now and after a crash, from what was asked of it.
 *
 * A write is superseded by another that was submitted after the first was done, once that one is
 * done (for what is read now), or flushed (for what is read after a crash). Flushed: it was done
 * when a flush was submitted that is done, or it had fua set. Of a unit (512 bytes) any
 * write that is not superseded may be seen, whole. An unmap may be seen or not, and supersedes
 * nothing; so may what failed.
 */
#pragma once

#include "vmm/base.h"

#define ORACLE_SET 16u

enum oracle_kind { ORACLE_WRITE, ORACLE_ZEROES, ORACLE_UNMAP };

struct oracle_write {
	enum oracle_kind kind;
	uint32_t generation; /* 0 for zeroes */
	uint64_t start, end; /* units */
	uint64_t submitted;
	uint64_t done; /* 0: not yet */
	bool failed;
	bool flushed;
};

struct oracle {
	uint64_t units;
	uint32_t *initial; /* generations */
	struct oracle_write *writes;
	size_t count;
	uint64_t clock;
	uint64_t flushes; /* that changed what a crash may leave */
};

struct oracle_set {
	unsigned int count;
	uint32_t generations[ORACLE_SET];
	bool any; /* there were more */
};

void oracle_init(struct oracle *oracle, uint64_t units);
void oracle_finish(struct oracle *oracle);

/* The index of the new write. */
size_t oracle_submit(struct oracle *oracle, enum oracle_kind kind, uint32_t generation,
		     uint64_t start, uint64_t count);
void oracle_done(struct oracle *oracle, size_t index, bool failed, bool fua);
/* A time, for oracle_flushed() and oracle_now(). */
uint64_t oracle_stamp(struct oracle *oracle);
/* A flush that was submitted at @stamp is done. */
void oracle_flushed(struct oracle *oracle, uint64_t stamp);

/* The disk was closed with an error: no flush after it covers what was not flushed yet. */
void oracle_abandon(struct oracle *oracle);

/* @to is empty. Whatever is under way in it is never done, as with oracle_abandon(). */
void oracle_copy_killed(struct oracle *to, const struct oracle *from);

/* What a read that was submitted at @stamp and is done now may see. */
void oracle_now(const struct oracle *oracle, uint64_t unit, uint64_t stamp, struct oracle_set *ret);
/* What may be seen after a crash now. */
void oracle_crash(const struct oracle *oracle, uint64_t unit, struct oracle_set *ret);

bool oracle_has(const struct oracle_set *set, uint32_t generation);
/* For messages: "0 3 7". */
const char *oracle_text(const struct oracle_set *set, char *buf, size_t len);
