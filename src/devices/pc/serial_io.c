// SPDX-License-Identifier: MIT
/*
 * The serial port's way to and from its character device.
 *
 * Output: vCPU threads append to one buffer under the lock; the loop swaps it for the other one
 * when that is written out, so a drain is one write of all there is and the lock is held for a
 * moment. A vCPU thread wakes the loop only when the loop would not look by itself (`tx_active`):
 * after a drain it looks again SERIAL_TX_LINGER_NS later, and goes idle when it then finds nothing.
 */
#include <assert.h>
#include <errno.h>
#include <sys/mman.h>

#include "devices/pc/serial_impl.h"
#include "vmm/log.h"

/* One write to the character device; what a stuck reader is measured by at the end. */
#define WRITE_MAX KiB(16)

/* A buffer that grew past this gives its memory back once it is written out. */
#define KEEP_RESIDENT KiB(64)

/* --- On vCPU threads, under the lock. ------------------------------------------------------ */

void serial_io_send(struct serial *s, uint8_t byte)
{
	size_t queued = s->tx_filled + s->tx_draining;

	if (queued >= SERIAL_TX_HARD) {
		counter_add(&s->counters.tx_dropped, 1);
		return;
	}
	s->tx_fill[s->tx_filled++] = byte;
	if (queued + 1 >= SERIAL_TX_SOFT)
		serial_set_tx_busy(s, true);
	if (!s->tx_active) {
		s->tx_active = true;
		counter_add(&s->counters.tx_posts, 1);
		loop_post(s->loop, &s->task);
	}
}

void serial_io_poll_input(struct serial *s)
{
	/* Refilling an empty FIFO, and not each byte of it, costs the fewest wakes. */
	if (!s->rx_waiting || s->rx_count || !serial_rx_room(s))
		return;
	s->rx_waiting = false;
	s->rx_resume = true;
	loop_post(s->loop, &s->task);
}

/* --- Output, on the loop's thread. --------------------------------------------------------- */

static void closed(void *ctx)
{
	struct serial *s = ctx;

	/* The task may still be queued from a vCPU thread: it is the one that says "done". */
	s->closed = true;
	loop_post(s->loop, &s->task);
}

static void finish_shutdown(struct serial *s)
{
	if (s->closing)
		return;
	s->closing = true;
	loop_timer_cancel(s->loop, &s->linger);
	loop_timer_cancel(s->loop, &s->flush);
	chardev_close(s->chardev, closed, s);
}

/* Swaps the buffers. False when the guest has written nothing: the loop goes idle. */
static bool take_output(struct serial *s)
{
	uint8_t *drained = s->tx_drain;
	bool any;

	pthread_mutex_lock(&s->lock);
	any = s->tx_filled > 0;
	if (any) {
		s->tx_drain = s->tx_fill;
		s->tx_fill = drained;
		s->drain_start = 0;
		s->drain_end = s->tx_draining = s->tx_filled;
		s->tx_filled = 0;
	} else {
		s->tx_active = false;
	}
	pthread_mutex_unlock(&s->lock);
	if (any && s->tap)
		s->tap(s->tap_ctx, s->tx_drain, s->drain_end);
	return any;
}

void serial_peek(struct serial *s, void (*see)(void *ctx, const uint8_t *data, size_t len),
		 void *ctx)
{
	pthread_mutex_lock(&s->lock);
	if (s->tx_filled)
		see(ctx, s->tx_fill, s->tx_filled);
	pthread_mutex_unlock(&s->lock);
}

/* The character device is done with what it was given. */
static void account(struct serial *s)
{
	s->drain_start += s->writing;
	pthread_mutex_lock(&s->lock);
	s->tx_draining -= s->writing;
	if (s->tx_filled + s->tx_draining <= SERIAL_TX_SOFT / 2)
		serial_set_tx_busy(s, false);
	pthread_mutex_unlock(&s->lock);
	s->writing = 0;
	if (s->drain_start == s->drain_end && s->drain_end > KEEP_RESIDENT)
		madvise(s->tx_drain, s->drain_end, MADV_DONTNEED);
	if (s->shutting_down)
		loop_timer_set(s->loop, &s->flush,
			       min_of(loop_now() + s->flush_stuck_ns, s->flush_limit_ns));
}

/* Writes until there is nothing left or the character device takes its time. */
static void drain(struct serial *s)
{
	while (!s->writing) {
		if (s->drain_start == s->drain_end && !take_output(s)) {
			if (s->shutting_down)
				finish_shutdown(s);
			return;
		}
		s->writing = min_of(s->drain_end - s->drain_start, (size_t)WRITE_MAX);
		counter_add(&s->counters.tx_batches, 1);
		if (!chardev_write(s->chardev, s->tx_drain + s->drain_start, s->writing))
			return;
		account(s);
		if (s->drain_start == s->drain_end && !s->shutting_down) {
			loop_timer_set(s->loop, &s->linger, loop_now() + SERIAL_TX_LINGER_NS);
			return;
		}
	}
}

static void written(void *ctx)
{
	struct serial *s = ctx;

	account(s);
	if (s->drain_start == s->drain_end && !s->shutting_down)
		loop_timer_set(s->loop, &s->linger, loop_now() + SERIAL_TX_LINGER_NS);
	else
		drain(s);
}

static void linger_fired(struct loop_timer *timer)
{
	drain(container_of(timer, struct serial, linger));
}

static void flush_fired(struct loop_timer *timer)
{
	struct serial *s = container_of(timer, struct serial, flush);
	size_t lost;

	pthread_mutex_lock(&s->lock);
	lost = s->tx_filled + s->tx_draining;
	counter_add(&s->counters.tx_dropped, lost);
	pthread_mutex_unlock(&s->lock);
	log_warning("%s: the last %zu bytes of output are lost: nobody took them in time", s->name,
		    lost);
	finish_shutdown(s);
}

/* --- Input, on the loop's thread. ---------------------------------------------------------- */

static size_t input(void *ctx, const uint8_t *data, size_t len)
{
	struct serial *s = ctx;
	size_t taken;

	pthread_mutex_lock(&s->lock);
	taken = min_of(len, (size_t)serial_rx_room(s));
	for (size_t i = 0; i < taken; i++)
		serial_rx_push(s, data[i], 0);
	s->rx_waiting = taken < len;
	serial_update_irq(s);
	pthread_mutex_unlock(&s->lock);
	return taken;
}

static bool input_break(void *ctx)
{
	struct serial *s = ctx;
	bool room;

	pthread_mutex_lock(&s->lock);
	room = serial_rx_room(s) > 0;
	/* A break is a zero byte that lacks its stop bit. */
	if (room)
		serial_rx_push(s, 0, LSR_BI);
	s->rx_waiting = !room;
	serial_update_irq(s);
	pthread_mutex_unlock(&s->lock);
	return room;
}

/* --- Life. --------------------------------------------------------------------------------- */

static void run(struct loop_task *task)
{
	struct serial *s = container_of(task, struct serial, task);
	bool resume;

	if (s->closing) {
		if (s->closed)
			s->done(s->done_ctx);
		return;
	}
	pthread_mutex_lock(&s->lock);
	resume = s->rx_resume;
	s->rx_resume = false;
	pthread_mutex_unlock(&s->lock);
	if (resume)
		chardev_input_resume(s->chardev);
	if (!s->linger.next || s->shutting_down)
		drain(s);
}

void serial_start(struct serial *s)
{
	static const struct chardev_user user = {
		.input = input, .input_break = input_break, .written = written};

	assert(!s->started);
	s->started = true;
	chardev_start(s->chardev, &user, s);
}

void serial_shutdown(struct serial *s, void (*done)(void *ctx), void *ctx)
{
	uint64_t now = loop_now();

	assert(!s->shutting_down);
	s->shutting_down = true;
	s->done = done;
	s->done_ctx = ctx;
	if (!s->started) {
		finish_shutdown(s);
		return;
	}
	s->flush_limit_ns = now + SERIAL_FLUSH_MAX_NS;
	loop_timer_set(s->loop, &s->flush, now + s->flush_stuck_ns);
	loop_timer_cancel(s->loop, &s->linger);
	drain(s);
}

static uint8_t *map_buffer(void)
{
	void *p = mmap(NULL, SERIAL_TX_HARD, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* The buffers are mapped, not allocated, for their untouched part to cost nothing. */
int serial_io_init(struct serial *s, struct error *err)
{
	s->task.run = run;
	s->linger.fired = linger_fired;
	s->flush.fired = flush_fired;
	s->tx_fill = map_buffer();
	s->tx_drain = map_buffer();
	if (!s->tx_fill || !s->tx_drain)
		return error_set(err, -ENOMEM, "%s: out of memory", s->name);
	return 0;
}

void serial_io_finish(struct serial *s)
{
	if (s->tx_fill)
		munmap(s->tx_fill, SERIAL_TX_HARD);
	if (s->tx_drain)
		munmap(s->tx_drain, SERIAL_TX_HARD);
}
