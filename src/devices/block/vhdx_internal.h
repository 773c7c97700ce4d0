// SPDX-License-Identifier: MIT
/*
 * An open VHDX: what its parts share. Everything belongs to the disk's loop.
 *
 * The parts: vhdx_bat.c (the block allocation table in memory), vhdx_space.c (which MiB of the
 * file are taken), vhdx_bitmap.c (sector bitmaps in memory), vhdx_log.c (entries as bytes, the
 * ring), vhdx_session.c (the first write, the clean end), vhdx_flush.c (making metadata durable),
 * vhdx_job.c (requests and their segments), vhdx_read.c, vhdx_write.c, vhdx_alloc.c (space for
 * blocks that have none), vhdx_trim.c (giving it back), vhdx_open.c, vhdx_parent.c.
 */
#pragma once

#include "devices/block/vhdx_image.h"

struct vhdx;

/* --- Metadata pages. ----------------------------------------------------------------------- */

/*
 * 4 KiB of the BAT or of a sector bitmap. It is changed in memory at once, goes to the log with the
 * next flush, and to its place in the file some time after that.
 */
struct vhdx_page {
	uint64_t file_offset;
	bool bitmap;
	bool dirty;     /* has changes that no log entry has */
	uint64_t cycle; /* the flush that logged it last; 0: none */
	uint8_t *image; /* as it was logged last, until that is in its place */
	struct vhdx_page *next_dirty, *next_logged;
};

/* --- The BAT: vhdx_bat.c. ------------------------------------------------------------------ */

#define VHDX_ENTRIES_PER_PAGE 512u

/* An entry in memory: state in bits 0-2, MiB in the file above. */
static inline uint32_t vhdx_entry(unsigned int state, uint64_t mib)
{
	return state | (uint32_t)mib << 3;
}

static inline unsigned int vhdx_entry_state(uint32_t entry)
{
	return entry & VHDX_BAT_STATE;
}

static inline uint64_t vhdx_entry_mib(uint32_t entry)
{
	return entry >> 3;
}

static inline uint64_t vhdx_entry_offset(uint32_t entry)
{
	return vhdx_entry_mib(entry) << 20;
}

/* True for the states in which an entry's place in the file is in use. */
static inline bool vhdx_state_has_space(unsigned int state)
{
	return state == VHDX_BLOCK_FULLY_PRESENT || state == VHDX_BLOCK_PARTIALLY_PRESENT;
}

struct vhdx_bat_page {
	struct vhdx_page page;
	uint32_t entries[VHDX_ENTRIES_PER_PAGE];
};

struct vhdx_bat {
	struct vhdx_bat_page **pages; /* NULL: all its entries are zero */
	uint64_t page_count;
	uint64_t allocated; /* payload blocks with space */
};

/* An entry as it is in the file to one in memory; -EUCLEAN: it cannot be. */
int vhdx_bat_decode(const struct vhdx_image *image, uint64_t index, uint64_t raw,
		    uint32_t *ret) must_check;

/* Calls @entry for every entry that is not zero. Blocks. */
int vhdx_bat_scan(const struct vhdx_image *image, struct file *file,
		  int (*entry)(void *ctx, uint64_t index, uint64_t raw), void *ctx) must_check;

/* Reads the BAT and takes the space of its blocks. */
int vhdx_bat_load(struct vhdx *v, struct error *err) must_check;
void vhdx_bat_finish(struct vhdx_bat *bat);

static inline uint32_t vhdx_bat_get(const struct vhdx_bat *bat, uint64_t index)
{
	const struct vhdx_bat_page *page = bat->pages[index / VHDX_ENTRIES_PER_PAGE];

	return page ? page->entries[index % VHDX_ENTRIES_PER_PAGE] : 0;
}

/* Makes sure that vhdx_bat_set() can set this entry. -ENOMEM. */
int vhdx_bat_reserve(struct vhdx *v, uint64_t index) must_check;
void vhdx_bat_set(struct vhdx *v, uint64_t index, uint32_t entry);
/* True when the entry is what a crash now would leave. */
bool vhdx_bat_is_durable(const struct vhdx *v, uint64_t index);
/* The page as it belongs in the file. */
void vhdx_bat_encode(const struct vhdx_bat_page *page, uint8_t *out);

/* --- Space in the file: vhdx_space.c. ------------------------------------------------------ */

struct vhdx_space {
	uint64_t *used; /* a bit for each MiB below @frontier */
	uint64_t capacity;
	uint64_t frontier; /* MiB from here on were never used, in this file's life as we know it */
	uint64_t free;     /* MiB below it that are */
	uint64_t hint;     /* nothing is free below */
	uint64_t no_run_of; /* there is no run of so many; 0: not known */
};

int vhdx_space_init(struct vhdx_space *space, uint64_t frontier) must_check;
void vhdx_space_finish(struct vhdx_space *space);
/* Takes these: false when one is taken already or is not below the frontier. */
bool vhdx_space_claim(struct vhdx_space *space, uint64_t mib, uint64_t count);
/* Finds and takes @count MiB. *ret_fresh: never used, so it reads as zero. -ENOMEM, -ENOSPC. */
int vhdx_space_take(struct vhdx_space *space, uint64_t count, uint64_t *ret_mib,
		    bool *ret_fresh) must_check;
/* As vhdx_space_take(), but only below @limit and never fresh; -ENOENT. */
int vhdx_space_take_below(struct vhdx_space *space, uint64_t count, uint64_t limit,
			  uint64_t *ret_mib) must_check;
void vhdx_space_release(struct vhdx_space *space, uint64_t mib, uint64_t count);
/* The next run that is free, from @from on; false when there is none. */
bool vhdx_space_next_free(const struct vhdx_space *space, uint64_t from, uint64_t *ret_mib,
			  uint64_t *ret_count);
/* One past the last MiB that is taken. */
uint64_t vhdx_space_end(const struct vhdx_space *space);

/* --- The log: vhdx_log.c. ------------------------------------------------------------------ */

#define VHDX_LOG_MAX_PAGES VHDX_LOG_FIRST_DESCRIPTORS /* in an entry: one descriptor sector */
#define VHDX_LOG_BUFFER    ((1ul + VHDX_LOG_MAX_PAGES) * VHDX_LOG_SECTOR)

struct vhdx_log {
	uint64_t offset; /* in the file */
	uint32_t length;
	struct vhdx_guid guid;
	uint64_t sequence;     /* of the next entry */
	uint32_t head;         /* where it goes */
	uint32_t tail;         /* what it is to say of the oldest entry that is still needed */
	uint32_t built_tail;   /* what the last entry built says */
	uint32_t written_tail; /* what the last that was written says */
	uint32_t last_tail;    /* what the last that is durable says */
	uint32_t applied;      /* what comes before was put into place, but maybe not durably */
	uint64_t flushed_file_offset, last_file_offset;
};

/* An empty log with a GUID of its own. */
void vhdx_log_init(struct vhdx_log *log, const struct vhdx_image *image);
/* True when an entry of @pages pages fits, and behind it one without pages. */
bool vhdx_log_has_room(const struct vhdx_log *log, unsigned int pages);
/* Bytes from the oldest entry that must stay to the head. */
uint32_t vhdx_log_used(const struct vhdx_log *log);

struct vhdx_log_page {
	uint64_t file_offset;
	const uint8_t *data; /* 4 KiB */
};

/*
 * Makes the next entry in @buffer (VHDX_LOG_BUFFER bytes) and moves the head behind it. Its length.
 * *ret_at: where in the log it goes; it may go on at the log's start.
 */
uint32_t vhdx_log_build(struct vhdx_log *log, const struct vhdx_log_page *pages, unsigned int count,
			uint8_t *buffer, uint32_t *ret_at);
/* The entry built last is written. */
void vhdx_log_written(struct vhdx_log *log);
/* What was written of the log is durable; what was put into place before too. */
void vhdx_log_synced(struct vhdx_log *log);

/* --- Requests: vhdx_job.c. ----------------------------------------------------------------- */

/* What a block_request keeps in its private words. */
struct vhdx_job {
	uint64_t cursor;   /* bytes that have been given to segments, or are done */
	uint64_t free_seq; /* the last space it gave back */
	int32_t result;    /* the first error */
	uint32_t pending;  /* segments, and one while vhdx_job_advance() runs */
	uint8_t epoch;     /* of a request that went to the file as it is */
	bool flush;        /* has to be durable */
	bool advancing;    /* vhdx_job_advance() runs */
	bool blocked;      /* a segment waits; the cursor does not move meanwhile */
	bool stalled;      /* too much is dirty: it goes on after a flush */
};

_Static_assert(sizeof(struct vhdx_job) <= sizeof(((struct block_request *)0)->private), "fits");

static inline struct vhdx_job *vhdx_job(struct block_request *req)
{
	return (struct vhdx_job *)req->private;
}

#define VHDX_INLINE_IOV 8u

struct vhdx_alloc;
struct vhdx_bitmap_page;

/* A part of a request that lies in one block, and what the file or the parent does about it. */
struct vhdx_segment {
	struct vhdx *v;
	struct block_request *req;
	struct vhdx_segment *next; /* on the list it waits on, or in the pool */
	uint64_t offset, len;      /* of the disk */
	/* What it waited for is there, or failed (@result). */
	void (*resume)(struct vhdx_segment *segment, int result);

	struct file_request file;
	struct block_request parent;
	struct iovec *iov;
	unsigned int iov_capacity;
	struct iovec inline_iov[VHDX_INLINE_IOV];

	struct vhdx_alloc *alloc;
	uint8_t epoch;
	uint64_t pin_offset,
		pin_len; /* of the disk: bitmap pages it keeps in memory, to mark sectors */
};

/* Begins a request; the session has begun, if it writes. */
void vhdx_job_start(struct vhdx *v, struct block_request *req);
/* NULL: no memory; then the job has failed. */
struct vhdx_segment *vhdx_segment_get(struct vhdx *v, struct block_request *req, uint64_t offset,
				      uint64_t len);
/* The segment is done; so may be its request. */
void vhdx_segment_done(struct vhdx_segment *segment, int result);
/* Fills segment->iov with its part of the request's memory. -ENOMEM. */
int vhdx_segment_iov(struct vhdx_segment *segment, unsigned int *ret_count) must_check;
/* Hands the request back. */
void vhdx_complete(struct vhdx *v, struct block_request *req, int result);

/*
 * Every request to the file whose place came from the BAT is inside of an epoch: space that was
 * given back is not used again before all that were inside when that happened are done.
 */
uint8_t vhdx_epoch_enter(struct vhdx *v);
void vhdx_epoch_leave(struct vhdx *v, uint8_t slot);

/* Bytes from the cursor to the end of the request or of the block. */
uint64_t vhdx_piece_len(struct vhdx *v, struct block_request *req);
/* Each begins the piece of @req at its cursor: vhdx_read.c, vhdx_write.c, vhdx_trim.c. */
void vhdx_read_piece(struct vhdx *v, struct block_request *req);
void vhdx_write_piece(struct vhdx *v, struct block_request *req, uint64_t len);
void vhdx_trim_piece(struct vhdx *v, struct block_request *req);

/* --- Space for blocks: vhdx_alloc.c. ------------------------------------------------------- */

/* A block that is getting space. Its BAT entry follows with the first data that are in it. */
struct vhdx_alloc {
	struct vhdx *v;
	struct vhdx_alloc *next; /* in its bucket, or in the pool */
	struct vhdx_alloc *next_extending;
	uint64_t index; /* of the BAT entry */
	uint64_t mib, count;
	enum { VHDX_ALLOC_EXTENDING, VHDX_ALLOC_CLEANING, VHDX_ALLOC_READY } state;
	bool fresh;
	bool published;
	unsigned int writes; /* in flight */
	struct vhdx_segment *waiting;
	struct file_request file;
};

#define VHDX_ALLOC_BUCKETS 64u

struct vhdx_alloc *vhdx_alloc_find(struct vhdx *v, uint64_t index);
/*
 * Space for the block of BAT entry @index. 0: @segment may write, and has segment->alloc.
 * -EINPROGRESS: it waits, and is resumed. -errno: there is none.
 */
int vhdx_alloc_get(struct vhdx_segment *segment, uint64_t index) must_check;
/* The same for a sector bitmap, which is there once this is 0. */
int vhdx_alloc_bitmap(struct vhdx_segment *segment, uint64_t index) must_check;
/* A write into the space ended. */
void vhdx_alloc_put(struct vhdx_alloc *alloc);
void vhdx_alloc_finish(struct vhdx *v);

/* --- Sector bitmaps: vhdx_bitmap.c. -------------------------------------------------------- */

#define VHDX_BITMAP_BUCKETS   256u
#define VHDX_BITMAP_CACHE     1024u /* pages, beyond those that are in use */
#define VHDX_BITMAP_PAGE_BITS 32768u

struct vhdx_bitmap_page {
	struct vhdx_page page;
	struct vhdx *v;
	struct vhdx_bitmap_page *next;          /* in its bucket */
	struct vhdx_bitmap_page *older, *newer; /* by last use */
	uint64_t number;                        /* sector / VHDX_BITMAP_PAGE_BITS */
	bool loaded;
	unsigned int pins;
	struct vhdx_segment *waiting;
	struct file_request file;
	struct iovec iov;
	uint8_t *bits;
};

struct vhdx_bitmaps {
	struct vhdx_bitmap_page *buckets[VHDX_BITMAP_BUCKETS];
	struct vhdx_bitmap_page lru; /* sentinel; oldest first */
	unsigned int count;
};

/*
 * 0 when all bitmap pages for @len bytes of the disk from @offset are in memory; the bitmap's block
 * must be there. -EINPROGRESS: @segment waits for one, and is resumed. Or another -errno.
 */
int vhdx_bitmap_get(struct vhdx_segment *segment, uint64_t offset, uint64_t len) must_check;
/* Keeps those in memory. */
void vhdx_bitmap_pin(struct vhdx *v, uint64_t offset, uint64_t len);
void vhdx_bitmap_unpin(struct vhdx *v, uint64_t offset, uint64_t len);
/* Of the sector at @offset: present in this file? *ret_len: bytes of the same kind, up to @len. */
bool vhdx_bitmap_run(struct vhdx *v, uint64_t offset, uint64_t len, uint64_t *ret_len);
/* Sets or clears; true when that changed something. */
bool vhdx_bitmap_mark(struct vhdx *v, uint64_t offset, uint64_t len, bool present);
void vhdx_bitmap_init(struct vhdx_bitmaps *bitmaps);
void vhdx_bitmap_finish(struct vhdx_bitmaps *bitmaps);

/* --- Durability: vhdx_session.c, vhdx_flush.c. --------------------------------------------- */

enum vhdx_session { VHDX_CLEAN, VHDX_BEGINNING, VHDX_BEGUN };

/* Marks a page changed. */
void vhdx_page_dirty(struct vhdx *v, struct vhdx_page *page);

/* Has @req wait until the image is marked as being written to, then goes on with it. */
void vhdx_session_begin(struct vhdx *v, struct block_request *req);

/* Has @req wait until all that is done now is durable; vhdx_flushed() follows. */
void vhdx_flush(struct vhdx *v, struct block_request *req);
/* vhdx_job.c */
void vhdx_flushed(struct vhdx *v, struct block_request *req, int result);

/*
 * One request of ours to the file at a time, for headers, the log and syncs; @next follows, or the
 * image has failed and @next sees that in v->failed.
 */
void vhdx_step(struct vhdx *v, enum file_op op, void *buf, uint64_t len, uint64_t offset,
	       void (*next)(struct vhdx *v));
/* FILE_SYNC, and what follows from it. Not at all when the image is unsafe. */
void vhdx_step_sync(struct vhdx *v, void (*next)(struct vhdx *v));
/* Nothing more is written. */
void vhdx_fail(struct vhdx *v, int error);

/* What follows blocks. */

/* Begins a session; @data: the disk's contents will change. */
int vhdx_session_begin_now(struct vhdx *v, bool data) must_check;
/* Everything dirty into the log and into its place, durably; what was written before it is, too. */
int vhdx_session_commit(struct vhdx *v) must_check;
/* Ends a session: everything into its place, the log empty, what is behind it all cut off. */
int vhdx_session_end(struct vhdx *v, struct error *err) must_check;

#define VHDX_APPLY_BATCH     16u
#define VHDX_DIRTY_THRESHOLD 64u /* pages: from here on requests wait for them to be logged */

struct vhdx_apply {
	struct vhdx *v;
	struct file_request file;
	struct iovec iov;
};

struct vhdx_flusher {
	bool running;
	struct block_request *current, *queue, **queue_end;
	uint64_t cycle, durable_cycle; /* counted from 1 */
	bool sync_first; /* something must be durable before what is dirty may be logged */
	struct vhdx_page *dirty[2], **dirty_end[2]; /* bitmap pages, which go first; BAT pages */
	unsigned int dirty_count;
	unsigned int target[2];   /* pages this cycle still has to log */
	struct vhdx_page *logged; /* have images */
	unsigned int logged_count;
	uint8_t **images; /* not in use */
	unsigned int image_count, image_capacity;
	uint8_t *buffer;              /* VHDX_LOG_BUFFER */
	uint32_t entry_at, entry_len; /* the entry being written */
	struct vhdx_apply apply[VHDX_APPLY_BATCH];
	unsigned int applying;
	void (*applied)(struct vhdx *v);
};

int vhdx_flusher_init(struct vhdx_flusher *f) must_check;
void vhdx_flusher_finish(struct vhdx_flusher *f);
/* Takes up to VHDX_LOG_MAX_PAGES of the targeted dirty pages: their number, or -errno. */
int vhdx_take_pages(struct vhdx *v, struct vhdx_log_page *pages) must_check;
/* Plain calls, for the end of a session. */
int vhdx_sync_now(struct vhdx *v) must_check;
int vhdx_write_log(struct vhdx *v, const struct vhdx_log_page *pages,
		   unsigned int count) must_check;
int vhdx_put_in_place(struct vhdx *v) must_check;

/* --- Space given back: vhdx_trim.c. -------------------------------------------------------- */

struct vhdx_freed {
	struct vhdx_freed *next;
	uint64_t mib, count, epoch, cycle, seq;
};

#define VHDX_DISCARD_BATCH 16u

struct vhdx_discard {
	struct vhdx *v;
	struct file_request file;
};

struct vhdx_trims {
	struct vhdx_freed *first, **end; /* given back in memory, not free yet; in order */
	struct vhdx_freed *pool;
	struct vhdx_freed *releasing; /* being discarded */
	uint64_t seq, released_seq;
	struct block_request *waiting, **waiting_end; /* for their space to be released */
	struct vhdx_discard discard[VHDX_DISCARD_BATCH];
	unsigned int discarding;
};

extern const struct block_ops vhdx_ops; /* vhdx_open.c */
void vhdx_submit(struct block *block, struct block_request *req);
/* As vhdx_open(), but without a parent: all but reading what is the parent's works. */
int vhdx_open_image(struct file *file, struct loop *loop, const struct vhdx_open_options *options,
		    struct error *err, struct vhdx **ret) must_check;
/* All but the file and the parent; the session has ended, or is given up. */
void vhdx_destroy(struct vhdx *v);

/* Opens the parent, and checks that it is the one the image means: vhdx_parent.c. */
int vhdx_parent_open(struct vhdx *v, const struct vhdx_open_options *options,
		     struct error *err) must_check;

void vhdx_trims_init(struct vhdx *v);
void vhdx_trims_finish(struct vhdx *v);
/* Has @req wait until what it gave back is free; it is completed then. */
void vhdx_trims_wait(struct vhdx *v, struct block_request *req);
/* Goes on with what may be released now. */
void vhdx_trims_run(struct vhdx *v);

/* --- The disk. ----------------------------------------------------------------------------- */

struct vhdx {
	struct block block;
	struct loop *loop;
	struct file *file;  /* what is read and written: the overlay when there is one */
	struct file *below; /* the file itself, then; or NULL */
	struct vhdx_image image;
	struct block *parent;
	bool unsafe;
	int failed; /* -errno: nothing more is written */

	struct vhdx_bat bat;
	struct vhdx_space space;
	struct vhdx_log log;
	struct vhdx_bitmaps bitmaps;
	struct vhdx_flusher flusher;
	struct vhdx_trims trims;

	enum vhdx_session session;
	struct block_request *beginning, **beginning_end;
	uint64_t reserve_at; /* what of the log and the BAT behind it has its space */

	/* The file: how long it is, and is durably, in MiB; what makes it longer. */
	uint64_t file_mib, durable_mib, syncing_mib, target_mib;
	struct vhdx_alloc *extending; /* wait for it */
	struct file_request extend;
	struct vhdx_alloc *allocs[VHDX_ALLOC_BUCKETS];
	struct vhdx_alloc *alloc_pool;
	unsigned int alloc_count;

	uint64_t epoch;
	uint64_t inside[2];

	struct vhdx_segment *segments; /* the pool */

	struct file_request step;
	struct iovec step_iov[2];
	void (*step_next)(struct vhdx *v);
	struct vhdx_header *header_page; /* what is being written */
};

static inline struct vhdx *vhdx_of(struct block *block)
{
	return container_of(block, struct vhdx, block);
}

static inline uint64_t vhdx_block_of(const struct vhdx *v, uint64_t offset)
{
	return offset >> v->image.block_shift;
}

static inline uint64_t vhdx_block_mib(const struct vhdx *v)
{
	return v->image.block_size / VHDX_MIB;
}
