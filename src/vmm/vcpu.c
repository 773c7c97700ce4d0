// SPDX-License-Identifier: MIT
/*
 * vCPU threads: run loop, exit table, and stopping and starting all of them.
 *
 * Stopping works without a lock in the run loop: the stopper sets the goal, then immediate_exit,
 * then sends the kick signal. KVM_RUN then ends with EINTR wherever the thread was, and the thread
 * clears immediate_exit *before* it reads the goal, so a kick is never lost.
 */
#include "vmm/vcpu.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <x86intrin.h>

#include "vmm/cpuid.h"
#include "vmm/log.h"

const char *const vcpu_exit_names[VCPU_EXIT_KINDS] = {
	[VCPU_EXIT_PORT] = "port",     [VCPU_EXIT_MMIO] = "mmio", [VCPU_EXIT_MSR] = "msr",
	[VCPU_EXIT_HYPERV] = "hyperv", [VCPU_EXIT_KICK] = "kick", [VCPU_EXIT_OTHER] = "other",
};

static int kick_signal(void)
{
	return SIGRTMIN;
}

/* This thread's kvm_run, for the handler. */
static _Thread_local struct kvm_run *current_run;

/*
 * A signal that comes just before KVM_RUN would be lost on it: from here on the VP does not enter
 * the guest before the kick has been seen, whoever sent it.
 */
static void kick_handler(int signal)
{
	if (current_run)
		__atomic_store_n(&current_run->immediate_exit, 1, __ATOMIC_SEQ_CST);
}

/* --- Exits. -------------------------------------------------------------------------------- */

/* True: back into the guest. False: the VP parks. */
typedef bool vcpu_exit_handler(struct vcpu *vcpu);

static bool end(struct vcpu *vcpu, enum vcpu_end why, const char *detail)
{
	struct vcpu_set *set = vcpu->set;

	pthread_mutex_lock(&set->lock);
	vcpu->ended = true;
	pthread_mutex_unlock(&set->lock);
	set->hooks->ended(set->ctx, vcpu, why, detail);
	return false;
}

static uint64_t load(const void *data, unsigned int size)
{
	uint64_t value = 0;

	memcpy(&value, data, min_of(size, 8u));
	return value;
}

static bool exit_port(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	struct bus *ports = vcpu->set->ports;
	char *data = (char *)run + run->io.data_offset;

	if ((uint16_t)(run->io.port - vcpu->set->hook_port) < vcpu->set->hook_port_count &&
	    run->io.direction == KVM_EXIT_IO_OUT) {
		vcpu->set->hooks->hook_port(vcpu->set->ctx, vcpu, run->io.port,
					    (uint32_t)load(data, run->io.size));
		return true;
	}
	for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size) {
		if (run->io.direction == KVM_EXIT_IO_OUT) {
			bus_write(ports, run->io.port, run->io.size, load(data, run->io.size));
		} else {
			uint64_t value = bus_read(ports, run->io.port, run->io.size);

			memcpy(data, &value, run->io.size);
		}
	}
	return true;
}

static bool exit_mmio(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	unsigned int size = run->mmio.len;

	/* KVM splits what is wider; sizes 3, 5, 6 and 7 come from accesses across a page. */
	if (size != 1 && size != 2 && size != 4 && size != 8) {
		for (unsigned int i = 0; i < size && i < 8; i++) {
			if (run->mmio.is_write)
				bus_write(vcpu->set->mmio, run->mmio.phys_addr + i, 1,
					  run->mmio.data[i]);
			else
				run->mmio.data[i] = (uint8_t)bus_read(vcpu->set->mmio,
								      run->mmio.phys_addr + i, 1);
		}
		return true;
	}
	if (run->mmio.is_write) {
		bus_write(vcpu->set->mmio, run->mmio.phys_addr, size, load(run->mmio.data, size));
	} else {
		uint64_t value = bus_read(vcpu->set->mmio, run->mmio.phys_addr, size);

		memcpy(run->mmio.data, &value, size);
	}
	return true;
}

static bool exit_rdmsr(struct vcpu *vcpu)
{
	struct vcpu_set *set = vcpu->set;
	uint64_t value = 0;

	vcpu->run->msr.error = !set->hooks->read_msr ||
			       set->hooks->read_msr(set->ctx, vcpu, vcpu->run->msr.index, &value) ==
				       VCPU_MSR_FAULT;
	vcpu->run->msr.data = value;
	return true;
}

static bool exit_wrmsr(struct vcpu *vcpu)
{
	struct vcpu_set *set = vcpu->set;

	vcpu->run->msr.error = !set->hooks->write_msr ||
			       set->hooks->write_msr(set->ctx, vcpu, vcpu->run->msr.index,
						     vcpu->run->msr.data) == VCPU_MSR_FAULT;
	return true;
}

static bool exit_shutdown(struct vcpu *vcpu)
{
	return end(vcpu, VCPU_END_TRIPLE_FAULT, "triple fault");
}

static bool exit_internal_error(struct vcpu *vcpu)
{
	char detail[64];

	snprintf(detail, sizeof(detail), "KVM internal error %u%s", vcpu->run->internal.suberror,
		 vcpu->run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION
			 ? " (instruction emulation)"
			 : "");
	vcpu_dump(vcpu);
	return end(vcpu, VCPU_END_INTERNAL_ERROR, detail);
}

static bool exit_fail_entry(struct vcpu *vcpu)
{
	char detail[64];

	snprintf(detail, sizeof(detail), "VM entry failed, hardware reason 0x%llx",
		 (unsigned long long)vcpu->run->fail_entry.hardware_entry_failure_reason);
	vcpu_dump(vcpu);
	return end(vcpu, VCPU_END_INTERNAL_ERROR, detail);
}

static bool exit_system_event(struct vcpu *vcpu)
{
	switch (vcpu->run->system_event.type) {
	case KVM_SYSTEM_EVENT_SHUTDOWN:
		return end(vcpu, VCPU_END_SYSTEM_OFF, "system event: shutdown");
	case KVM_SYSTEM_EVENT_RESET:
		return end(vcpu, VCPU_END_SYSTEM_RESET, "system event: reset");
	default:
		return end(vcpu, VCPU_END_SYSTEM_CRASH, "system event: crash");
	}
}

static bool exit_hyperv(struct vcpu *vcpu)
{
	if (vcpu->set->hooks->hyperv)
		vcpu->set->hooks->hyperv(vcpu->set->ctx, vcpu);
	return true;
}

/* Exits that only hand control back: nothing to do. */
static bool exit_nothing(struct vcpu *vcpu)
{
	return true;
}

struct exit_row {
	vcpu_exit_handler *handle;
	enum vcpu_exit kind;
};

static const struct exit_row exit_table[] = {
	[KVM_EXIT_IO] = {exit_port, VCPU_EXIT_PORT},
	[KVM_EXIT_MMIO] = {exit_mmio, VCPU_EXIT_MMIO},
	[KVM_EXIT_X86_RDMSR] = {exit_rdmsr, VCPU_EXIT_MSR},
	[KVM_EXIT_X86_WRMSR] = {exit_wrmsr, VCPU_EXIT_MSR},
	[KVM_EXIT_HYPERV] = {exit_hyperv, VCPU_EXIT_HYPERV},
	[KVM_EXIT_INTR] = {exit_nothing, VCPU_EXIT_KICK},
	[KVM_EXIT_IRQ_WINDOW_OPEN] = {exit_nothing, VCPU_EXIT_OTHER},
	[KVM_EXIT_SET_TPR] = {exit_nothing, VCPU_EXIT_OTHER},
	[KVM_EXIT_SHUTDOWN] = {exit_shutdown, VCPU_EXIT_OTHER},
	[KVM_EXIT_INTERNAL_ERROR] = {exit_internal_error, VCPU_EXIT_OTHER},
	[KVM_EXIT_FAIL_ENTRY] = {exit_fail_entry, VCPU_EXIT_OTHER},
	[KVM_EXIT_SYSTEM_EVENT] = {exit_system_event, VCPU_EXIT_OTHER},
};

static bool handle_exit(struct vcpu *vcpu)
{
	uint32_t reason = vcpu->run->exit_reason;
	uint64_t start = __rdtsc();
	const struct exit_row *row;
	bool go_on;

	if (reason >= ARRAY_SIZE(exit_table) || !exit_table[reason].handle) {
		char detail[64];

		snprintf(detail, sizeof(detail), "unknown KVM exit reason %u", reason);
		vcpu_dump(vcpu);
		return end(vcpu, VCPU_END_INTERNAL_ERROR, detail);
	}
	row = &exit_table[reason];
	go_on = row->handle(vcpu);
	counter_add(&vcpu->exits[row->kind], 1);
	counter_add(&vcpu->exit_ticks[row->kind], __rdtsc() - start);
	return go_on;
}

/* --- The thread. --------------------------------------------------------------------------- */

static bool handle_run_error(struct vcpu *vcpu, int error)
{
	char detail[96];

	if (error == EINTR || error == EAGAIN) {
		/* Cleared before the caller looks at the goal, see the top of the file. */
		__atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
		counter_add(&vcpu->exits[VCPU_EXIT_KICK], 1);
		if (vcpu->set->hooks->kicked)
			vcpu->set->hooks->kicked(vcpu->set->ctx, vcpu);
		return true;
	}
	snprintf(detail, sizeof(detail), "KVM_RUN: %s", strerrordesc_np(error));
	vcpu_dump(vcpu);
	return end(vcpu, VCPU_END_HOST_ERROR, detail);
}

static void run_guest(struct vcpu *vcpu)
{
	while (atomic_load(&vcpu->set->goal) == VCPU_SET_RUNNING) {
		bool go_on;

		/* Between kicks only exits come back, and they leave the goal as it was. */
		do {
			if (ioctl(vcpu->fd, KVM_RUN, 0) < 0) {
				go_on = handle_run_error(vcpu, errno);
				break;
			}
			go_on = handle_exit(vcpu);
		} while (go_on);
		if (!go_on)
			break;
	}
}

static bool may_run(const struct vcpu *vcpu)
{
	return atomic_load(&vcpu->set->goal) == VCPU_SET_RUNNING && !vcpu->ended;
}

/* One timer a VP, on its own thread: delivering what is due then needs no other thread's wake. */
static void create_timer(struct vcpu *vcpu)
{
	struct sigevent event = {
		.sigev_notify = SIGEV_THREAD_ID,
		.sigev_signo = kick_signal(),
	};

	event._sigev_un._tid = gettid();
	vcpu->has_timer = timer_create(CLOCK_MONOTONIC, &event, &vcpu->timer) == 0;
}

void vcpu_set_timer(struct vcpu *vcpu, uint64_t ns)
{
	struct itimerspec when = {
		.it_value = {.tv_sec = (time_t)(ns / NSEC_PER_SEC),
			     .tv_nsec = (long)(ns % NSEC_PER_SEC)},
	};

	if (vcpu->has_timer)
		timer_settime(vcpu->timer, TIMER_ABSTIME, &when, NULL);
}

int vcpu_get_regs(struct vcpu *vcpu, struct kvm_regs *regs)
{
	if (vcpu->run->kvm_valid_regs & KVM_SYNC_X86_REGS) {
		*regs = vcpu->run->s.regs.regs;
		return 0;
	}
	return ioctl(vcpu->fd, KVM_GET_REGS, regs) < 0 ? -errno : 0;
}

int vcpu_set_regs(struct vcpu *vcpu, const struct kvm_regs *regs)
{
	if (vcpu->run->kvm_valid_regs & KVM_SYNC_X86_REGS) {
		vcpu->run->s.regs.regs = *regs;
		vcpu->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
		return 0;
	}
	return ioctl(vcpu->fd, KVM_SET_REGS, regs) < 0 ? -errno : 0;
}

int vcpu_set_msr(struct vcpu *vcpu, uint32_t index, uint64_t value)
{
	struct {
		struct kvm_msrs header;
		struct kvm_msr_entry entry;
	} msrs = {.header = {.nmsrs = 1}, .entry = {.index = index, .data = value}};

	return ioctl(vcpu->fd, KVM_SET_MSRS, &msrs) == 1 ? 0 : -EINVAL;
}

/*
 * An exit for port or MMIO input leaves KVM waiting for the answer, and one for output leaves the
 * instruction pointer to be moved: both happen at the next KVM_RUN, which must not enter the guest.
 */
static void complete_pending_io(struct vcpu *vcpu)
{
	__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	(void)ioctl(vcpu->fd, KVM_RUN, 0);
	__atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
}

#define VECTOR_UD 6

int vcpu_raise_undefined(struct vcpu *vcpu)
{
	struct kvm_vcpu_events events;
	struct kvm_regs regs;
	int r = vcpu_get_regs(vcpu, &regs);

	if (r < 0)
		return r;
	/*
	 * KVM may have left the end of the instruction, with its result, to the next KVM_RUN. The
	 * one after that returns at once, too: a kick in the meantime is not to be lost.
	 */
	complete_pending_io(vcpu);
	__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	r = vcpu_set_regs(vcpu, &regs);
	if (r < 0)
		return r;
	if (ioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &events) < 0)
		return -errno;
	events.exception.injected = 1;
	events.exception.nr = VECTOR_UD;
	events.exception.has_error_code = 0;
	return ioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &events) < 0 ? -errno : 0;
}

int vcpu_idle(struct vcpu *vcpu)
{
	struct kvm_mp_state halted = {.mp_state = KVM_MP_STATE_HALTED};

	if (!vcpu->run->if_flag)
		return 0;
	return ioctl(vcpu->fd, KVM_SET_MP_STATE, &halted) < 0 ? -errno : 0;
}

static void begin_thread(struct vcpu *vcpu)
{
	const struct vcpu_hooks *hooks = vcpu->set->hooks;
	char name[16], detail[96];
	int r;

	snprintf(name, sizeof(name), "vcpu%u", vcpu->index);
	/* By the thread itself: another one would have to open a file for it. */
	pthread_setname_np(pthread_self(), name);
	create_timer(vcpu);
	if (!vcpu->has_timer)
		end(vcpu, VCPU_END_HOST_ERROR, "cannot create a timer (see ulimit -i)");
	r = hooks->begin ? hooks->begin(vcpu->set->ctx) : 0;
	if (r == 0)
		return;
	snprintf(detail, sizeof(detail), "cannot confine the thread: %s", strerrordesc_np(-r));
	end(vcpu, VCPU_END_HOST_ERROR, detail);
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *vcpu = arg;
	struct vcpu_set *set = vcpu->set;

	current_run = vcpu->run;
	begin_thread(vcpu);
	pthread_mutex_lock(&set->lock);
	vcpu->tid = gettid();
	pthread_cond_broadcast(&set->changed);
	while (atomic_load(&set->goal) != VCPU_SET_QUIT) {
		if (!may_run(vcpu)) {
			pthread_cond_wait(&set->changed, &set->lock);
			continue;
		}
		set->in_guest++;
		pthread_mutex_unlock(&set->lock);
		run_guest(vcpu);
		complete_pending_io(vcpu);
		pthread_mutex_lock(&set->lock);
		set->in_guest--;
		pthread_cond_broadcast(&set->changed);
	}
	pthread_mutex_unlock(&set->lock);
	return NULL;
}

void vcpu_kick(struct vcpu *vcpu)
{
	__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	pthread_kill(vcpu->thread, kick_signal());
}

static void set_goal(struct vcpu_set *set, enum vcpu_set_goal goal)
{
	pthread_mutex_lock(&set->lock);
	atomic_store(&set->goal, goal);
	pthread_cond_broadcast(&set->changed);
	pthread_mutex_unlock(&set->lock);
}

static void kick_all(struct vcpu_set *set)
{
	for (unsigned int i = 0; i < set->count; i++)
		if (set->vcpus[i].has_thread)
			vcpu_kick(&set->vcpus[i]);
}

void vcpu_set_run(struct vcpu_set *set)
{
	set_goal(set, VCPU_SET_RUNNING);
}

void vcpu_set_stop(struct vcpu_set *set)
{
	set_goal(set, VCPU_SET_STOPPED);
	kick_all(set);
	pthread_mutex_lock(&set->lock);
	while (set->in_guest)
		pthread_cond_wait(&set->changed, &set->lock);
	pthread_mutex_unlock(&set->lock);
}

/* --- Building and undoing. ----------------------------------------------------------------- */

static int vcpu_init(struct vcpu *vcpu, struct cpuid_table *cpuid, struct error *err)
{
	struct kvm *kvm = vcpu->set->kvm;

	vcpu->fd = ioctl(kvm->vm_fd, KVM_CREATE_VCPU, (unsigned long)vcpu->index);
	if (vcpu->fd < 0)
		return error_errno(err, -errno, "KVM_CREATE_VCPU %u", vcpu->index);
	vcpu->run = mmap(NULL, kvm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED) {
		vcpu->run = NULL;
		return error_errno(err, -errno, "cannot map VP %u's kvm_run", vcpu->index);
	}
	if (vcpu->set->hook_port_count && (kvm->caps[KVM_HAS_SYNC_REGS] & KVM_SYNC_X86_REGS))
		vcpu->run->kvm_valid_regs = KVM_SYNC_X86_REGS;
	cpuid_set_vp(cpuid, vcpu->index);
	if (ioctl(vcpu->fd, KVM_SET_CPUID2, &cpuid->header) < 0)
		return error_errno(err, -errno, "KVM_SET_CPUID2");
	return vcpu_state_read(kvm, vcpu->fd, err, &vcpu->initial);
}

int vcpu_set_init(struct vcpu_set *set, unsigned int count, struct cpuid_table *cpuid,
		  struct error *err)
{
	assert(set->hooks->ended);
	pthread_mutex_init(&set->lock, NULL);
	pthread_cond_init(&set->changed, NULL);
	set->vcpus = calloc(count, sizeof(*set->vcpus));
	if (!set->vcpus)
		return error_set(err, -ENOMEM, "out of memory");
	set->count = count;
	for (unsigned int i = 0; i < count; i++)
		set->vcpus[i] = (struct vcpu){.index = i, .set = set, .fd = -1};
	for (unsigned int i = 0; i < count; i++) {
		int r = vcpu_init(&set->vcpus[i], cpuid, err);

		if (r < 0)
			return r;
	}
	return 0;
}

int vcpu_set_start(struct vcpu_set *set, struct error *err)
{
	struct sigaction action = {.sa_handler = kick_handler};
	sigset_t all, old;
	pthread_attr_t attr;
	int r = 0;

	sigaction(kick_signal(), &action, NULL);
	/* vCPU threads take no signal but the kick. */
	sigfillset(&all);
	sigdelset(&all, kick_signal());
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, KiB(256));
	for (unsigned int i = 0; i < set->count && r == 0; i++) {
		struct vcpu *vcpu = &set->vcpus[i];

		r = pthread_create(&vcpu->thread, &attr, vcpu_thread, vcpu);
		if (r != 0)
			break;
		vcpu->has_thread = true;
	}
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r ? error_errno(err, -r, "cannot start a vCPU thread") : 0;
}

void vcpu_set_await_threads(struct vcpu_set *set)
{
	pthread_mutex_lock(&set->lock);
	for (unsigned int i = 0; i < set->count; i++)
		while (!set->vcpus[i].tid)
			pthread_cond_wait(&set->changed, &set->lock);
	pthread_mutex_unlock(&set->lock);
}

int vcpu_set_reset(struct vcpu_set *set, struct error *err)
{
	for (unsigned int i = 0; i < set->count; i++) {
		struct vcpu *vcpu = &set->vcpus[i];
		int r = vcpu_state_write(set->kvm, vcpu->fd, vcpu->initial, err);

		if (r < 0)
			return r;
		vcpu->ended = false;
	}
	return 0;
}

void vcpu_set_finish(struct vcpu_set *set)
{
	if (!set->vcpus)
		return;
	set_goal(set, VCPU_SET_QUIT);
	kick_all(set);
	for (unsigned int i = 0; i < set->count; i++) {
		struct vcpu *vcpu = &set->vcpus[i];

		if (vcpu->has_thread)
			pthread_join(vcpu->thread, NULL);
		if (vcpu->has_timer)
			timer_delete(vcpu->timer);
		vcpu_state_free(vcpu->initial);
		if (vcpu->run)
			munmap(vcpu->run, set->kvm->run_size);
		if (vcpu->fd >= 0)
			close(vcpu->fd);
	}
	free(set->vcpus);
	pthread_cond_destroy(&set->changed);
	pthread_mutex_destroy(&set->lock);
	set->vcpus = NULL;
}
