// SPDX-License-Identifier: MIT
/*
 * ACPI fixed hardware (ACPI 6.x, section 4.8). Registers on vCPU threads, the timer's interrupt on
 * the loop's thread; all state under one lock, events outside it.
 */
#include "devices/pc/pm.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "devices/pc/pm_proto.h"
#include "vmm/acpi.h"
#include "vmm/layout.h"
#include "vmm/log.h"

_Static_assert(PM_PM1_STS == ACPI_PM1_EVENT && PM_PM1_CNT == ACPI_PM1_CONTROL, "as in the FADT");
_Static_assert(PM_TMR == ACPI_PM_TIMER && PM_GPE0_STS == ACPI_GPE0, "as in the FADT");
_Static_assert(PM_PORTS == ACPI_PM_LEN, "as in the DSDT");
_Static_assert(PM_RESET_VALUE == ACPI_RESET_VALUE, "as in the FADT");

struct pm {
	struct device dev;
	struct pm_config config;
	struct log_limit odd_sleeps;
	struct loop_task task;
	struct loop_timer timer; /* loop thread: the PM timer's next overflow, when enabled */

	pthread_mutex_t
		lock; /* protects everything below; a leaf but for the SCI and loop_post() */
	uint16_t pm1_sts, pm1_en, pm1_cnt;
	uint16_t gpe_sts, gpe_en;
	uint8_t reset_control;
	uint64_t base_ns;    /* when the PM timer was 0; may lie before 0 and wrap */
	uint64_t stopped_ns; /* when it was paused; 0: it runs */
	uint64_t
		seen_half; /* TMR_STS: how often the timer's top bit had changed at the last look */
	bool armed;
};

/* What an access asks the rest of the machine for. */
struct effects {
	bool power_off;
	bool odd_sleep;
	bool timer;
};

/* --- The PM timer. ------------------------------------------------------------------------- */

static uint64_t timer_ticks(const struct pm *pm)
{
	uint64_t ns = (pm->stopped_ns ? pm->stopped_ns : loop_now()) - pm->base_ns;

	return ns / NSEC_PER_SEC * PM_TMR_HZ + ns % NSEC_PER_SEC * PM_TMR_HZ / NSEC_PER_SEC;
}

/* TMR_STS is set whenever the top bit changes, either way. */
static void look_at_timer(struct pm *pm)
{
	uint64_t half = timer_ticks(pm) >> 31;

	if (half != pm->seen_half)
		pm->pm1_sts |= PM1_TMR;
	pm->seen_half = half;
}

/* Rounded up: by then that many have passed. */
static uint64_t ticks_to_ns(uint64_t ticks)
{
	return ticks / PM_TMR_HZ * NSEC_PER_SEC +
	       (ticks % PM_TMR_HZ * NSEC_PER_SEC + PM_TMR_HZ - 1) / PM_TMR_HZ;
}

/* --- Events. ------------------------------------------------------------------------------- */

static void update_sci(struct pm *pm)
{
	irq_line_set(pm->config.sci, (pm->pm1_sts & pm->pm1_en) || (pm->gpe_sts & pm->gpe_en));
}

/* Loop thread. */
static void arm(struct pm *pm)
{
	pm->armed = (pm->pm1_en & PM1_TMR) && !pm->stopped_ns;
	if (pm->armed)
		loop_timer_set(pm->config.loop, &pm->timer,
			       pm->base_ns + ticks_to_ns((pm->seen_half + 1) << 31));
	else
		loop_timer_cancel(pm->config.loop, &pm->timer);
}

static void look_and_arm(struct pm *pm)
{
	pthread_mutex_lock(&pm->lock);
	look_at_timer(pm);
	update_sci(pm);
	arm(pm);
	pthread_mutex_unlock(&pm->lock);
}

static void timer_fired(struct loop_timer *timer)
{
	look_and_arm(container_of(timer, struct pm, timer));
}

static void task_run(struct loop_task *task)
{
	look_and_arm(container_of(task, struct pm, task));
}

bool pm_press_power_button(struct pm *pm)
{
	bool enabled;

	pthread_mutex_lock(&pm->lock);
	pm->pm1_sts |= PM1_PWRBTN;
	enabled = pm->pm1_en & PM1_PWRBTN;
	update_sci(pm);
	pthread_mutex_unlock(&pm->lock);
	return enabled;
}

void pm_raise_gpe(struct pm *pm, unsigned int n)
{
	assert(n < 16);
	pthread_mutex_lock(&pm->lock);
	pm->gpe_sts |= (uint16_t)(1u << n);
	update_sci(pm);
	pthread_mutex_unlock(&pm->lock);
}

/* --- Registers. ---------------------------------------------------------------------------- */

static void store16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)value;
	at[1] = (uint8_t)(value >> 8);
}

/* Accesses of any size at any offset: all registers side by side, then the bytes asked for. */
static uint32_t read_registers(struct pm *pm, uint64_t offset, unsigned int size)
{
	uint8_t image[PM_PORTS] = {0};
	uint32_t ticks = (uint32_t)timer_ticks(pm), value = 0;

	look_at_timer(pm);
	store16(image + PM_PM1_STS, pm->pm1_sts);
	store16(image + PM_PM1_EN, pm->pm1_en);
	store16(image + PM_PM1_CNT, pm->pm1_cnt | PM1_CNT_SCI_EN);
	store16(image + PM_TMR, (uint16_t)ticks);
	store16(image + PM_TMR + 2, (uint16_t)(ticks >> 16));
	store16(image + PM_GPE0_STS, pm->gpe_sts);
	store16(image + PM_GPE0_EN, pm->gpe_en);
	memcpy(&value, image + offset, size);
	return value;
}

static uint64_t pm_read(void *dev, uint64_t offset, unsigned int size)
{
	struct pm *pm = dev;
	uint32_t value;

	pthread_mutex_lock(&pm->lock);
	if (offset == PM_TMR && size == 4) /* the one that guests read often */
		value = (uint32_t)timer_ticks(pm);
	else
		value = read_registers(pm, offset, size);
	pthread_mutex_unlock(&pm->lock);
	return value;
}

/* Replaces one byte of @word. */
static uint16_t with_byte(uint16_t word, unsigned int byte, uint8_t value)
{
	unsigned int shift = 8 * byte;

	return (uint16_t)((word & ~(0xffu << shift)) | ((unsigned int)value << shift));
}

static void write_byte(struct pm *pm, uint64_t offset, uint8_t value, struct effects *effects)
{
	unsigned int byte = offset & 1;
	uint16_t ones = with_byte(0, byte, value), before = pm->pm1_en;

	switch (offset & ~1ull) {
	case PM_PM1_STS:
		pm->pm1_sts &= (uint16_t)~ones;
		break;
	case PM_PM1_EN:
		pm->pm1_en = with_byte(pm->pm1_en, byte, value) & PM1_EN_ALL;
		effects->timer |= (before ^ pm->pm1_en) & PM1_TMR;
		break;
	case PM_PM1_CNT:
		pm->pm1_cnt = with_byte(pm->pm1_cnt, byte, value);
		break;
	case PM_GPE0_STS:
		pm->gpe_sts &= (uint16_t)~ones;
		break;
	case PM_GPE0_EN:
		pm->gpe_en = with_byte(pm->gpe_en, byte, value);
		break;
	default:
		break;
	}
}

static void check_sleep(struct pm *pm, struct effects *effects)
{
	unsigned int type = (pm->pm1_cnt & PM1_CNT_SLP_TYP) >> PM1_CNT_SLP_TYP_SHIFT;

	if (pm->pm1_cnt & PM1_CNT_SLP_EN) {
		effects->power_off = type == ACPI_SLP_TYP_S5;
		effects->odd_sleep = type != ACPI_SLP_TYP_S5;
	}
	/* SLP_EN and GBL_RLS read as 0. */
	pm->pm1_cnt &= PM1_CNT_BM_RLD | PM1_CNT_SLP_TYP;
}

static void pm_write(void *dev, uint64_t offset, unsigned int size, uint64_t value)
{
	struct pm *pm = dev;
	struct effects effects = {0};

	pthread_mutex_lock(&pm->lock);
	/* Overflows until now come before what this access clears. */
	look_at_timer(pm);
	for (unsigned int i = 0; i < size; i++)
		write_byte(pm, offset + i, (uint8_t)(value >> (8 * i)), &effects);
	check_sleep(pm, &effects);
	update_sci(pm);
	if (effects.timer)
		loop_post(pm->config.loop, &pm->task);
	pthread_mutex_unlock(&pm->lock);

	if (effects.power_off)
		pm->config.events->power_off(pm->config.events_ctx);
	if (effects.odd_sleep)
		log_guest(&pm->odd_sleeps, LOG_WARNING,
			  "the guest asks for a sleep state that does not exist; ignored");
}

static uint64_t reset_read(void *dev, uint64_t offset, unsigned int size)
{
	struct pm *pm = dev;
	uint8_t value;

	pthread_mutex_lock(&pm->lock);
	value = pm->reset_control;
	pthread_mutex_unlock(&pm->lock);
	return value;
}

static void reset_write(void *dev, uint64_t offset, unsigned int size, uint64_t value)
{
	struct pm *pm = dev;

	pthread_mutex_lock(&pm->lock);
	pm->reset_control = value & (PM_RESET_SYS | PM_RESET_FULL);
	pthread_mutex_unlock(&pm->lock);
	/* The CPU bit never stays set, so each write of it is a rising edge. */
	if (value & PM_RESET_CPU)
		pm->config.events->reset(pm->config.events_ctx);
}

static const struct bus_ops pm_bus_ops = {
	.read = pm_read,
	.write = pm_write,
	.max_size = 4,
};

static const struct bus_ops reset_bus_ops = {
	.read = reset_read,
	.write = reset_write,
	.max_size = 1,
};

/* --- Life. --------------------------------------------------------------------------------- */

static struct pm *to_pm(struct device *dev)
{
	return container_of(dev, struct pm, dev);
}

static void pm_reset(struct device *dev)
{
	struct pm *pm = to_pm(dev);

	pthread_mutex_lock(&pm->lock);
	pm->pm1_sts = pm->pm1_en = pm->pm1_cnt = 0;
	pm->gpe_sts = pm->gpe_en = 0;
	pm->reset_control = 0;
	pm->base_ns = pm->stopped_ns ? pm->stopped_ns : loop_now();
	pm->base_ns -= ticks_to_ns(pm->config.timer_start);
	pm->seen_half = pm->config.timer_start >> 31;
	update_sci(pm);
	arm(pm);
	pthread_mutex_unlock(&pm->lock);
}

static void pm_pause(struct device *dev)
{
	struct pm *pm = to_pm(dev);

	pthread_mutex_lock(&pm->lock);
	if (!pm->stopped_ns)
		pm->stopped_ns = loop_now();
	arm(pm);
	pthread_mutex_unlock(&pm->lock);
}

static void pm_resume(struct device *dev)
{
	struct pm *pm = to_pm(dev);

	pthread_mutex_lock(&pm->lock);
	if (pm->stopped_ns)
		pm->base_ns += loop_now() - pm->stopped_ns;
	pm->stopped_ns = 0;
	arm(pm);
	pthread_mutex_unlock(&pm->lock);
}

static void pm_destroy(struct device *dev)
{
	struct pm *pm = to_pm(dev);

	loop_timer_cancel(pm->config.loop, &pm->timer);
	pthread_mutex_destroy(&pm->lock);
	free(pm);
}

static const struct device_ops pm_device_ops = {
	.name = "pm",
	.reset = pm_reset,
	.pause = pm_pause,
	.resume = pm_resume,
	.destroy = pm_destroy,
};

int pm_create(const struct pm_config *config, struct error *err, struct pm **ret)
{
	struct pm *pm = calloc(1, sizeof(*pm));

	assert(config->sci && config->loop);
	assert(config->events && config->events->power_off && config->events->reset);
	if (!pm)
		return error_set(err, -ENOMEM, "pm: out of memory");
	pm->dev.ops = &pm_device_ops;
	pm->config = *config;
	pm->task.run = task_run;
	pm->timer.fired = timer_fired;
	pthread_mutex_init(&pm->lock, NULL);
	pm_reset(&pm->dev);
	*ret = pm;
	return 0;
}

int pm_attach(struct pm *pm, struct bus *ports, struct error *err)
{
	int r = bus_add(ports, LAYOUT_PORT_PM, PM_PORTS, "pm", &pm_bus_ops, pm, err);

	if (r < 0)
		return r;
	return bus_add(ports, LAYOUT_PORT_RESET, 1, "reset control", &reset_bus_ops, pm, err);
}

struct device *pm_device(struct pm *pm)
{
	return &pm->dev;
}
