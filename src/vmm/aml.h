// SPDX-License-Identifier: MIT
/*
 * AML (ACPI 6.3, chapter 20) written into a buffer of fixed size: the terms that our DSDT is made
 * of.
 *
 * Blocks are opened and closed:
 *
 *	aml_device(&aml, "COM1");
 *		aml_name(&aml, "_UID");
 *		aml_int(&aml, 1);
 *	aml_end(&aml);
 *
 * A name is followed by exactly one object. Lengths and integers are encoded in their shortest
 * form, so that what iasl makes of our own disassembly is the same bytes.
 *
 * Nothing here fails: a term that does not fit sets @overflow, from which on nothing is written,
 * and the caller asks once at the end with aml_finish(). Malformed names and unbalanced blocks are
 * bugs of ours and assert.
 */
#pragma once

#include "vmm/base.h"

#define AML_DEPTH_MAX 8

enum aml_block { AML_BLOCK_PACKAGE_LENGTH, AML_BLOCK_RESOURCES };

struct aml {
	uint8_t *buf; /* the caller's */
	size_t size;
	size_t len;
	bool overflow;
	unsigned int depth;
	struct {
		size_t start; /* where the block's length will stand */
		enum aml_block kind;
	} open[AML_DEPTH_MAX];
};

void aml_init(struct aml *aml, void *buf, size_t size);
/* The number of bytes written, or -ENOSPC after an overflow. All blocks must be closed. */
int aml_finish(const struct aml *aml, size_t *ret_len) must_check;

/*
 * Paths: segments of one to four of [A-Z_][A-Z0-9_]*, joined by '.', shorter ones padded with '_';
 * in front a '\' (root) or any number of '^' (parents).
 */
void aml_scope(struct aml *aml, const char *path);
void aml_device(struct aml *aml, const char *path);
void aml_method(struct aml *aml, const char *path, unsigned int args, bool serialized);
void aml_package(struct aml *aml, uint8_t elements);
/* A resource template, to be filled with descriptors only. */
void aml_resources(struct aml *aml);
void aml_end(struct aml *aml);

void aml_name(struct aml *aml, const char *path);

/* Objects. */
void aml_int(struct aml *aml, uint64_t value);
void aml_string(struct aml *aml, const char *text); /* ASCII */
void aml_eisa_id(struct aml *aml, const char *id);  /* "PNP0501" */
void aml_buffer(struct aml *aml, const void *data, size_t len);

/* Statements of method bodies; @operand and @target are paths. */
void aml_return_name(struct aml *aml, const char *path);
void aml_and(struct aml *aml, const char *operand, uint64_t mask, const char *target);
void aml_or(struct aml *aml, const char *operand, uint64_t mask, const char *target);

/* Bytes as they are: for the descriptor writers below. */
void aml_bytes(struct aml *aml, const void *data, size_t len);

/*
 * Resource descriptors (section 6.4; aml_resource.c). Interrupts are for the consumer, never
 * wake-capable.
 */
enum aml_trigger { AML_LEVEL, AML_EDGE };
enum aml_polarity { AML_ACTIVE_HIGH, AML_ACTIVE_LOW };

/* @first .. @first + @len - 1, 16 bits decoded, not movable. */
void aml_io(struct aml *aml, uint16_t first, uint8_t len);
/* The small descriptor, which knows IRQ 0-15; exclusive. */
void aml_irq(struct aml *aml, unsigned int irq, enum aml_trigger trigger,
	     enum aml_polarity polarity);
void aml_extended_irq(struct aml *aml, uint32_t gsi, enum aml_trigger trigger,
		      enum aml_polarity polarity);
void aml_memory32_fixed(struct aml *aml, uint32_t base, uint32_t len, bool writable);

/* Ranges that a bus or container hands on to its children: fixed, positively decoded. */
void aml_word_io_producer(struct aml *aml, uint16_t base, uint16_t len);
void aml_dword_memory_producer(struct aml *aml, uint32_t base, uint32_t len);
void aml_qword_memory_producer(struct aml *aml, uint64_t base, uint64_t len);
