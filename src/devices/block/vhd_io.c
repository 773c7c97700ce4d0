// SPDX-License-Identifier: MIT
/*
 * Requests to dynamic and differencing images. One whose sectors lie together in the file goes
 * there as it is; any other is done piece by piece, a piece being what is alike: in one block, all
 * there or all not. State belongs to the loop's thread.
 */
#include <assert.h>
#include <errno.h>

#include "devices/block/iov.h"
#include "devices/block/vhd_image.h"

static void step(struct vhd_io *io);
static void start_io(struct vhd *vhd, struct block_request *req);

/* --- the end -------------------------------------------------------------------------------- */

static void io_end(struct vhd_io *io)
{
	struct vhd *vhd = io->vhd;
	struct block_request *req = io->req, *waiting = vhd->head;
	int result = io->result;

	io->next = vhd->free_io;
	vhd->free_io = io;
	if (waiting) {
		vhd->head = waiting->next;
		start_io(vhd, waiting);
	}
	req->done(req, result);
}

static void synced(struct file_request *file_req, int result)
{
	struct vhd_io *io = container_of(file_req, struct vhd_io, file);

	io->result = result;
	io_end(io);
}

/* All pieces are done, or one failed. What must be durable may need its block's entry to be. */
static void io_done(struct vhd_io *io)
{
	struct block_request *req = io->req;
	struct vhd *vhd = io->vhd;

	if (io->result || !req->fua || (req->op != BLOCK_WRITE && req->op != BLOCK_WRITE_ZEROES) ||
	    (req->op == BLOCK_WRITE && vhd->changes == vhd->durable)) {
		io_end(io);
		return;
	}
	io->file = (struct file_request){.op = FILE_SYNC, .done = synced};
	file_submit(vhd->file, &io->file);
}

/* --- pieces --------------------------------------------------------------------------------- */

static void piece_done(struct vhd_io *io, int result)
{
	if (result)
		io->result = result;
	else
		io->moved += io->piece;
	if (io->in_step)
		io->again = true;
	else
		step(io);
}

static void file_done(struct file_request *file_req, int result)
{
	piece_done(container_of(file_req, struct vhd_io, file), result);
}

static void parent_done(struct block_request *req, int result)
{
	piece_done(container_of(req, struct vhd_io, parent), result);
}

static void discard_done(struct file_request *file_req, int result)
{
	struct vhd_io *io = container_of(file_req, struct vhd_io, file);

	if (result == -EOPNOTSUPP && io->req->op == BLOCK_UNMAP)
		result = 0;
	if (result != -EOPNOTSUPP) {
		piece_done(io, result);
		return;
	}
	file_req->op = FILE_ZERO;
	file_req->done = file_done;
	file_submit(file_req->file, file_req);
}

/* Cuts io->piece down to what the elements that there is room for hold; whole sectors. */
static unsigned int slice(struct vhd_io *io)
{
	struct block_request *req = io->req;
	uint64_t len = io->piece;
	unsigned int count;

	count = iov_slice(req->iov, req->iov_count, io->moved, len, io->iov, VHD_IO_IOVS,
			  &io->piece);
	if (io->piece == len)
		return count;
	len = align_down(io->piece, VHD_SECTOR);
	return iov_slice(req->iov, req->iov_count, io->moved, len, io->iov, VHD_IO_IOVS,
			 &io->piece);
}

/* io->piece bytes at @offset of the file. */
static void piece_to_file(struct vhd_io *io, uint64_t offset)
{
	static const enum file_op ops[] = {
		[BLOCK_READ] = FILE_READ,
		[BLOCK_WRITE] = FILE_WRITE,
		[BLOCK_UNMAP] = FILE_DISCARD,
		[BLOCK_WRITE_ZEROES] = FILE_ZERO,
	};
	struct block_request *req = io->req;
	bool moves = req->op == BLOCK_READ || req->op == BLOCK_WRITE;

	io->file = (struct file_request){
		.op = ops[req->op], .offset = offset, .done = file_done, .durable = req->fua};
	if (moves) {
		io->file.iov_count = slice(io);
		io->file.iov = io->iov;
		if (io->piece == 0) {
			piece_done(io, -EINVAL);
			return;
		}
	} else if (req->op == BLOCK_UNMAP || req->unmap) {
		io->file.op = FILE_DISCARD;
		io->file.done = discard_done;
	}
	io->file.len = io->piece;
	file_submit(io->vhd->file, &io->file);
}

/* io->piece bytes of a read that this image does not have. */
static void piece_from_below(struct vhd_io *io, uint64_t offset)
{
	struct block_request *req = io->req;
	struct block *parent = io->vhd->parent;
	uint64_t size = parent ? parent->info.size : 0;

	if (offset >= size) {
		iov_zero(req->iov, req->iov_count, io->moved, io->piece);
		piece_done(io, 0);
		return;
	}
	io->piece = min_of(io->piece, size - offset);
	io->parent = (struct block_request){
		.op = BLOCK_READ, .offset = offset, .iov = io->iov, .done = parent_done};
	io->parent.iov_count = slice(io);
	io->parent.len = io->piece;
	if (io->piece == 0)
		piece_done(io, -EINVAL);
	else
		block_submit(parent, &io->parent);
}

/* A piece of a block that is not there at all. */
static void piece_of_nothing(struct vhd_io *io, uint64_t offset, uint32_t block)
{
	if (io->req->op == BLOCK_READ)
		piece_from_below(io, offset);
	else if (io->req->op == BLOCK_WRITE)
		vhd_job_want(io->vhd, block, io);
	else
		piece_done(io, 0); /* it reads as zero already */
}

/* A piece of a block of which some sectors are not there, as far as is known. */
static void piece_of_partial(struct vhd_io *io, uint64_t offset, uint32_t block)
{
	struct vhd *vhd = io->vhd;
	uint64_t inside = offset % vhd->layout.block_size, run;
	const uint8_t *bits = vhd_bitmap_get(vhd, block, io);
	bool there;

	if (!bits)
		return;
	there = vhd_find_run(bits, inside / VHD_SECTOR, io->piece / VHD_SECTOR, &run);
	if (io->req->op == BLOCK_READ) {
		io->piece = run * VHD_SECTOR;
		if (there)
			piece_to_file(io, vhd_data_offset(vhd, block) + inside);
		else
			piece_from_below(io, offset);
	} else if (io->req->op == BLOCK_UNMAP) {
		piece_done(io, 0);
	} else {
		vhd_job_want(vhd, block, io);
	}
}

static void next_piece(struct vhd_io *io)
{
	struct vhd *vhd = io->vhd;
	uint64_t offset = io->req->offset + io->moved, left = io->req->len - io->moved;
	uint32_t block_size = vhd->layout.block_size;
	uint32_t block = (uint32_t)(offset / block_size);
	uint64_t inside = offset % block_size;

	io->piece = min_of(left, block_size - inside);
	if (vhd->table[block] == VHD_BLOCK_UNUSED)
		piece_of_nothing(io, offset, block);
	else if (vhd->state[block] == VHD_FULL)
		piece_to_file(io, vhd_data_offset(vhd, block) + inside);
	else
		piece_of_partial(io, offset, block);
}

static void step(struct vhd_io *io)
{
	io->in_step = true;
	do {
		io->again = false;
		if (io->result || io->moved == io->req->len) {
			io->in_step = false;
			io_done(io);
			return;
		}
		next_piece(io);
	} while (io->again);
	io->in_step = false;
}

void vhd_io_continue(struct vhd_io *io, int result)
{
	io->piece = 0; /* nothing of it was done yet */
	piece_done(io, result);
}

/* --- the beginning -------------------------------------------------------------------------- */

static void start_io(struct vhd *vhd, struct block_request *req)
{
	struct vhd_io *io = vhd->free_io;

	if (!io) {
		req->next = NULL;
		if (vhd->head)
			vhd->tail->next = req;
		else
			vhd->head = req;
		vhd->tail = req;
		return;
	}
	vhd->free_io = io->next;
	io->vhd = vhd;
	io->req = req;
	io->moved = 0;
	io->result = 0;
	step(io);
}

static void direct_done(struct file_request *file_req, int result)
{
	struct block_request *req = container_of(file_req, struct block_request, file);

	req->done(req, result);
}

/* The number of changes that this makes durable is in the first private word. */
static void flush_done(struct file_request *file_req, int result)
{
	struct block_request *req = container_of(file_req, struct block_request, file);
	struct vhd *vhd = container_of(req->block, struct vhd, block);

	if (result == 0)
		vhd->durable = max_of(vhd->durable, req->private[0]);
	req->done(req, result);
}

/* True: it is one request to the file, and was made. */
static bool submit_whole(struct vhd *vhd, struct block_request *req)
{
	uint32_t block_size = vhd->layout.block_size;
	uint32_t block = (uint32_t)(req->offset / block_size);
	uint64_t inside = req->offset % block_size;

	if ((req->op != BLOCK_READ && req->op != BLOCK_WRITE) || req->len == 0 ||
	    req->len > block_size - inside || vhd->state[block] != VHD_FULL ||
	    (req->fua && vhd->changes != vhd->durable))
		return false;
	req->file = (struct file_request){
		.op = req->op == BLOCK_READ ? FILE_READ : FILE_WRITE,
		.durable = req->fua,
		.offset = vhd_data_offset(vhd, block) + inside,
		.len = req->len,
		.iov = req->iov,
		.iov_count = req->iov_count,
		.done = direct_done,
	};
	file_submit(vhd->file, &req->file);
	return true;
}

void vhd_submit(struct block *block, struct block_request *req)
{
	struct vhd *vhd = container_of(block, struct vhd, block);
	int r = block_check(block, req);

	if (vhd->raw) {
		block_submit(vhd->raw, req);
	} else if (r) {
		req->done(req, r);
	} else if (req->op == BLOCK_FLUSH) {
		req->private[0] = vhd->changes;
		req->file = (struct file_request){.op = FILE_SYNC, .done = flush_done};
		file_submit(vhd->file, &req->file);
	} else if (!submit_whole(vhd, req)) {
		start_io(vhd, req);
	}
}

void vhd_init_ios(struct vhd *vhd)
{
	for (unsigned int i = 0; i < VHD_IO_COUNT; i++) {
		vhd->ios[i].next = vhd->free_io;
		vhd->free_io = &vhd->ios[i];
	}
}
