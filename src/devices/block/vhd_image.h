// SPDX-License-Identifier: MIT
/*
 * Inside of vhd*.c: what an image is found to be (vhd_layout.c), and a disk that is open.
 */
#pragma once

#include <string.h>

#include "devices/block/vhd.h"
#include "devices/block/vhd_proto.h"

/* --- what is in a file ---------------------------------------------------------------------- */

struct vhd_layout {
	enum vhd_type type;
	uint64_t size; /* of the disk */
	uint64_t file_size;
	bool dirty; /* as in struct vhd_info */
	struct vhd_footer footer;

	/* Not of fixed images. */
	struct vhd_header header;
	uint32_t block_size;
	uint32_t bitmap_size; /* bytes, before each block's data */
	uint64_t blocks;
	uint64_t table_offset;
};

/* Errors as vhd_open(). */
int vhd_read_layout(struct file *file, struct error *err, struct vhd_layout *ret) must_check;

/*
 * The block table in our byte order, to be freed. Every entry that is used begins inside the file
 * and behind the header. *ret_end: where the last of what the file has ends.
 */
int vhd_read_table(struct file *file, const struct vhd_layout *layout, struct error *err,
		   uint32_t **ret, uint64_t *ret_end) must_check;

/* A block in the file: its bitmap, and its data. */
static inline uint64_t vhd_unit(const struct vhd_layout *layout)
{
	return (uint64_t)layout->bitmap_size + layout->block_size;
}

/* Blocks' data begin at multiples of this, in what we write. */
#define VHD_ALIGNMENT PAGE_SIZE

/* Of a footer or header of @len bytes, with what is at @field (4 bytes) taken for 0. */
uint32_t vhd_checksum(const void *data, size_t len, size_t field);

/* What depends on the size of the disk: sizes and geometry. */
void vhd_set_size(struct vhd_footer *footer, uint64_t size);

/* Fill in the checksums. */
void vhd_seal_footer(struct vhd_footer *footer);
void vhd_seal_header(struct vhd_header *header);

/* --- paths of parents: vhd_parent.c --------------------------------------------------------- */

#define VHD_PATH_MAX 1024u

/*
 * The @n-th path at which the parent may be, relative to where this process is or absolute. False:
 * there are no more.
 */
bool vhd_parent_path(struct file *file, const struct vhd_layout *layout, unsigned int n,
		     char ret[VHD_PATH_MAX]);
/* The parent's name as the image has it, in UTF-8. Empty: none. */
void vhd_parent_name(struct file *file, const struct vhd_layout *layout, char ret[VHD_PATH_MAX]);

/* UTF-8 to @max units of UTF-16, of the host's order. The number of units; 0: it does not fit. */
size_t vhd_to_utf16(const char *text, uint16_t *out, size_t max);

/* --- a disk that is open -------------------------------------------------------------------- */

#define VHD_IO_COUNT     64u
#define VHD_IO_IOVS      64u
#define VHD_BITMAP_COUNT 32u
#define VHD_JOB_BLOCKS   16u

/* What is known of an allocated block's bitmap. */
enum vhd_state {
	VHD_UNKNOWN,
	VHD_PARTIAL, /* some sectors are not there */
	VHD_FULL,
};

/* A request that is done piece by piece. */
struct vhd_io {
	struct vhd *vhd;
	struct block_request *req;
	uint64_t moved, piece;
	bool in_step, again; /* a piece that was done at once does not go deeper */
	int result;
	uint32_t block; /* the one it waits for */
	struct iovec iov[VHD_IO_IOVS];
	struct file_request file;
	struct block_request parent;
	struct vhd_io *next;
};

struct vhd_io_queue {
	struct vhd_io *head, *tail;
};

/* A bitmap in memory. */
struct vhd_bitmap {
	struct vhd *vhd;
	uint32_t block;
	bool valid, loading;
	uint64_t used; /* when; the oldest makes room */
	uint8_t *bits;
	struct iovec iov;
	struct file_request req;
	struct vhd_io_queue waiting;
};

/* The one change of the image's structure that is under way. */
struct vhd_job {
	bool running;
	struct vhd_io_queue waiting;
	uint32_t blocks[VHD_JOB_BLOCKS];
	unsigned int count, step;
	uint64_t cursor; /* of a fill: sectors looked at */
	uint8_t *ones;   /* bitmap_size bytes */
	uint8_t *bits;   /* likewise; of a fill */
	uint8_t *sector; /* 512 bytes */
	struct iovec iov;
	struct file_request req;
	void (*next)(struct vhd *vhd);
};

struct vhd {
	struct block block;
	struct file *file;
	struct loop *loop;
	struct vhd_layout layout;
	struct block *parent;
	struct block *raw; /* a fixed image: a raw one with a footer behind it */

	uint32_t *table;
	uint8_t *state;
	uint64_t end; /* where the next block goes */
	/* What is behind the end is not only a good footer: to be cut off before it is used. */
	bool tail_dirty;
	/* Changes of table and bitmaps that were written, and those known to be durable. */
	uint64_t changes, durable;

	struct vhd_io ios[VHD_IO_COUNT];
	struct vhd_io *free_io;
	struct block_request *head, *tail; /* that wait for one */

	struct vhd_bitmap bitmaps[VHD_BITMAP_COUNT];
	uint64_t clock;
	struct vhd_io_queue bitmap_waiting;
	struct vhd_job job;
};

static inline void vhd_io_add(struct vhd_io_queue *queue, struct vhd_io *io)
{
	io->next = NULL;
	if (queue->head)
		queue->tail->next = io;
	else
		queue->head = io;
	queue->tail = io;
}

static inline struct vhd_io *vhd_io_take(struct vhd_io_queue *queue)
{
	struct vhd_io *io = queue->head;

	if (io)
		queue->head = io->next;
	return io;
}

/* Where a block's data are. */
static inline uint64_t vhd_data_offset(const struct vhd *vhd, uint32_t block)
{
	return (uint64_t)vhd->table[block] * VHD_SECTOR + vhd->layout.bitmap_size;
}

static inline bool vhd_bit(const uint8_t *bits, uint64_t sector)
{
	return bits[sector / 8] >> (7 - sector % 8) & 1;
}

/* Sectors from @sector on, at most @max > 0, that are all there or all not: *ret_run of them. */
bool vhd_find_run(const uint8_t *bits, uint64_t sector, uint64_t max, uint64_t *ret_run);

/* Sectors of the disk that are in @block. */
uint64_t vhd_block_sectors(const struct vhd *vhd, uint32_t block);

/* vhd_io.c */
void vhd_submit(struct block *block, struct block_request *req);
void vhd_init_ios(struct vhd *vhd);
/* Has what waited go on; with an error, ends it. */
void vhd_io_continue(struct vhd_io *io, int result);

/*
 * vhd_bitmap.c: the bitmap of an allocated block, good until the next call. NULL: @io goes on when
 * it is there.
 */
const uint8_t *vhd_bitmap_get(struct vhd *vhd, uint32_t block, struct vhd_io *io);
void vhd_bitmap_finish(struct vhd *vhd);

/* vhd_job.c: has @block allocated and all its sectors there; @io goes on then. */
void vhd_job_want(struct vhd *vhd, uint32_t block, struct vhd_io *io);
int vhd_job_init(struct vhd *vhd) must_check;
void vhd_job_finish(struct vhd *vhd);
