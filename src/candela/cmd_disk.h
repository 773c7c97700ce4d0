// SPDX-License-Identifier: MIT
/*
 * Inside of cmd_disk*.c: the arguments of candela disk, and its verbs, one file each. The return
 * value of a verb is the process' exit status. Main thread.
 */
#pragma once

#include "devices/block/block_open.h"
#include "devices/block/vhd.h"
#include "devices/block/vhdx.h"
#include "vmm/error.h"

enum disk_subformat {
	DISK_SUBFORMAT_DEFAULT,
	DISK_SUBFORMAT_FIXED,
	DISK_SUBFORMAT_DYNAMIC,
	DISK_SUBFORMAT_DIFFERENCING,
};

struct disk_args {
	const char *words[2]; /* what is no option */
	unsigned int word_count;

	enum block_format format, source_format;
	enum disk_subformat subformat;
	uint64_t block_size;  /* 0: the format's default */
	uint32_t sector_size; /* 0: likewise */
	const char *parent;
	bool force, json, shrink, help;
};

#define DISK_SIZE_MAX (64ull << 40)

int cmd_disk_create(const struct disk_args *args);
int cmd_disk_info(const struct disk_args *args);
int cmd_disk_check(const struct disk_args *args);
int cmd_disk_convert(const struct disk_args *args);
int cmd_disk_resize(const struct disk_args *args);
int cmd_disk_compact(const struct disk_args *args);

/* cmd_disk_args.c: the arguments behind the verb whose bit is @verb. -EINVAL with text. */
enum disk_verb {
	DISK_CREATE = 1 << 0,
	DISK_INFO = 1 << 1,
	DISK_CHECK = 1 << 2,
	DISK_CONVERT = 1 << 3,
	DISK_RESIZE = 1 << 4,
	DISK_COMPACT = 1 << 5,
};
int disk_args_parse(struct disk_args *args, enum disk_verb verb, int argc, char **argv,
		    struct error *err) must_check;
/* A number of bytes: "10G". -EINVAL with text. */
int disk_size_parse(const char *text, uint64_t *ret, struct error *err) must_check;

/* --- images: cmd_disk_image.c --------------------------------------------------------------- */

/* Says what went wrong, and gives the exit status: 2 for what the caller can mend, else 1. */
int disk_fail(int code, const struct error *err);

/* A file, locked for what it is opened for, and the format it has. */
int disk_open_file(const char *path, enum block_format wanted, bool read_only, struct error *err,
		   struct file **ret, enum block_format *ret_format) must_check;

const char *disk_format_name(enum block_format format);

/* What a new image is to be. */
struct disk_new {
	enum block_format format;
	enum disk_subformat subformat;
	uint64_t size;
	uint32_t block_size, logical_sector;
	const char *parent; /* as the user wrote it; NULL: none */
	const uint8_t *id;  /* of the disk; NULL: a new one */
};

/*
 * Makes @file, which is empty, such an image; it is or will be at @path, from where the parent is
 * seen. Makes it durable.
 */
int disk_make(struct file *file, const char *path, const struct disk_new *new,
	      struct error *err) must_check;

/* What the arguments and the name say of the image to be made at @path; @size as it is. */
int disk_new_from_args(const struct disk_args *args, const char *path, struct disk_new *ret,
		       struct error *err) must_check;

/* --- a file that takes a name only when it is good: cmd_disk_target.c ----------------------- */

struct disk_target {
	const char *path;
	char temporary[4096]; /* empty: @path is a block device, which is written as it is */
	struct file *file;    /* the temporary one, or the device */
	struct file *old; /* what is to be replaced, locked; NULL: nothing, or its user has it */
	bool replace;
};

/* @force: what is there may be replaced, unless somebody uses it. @loop: of the files; or NULL. */
int disk_target_open(struct disk_target *target, const char *path, bool force, struct loop *loop,
		     struct error *err) must_check;
/* Puts the file in place. It must be closed. */
int disk_target_commit(struct disk_target *target, struct error *err) must_check;
/* Removes what was begun; after disk_target_commit(), nothing. */
void disk_target_finish(struct disk_target *target);

/* --- the work of convert, and of compact for a VHD: cmd_disk_copy.c ------------------------- */

/*
 * Copies all data of @from into @to, which is at least as large; what is zero is left out, or
 * zeroed when @zero. Says how far it is on a terminal. -EINTR: a signal ended it.
 */
int disk_copy(struct loop *loop, struct block *from, struct block *to, bool zero, const char *what,
	      struct error *err) must_check;

/* How far work is, in a line on standard error when that is a terminal: cmd_disk_progress.c. */
struct disk_progress {
	const char *what;
	bool shown, terminal;
	uint64_t begin_ns, last_ns;
};
void disk_progress_begin(struct disk_progress *progress, const char *what);
void disk_progress_step(struct disk_progress *progress, uint64_t done, uint64_t total);
void disk_progress_end(struct disk_progress *progress);

/* SIGINT, SIGTERM and SIGHUP set a flag, and stop @loop (may be NULL), until the end. */
void disk_interrupt_begin(struct loop *loop);
/* The signal; 0: none came. */
int disk_interrupted(void);
void disk_interrupt_end(void);

/* --- facts: cmd_disk_facts.c ---------------------------------------------------------------- */

struct json_object;

enum disk_fact_kind {
	DISK_FACT_TEXT,
	DISK_FACT_BYTES,
	DISK_FACT_NUMBER,
	DISK_FACT_YES_NO,
	DISK_FACT_ID,
};

struct disk_fact {
	const char *key, *label; /* for programs, and for people */
	enum disk_fact_kind kind;
	const char *text;
	uint64_t number;
	const uint8_t *id;
	bool vhdx_id; /* its first three parts are little-endian, as VHDX has them */
};

#define DISK_FACTS_MAX 20

struct disk_facts {
	struct disk_fact facts[DISK_FACTS_MAX];
	size_t count;
};

/* What is pointed to is only pointed to. */
void disk_add_text(struct disk_facts *f, const char *key, const char *label, const char *text);
void disk_add_bytes(struct disk_facts *f, const char *key, const char *label, uint64_t bytes);
void disk_add_number(struct disk_facts *f, const char *key, const char *label, uint64_t number);
void disk_add_yes_no(struct disk_facts *f, const char *key, const char *label, bool yes);
void disk_add_id(struct disk_facts *f, const char *key, const char *label, const uint8_t *id,
		 bool vhdx_id);

/* On standard output; as JSON with @findings (may be NULL) behind them. -ENOMEM, -EIO with text. */
int disk_print_facts(const struct disk_facts *f, bool json, struct json_object *findings,
		     struct error *err) must_check;
