// SPDX-License-Identifier: MIT
/*
 * The real-time clock. Registers on vCPU threads, the timer on the loop's thread, all state under
 * one lock.
 *
 * Two clocks: guest time (wall clock plus offset) for time, updates and alarms, and CLOCK_MONOTONIC
 * for the periodic interrupt, which is thus deaf to somebody setting the host's clock.
 */
#include "devices/pc/rtc.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "devices/pc/rtc_calendar.h"
#include "devices/pc/rtc_clock.h"
#include "devices/pc/rtc_proto.h"

/* UIP rises this long before the second ends: what a reader who saw it clear can rely on. */
#define UIP_NS (244 * NSEC_PER_USEC)

/* An alarm further away is looked at again, since the host's clock may be set meanwhile. */
#define ALARM_LOOK_SECONDS 60

#define INTERRUPTS (RTC_B_PIE | RTC_B_AIE | RTC_B_UIE)

struct rtc {
	struct device dev;
	struct rtc_config config;
	struct loop_task task;
	struct loop_timer timer; /* loop thread */

	pthread_mutex_t
		lock; /* protects everything below; a leaf but for the irq and loop_post() */
	uint8_t index;
	uint8_t cmos[RTC_CMOS_SIZE]; /* time registers only while frozen; A without UIP */
	struct rtc_clock clock;

	/* Up to when events have been turned into flags. */
	int64_t seen_second;
	uint64_t seen_tick;
	bool armed;
	bool paused;
};

/* --- Events. ------------------------------------------------------------------------------- */

/* Turns what has happened since the last look into flags of C. Returns the new ones. */
static uint8_t collect(struct rtc *rtc)
{
	int64_t second = rtc_seconds(rtc_clock_now(&rtc->clock));
	unsigned int period = rtc_period_ticks(rtc->cmos[RTC_REG_A]);
	uint64_t tick = rtc_ns_to_ticks(loop_now());
	uint8_t flags = 0;

	/* A clock set back is not an update. */
	if (!rtc->clock.frozen && second > rtc->seen_second) {
		flags |= RTC_C_UF;
		if (rtc_next_alarm(rtc->cmos, rtc->seen_second) <= second)
			flags |= RTC_C_AF;
	}
	if (period && !rtc_divider_is_reset(rtc->cmos[RTC_REG_A]) &&
	    tick / period != rtc->seen_tick / period)
		flags |= RTC_C_PF;
	rtc->seen_second = second;
	rtc->seen_tick = tick;
	rtc->cmos[RTC_REG_C] |= flags;
	return flags;
}

/* As the datasheet's logic: IRQF is any flag with its enable. */
static void update_irqf(struct rtc *rtc)
{
	if (rtc->cmos[RTC_REG_C] & rtc->cmos[RTC_REG_B] & RTC_C_FLAGS)
		rtc->cmos[RTC_REG_C] |= RTC_C_IRQF;
	else
		rtc->cmos[RTC_REG_C] &= (uint8_t)~RTC_C_IRQF;
}

static void signal_events(struct rtc *rtc)
{
	uint8_t new = collect(rtc);

	update_irqf(rtc);
	if (new & rtc->cmos[RTC_REG_B] & RTC_C_FLAGS)
		irq_line_pulse(rtc->config.irq);
}

/* Nanoseconds until @second of guest time; 0 when it has come. */
static uint64_t until(int64_t second, int64_t guest_ns)
{
	int64_t left = second * (int64_t)NSEC_PER_SEC - guest_ns;

	return left > 0 ? (uint64_t)left : 0;
}

/*
 * Nanoseconds from now until something enabled happens; UINT64_MAX: nothing will. Counted from the
 * last look and not from now, so that nothing falls between the two.
 */
static uint64_t next_event(const struct rtc *rtc)
{
	uint8_t a = rtc->cmos[RTC_REG_A], b = rtc->cmos[RTC_REG_B];
	unsigned int period = rtc_period_ticks(a);
	int64_t guest_ns = rtc_clock_now(&rtc->clock);
	uint64_t wait = UINT64_MAX;

	if ((b & RTC_B_PIE) && period && !rtc_divider_is_reset(a)) {
		uint64_t tick = (rtc->seen_tick / period + 1) * period;
		uint64_t at = rtc_ticks_to_ns(tick), now = loop_now();

		wait = at > now ? at - now : 0;
	}
	if (rtc->clock.frozen)
		return wait;
	if (b & RTC_B_UIE)
		wait = min_of(wait, until(rtc->seen_second + 1, guest_ns));
	if (b & RTC_B_AIE) {
		int64_t at = rtc_next_alarm(rtc->cmos, rtc->seen_second);
		bool far = at == RTC_NEVER || at - rtc->seen_second > ALARM_LOOK_SECONDS;

		wait = min_of(wait, far ? ALARM_LOOK_SECONDS * NSEC_PER_SEC : until(at, guest_ns));
	}
	return wait;
}

/* Loop thread. */
static void arm(struct rtc *rtc)
{
	uint64_t wait = rtc->paused ? UINT64_MAX : next_event(rtc);

	rtc->armed = wait != UINT64_MAX;
	if (rtc->armed)
		loop_timer_set(rtc->config.loop, &rtc->timer, loop_now() + wait);
	else
		loop_timer_cancel(rtc->config.loop, &rtc->timer);
}

static void signal_and_arm(struct rtc *rtc)
{
	pthread_mutex_lock(&rtc->lock);
	if (!rtc->paused)
		signal_events(rtc);
	arm(rtc);
	pthread_mutex_unlock(&rtc->lock);
}

static void timer_fired(struct loop_timer *timer)
{
	signal_and_arm(container_of(timer, struct rtc, timer));
}

static void task_run(struct loop_task *task)
{
	signal_and_arm(container_of(task, struct rtc, task));
}

/* Any thread: what the timer waits for may have changed. */
static void rearm(struct rtc *rtc)
{
	if (rtc->armed || (rtc->cmos[RTC_REG_B] & INTERRUPTS))
		loop_post(rtc->config.loop, &rtc->task);
}

/* --- Registers. ---------------------------------------------------------------------------- */

static uint8_t read_a(const struct rtc *rtc)
{
	bool uip = !rtc->clock.frozen && rtc_within_second(rtc_clock_now(&rtc->clock)) >=
						 (int64_t)(NSEC_PER_SEC - UIP_NS);

	return rtc->cmos[RTC_REG_A] | (uip ? RTC_A_UIP : 0);
}

static uint8_t read_c(struct rtc *rtc)
{
	uint8_t value;

	collect(rtc);
	update_irqf(rtc);
	value = rtc->cmos[RTC_REG_C];
	rtc->cmos[RTC_REG_C] = 0;
	return value;
}

static uint8_t read_data(struct rtc *rtc)
{
	if (rtc_is_time_register(rtc->index))
		return rtc_clock_read(&rtc->clock, rtc->cmos, rtc->index);
	switch (rtc->index) {
	case RTC_REG_A:
		return read_a(rtc);
	case RTC_REG_C:
		return read_c(rtc);
	default:
		return rtc->cmos[rtc->index];
	}
}

static void write_control(struct rtc *rtc, uint8_t value)
{
	signal_events(rtc);
	rtc->cmos[rtc->index] = rtc->index == RTC_REG_A ? value & (uint8_t)~RTC_A_UIP : value;
	/* SET takes the update interrupt's enable with it. */
	if (rtc->index == RTC_REG_B && (value & RTC_B_SET))
		rtc->cmos[RTC_REG_B] &= (uint8_t)~RTC_B_UIE;
	rtc_clock_update(&rtc->clock, rtc->cmos);
	rtc->seen_second = rtc_seconds(rtc_clock_now(&rtc->clock));
	/* A flag that stood without its enable interrupts once that is given. */
	if (!(rtc->cmos[RTC_REG_C] & RTC_C_IRQF)) {
		update_irqf(rtc);
		if (rtc->cmos[RTC_REG_C] & RTC_C_IRQF)
			irq_line_pulse(rtc->config.irq);
	}
	update_irqf(rtc);
	rearm(rtc);
}

static void write_data(struct rtc *rtc, uint8_t value)
{
	switch (rtc->index) {
	case RTC_REG_A:
	case RTC_REG_B:
		write_control(rtc, value);
		return;
	case RTC_REG_C:
	case RTC_REG_D:
		return;
	default:
		break;
	}
	if (rtc_is_time_register(rtc->index)) {
		signal_events(rtc);
		rtc_clock_write(&rtc->clock, rtc->cmos, rtc->index, value);
		rtc->seen_second = rtc_seconds(rtc_clock_now(&rtc->clock));
		rearm(rtc);
		return;
	}
	if (rtc->index < RTC_REG_A) { /* an alarm byte */
		signal_events(rtc);
		rtc->cmos[rtc->index] = value;
		rearm(rtc);
		return;
	}
	rtc->cmos[rtc->index] = value;
}

static uint64_t rtc_read(void *dev, uint64_t offset, unsigned int size)
{
	struct rtc *rtc = dev;
	uint8_t value;

	/* The index is write-only on a PC. */
	if (offset == RTC_PORT_INDEX)
		return 0xff;
	pthread_mutex_lock(&rtc->lock);
	value = read_data(rtc);
	pthread_mutex_unlock(&rtc->lock);
	return value;
}

static void rtc_write(void *dev, uint64_t offset, unsigned int size, uint64_t value)
{
	struct rtc *rtc = dev;

	pthread_mutex_lock(&rtc->lock);
	if (offset == RTC_PORT_INDEX)
		rtc->index = (uint8_t)value % RTC_CMOS_SIZE;
	else
		write_data(rtc, (uint8_t)value);
	pthread_mutex_unlock(&rtc->lock);
}

static const struct bus_ops rtc_bus_ops = {
	.read = rtc_read,
	.write = rtc_write,
	.max_size = 1,
};

/* --- Life. --------------------------------------------------------------------------------- */

static void put16(uint8_t *at, uint64_t value)
{
	at[0] = (uint8_t)value;
	at[1] = (uint8_t)(value >> 8);
}

/* What firmware would have found out about the memory. */
static void fill_memory_sizes(struct rtc *rtc)
{
	uint64_t low = rtc->config.ram_below_4g, high = rtc->config.ram_above_4g >> 16;
	uint64_t ext = low > MiB(1) ? (low - MiB(1)) >> 10 : 0;
	uint64_t ext_64k = low > MiB(16) ? (low - MiB(16)) >> 16 : 0;
	unsigned int sum = 0;

	rtc->cmos[CMOS_EQUIPMENT] = CMOS_EQUIPMENT_FPU;
	put16(rtc->cmos + CMOS_BASE_KIB, 640);
	put16(rtc->cmos + CMOS_EXT_KIB, min_of(ext, (uint64_t)UINT16_MAX));
	put16(rtc->cmos + CMOS_EXT_KIB_COPY, min_of(ext, (uint64_t)UINT16_MAX));
	put16(rtc->cmos + CMOS_EXT_64KIB, min_of(ext_64k, (uint64_t)UINT16_MAX));
	high = min_of(high, (uint64_t)0xffffff);
	put16(rtc->cmos + CMOS_HIGH_64KIB, high);
	rtc->cmos[CMOS_HIGH_64KIB + 2] = (uint8_t)(high >> 16);
	for (unsigned int i = CMOS_CHECKSUM_FROM; i < CMOS_CHECKSUM; i++)
		sum += rtc->cmos[i];
	rtc->cmos[CMOS_CHECKSUM] = (uint8_t)(sum >> 8);
	rtc->cmos[CMOS_CHECKSUM + 1] = (uint8_t)sum;
}

static struct rtc *to_rtc(struct device *dev)
{
	return container_of(dev, struct rtc, dev);
}

static void rtc_reset(struct device *dev)
{
	struct rtc *rtc = to_rtc(dev);

	pthread_mutex_lock(&rtc->lock);
	rtc->index = 0;
	rtc->cmos[RTC_REG_A] = RTC_A_DV_RUN | 6; /* 1024 Hz */
	rtc->cmos[RTC_REG_B] = RTC_B_24H;
	/* A time that was half set is forgotten. */
	rtc_clock_forget(&rtc->clock);
	rtc_clock_update(&rtc->clock, rtc->cmos);
	collect(rtc);
	rtc->cmos[RTC_REG_C] = 0;
	rtc->cmos[RTC_REG_D] = RTC_D_VRT;
	fill_memory_sizes(rtc);
	arm(rtc);
	pthread_mutex_unlock(&rtc->lock);
}

static void rtc_pause(struct device *dev)
{
	struct rtc *rtc = to_rtc(dev);

	pthread_mutex_lock(&rtc->lock);
	rtc->paused = true;
	arm(rtc);
	pthread_mutex_unlock(&rtc->lock);
}

static void rtc_resume(struct device *dev)
{
	struct rtc *rtc = to_rtc(dev);

	pthread_mutex_lock(&rtc->lock);
	rtc->paused = false;
	pthread_mutex_unlock(&rtc->lock);
	signal_and_arm(rtc);
}

static void rtc_destroy(struct device *dev)
{
	struct rtc *rtc = to_rtc(dev);

	loop_timer_cancel(rtc->config.loop, &rtc->timer);
	pthread_mutex_destroy(&rtc->lock);
	free(rtc);
}

static const struct device_ops rtc_device_ops = {
	.name = "rtc",
	.reset = rtc_reset,
	.pause = rtc_pause,
	.resume = rtc_resume,
	.destroy = rtc_destroy,
};

static uint64_t real_time_ns(void *ctx)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* The zone's offset from UTC now; a guest on local time minds its own daylight saving. */
static int64_t local_offset_ns(void)
{
	time_t now = time(NULL);
	struct tm tm;

	localtime_r(&now, &tm);
	return tm.tm_gmtoff * (int64_t)NSEC_PER_SEC;
}

int rtc_create(const struct rtc_config *config, struct error *err, struct rtc **ret)
{
	struct rtc *rtc = calloc(1, sizeof(*rtc));

	assert(config->irq && config->loop);
	if (!rtc)
		return error_set(err, -ENOMEM, "rtc: out of memory");
	/*
	 * The C library reads the time zone's file before it takes any time apart. It does so now:
	 * a thread that serves the guest may be one that can open nothing.
	 */
	tzset();
	rtc->dev.ops = &rtc_device_ops;
	rtc->config = *config;
	rtc->clock.wall = config->wall_clock ? config->wall_clock : real_time_ns;
	rtc->clock.wall_ctx = config->wall_clock_ctx;
	rtc->clock.offset_ns = config->local_time ? local_offset_ns() : 0;
	rtc->task.run = task_run;
	rtc->timer.fired = timer_fired;
	pthread_mutex_init(&rtc->lock, NULL);
	rtc_reset(&rtc->dev);
	*ret = rtc;
	return 0;
}

int rtc_attach(struct rtc *rtc, struct bus *ports, struct error *err)
{
	return bus_add(ports, RTC_PORT_BASE, RTC_PORT_COUNT, "rtc", &rtc_bus_ops, rtc, err);
}

struct device *rtc_device(struct rtc *rtc)
{
	return &rtc->dev;
}
