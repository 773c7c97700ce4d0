// SPDX-License-Identifier: MIT
/*
 * The inside of a machine, for the machine_*.c files alone.
 *
 * The loop's thread owns everything but what is marked otherwise. VPs are stopped whenever devices
 * are reset or memory is loaded.
 */
#pragma once

#include <pthread.h>

#include "candela/control_path.h"
#include "candela/machine.h"
#include "candela/panic_watch.h"
#include "vmm/boot.h"
#include "vmm/bus.h"
#include "vmm/cpuid.h"
#include "vmm/device.h"
#include "vmm/event.h"
#include "vmm/irqchip.h"
#include "vmm/kvm.h"
#include "vmm/log.h"
#include "vmm/loop.h"
#include "vmm/mem.h"
#include "vmm/vcpu.h"

struct control;
struct json_object;
struct hv;
struct hv_test_device;
struct serial;
struct console;
struct vmbus;
struct rtc;
struct pm;
struct i8042;
struct debug_exit;
struct machine_events;
struct machine_services;
struct machine_cpu;
struct machine_memory;
struct machine_storage;
struct machine_network;
struct pvpanic;

#define MACHINE_DEVICES_MAX 16

/* KVM memory slots: RAM has those below, overlay pages those from here on. */
#define MACHINE_OVERLAY_SLOTS 1024
/* Of those for RAM: what is added while the VM runs has these on. */
#define MACHINE_ADDED_SLOTS 8

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
	struct hv *hv;                     /* NULL: the guest sees no hypervisor */
	struct hv_test_device *hv_test;    /* NULL: not wanted */
	struct vmbus *vmbus;               /* NULL: not wanted, or no SynIC for it */
	struct machine_storage *storage;   /* NULL: no disks */
	struct machine_services *services; /* NULL: no VMBus for them */
	struct machine_cpu *cpu;
	struct machine_memory *memory;
	struct machine_network *network; /* NULL: no network interfaces */
	/* What to do once no device touches guest memory; NULL unless that is under way. */
	void (*when_quiet)(struct machine *m);

	/* In the order in which they were made; destroyed in reverse. */
	struct device *devices[MACHINE_DEVICES_MAX];
	size_t device_count;
	struct irqchip_line irq_serial, irq_rtc, irq_sci;
	struct serial *serial;
	struct console *console; /* before the serial port, which owns it */
	const char *serial_path; /* what to open to get at it; NULL: nothing. The device's. */
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
	void (*when_running)(void *ctx); /* NULL: nobody wants to know */
	void *when_running_ctx;
	bool ended;
	bool paused; /* by whoever asked for it: the VPs do not run until they are asked to */
	struct machine_outcome outcome;
	struct error error; /* of a failure while running */

	struct machine_events *events;        /* NULL: not made yet */
	struct control_socket control_socket; /* its lock is held as long as the machine exists */
	struct control *control;              /* NULL: there is no socket */
	int stat_fd;             /* /proc/self/stat, which nobody may open later; -1: not there */
	struct sandbox *sandbox; /* NULL: there is none */

	_Atomic uint64_t started_at;
	uint64_t started_tsc; /* the time stamp counter then; set before started_at */
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

/* machine_vmbus.c: the bus, where the guest has a SynIC and the configuration wants one. */
int machine_create_vmbus(struct machine *m, struct error *err) must_check;
/*
 * Closes all channels and lets what is in flight finish; then @then, from inside or later. The VPs
 * must have been stopped.
 */
void machine_quiesce(struct machine *m, void (*then)(struct machine *m));

/* machine_cpu.c: NUMA nodes, which threads and memory made from then on belong to. */
int machine_enter_place(struct machine *m, struct error *err) must_check;
/* Shares and places of the VPs, once they have threads. -errno: the host's fault. */
int machine_create_cpu(struct machine *m, struct error *err) must_check;
/* Once the threads are gone. */
void machine_destroy_cpu(struct machine *m);
/* What the sandbox is to leave for changes later, and for the end. */
int machine_cpu_places(const struct machine *m, struct error *err) must_check;
struct json_object;
struct control_call;
/* Methods of the control socket, and their parameters' names. */
void machine_run_cpus(void *ctx, struct control_call *call, struct json_object *params);
void machine_run_cpus_set(void *ctx, struct control_call *call, struct json_object *params);
extern const char *const machine_cpus_set_params[];

/* machine_memory.c: memory that moves. How far it may be raised: what mem_create() sets aside. */
uint64_t machine_memory_reach(const struct vm_config *config);
/* After the VMBus, if there is one. */
int machine_create_memory(struct machine *m, struct error *err) must_check;
/* Once the VMBus is gone. */
void machine_destroy_memory(struct machine *m);
/* All RAM is as at power-on: of the size that it had, and empty. While no VP runs. -errno. */
int machine_reset_memory(struct machine *m) must_check;
/* "assigned", "demand", "pressure". -ENOMEM. */
int machine_put_memory_report(struct json_object *o, const struct machine *m) must_check;
/* Methods of the control socket, and their parameters' names. */
void machine_run_memory(void *ctx, struct control_call *call, struct json_object *params);
void machine_run_memory_set(void *ctx, struct control_call *call, struct json_object *params);
void machine_run_memory_target(void *ctx, struct control_call *call, struct json_object *params);
extern const char *const machine_memory_set_params[], *const machine_memory_target_params[];

/* machine_storage.c: the disks. */
int machine_create_storage(struct machine *m, struct error *err) must_check;
/* Right before the VPs run. */
int machine_start_storage(struct machine *m, struct error *err) must_check;
/* What waits for space on the host is answered with an error: the VM is over. */
void machine_give_up_waiting_disks(struct machine *m);
/* Takes the controllers off the bus; then @then. After machine_quiesce(). */
void machine_remove_storage(struct machine *m, void (*then)(struct machine *m));
/* Closes the images. -errno: one may not be whole, and @err says which. Whatever was built. */
int machine_close_storage(struct machine *m, struct error *err) must_check;

/* machine_services.c: the integration services. */
int machine_create_services(struct machine *m, struct error *err) must_check;
/* Once the loop is gone. */
void machine_destroy_services(struct machine *m);
void machine_pause_services(struct machine *m);
void machine_resume_services(struct machine *m);
void machine_reset_services(struct machine *m);
/* The VM is over: nobody is to wait for its guest any more. */
void machine_end_services(struct machine *m);
/* machine_network.c: the network interfaces, in the same way. */
int machine_create_network(struct machine *m, struct error *err) must_check;
int machine_start_network(struct machine *m, struct error *err) must_check;
/* No frame moves while the VPs are stopped. */
void machine_pause_network(struct machine *m);
void machine_resume_network(struct machine *m);
void machine_remove_network(struct machine *m, void (*then)(struct machine *m));
int machine_close_network(struct machine *m, struct error *err) must_check;

/* machine_sandbox.c: the sandbox, where the configuration wants one; before any thread runs. */
int machine_create_sandbox(struct machine *m, struct error *err) must_check;
/* The loop's thread gives up what it needs no more: right before the VPs run. */
int machine_enter_sandbox(struct machine *m, struct error *err) must_check;
/* What the other threads do first; of vCPUs (vmm/vcpu.h) and of devices (vmm/io_thread.h). */
int machine_enter_sandbox_vcpu(void *machine) must_check;
int machine_enter_sandbox_io(void *machine) must_check;
/* Says, with an @err about a file that could not be opened, if the sandbox may be why. */
void machine_explain_sandbox(const struct machine *m, int r, struct error *err);
/* Whether the process is confined, for what cannot work then. */
bool machine_is_confined(const struct machine *m);

/* machine.c: any thread; the loop acts on it. */
void machine_report(struct machine *m, enum machine_end end, uint32_t value, const char *detail);

/* machine.c, for the loop's thread. The VM is over: nothing runs any more; once only. */
void machine_stop(struct machine *m, const struct machine_outcome *outcome);
/* Back to power-on, whatever on-reset says. */
void machine_restart(struct machine *m, const char *detail);
/* Lets the VPs run, unless there is a reason why they should not. */
void machine_let_run(struct machine *m);

/* machine_console.c: methods of the control socket, and their parameters' names. */
void machine_run_console(void *ctx, struct control_call *call, struct json_object *params);
void machine_run_console_break(void *ctx, struct control_call *call, struct json_object *params);
extern const char *const machine_console_params[];

/* machine_hotplug.c: disks that come and go while the VM runs; at other times -EBUSY. */
struct unit;
/* @r: 0, or -errno with @err; @unit is there until it returns. */
typedef void machine_disk_done(void *ctx, int r, const struct error *err, const struct unit *unit);
/* Takes over what @disk owns, also when it fails. @done comes later, unless this fails. */
int machine_add_disk(struct machine *m, struct config_disk *disk, machine_disk_done *done,
		     void *ctx, struct error *err) must_check;
int machine_remove_disk(struct machine *m, unsigned int controller, unsigned int lun,
			machine_disk_done *done, void *ctx, struct error *err) must_check;

/* machine_control.c: the control socket, where the configuration wants one. */
int machine_create_control(struct machine *m, struct error *err) must_check;
/* Once the loop is gone. */
void machine_destroy_control(struct machine *m);

/* machine_events.c: what happens. Any thread; @detail may be NULL. */
struct event_sink *machine_sink(const struct machine *m);
void machine_event(struct machine *m, enum event_id id, const char *detail);
/* One with more in it: @put adds that to it. */
void machine_event_with(struct machine *m, enum event_id id,
			int (*put)(struct json_object *o, const void *ctx), const void *ctx);
/* machine_control.c */
void machine_event_disk(struct machine *m, enum event_id id, const struct config_disk *disk,
			unsigned int lun);
