// SPDX-License-Identifier: MIT
/*
 * The RTC's three interrupts (MC146818A: periodic, update-ended, alarm) on IRQ 8 through the I/O
 * APIC.
 */
#include "kit/kit.h"

#define RTC_SECONDS_ALARM 0x01
#define RTC_MINUTES_ALARM 0x03
#define RTC_HOURS_ALARM   0x05
#define RTC_A             0x0a
#define RTC_B             0x0b
#define RTC_C             0x0c

#define B_PIE 0x40
#define B_AIE 0x20
#define B_UIE 0x10

#define C_IRQF 0x80
#define C_PF   0x40
#define C_AF   0x20
#define C_UF   0x10

#define ANY_TIME 0xc0 /* alarm bytes from this on match always */
#define RATE_64  0x0a /* register A: divider bits aside, 64 Hz */
#define RTC_IRQ  8
#define VECTOR   0x56

static volatile unsigned int interrupts;
static volatile uint8_t causes, without_cause;
static volatile uint64_t last_at; /* TSC */
static uint64_t enabled_at;

static uint8_t rtc_read(uint8_t index)
{
	out8(0x70, index);
	return in8(0x71);
}

static void rtc_write(uint8_t index, uint8_t v)
{
	out8(0x70, index);
	out8(0x71, v);
}

static void on_rtc(struct trap_frame *frame)
{
	(void)frame;
	uint8_t c = rtc_read(RTC_C);

	if (!(c & C_IRQF))
		without_cause++;
	causes |= c;
	last_at = rdtsc();
	interrupts++;
	apic_eoi();
}

/* Enables @enable, waits for @count interrupts, disables again. */
static bool collect(uint8_t enable, unsigned int count, uint64_t ms)
{
	uint8_t b = rtc_read(RTC_B) & (uint8_t) ~(B_PIE | B_AIE | B_UIE);

	/* What the last collection left behind. */
	irq_enable();
	delay_us(2000);
	irq_disable();
	rtc_read(RTC_C);
	interrupts = 0;
	causes = 0;
	without_cause = 0;
	enabled_at = rdtsc();
	rtc_write(RTC_B, b | enable);
	irq_enable();
	bool came = wait_for(interrupts >= count, ms);

	irq_disable();
	rtc_write(RTC_B, b);
	rtc_read(RTC_C);
	return came;
}

/*
 * The first may come at once, so N interrupts take at least N - 1 periods. Those that a loaded host
 * could not deliver in time merge: fewer is right, more is not.
 */
static void test_periodic(void)
{
	uint8_t a = rtc_read(RTC_A);

	rtc_write(RTC_A, (a & 0x70) | RATE_64);
	check(collect(B_PIE, 33, 5000), "periodic interrupts come");
	uint64_t us = cycles_to_ns(last_at - enabled_at) / 1000;

	rtc_write(RTC_A, a & 0x7f);
	/* An event that comes while the handler of the one before runs is told by that one's C. */
	note("33 interrupts in %lu us, causes 0x%02x, %u without", us, causes, without_cause);
	check(us >= 495000, "at 64 Hz, not faster");
	check(causes & C_PF, "register C says periodic");
	check(without_cause < 16, "register C says that there is an interrupt");
}

static void test_update(void)
{
	check(collect(B_UIE, 2, 4000), "update-ended interrupts come");
	uint64_t ms = cycles_to_ns(last_at - enabled_at) / 1000000;

	check(ms >= 990, "at most once a second (%lu ms)", ms);
	check(causes & C_UF, "register C says update ended (0x%02x)", causes);
}

static void test_alarm(void)
{
	rtc_write(RTC_SECONDS_ALARM, ANY_TIME);
	rtc_write(RTC_MINUTES_ALARM, ANY_TIME);
	rtc_write(RTC_HOURS_ALARM, ANY_TIME);
	check(collect(B_AIE, 1, 4000), "an alarm for any time comes");
	check(causes & C_AF, "register C says alarm (0x%02x)", causes);
}

static void test_silence(void)
{
	interrupts = 0;
	irq_enable();
	delay_us(1200000);
	irq_disable();
	check_eq(interrupts, 0, "no interrupt when none is enabled");
	check_eq(rtc_read(RTC_C) & C_IRQF, 0, "and none is claimed");
}

void test_main(void)
{
	irq_set_handler(VECTOR, on_rtc);
	ioapic_route_irq(RTC_IRQ, VECTOR);
	test_periodic();
	test_update();
	test_alarm();
	test_silence();
}
