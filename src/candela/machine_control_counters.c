// SPDX-License-Identifier: MIT
/*
 * What the method "counters" has beyond the result's counters: times, by which rates can be had
 * of them, and the channels of disk controllers and network interfaces. On the machine's loop.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "candela/machine_control.h"
#include "candela/machine_network.h"
#include "candela/machine_storage.h"
#include "vmm/json_build.h"

/* --- Times. ---------------------------------------------------------------------------------- */

static bool clock_ns(clockid_t clock, uint64_t *ret)
{
	struct timespec ts;

	if (clock_gettime(clock, &ts) < 0)
		return false;
	*ret = (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
	return true;
}

/* Of all virtual processors' threads, in the guest or not. */
static uint64_t vps_ns(const struct machine *m)
{
	uint64_t sum = 0, ns;
	clockid_t clock;

	for (unsigned int i = 0; i < m->vcpus.count; i++) {
		const struct vcpu *vcpu = &m->vcpus.vcpus[i];

		if (vcpu->has_thread && pthread_getcpuclockid(vcpu->thread, &clock) == 0 &&
		    clock_ns(clock, &ns))
			sum += ns;
	}
	return sum;
}

/*
 * proc(5): "guest_time" of /proc/PID/stat, the 43rd field. The name, the 2nd, may have blanks. Not
 * every kernel counts it, and 0 is what those say that do not.
 */
static bool guest_ns(const struct machine *m, uint64_t *ret)
{
	const long hz = sysconf(_SC_CLK_TCK);
	unsigned long long ticks;
	char line[1024], *field;
	const ssize_t n = pread(m->stat_fd, line, sizeof(line) - 1, 0);

	if (n < 0)
		return false;
	line[n] = '\0';
	field = strrchr(line, ')');
	for (int i = 2; field && i < 43; i++) {
		field = strchr(field, ' ');
		field = field ? field + 1 : NULL;
	}
	if (!field || hz <= 0 || sscanf(field, "%llu", &ticks) != 1 || !ticks)
		return false;
	*ret = ticks * (NSEC_PER_SEC / (unsigned long)hz);
	return true;
}

static int put_cpu(struct json_object *o, const struct machine *m)
{
	struct json_object *cpu = json_object_new_object();
	int r = json_put(o, "cpu", cpu);
	uint64_t ns;

	if (r == 0 && clock_ns(CLOCK_PROCESS_CPUTIME_ID, &ns))
		r = json_put_integer(cpu, "process_ns", ns);
	if (r == 0)
		r = json_put_integer(cpu, "vps_ns", vps_ns(m));
	if (r == 0 && guest_ns(m, &ns))
		r = json_put_integer(cpu, "guest_ns", ns);
	return r;
}

int machine_control_put_times(struct json_object *o, const struct machine *m)
{
	const uint64_t started = atomic_load(&m->started_at), now = loop_now();
	const uint64_t ticks = __rdtsc() - m->started_tsc;
	int r = json_put_integer(o, "pid", (uint64_t)getpid());

	if (r == 0)
		r = json_put_integer(o, "time_ns", now);
	if (r == 0 && started)
		r = json_put_integer(o, "uptime_ns", now - started);
	/* In less time the two readings' distance would count. */
	if (r == 0 && started && now - started > NSEC_PER_MSEC)
		r = json_put_integer(
			o, "tsc_hz",
			(uint64_t)((unsigned __int128)ticks * NSEC_PER_SEC / (now - started)));
	return r < 0 ? r : put_cpu(o, m);
}

/* --- Channels. ------------------------------------------------------------------------------- */

static int put_channel(struct json_object *array, const char *device, unsigned int index,
		       const struct channel_counters *c)
{
	const struct {
		const char *key;
		const struct counter *counter;
	} rows[] = {
		{"opens", &c->opens},
		{"closes", &c->closes},
		{"packets", &c->packets},
		{"completions", &c->completions},
		{"sent", &c->sent},
		{"wakes", &c->wakes},
		{"interrupts", &c->interrupts},
		{"failures", &c->failures},
	};
	struct json_object *o = json_object_new_object();
	struct json_object *counters = json_object_new_object();
	int r = json_append(array, o);

	if (r == 0)
		r = json_put(o, "counters", counters);
	else
		json_object_put(counters);
	if (r == 0)
		r = json_put_string(o, "device", device);
	if (r == 0)
		r = json_put_integer(o, "index", index);
	for (size_t i = 0; i < ARRAY_SIZE(rows) && r == 0; i++)
		r = json_put_integer(counters, rows[i].key, counter_get(rows[i].counter));
	return r;
}

int machine_control_put_channels(struct json_object *o, const struct machine *m)
{
	struct json_object *array = json_object_new_array();
	int r = json_put(o, "channels", array);

	for (unsigned int i = 0; m->storage && i < CONFIG_DISK_CONTROLLERS && r == 0; i++)
		if (m->storage->controllers[i])
			r = put_channel(array, "storage", i,
					storvsp_channel_counters(m->storage->controllers[i]));
	for (unsigned int i = 0; m->network && i < CONFIG_NETS && r == 0; i++) {
		const struct nic *nic = m->network->nics[i];

		if (nic && nic->state == NIC_READY && nic->netvsp)
			r = put_channel(array, "network", i, netvsp_channel_counters(nic->netvsp));
	}
	return r;
}
