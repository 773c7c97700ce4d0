// SPDX-License-Identifier: MIT
/*
 * A file (devices/block/file.h) in memory that knows what a crash may leave of it.
 *
 * It keeps two contents: @live, what reads see, and @durable, what is surely on stable storage.
 * Between them stand the pending operations: everything submitted that no completed sync covers, in
 * flight or not. After a crash the file has @durable with any of the pending operations applied,
 * each whole, torn at sectors, or not at all; sizes change in order, and apart from data.
 *
 * The rules: a sync makes durable what had completed when it was submitted. A durable write makes
 * itself durable, and all changes of size up to its own. A sync that fails makes nothing durable,
 * and no later one does for what it had covered: the host has let go of those pages.
 *
 * Faults: the nth operation of some kinds fails, whole or with a part of it done.
 */
#pragma once

#include "devices/block/file.h"
#include "pages.h"
#include "prng.h"
#include "sim_loop.h"
#include "verdict.h"

#define REC_NO_SIZE UINT64_MAX

/* An operation that changes something and is not surely on stable storage. */
struct rec_op {
	enum file_op op;
	uint64_t offset;
	uint64_t len;
	unsigned char *data;    /* FILE_WRITE: as it was when submitted */
	struct pages contents;  /* the same, where it belongs in the file */
	uint64_t new_size;      /* what it sets the file's size to; REC_NO_SIZE: leaves it */
	uint64_t completed;     /* when, in completions; 0: in flight */
	bool must;              /* durable already, but not folded into @durable yet */
	bool lost;              /* a failed sync had covered it */
	struct rec_request *rq; /* while in flight */
};

struct rec_fault {
	uint64_t nth;       /* of the operations in @kinds, from 1; 0: none fails */
	bool forever;       /* all after it fail as well */
	bool partly;        /* some of it is done first */
	int error;          /* -errno */
	unsigned int kinds; /* bit 1 << enum file_op */
};

struct rec_file {
	struct file file;
	struct loop *loop;
	struct verdict *verdict;
	struct pages live;
	struct pages durable;
	struct rec_op **pending; /* the completed ones in that order, then those in flight */
	size_t pending_count;
	size_t in_flight; /* requests of any kind */
	uint64_t completions;
	uint64_t version; /* changes with every operation that is pending */
	bool open;        /* nobody called file_destroy() yet */
	struct rec_fault fault;
	uint64_t matched; /* operations in fault.kinds */
	bool faulted;     /* one failed */
	bool sync_failed; /* then all syncs do until it is opened again, as file.h has it */
	bool lie_sync;    /* syncs and durable writes say they are done and do nothing: */
	bool lie_durable; /* for tests of the tests */
	struct prng prng;
	uint64_t counts[FILE_ZERO + 1]; /* operations by kind, durable writes as writes */
	/*
	 * Called right before something becomes durable: what may be lost is the most then. May be
	 * NULL; must not touch the file.
	 */
	void (*before_durable)(struct rec_file *rec);
	void *ctx;
};

/* What a crash leaves, for each pending operation. */
enum rec_keep { REC_LOST, REC_KEPT, REC_TORN };

struct rec_crash {
	const uint8_t *keep;  /* enum rec_keep; of one that must stay, REC_KEPT */
	size_t sizes;         /* so many pending operations' changes of size are there */
	uint64_t torn_mask;   /* REC_TORN: which of its parts are there, repeating every 64 */
	uint32_t torn_part;   /* bytes: 512, or 4096 */
	bool in_flight_first; /* what is in flight took place before what completed */
};

/*
 * @contents (may be NULL) is copied. The file is the caller's memory: file_destroy() on it only
 * notes that it is closed; rec_file_open() gives it to the next user.
 */
void rec_file_init(struct rec_file *rec, const struct pages *contents, struct loop *loop,
		   uint64_t seed, struct verdict *verdict);
void rec_file_finish(struct rec_file *rec);
/*
 * @to, which is new, becomes the file that @from is to the next process when the one that uses it
 * is killed: nothing is lost that completed, nor is more of it durable. What was in flight
 * completed, or never began.
 */
void rec_file_copy_killed(struct rec_file *to, const struct rec_file *from);
struct file *rec_file_open(struct rec_file *rec, bool read_only);

/* The least number of rec_crash.sizes. */
size_t rec_file_min_sizes(const struct rec_file *rec);
/* The contents after a crash now; the caller finishes them. */
void rec_file_crash(const struct rec_file *rec, const struct rec_crash *crash, struct pages *ret);
