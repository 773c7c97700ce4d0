// SPDX-License-Identifier: MIT
/*
 * The inside of a machine, for the machine_*.c files alone.
 *
 * The loop's thread owns everything but what is marked otherwise. VPs are stopped whenever devices
 * are reset or memory is loaded.
 */
#pragma once

#include <pthread.h>

#include "candela/machine.h"
#include "candela/panic_watch.h"
#include "vmm/boot.h"
#include "vmm/bus.h"
#include "vmm/cpuid.h"
#include "vmm/device.h"
#include "vmm/irqchip.h"
#include "vmm/kvm.h"
#include "vmm/log.h"
#include "vmm/loop.h"
#include "vmm/mem.h"
#include "vmm/vcpu.h"

struct hv;
struct hv_test_device;
struct serial;
struct rtc;
struct pm;
struct i8042;
struct debug_exit;
struct pvpanic;

#define MACHINE_DEVICES_MAX 16

/* KVM memory slots: RAM has those below, overlay pages those from here on. */
#define MACHINE_OVERLAY_SLOTS 1024

struct machine {
	const struct vm_config *config;

	struct loop *loop;
	struct mem *mem;
	struct kvm kvm;
	struct irqchip irqchip;
	struct bus ports;
	struct bus mmio;
	struct boot_image *image;
	struct vcpu_set vcpus;
	struct hv *hv;                  /* NULL: the guest sees no hypervisor */
	struct hv_test_device *hv_test; /* NULL: not wanted */

	/* In the order in which they were made; destroyed in reverse. */
	struct device *devices[MACHINE_DEVICES_MAX];
	size_t device_count;
	struct irqchip_line irq_serial, irq_rtc, irq_sci;
	struct serial *serial;
	struct pm *pm;

	/*
	 * What VPs and devices report, from any thread: the first report until it is handled
	 * counts.
	 */
	pthread_mutex_t report_lock;
	bool reported; /* protected by report_lock, as is reported_outcome */
	struct machine_outcome reported_outcome;
	struct loop_task report_task;

	/* Linux guests whose panics count: what their console says. */
	bool watch_panics;
	struct panic_watch panic;
	struct loop_timer panic_silence;
	struct log_limit crash_log; /* lines about crashes that do not end the VM */

	struct loop_timer timeout;
	struct loop_fd signals;
	bool signals_open;
	bool ended;
	struct machine_outcome outcome;
	struct error error; /* of a failure while running */

	_Atomic uint64_t started_at;
	unsigned int resets;
	uint64_t phys_bits; /* the guest's physical address width */
};

/* machine_devices.c: makes all devices and claims their ports. */
int machine_add_devices(struct machine *m, struct error *err) must_check;
void machine_remove_devices(struct machine *m);

/* machine_panic.c: panics that only the console tells of. */
void machine_watch_panics(struct machine *m, enum boot_protocol protocol);
void machine_console_output(void *machine, const uint8_t *data, size_t len);
/*
 * A guest that resets, or reports a crash, right after a panic on its console has panicked: changes
 * @outcome accordingly.
 */
void machine_judge_panic(struct machine *m, struct machine_outcome *outcome);

/* machine_hv.c: the hypervisor interface, where the configuration wants one. */
int machine_create_hv(struct machine *m, struct error *err) must_check;
extern const struct vcpu_hooks machine_hv_hooks, machine_plain_hooks;

/* machine.c: any thread; the loop acts on it. */
void machine_report(struct machine *m, enum machine_end end, uint32_t value, const char *detail);
