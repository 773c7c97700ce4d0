// SPDX-License-Identifier: MIT
/*
 * The machine's life: built in order, run on the loop, undone in reverse.
 */
#include "candela/machine_internal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <x86intrin.h>

#include "candela/machine_events.h"
#include "candela/sandbox.h"
#include "candela/startup_code.h"
#include "devices/pc/serial.h"
#include "hv-enlight/hv.h"
#include "hv-enlight/test_device.h"
#include "vmbus/bus.h"
#include "vmm/acpi.h"
#include "vmm/layout.h"
#include "vmm/log.h"

/* Intel SDM volume 3, 12.11.2.1. */
#define MSR_MTRR_DEF_TYPE 0x2ff
#define MTRR_ENABLE       (1u << 11)
#define MTRR_WRITE_BACK   6u

/* --- Loading and resetting; no VP runs. ---------------------------------------------------- */

static uint64_t phys_bits(struct cpuid_table *cpuid)
{
	const struct kvm_cpuid_entry2 *e = cpuid_find(cpuid, 0x80000008, 0);

	return e ? e->eax & 0xff : 36;
}

static int build_tables(struct machine *m, struct error *err, uint64_t *ret_rsdp)
{
	const struct vm_config *config = m->config;
	const struct acpi_config acpi = {
		.cpus = config->cpus.count,
		.vmbus = config->hyperv.identity == CONFIG_IDENTITY_MICROSOFT,
		.serial = true,
		.pvpanic = config->pvpanic,
		.phys_bits = m->phys_bits,
	};
	const struct smbios_config smbios = {
		.microsoft = config->hyperv.identity == CONFIG_IDENTITY_MICROSOFT,
		.vm_name = config->name,
		.memory_bytes = config->memory.startup,
		.cpus = config->cpus.count,
	};
	int r = acpi_build(m->mem, &acpi, err, ret_rsdp);

	return r < 0 ? r : smbios_build(m->mem, &smbios, err);
}

/*
 * Memory types as firmware sets them up: MTRRs on, everything write-back. Without it Linux leaves
 * its page attribute table alone. A KVM that has no MTRRs has nothing to set.
 */
static void enable_mtrrs(struct machine *m)
{
	for (unsigned int i = 0; i < m->vcpus.count; i++)
		(void)!vcpu_set_msr(&m->vcpus.vcpus[i], MSR_MTRR_DEF_TYPE,
				    MTRR_ENABLE | MTRR_WRITE_BACK);
}

/* Fills memory and sets VP 0's registers: what firmware does at power-on. */
static int load(struct machine *m, struct error *err)
{
	struct vcpu *vp0 = &m->vcpus.vcpus[0];
	struct boot_entry entry;
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	uint64_t rsdp;
	int r = build_tables(m, err, &rsdp);

	if (r < 0)
		return r;
	r = boot_load(m->image, m->mem, rsdp, err, &entry);
	if (r < 0)
		return r;
	enable_mtrrs(m);
	machine_watch_panics(m, entry.protocol);
	log_debug("boot protocol: %s", boot_protocol_name(entry.protocol));
	if (ioctl(vp0->fd, KVM_GET_SREGS, &sregs) < 0)
		return error_errno(err, -errno, "KVM_GET_SREGS");
	r = boot_set_regs(&entry, m->mem, &regs, &sregs);
	if (r < 0)
		return error_errno(err, r, "cannot set the boot registers");
	if (ioctl(vp0->fd, KVM_SET_SREGS, &sregs) < 0 || ioctl(vp0->fd, KVM_SET_REGS, &regs) < 0)
		return error_errno(err, -errno, "cannot set VP 0's registers");
	return 0;
}

static int reset(struct machine *m, struct error *err)
{
	int r;

	m->resets++;
	for (size_t i = 0; i < m->device_count; i++)
		m->devices[i]->ops->reset(m->devices[i]);
	if (m->hv_test)
		hv_test_device_reset(m->hv_test);
	if (m->hv)
		hv_reset(m->hv);
	r = irqchip_reset(&m->irqchip);
	if (r < 0)
		return error_errno(err, r, "cannot reset the interrupt controllers");
	r = vcpu_set_reset(&m->vcpus, err);
	if (r < 0)
		return r;
	r = machine_reset_memory(m);
	if (r < 0)
		return error_errno(err, r, "cannot clear guest memory");
	return load(m, err);
}

/* --- Ends. --------------------------------------------------------------------------------- */

static void serial_done(void *ctx)
{
	struct machine *m = ctx;

	loop_stop(m->loop);
}

static void finish_output(struct machine *m)
{
	serial_shutdown(m->serial, serial_done, m);
}

static void remove_nics(struct machine *m)
{
	machine_remove_network(m, finish_output);
}

static void remove_disks(struct machine *m)
{
	machine_remove_storage(m, remove_nics);
}

/* The VM is over: nothing runs any more; what the guest wrote is still delivered. */
void machine_stop(struct machine *m, const struct machine_outcome *outcome)
{
	if (m->ended)
		return;
	m->ended = true;
	m->outcome = *outcome;
	vcpu_set_stop(&m->vcpus);
	machine_event(m, EVENT_ENDING, machine_end_name(outcome->end));
	loop_timer_cancel(m->loop, &m->timeout);
	loop_timer_cancel(m->loop, &m->panic_silence);
	machine_give_up_waiting_disks(m);
	machine_end_services(m);
	machine_quiesce(m, remove_disks);
}

static void end_failed(struct machine *m)
{
	const struct machine_outcome outcome = {.end = MACHINE_FAILED};

	machine_stop(m, &outcome);
}

/* A reset that waits for the devices sets the VPs going itself, once they are quiet. */
void machine_let_run(struct machine *m)
{
	if (m->ended || m->paused || m->when_quiet)
		return;
	vcpu_set_run(&m->vcpus);
}

static void go_on_after_reset(struct machine *m)
{
	if (reset(m, &m->error) < 0)
		end_failed(m);
	else
		machine_let_run(m);
}

void machine_restart(struct machine *m, const char *detail)
{
	if (m->ended)
		return;
	vcpu_set_stop(&m->vcpus);
	machine_event(m, EVENT_RESET, detail);
	machine_reset_services(m);
	machine_quiesce(m, go_on_after_reset);
}

static void handle_report(struct loop_task *task)
{
	struct machine *m = container_of(task, struct machine, report_task);
	struct machine_outcome outcome;

	if (m->ended)
		return;
	vcpu_set_stop(&m->vcpus);
	pthread_mutex_lock(&m->report_lock);
	outcome = m->reported_outcome;
	m->reported = false;
	pthread_mutex_unlock(&m->report_lock);
	machine_judge_panic(m, &outcome);
	if (outcome.end == MACHINE_CRASH || outcome.end == MACHINE_PANIC)
		machine_event(m, outcome.end == MACHINE_CRASH ? EVENT_CRASH : EVENT_PANIC,
			      outcome.detail);
	if (outcome.end != MACHINE_RESET || m->config->on_reset == CONFIG_RESET_EXIT) {
		machine_stop(m, &outcome);
		return;
	}
	machine_restart(m, outcome.detail);
}

void machine_report(struct machine *m, enum machine_end why, uint32_t value, const char *detail)
{
	pthread_mutex_lock(&m->report_lock);
	if (!m->reported) {
		m->reported = true;
		m->reported_outcome = (struct machine_outcome){.end = why, .value = value};
		snprintf(m->reported_outcome.detail, sizeof(m->reported_outcome.detail), "%s",
			 detail);
	}
	pthread_mutex_unlock(&m->report_lock);
	loop_post(m->loop, &m->report_task);
}

static void on_timeout(struct loop_timer *timer)
{
	struct machine *m = container_of(timer, struct machine, timeout);
	const struct machine_outcome outcome = {.end = MACHINE_TIMEOUT, .detail = "time-out"};

	machine_stop(m, &outcome);
}

static void ending_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGHUP);
}

static void on_signal(struct loop_fd *lfd, uint32_t revents)
{
	struct machine *m = container_of(lfd, struct machine, signals);
	struct machine_outcome outcome = {.end = MACHINE_SIGNAL};
	struct signalfd_siginfo info;
	sigset_t set;

	if (read(lfd->fd, &info, sizeof(info)) != sizeof(info))
		return;
	outcome.value = info.ssi_signo;
	snprintf(outcome.detail, sizeof(outcome.detail), "signal %u (%s)", info.ssi_signo,
		 sigabbrev_np((int)info.ssi_signo));
	machine_stop(m, &outcome);
	/* Delivering the last output may take seconds: a second signal does what it always does. */
	ending_signals(&set);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/*
 * Signals that ask the process to go come through the loop, so that the terminal and files are left
 * in order.
 */
static int watch_signals(struct machine *m, struct error *err)
{
	sigset_t set;
	int fd, r;

	ending_signals(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* A disk image that may not grow is an error of that write, not of the process. */
	signal(SIGXFSZ, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return error_errno(err, -errno, "cannot watch signals");
	r = loop_fd_add(m->loop, &m->signals, fd, POLLIN, on_signal);
	if (r < 0) {
		close(fd);
		return error_errno(err, r, "cannot watch signals");
	}
	m->signals_open = true;
	return 0;
}

/* --- Building. ----------------------------------------------------------------------------- */

static int check_limits(const struct machine *m, struct error *err)
{
	unsigned int count = m->config->cpus.count;

	if (count > m->kvm.max_vcpus)
		return error_set(err, -ENOTSUP, "cpus.count: KVM on this host allows %u, not %u",
				 m->kvm.max_vcpus, count);
	if (count > 255 && !kvm_has(&m->kvm, KVM_HAS_X2APIC_API))
		return error_set(err, -ENOTSUP,
				 "cpus.count: more than 255 need KVM_CAP_X2APIC_API on this host");
	return 0;
}

static int add_vcpus(struct machine *m, struct error *err)
{
	const struct cpuid_config config = {.cpus = m->config->cpus.count};
	struct cpuid_table *cpuid = calloc(1, sizeof(*cpuid));
	int r;

	if (!cpuid)
		return error_set(err, -ENOMEM, "out of memory");
	m->vcpus.kvm = &m->kvm;
	m->vcpus.mem = m->mem;
	m->vcpus.ports = &m->ports;
	m->vcpus.mmio = &m->mmio;
	m->vcpus.hooks = &machine_plain_hooks;
	m->vcpus.ctx = m;
	r = cpuid_build(&m->kvm, &config, cpuid, err);
	m->phys_bits = phys_bits(cpuid);
	if (r == 0 && m->config->hyperv.identity == CONFIG_IDENTITY_MICROSOFT) {
		m->vcpus.hooks = &machine_hv_hooks;
		r = machine_create_hv(m, err);
		if (r == 0)
			r = hv_add_cpuid(m->hv, cpuid, err);
	}
	if (r == 0)
		r = vcpu_set_init(&m->vcpus, config.cpus, cpuid, err);
	if (r == 0 && m->hv)
		r = hv_attach(m->hv, err);
	free(cpuid);
	return r;
}

static int build_host_part(struct machine *m, struct error *err)
{
	const struct mem_config mem_config = {
		.size = m->config->memory.startup,
		.maximum = machine_memory_reach(m->config),
		.huge = m->config->memory.huge_pages,
		.prefault = m->config->memory.prefault,
	};
	int r = machine_enter_place(m, err);

	if (r == 0)
		r = kvm_open(&m->kvm, err);
	if (r == 0)
		r = check_limits(m, err);
	if (r == 0)
		r = loop_create(0, err, &m->loop);
	if (r == 0)
		machine_start_events(m);
	if (r == 0)
		r = mem_create(&mem_config, err, &m->mem);
	if (r == 0)
		r = kvm_create_vm(&m->kvm, err);
	if (r == 0)
		r = kvm_map_memory(&m->kvm, m->mem, err);
	if (r == 0)
		r = irqchip_init(&m->irqchip, &m->kvm, err);
	return r == 0 ? add_vcpus(m, err) : r;
}

static int build(struct machine *m, struct error *err, enum exit_status *status)
{
	int r;

	/*
	 * In the order of whose fault a failure is: the user's files, the host, the guest's image.
	 */
	*status = STATUS_USAGE;
	r = machine_create_events(m, err);
	if (r < 0)
		return r;
	r = boot_open(&m->config->boot, err, &m->image);
	if (r < 0)
		return r;
	*status = STATUS_HOST;
	r = build_host_part(m, err);
	if (r < 0)
		return r;
	*status = STATUS_USAGE;
	r = machine_create_control(m, err);
	if (r == 0)
		r = machine_add_devices(m, err);
	if (r == 0)
		r = machine_create_vmbus(m, err);
	if (r == 0)
		r = machine_create_memory(m, err);
	if (r == 0)
		r = machine_create_storage(m, err);
	if (r == 0)
		r = machine_create_services(m, err);
	if (r == 0)
		r = machine_create_network(m, err);
	if (r == 0)
		r = load(m, err);
	if (r < 0)
		return r;
	*status = STATUS_INTERNAL;
	bus_freeze(&m->ports);
	bus_freeze(&m->mmio);
	r = watch_signals(m, err);
	if (r < 0)
		return r;
	r = machine_create_sandbox(m, err);
	if (r < 0) {
		*status = r == -ENOTSUP ? STATUS_HOST : STATUS_USAGE;
		return r;
	}
	*status = STATUS_INTERNAL;
	r = vcpu_set_start(&m->vcpus, err);
	if (r < 0)
		return r;
	*status = STATUS_HOST;
	return machine_create_cpu(m, err);
}

int machine_create(const struct vm_config *config, struct error *err, enum exit_status *ret_status,
		   struct machine **ret)
{
	struct machine *m = calloc(1, sizeof(*m));
	int r;

	*ret_status = STATUS_INTERNAL;
	if (!m)
		return error_set(err, -ENOMEM, "out of memory");
	m->config = config;
	m->kvm = (struct kvm){.fd = -1, .vm_fd = -1};
	m->control_socket = (struct control_socket){.fd = -1, .lock_fd = -1};
	m->stat_fd = -1;
	m->timeout.fired = on_timeout;
	m->report_task.run = handle_report;
	pthread_mutex_init(&m->report_lock, NULL);
	bus_init(&m->ports, "port", 0x10000);
	bus_init(&m->mmio, "mmio", UINT64_MAX);
	r = build(m, err, ret_status);
	if (r < 0) {
		machine_event(m, EVENT_FAILED, err->text);
		machine_destroy(m);
		return r;
	}
	*ret = m;
	return 0;
}

void machine_when_running(struct machine *m, void (*run)(void *ctx), void *ctx)
{
	m->when_running = run;
	m->when_running_ctx = ctx;
}

int machine_run(struct machine *m, struct machine_outcome *ret_outcome, struct error *err)
{
	int r = machine_start_storage(m, err);

	if (r == 0)
		r = machine_start_network(m, err);
	if (r == 0)
		startup_code_release();
	if (r == 0)
		r = machine_enter_sandbox(m, err);
	if (r < 0)
		return r;
	serial_start(m->serial);
	if (m->config->timeout_ns)
		loop_timer_set(m->loop, &m->timeout, loop_now() + m->config->timeout_ns);
	m->started_tsc = __rdtsc();
	atomic_store(&m->started_at, loop_now());
	machine_event(m, EVENT_RUNNING, NULL);
	vcpu_set_run(&m->vcpus);
	if (m->when_running)
		m->when_running(m->when_running_ctx);
	r = loop_run(m->loop);
	if (r < 0)
		return error_errno(err, r, "io_uring");
	r = machine_close_network(m, err);
	if (r == 0)
		r = machine_close_storage(m, err);
	if (r < 0)
		return r;
	if (m->outcome.end == MACHINE_FAILED && *m->error.text) {
		*err = m->error;
		return -EIO;
	}
	*ret_outcome = m->outcome;
	return 0;
}

void machine_destroy(struct machine *m)
{
	struct error ignored;

	if (!m)
		return;
	vcpu_set_finish(&m->vcpus);
	machine_destroy_cpu(m);
	/* Of a machine that has run they are closed already. */
	(void)!machine_close_network(m, &ignored);
	(void)!machine_close_storage(m, &ignored);
	machine_remove_devices(m);
	vmbus_destroy(m->vmbus);
	machine_destroy_memory(m);
	hv_test_device_destroy(m->hv_test);
	hv_destroy(m->hv);
	irqchip_finish(&m->irqchip);
	machine_end_events(m);
	loop_destroy(m->loop);
	machine_destroy_services(m);
	machine_destroy_control(m);
	machine_destroy_events(m);
	if (m->signals_open)
		close(m->signals.fd);
	boot_close(m->image);
	kvm_close(&m->kvm);
	mem_destroy(m->mem);
	sandbox_destroy(m->sandbox);
	pthread_mutex_destroy(&m->report_lock);
	free(m);
}

/* --- What can be asked. -------------------------------------------------------------------- */

struct end_row {
	const char *name;
	int status;
};

static const struct end_row end_table[] = {
	[MACHINE_POWER_OFF] = {"power-off", STATUS_POWER_OFF},
	[MACHINE_RESET] = {"reset", STATUS_GUEST_RESET},
	[MACHINE_CRASH] = {"crash", STATUS_GUEST_CRASH},
	[MACHINE_PANIC] = {"panic", STATUS_GUEST_PANIC},
	[MACHINE_TIMEOUT] = {"timeout", STATUS_TIMEOUT},
	[MACHINE_DEBUG_EXIT] = {"debug-exit", 0},
	[MACHINE_SIGNAL] = {"signal", STATUS_SIGNAL_BASE},
	[MACHINE_QUIT] = {"quit", STATUS_INTERNAL},
	[MACHINE_FAILED] = {"error", STATUS_INTERNAL},
};

int machine_exit_status(const struct machine_outcome *outcome)
{
	int status = end_table[outcome->end].status;

	if (outcome->end == MACHINE_SIGNAL)
		return status + (int)outcome->value;
	/* As QEMU's isa-debug-exit, which test guests are written for: never 0. */
	if (outcome->end == MACHINE_DEBUG_EXIT)
		return (int)((outcome->value << 1 | 1) & 0xff);
	return status;
}

const char *machine_end_name(enum machine_end why)
{
	return end_table[why].name;
}

uint64_t machine_exits(const struct machine *m, unsigned int kind)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < m->vcpus.count; i++)
		sum += counter_get(&m->vcpus.vcpus[i].exits[kind]);
	return sum;
}

uint64_t machine_exit_ticks(const struct machine *m, unsigned int kind)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < m->vcpus.count; i++)
		sum += counter_get(&m->vcpus.vcpus[i].exit_ticks[kind]);
	return sum;
}

const struct hv *machine_hv(const struct machine *m)
{
	return m->hv;
}

uint64_t machine_unclaimed(const struct machine *m)
{
	return counter_get(&m->ports.unclaimed_reads) + counter_get(&m->ports.unclaimed_writes) +
	       counter_get(&m->mmio.unclaimed_reads) + counter_get(&m->mmio.unclaimed_writes);
}

uint64_t machine_started_at(const struct machine *m)
{
	return atomic_load(&m->started_at);
}

unsigned int machine_resets(const struct machine *m)
{
	return m->resets;
}
