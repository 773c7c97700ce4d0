// SPDX-License-Identifier: MIT
/*
 * Making metadata durable: the log, and the pages' own places. One cycle at a time; requests that
 * come while one runs wait for the next, which serves all of them. Owner: the disk's loop.
 *
 * A cycle logs what was dirty when it began, in entries of at most VHDX_LOG_MAX_PAGES pages, and
 * syncs once. What a crash may find rests on these rules:
 *
 * 1. Nothing is written before both headers carry the session's log GUID, and the log an entry of
 *    it (vhdx_session.c). So there always is a valid sequence.
 * 2. Data before metadata: where unwritten data would show something else than zeroes or what was
 *    there before (space that was used already; a child whose parent was seen), sync_first is set,
 *    and the cycle syncs before its entry is written. The entry was made before that sync, so it
 *    has nothing in it that came later. Space that is fresh reads as zero, as the block did.
 * 3. A page goes to its place only after the entry that has it is durable, and goes there as it was
 *    logged, not as it is by then.
 * 4. The tail of an entry moves past others only when their pages are durable in their places; what
 *    they took is overwritten only when such an entry is durable (vhdx_log.c).
 * 5. Space a block gave back is free only when that is durable (vhdx_trim.c).
 * 6. FlushedFileOffset is a size the file had when a sync began that has ended; LastFileOffset
 *    holds everything. The file becomes shorter only when the log is empty.
 * 7. An error of any of this ends all writing: what the file holds then is not known.
 *
 * Pages are put into place when the log is half full, and all of them, so that this costs less the
 * more often a page is changed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/block/vhdx_internal.h"

#define MAX_LOGGED 128u /* pages with images; then they are put into place */

void vhdx_page_dirty(struct vhdx *v, struct vhdx_page *page)
{
	struct vhdx_flusher *f = &v->flusher;
	unsigned int list = !page->bitmap;

	if (page->dirty)
		return;
	page->dirty = true;
	page->next_dirty = NULL;
	*f->dirty_end[list] = page;
	f->dirty_end[list] = &page->next_dirty;
	f->dirty_count++;
}

void vhdx_fail(struct vhdx *v, int error)
{
	if (!v->failed)
		v->failed = error ? error : -EIO;
}

/* --- One request to the file. -------------------------------------------------------------- */

static void step_done(struct file_request *req, int result)
{
	struct vhdx *v = container_of(req, struct vhdx, step);

	if (result)
		vhdx_fail(v, result);
	v->step_next(v);
}

void vhdx_step(struct vhdx *v, enum file_op op, void *buf, uint64_t len, uint64_t offset,
	       void (*next)(struct vhdx *v))
{
	v->step_next = next;
	v->step_iov[0] = (struct iovec){buf, len};
	v->step = (struct file_request){.op = op,
					.offset = offset,
					.len = len,
					.iov = v->step_iov,
					.iov_count = len ? 1 : 0,
					.done = step_done};
	file_submit(v->file, &v->step);
}

static void sync_done(struct file_request *req, int result)
{
	struct vhdx *v = container_of(req, struct vhdx, step);

	if (result == 0) {
		v->durable_mib = max_of(v->durable_mib, v->syncing_mib);
		vhdx_log_synced(&v->log);
	}
	step_done(req, result);
}

void vhdx_step_sync(struct vhdx *v, void (*next)(struct vhdx *v))
{
	v->syncing_mib = v->file_mib;
	if (v->unsafe) {
		vhdx_log_synced(&v->log);
		next(v);
		return;
	}
	v->step_next = next;
	v->step = (struct file_request){.op = FILE_SYNC, .done = sync_done};
	file_submit(v->file, &v->step);
}

/* --- Images. ------------------------------------------------------------------------------- */

static uint8_t *image_get(struct vhdx_flusher *f)
{
	return f->image_count ? f->images[--f->image_count] : aligned_alloc(PAGE_SIZE, PAGE_SIZE);
}

static void image_put(struct vhdx_flusher *f, uint8_t *image)
{
	if (f->image_count < f->image_capacity)
		f->images[f->image_count++] = image;
	else
		free(image);
}

/* What the page holds now becomes what is logged. */
static int take_image(struct vhdx *v, struct vhdx_page *page)
{
	struct vhdx_flusher *f = &v->flusher;

	if (!page->image) {
		page->image = image_get(f);
		if (!page->image)
			return -ENOMEM;
		page->next_logged = f->logged;
		f->logged = page;
		f->logged_count++;
	}
	if (page->bitmap)
		memcpy(page->image, container_of(page, struct vhdx_bitmap_page, page)->bits,
		       PAGE_SIZE);
	else
		vhdx_bat_encode(container_of(page, struct vhdx_bat_page, page), page->image);
	return 0;
}

static struct vhdx_page *take_dirty(struct vhdx_flusher *f, unsigned int list)
{
	struct vhdx_page *page = f->dirty[list];

	f->dirty[list] = page->next_dirty;
	if (!f->dirty[list])
		f->dirty_end[list] = &f->dirty[list];
	f->dirty_count--;
	f->target[list]--;
	page->next_dirty = NULL;
	page->dirty = false;
	page->cycle = f->cycle;
	return page;
}

/* Takes up to VHDX_LOG_MAX_PAGES dirty pages into @pages: bitmaps first. Their number or -errno. */
int vhdx_take_pages(struct vhdx *v, struct vhdx_log_page *pages)
{
	struct vhdx_flusher *f = &v->flusher;
	int count = 0;

	for (unsigned int list = 0; list < 2; list++) {
		while (f->target[list] && f->dirty[list] && count < (int)VHDX_LOG_MAX_PAGES) {
			struct vhdx_page *page = take_dirty(f, list);
			int ret = take_image(v, page);

			if (ret)
				return ret;
			pages[count++] = (struct vhdx_log_page){page->file_offset, page->image};
		}
	}
	return count;
}

/* --- Putting pages into their places. ------------------------------------------------------ */

static void apply_more(struct vhdx *v);

static void apply_done(struct file_request *req, int result)
{
	struct vhdx_apply *apply = container_of(req, struct vhdx_apply, file);
	struct vhdx *v = apply->v;

	image_put(&v->flusher, apply->iov.iov_base);
	if (result)
		vhdx_fail(v, result);
	if (--v->flusher.applying == 0)
		apply_more(v);
}

/* A batch; all of it ends before the next begins. */
static void apply_more(struct vhdx *v)
{
	struct vhdx_flusher *f = &v->flusher;
	unsigned int count = 0;

	if (!f->logged || v->failed) {
		if (!v->failed)
			v->log.applied = v->log.head;
		f->applied(v);
		return;
	}
	for (; f->logged && count < VHDX_APPLY_BATCH; count++) {
		struct vhdx_apply *apply = &f->apply[count];
		struct vhdx_page *page = f->logged;

		f->logged = page->next_logged;
		f->logged_count--;
		apply->v = v;
		apply->iov = (struct iovec){page->image, PAGE_SIZE};
		apply->file = (struct file_request){.op = FILE_WRITE,
						    .offset = page->file_offset,
						    .len = PAGE_SIZE,
						    .iov = &apply->iov,
						    .iov_count = 1,
						    .done = apply_done};
		page->image = NULL;
	}
	f->applying = count;
	for (unsigned int i = 0; i < count; i++)
		file_submit(v->file, &f->apply[i].file);
}

static void apply(struct vhdx *v, void (*next)(struct vhdx *v))
{
	v->flusher.applied = next;
	apply_more(v);
}

/* --- The cycle. ---------------------------------------------------------------------------- */

static void next_entry(struct vhdx *v);
static void begin_cycle(struct vhdx *v);

static void end_cycle(struct vhdx *v)
{
	struct vhdx_flusher *f = &v->flusher;
	struct block_request *req = f->current;

	f->current = NULL;
	f->running = false;
	if (!v->failed)
		f->durable_cycle = f->cycle;
	while (req) {
		struct block_request *next = req->next;

		vhdx_flushed(v, req, v->failed ? -EIO : 0);
		req = next;
	}
	if (f->queue && !f->running)
		begin_cycle(v);
}

static void synced(struct vhdx *v)
{
	struct vhdx_flusher *f = &v->flusher;

	if (!v->failed && f->logged &&
	    (vhdx_log_used(&v->log) > v->log.length / 2 || f->logged_count > MAX_LOGGED))
		apply(v, end_cycle);
	else
		end_cycle(v);
}

static void log_written_second(struct vhdx *v)
{
	vhdx_log_written(&v->log);
	next_entry(v);
}

static void log_written(struct vhdx *v)
{
	struct vhdx_flusher *f = &v->flusher;
	uint32_t first = min_of(f->entry_len, v->log.length - f->entry_at);

	if (first < f->entry_len && !v->failed)
		vhdx_step(v, FILE_WRITE, f->buffer + first, f->entry_len - first, v->log.offset,
			  log_written_second);
	else
		log_written_second(v);
}

/* The entry in the buffer goes to the log. */
static void write_entry(struct vhdx *v)
{
	struct vhdx_flusher *f = &v->flusher;
	uint32_t first = min_of(f->entry_len, v->log.length - f->entry_at);

	if (v->failed) {
		end_cycle(v);
		return;
	}
	vhdx_step(v, FILE_WRITE, f->buffer, first, v->log.offset + f->entry_at, log_written);
}

static void build_entry(struct vhdx *v, const struct vhdx_log_page *pages, unsigned int count)
{
	struct vhdx_flusher *f = &v->flusher;

	v->log.flushed_file_offset = v->durable_mib * VHDX_MIB;
	v->log.last_file_offset = v->space.frontier * VHDX_MIB;
	f->entry_len = vhdx_log_build(&v->log, pages, count, f->buffer, &f->entry_at);
}

/*
 * The log is full: what this cycle has logged is made durable, everything is put into place, and
 * that is made durable; then an entry without pages says that nothing before it is needed.
 */
static void room_tail_written(struct vhdx *v)
{
	vhdx_log_written(&v->log);
	if (v->failed)
		end_cycle(v);
	else
		vhdx_step_sync(v, next_entry);
}

static void room_applied_synced(struct vhdx *v)
{
	struct vhdx_flusher *f = &v->flusher;

	if (v->failed) {
		end_cycle(v);
		return;
	}
	build_entry(v, NULL, 0);
	vhdx_step(v, FILE_WRITE, f->buffer, f->entry_len, v->log.offset + f->entry_at,
		  room_tail_written);
}

static void room_applied(struct vhdx *v)
{
	if (v->failed)
		end_cycle(v);
	else
		vhdx_step_sync(v, room_applied_synced);
}

static void room_synced(struct vhdx *v)
{
	if (v->failed)
		end_cycle(v);
	else
		apply(v, room_applied);
}

static void next_entry(struct vhdx *v)
{
	struct vhdx_log_page pages[VHDX_LOG_MAX_PAGES];
	struct vhdx_flusher *f = &v->flusher;
	unsigned int count = min_of(f->target[0] + f->target[1], VHDX_LOG_MAX_PAGES);
	int taken;

	if (v->failed) {
		end_cycle(v);
		return;
	}
	if (count == 0) {
		vhdx_step_sync(v, synced);
		return;
	}
	if (!vhdx_log_has_room(&v->log, count)) {
		vhdx_step_sync(v, room_synced);
		return;
	}
	taken = vhdx_take_pages(v, pages);
	if (taken < 0) {
		vhdx_fail(v, taken);
		end_cycle(v);
		return;
	}
	build_entry(v, pages, (unsigned int)taken);
	if (f->sync_first) {
		f->sync_first = false;
		vhdx_step_sync(v, write_entry);
	} else {
		write_entry(v);
	}
}

static unsigned int count_dirty(const struct vhdx_page *page)
{
	unsigned int count = 0;

	for (; page; page = page->next_dirty)
		count++;
	return count;
}

static void begin_cycle(struct vhdx *v)
{
	struct vhdx_flusher *f = &v->flusher;

	f->running = true;
	f->current = f->queue;
	f->queue = NULL;
	f->queue_end = &f->queue;
	f->cycle++;
	f->target[0] = f->target[1] = 0;
	if (v->session == VHDX_BEGUN) {
		f->target[0] = count_dirty(f->dirty[0]);
		f->target[1] = count_dirty(f->dirty[1]);
	}
	next_entry(v);
}

/* --- Blocking, at the end. ----------------------------------------------------------------- */

int vhdx_sync_now(struct vhdx *v)
{
	int ret = v->unsafe ? 0 : file_sync(v->file);

	if (ret == 0) {
		v->durable_mib = v->file_mib;
		vhdx_log_synced(&v->log);
	}
	return ret;
}

int vhdx_write_log(struct vhdx *v, const struct vhdx_log_page *pages, unsigned int count)
{
	struct vhdx_flusher *f = &v->flusher;
	uint32_t first;
	int ret;

	build_entry(v, pages, count);
	first = min_of(f->entry_len, v->log.length - f->entry_at);
	ret = file_pwrite(v->file, f->buffer, first, v->log.offset + f->entry_at);
	if (ret == 0 && first < f->entry_len)
		ret = file_pwrite(v->file, f->buffer + first, f->entry_len - first, v->log.offset);
	if (ret == 0)
		vhdx_log_written(&v->log);
	return ret;
}

int vhdx_put_in_place(struct vhdx *v)
{
	struct vhdx_flusher *f = &v->flusher;
	int ret = vhdx_sync_now(v);

	while (ret == 0 && f->logged) {
		struct vhdx_page *page = f->logged;

		ret = file_pwrite(v->file, page->image, PAGE_SIZE, page->file_offset);
		f->logged = page->next_logged;
		f->logged_count--;
		image_put(f, page->image);
		page->image = NULL;
	}
	if (ret)
		return ret;
	v->log.applied = v->log.head;
	return vhdx_sync_now(v);
}

/* --- Beginning and end. -------------------------------------------------------------------- */

int vhdx_flusher_init(struct vhdx_flusher *f)
{
	f->queue_end = &f->queue;
	f->dirty_end[0] = &f->dirty[0];
	f->dirty_end[1] = &f->dirty[1];
	f->image_capacity = MAX_LOGGED + VHDX_LOG_MAX_PAGES;
	f->images = calloc(f->image_capacity, sizeof(*f->images));
	f->buffer = aligned_alloc(PAGE_SIZE, VHDX_LOG_BUFFER);
	return f->images && f->buffer ? 0 : -ENOMEM;
}

void vhdx_flusher_finish(struct vhdx_flusher *f)
{
	for (; f->logged; f->logged = f->logged->next_logged)
		free(f->logged->image);
	while (f->image_count)
		free(f->images[--f->image_count]);
	free(f->images);
	free(f->buffer);
}

void vhdx_flush(struct vhdx *v, struct block_request *req)
{
	struct vhdx_flusher *f = &v->flusher;

	req->next = NULL;
	*f->queue_end = req;
	f->queue_end = &req->next;
	if (!f->running)
		begin_cycle(v);
}
