// SPDX-License-Identifier: MIT
/*
 * The balancer's loop. See cmd_balance_daemon.h; the fleet (who is there, and the arrays that the
 * policy wants) is cmd_balance_fleet.c's.
 */
#include "candela/cmd_balance_daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "candela/cmd_balance_alerts.h"
#include "candela/cmd_balance_fleet.h"
#include "candela/cmd_balance_history.h"
#include "vmm/log.h"

/* VMs that come and go are looked for so often. */
#define DISCOVER_NS (2 * NSEC_PER_SEC)

/* So long a round waits for answers: for healthy VMs that is plenty. */
#define ANSWERS_NS (250 * NSEC_PER_MSEC)
#define ONCE_NS    (2 * NSEC_PER_SEC)

/* A VM that has not answered for so long is silent. */
#define SILENT_NS (2 * NSEC_PER_SEC)

/* Pages that have gone out between two samples, when a host is said to swap. */
#define SWAPPING_PAGES 256

struct balance {
	const struct balance_config *config;
	const struct balance_options *options;
	struct loop *loop;
	struct balance_fleet fleet;
	struct balance_output out;
	struct balance_history history;
	struct balance_alerts alerts;

	struct loop_timer tick, deadline;
	struct loop_deferred answered; /* all have */
	struct loop_fd signal;
	int signal_fd, lock_fd;
	size_t unanswered;
	bool asking;   /* a round has asked and not decided */
	bool ordering; /* once: decided, and some have not confirmed */
	bool ending;
	uint64_t discovered_ns, swapped_out;
	uint64_t host_written_ns;
	bool has_swapped_out, host_failed;
	int result;
	struct error *err;
};

static uint64_t wall_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* --- The end. ------------------------------------------------------------------------------- */

static void stop_when_empty(struct balance *b)
{
	if (b->ending && b->fleet.count == 0 && b->signal_fd < 0)
		loop_stop(b->loop);
}

static void signal_closed(struct loop_fd *lfd)
{
	struct balance *b = container_of(lfd, struct balance, signal);

	close(b->signal_fd);
	b->signal_fd = -1;
	stop_when_empty(b);
}

/* VMs keep what they have. */
static void end(struct balance *b)
{
	if (b->ending)
		return;
	b->ending = true;
	loop_timer_cancel(b->loop, &b->tick);
	loop_timer_cancel(b->loop, &b->deadline);
	loop_defer_cancel(&b->answered);
	balance_fleet_close(&b->fleet);
	loop_fd_close(&b->signal, signal_closed);
	stop_when_empty(b);
}

static void on_signal(struct loop_fd *lfd, uint32_t revents)
{
	end(container_of(lfd, struct balance, signal));
}

/* --- A decision. ---------------------------------------------------------------------------- */

/* The host can be read, or nothing is decided: guests keep what they have. */
static int read_host(struct balance *b, struct policy_host *host, struct host_memory *memory)
{
	struct error err;
	int r = host_memory_read(memory, "", &err);

	if (r < 0) {
		if (!b->host_failed)
			log_error("balance: %s", err.text);
		b->host_failed = true;
		return r;
	}
	b->host_failed = false;
	*host = (struct policy_host){.total = memory->total,
				     .available = memory->available,
				     .stall = memory->some / 100,
				     .swapping =
					     b->has_swapped_out &&
					     memory->swapped_out > b->swapped_out + SWAPPING_PAGES};
	b->swapped_out = memory->swapped_out;
	b->has_swapped_out = true;
	return 0;
}

static void write_history(struct balance *b, struct json_object *line)
{
	struct error err;

	if (balance_history_write(&b->history, line, &err) < 0)
		log_error("balance: %s", err.text);
}

static bool is_due(const struct balance *b, uint64_t written_ns, uint64_t now)
{
	return b->options->history &&
	       (!written_ns || now - written_ns >= b->config->history.interval_ns);
}

/* Tells a VM where to go, and those who look on. */
static void carry_out(struct balance *b, struct balance_vm *vm, const struct policy_decision *d,
		      uint64_t time_ms)
{
	const struct balance_sample sample = vm->sample; /* as it was before an order */
	const uint64_t from = sample.vm.target ? sample.vm.target : sample.vm.assigned;
	const bool news = !vm->decided || vm->decision.target != d->target;
	const bool moves =
		d->target != from && (d->reason >= POLICY_STEADY || d->reason == POLICY_STALE);
	const uint64_t now = loop_now();
	bool said = moves && b->options->dry_run && news;
	char why[320];

	policy_reason_text(d, why, sizeof(why));
	if (moves && !b->options->dry_run)
		said = balance_vm_order(vm, d->target, why);
	if (b->options->once)
		balance_output_state(&b->out, time_ms, vm->name, &sample, d);
	else if (said)
		balance_output_move(&b->out, time_ms, vm->name, from, d);
	if (b->options->history && (said || !vm->decided || vm->decision.reason != d->reason ||
				    is_due(b, vm->written_ns, now))) {
		write_history(b, balance_vm_line(time_ms, vm->name, &sample, d));
		vm->written_ns = now;
	}
	vm->decision = *d;
	vm->decided = true;
}

static void tell_host(struct balance *b, uint64_t time_ms, const struct host_memory *memory,
		      const struct policy_totals *totals)
{
	const struct series_host host = {.time_ms = time_ms,
					 .total = memory->total,
					 .available = memory->available,
					 .swap_used = memory->swap_total -
						      min_of(memory->swap_free, memory->swap_total),
					 .spare = totals->spare,
					 .wanted = totals->wanted,
					 .waiting = totals->waiting,
					 .pressure = totals->pressure,
					 .stall = memory->some,
					 .vms = (uint32_t)b->fleet.sampled};
	const uint64_t now = loop_now();

	if (b->options->once)
		balance_output_host(&b->out, &host);
	balance_alerts_host(&b->alerts, b->config, &b->out, time_ms, memory, totals);
	if (totals->moved || is_due(b, b->host_written_ns, now)) {
		if (b->options->history)
			write_history(b, balance_host_line(&host));
		b->host_written_ns = now;
	}
}

static int decide(struct balance *b)
{
	struct balance_fleet *fleet = &b->fleet;
	const uint64_t now = loop_now(), time_ms = wall_ms();
	struct policy_totals totals;
	struct host_memory memory = {0};
	struct policy_host host = {0};
	int r;

	b->asking = false;
	loop_timer_cancel(b->loop, &b->deadline);
	if (balance_fleet_is_partial(fleet, now, SILENT_NS))
		return 0;
	r = balance_fleet_gather(fleet, now, SILENT_NS);
	if (r == 0)
		r = read_host(b, &host, &memory);
	if (r < 0)
		return r;
	policy_decide(&b->config->policy, &host, now, fleet->samples, fleet->states, fleet->sampled,
		      fleet->slots, fleet->decisions, &totals);
	tell_host(b, time_ms, &memory, &totals);
	for (size_t i = 0; i < fleet->sampled; i++) {
		struct balance_vm *vm = fleet->sampled_vms[i];

		vm->state = fleet->states[i];
		carry_out(b, vm, &fleet->decisions[i], time_ms);
		balance_alerts_vm(vm, b->config, &b->out, time_ms, now);
	}
	return 0;
}

/* Once: the orders are out; whoever has not confirmed after a while does not count. */
static void finish_once(struct balance *b)
{
	if (balance_fleet_ordered(&b->fleet) == 0) {
		end(b);
		return;
	}
	b->ordering = true;
	loop_timer_set(b->loop, &b->deadline, loop_now() + ONCE_NS);
}

static void on_answered(struct loop_deferred *deferred)
{
	struct balance *b = container_of(deferred, struct balance, answered);

	if (b->ending)
		return;
	if (b->ordering) {
		if (balance_fleet_ordered(&b->fleet) == 0)
			end(b);
	} else if (b->asking) {
		const int r = decide(b);

		if (b->options->once) {
			b->result = r;
			finish_once(b);
		}
	}
}

static void on_deadline(struct loop_timer *timer)
{
	struct balance *b = container_of(timer, struct balance, deadline);

	if (b->ordering)
		end(b);
	else
		loop_defer(b->loop, &b->answered);
}

/* --- VMs. ----------------------------------------------------------------------------------- */

/* This round does not wait for it any more. */
static void vm_answered(struct balance_vm *vm, void *ctx)
{
	struct balance *b = ctx;

	if (vm->counted && --b->unanswered == 0)
		loop_defer(b->loop, &b->answered);
	vm->counted = false;
}

static void vm_refused(struct balance_vm *vm, const char *text, void *ctx)
{
	struct balance *b = ctx;
	char line[300];

	snprintf(line, sizeof(line), "it refuses its target: %.250s", text);
	balance_output_alert(&b->out, wall_ms(), "refused", vm->name, true, line);
}

static void vm_ordered(struct balance_vm *vm, uint64_t taken, void *ctx)
{
	struct balance *b = ctx;

	if (taken)
		policy_limited(&b->config->policy, loop_now(), &vm->state, vm->ordered, taken);
	if (b->ordering)
		loop_defer(b->loop, &b->answered);
}

static void vm_closed(struct balance_vm *vm, void *ctx)
{
	struct balance *b = ctx;

	vm_answered(vm, ctx);
	if (b->ordering)
		loop_defer(b->loop, &b->answered);
	balance_fleet_remove(&b->fleet, vm);
	stop_when_empty(b);
}

static const struct balance_vm_ops vm_ops = {
	.answered = vm_answered, .ordered = vm_ordered, .refused = vm_refused, .closed = vm_closed};

/* --- Rounds. -------------------------------------------------------------------------------- */

static void discover(struct balance *b, uint64_t now)
{
	struct error err;

	if (b->discovered_ns && now - b->discovered_ns < DISCOVER_NS)
		return;
	b->discovered_ns = now;
	if (balance_fleet_discover(&b->fleet, b->loop, &vm_ops, b, &err) < 0)
		log_error("balance: %s", err.text);
}

static void on_tick(struct loop_timer *timer)
{
	struct balance *b = container_of(timer, struct balance, tick);
	const uint64_t now = loop_now();
	const uint64_t patience =
		b->options->once ? ONCE_NS : min_of(ANSWERS_NS, b->config->interval_ns / 2);

	loop_timer_set(b->loop, timer, now + b->config->interval_ns);
	if (b->asking || b->ordering)
		return;
	discover(b, now);
	b->asking = true;
	b->unanswered = balance_fleet_ask(&b->fleet);
	if (b->unanswered)
		loop_timer_set(b->loop, &b->deadline, now + patience);
	else
		loop_defer(b->loop, &b->answered);
}

/* --- The process. --------------------------------------------------------------------------- */

static int take_lock(struct balance *b)
{
	char dir[CONTROL_PATH_MAX], path[CONTROL_PATH_MAX + 16];
	int r = control_make_dir(b->err);

	if (r == 0)
		r = control_dir(dir, b->err);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s/balance.lock", dir);
	b->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (b->lock_fd < 0)
		return error_errno(b->err, -errno, "cannot open %s", path);
	if (flock(b->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	return error_set(b->err, -EADDRINUSE,
			 "another balancer looks after the VMs here (it has locked %s): end it "
			 "first",
			 path);
}

static int watch_signals(struct balance *b)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return error_errno(b->err, -errno, "sigprocmask");
	b->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (b->signal_fd < 0)
		return error_errno(b->err, -errno, "signalfd");
	return loop_fd_add(b->loop, &b->signal, b->signal_fd, POLLIN, on_signal);
}

/* A descriptor for each VM. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int set_up(struct balance *b)
{
	int r = b->options->dry_run ? 0 : take_lock(b);

	if (r == 0 && b->options->history)
		r = balance_history_open(&b->history, b->options->history, b->config->history.limit,
					 b->err);
	if (r == 0)
		r = loop_create(0, b->err, &b->loop);
	if (r == 0)
		r = watch_signals(b);
	return r;
}

int balance_run(const struct balance_config *config, const struct balance_options *options,
		struct error *err)
{
	struct balance b = {.config = config,
			    .options = options,
			    .out = {.json = options->json},
			    .history = {.fd = -1},
			    .tick = {.fired = on_tick},
			    .deadline = {.fired = on_deadline},
			    .answered = {.run = on_answered},
			    .signal_fd = -1,
			    .lock_fd = -1,
			    .err = err};
	int r;

	raise_limit();
	r = set_up(&b);
	if (r == 0) {
		/* Everything happens on the loop: before it runs it takes few descriptors. */
		loop_timer_set(b.loop, &b.tick, loop_now());
		r = loop_run(b.loop);
		if (r < 0)
			error_errno(err, r, "io_uring");
		else if (b.result < 0)
			r = error_errno(err, b.result, "there was no decision");
	}
	balance_fleet_finish(&b.fleet);
	if (b.loop)
		loop_destroy(b.loop);
	balance_history_close(&b.history);
	if (b.lock_fd >= 0)
		close(b.lock_fd);
	return r;
}
