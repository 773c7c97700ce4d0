// SPDX-License-Identifier: MIT
/*
 * The hypercall dispatcher (TLFS 3): decodes the control word, finds the row, checks everything
 * that can be checked without knowing the call, copies input in, calls the handler, copies output
 * out. A handler is a function from bytes to bytes; it never sees guest memory or registers.
 *
 * Pure but for guest memory: it knows nothing of KVM. Runs on the calling VP's thread.
 */
#pragma once

#include "hv-enlight/hv_proto.h"
#include "vmm/counter.h"
#include "vmm/mem.h"

/* The classes in which hypercalls are counted (virtual processor counters 56-63). */
enum hypercall_class {
	HYPERCALL_GPA_SPACE,
	HYPERCALL_LOGICAL_PROCESSOR,
	HYPERCALL_LONG_SPIN_WAIT,
	HYPERCALL_OTHER,
	HYPERCALL_SYNTHETIC_INTERRUPT,
	HYPERCALL_VIRTUAL_INTERRUPT,
	HYPERCALL_VIRTUAL_MMU,
	HYPERCALL_VIRTUAL_PROCESSOR,
	HYPERCALL_CLASSES
};

extern const char *const hypercall_class_names[HYPERCALL_CLASSES];

/* What a handler works on: private copies. */
struct hypercall_io {
	const uint8_t *input; /* the fixed header */
	const uint8_t *extra; /* the variable header, @extra_size bytes of it */
	size_t extra_size;
	const uint8_t *reps; /* element 0 of the input list; the handler starts at @rep_next */
	uint8_t *output;     /* the fixed output, zeroed */
	uint8_t *rep_output; /* element 0 of the output list, zeroed */
	uint16_t rep_next;   /* first element to do; the handler advances it past each one done */
	uint16_t rep_count;
};

typedef enum hv_status hypercall_handler(void *ctx, struct hypercall_io *io);

struct hypercall_row {
	uint16_t code;
	const char *name;
	enum hypercall_class class;
	uint32_t features;   /* any of these bits admits the call; 0: always there */
	uint16_t input;      /* bytes of the fixed input header */
	uint16_t rep_input;  /* bytes of one input element; rep calls have this or rep_output */
	uint16_t output;     /* bytes of fixed output */
	uint16_t rep_output; /* bytes of one output element */
	bool rep;
	bool extra;       /* takes a variable header */
	bool memory_only; /* there is no fast form */
	hypercall_handler *handler;
};

#define HYPERCALL_FAST_REGISTERS 16  /* bytes in RDX and R8 */
#define HYPERCALL_FAST_MAX       112 /* and in XMM0 to XMM5 */

/* The guest's registers of a call, the same for 32- and 64-bit callers. */
struct hypercall_args {
	uint64_t control;
	uint64_t input;  /* GPA, or the first fast parameter */
	uint64_t output; /* GPA, or the second fast parameter */
	/* Fills in XMM0-XMM5; called only for a fast call that needs them. */
	int (*read_xmm)(void *ctx, uint8_t xmm[HYPERCALL_FAST_MAX - HYPERCALL_FAST_REGISTERS]);
};

struct hypercall_table {
	const struct hypercall_row *rows;
	size_t count;
	const struct mem *mem;
	uint32_t features;    /* announced */
	uint32_t xmm_feature; /* the bit that admits XMM input */
};

/* No status: the call raises #UD instead (TLFS 3.7.3, XMM input that was not announced). */
#define HYPERCALL_UNDEFINED UINT64_MAX

/*
 * Runs one call for @ctx (handed to the handler) and returns the result word: status in bits 0-15,
 * elements completed in bits 32-43; or HYPERCALL_UNDEFINED. @ret_row is the row that was found, for
 * counting, or NULL.
 */
uint64_t hypercall_dispatch(const struct hypercall_table *table, void *ctx,
			    const struct hypercall_args *args,
			    const struct hypercall_row **ret_row);
