// SPDX-License-Identifier: MIT
/*
 * What the control socket asks of the machine, and what it tells. On the machine's loop.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "candela/control.h"
#include "candela/machine_services.h"
#include "candela/machine_control.h"
#include "candela/machine_events.h"
#include "candela/machine_storage.h"
#include "candela/result.h"
#include "devices/char/console.h"
#include "devices/pc/pm.h"
#include "hv-enlight/hv.h"
#include "vmm/config_json.h"
#include "vmm/config_table.h"
#include "vmm/config_tree.h"
#include "vmm/json_build.h"

static int put_place(struct json_object *o, const struct config_disk *disk, unsigned int lun)
{
	int r = json_put(o, "path", control_text(disk->path));

	if (r == 0)
		r = json_put_integer(o, "controller", disk->controller);
	return r < 0 ? r : json_put_integer(o, "lun", lun);
}

void machine_event_disk(struct machine *m, enum event_id id, const struct config_disk *disk,
			unsigned int lun)
{
	event(machine_sink(m), id, EVENT_TEXT("path", disk->path),
	      EVENT_NUMBER("controller", disk->controller), EVENT_NUMBER("lun", lun));
}

/* --- status ---------------------------------------------------------------------------------- */

static const char *const kind_names[SCSI_KINDS] = {
	[SCSI_KIND_READ] = "reads",   [SCSI_KIND_WRITE] = "writes", [SCSI_KIND_FLUSH] = "flushes",
	[SCSI_KIND_UNMAP] = "unmaps", [SCSI_KIND_OTHER] = "others",
};

static int put_scsi_counters(struct json_object *disk, const struct scsi_counters *counters)
{
	struct json_object *o = json_object_new_object();
	struct json_object *ticks = json_object_new_object();
	uint64_t errors = 0;
	int r = json_put(disk, "counters", o);

	if (r == 0)
		r = json_put(o, "ticks", ticks);
	else
		json_object_put(ticks);
	for (unsigned int i = 0; i < SCSI_KINDS && r == 0; i++) {
		r = json_put_integer(o, kind_names[i], counter_get(&counters->requests[i]));
		if (r == 0)
			r = json_put_integer(ticks, kind_names[i],
					     counter_get(&counters->ticks[i]));
		errors += counter_get(&counters->errors[i]);
	}
	if (r == 0)
		r = json_put_integer(o, "errors", errors);
	if (r == 0)
		r = json_put_integer(o, "read_bytes", counter_get(&counters->read_bytes));
	if (r == 0)
		r = json_put_integer(o, "write_bytes", counter_get(&counters->write_bytes));
	return r;
}

static int put_disk(struct json_object *array, const struct unit *unit)
{
	struct json_object *o = json_object_new_object();
	const struct block_info *info = &unit->block->info;
	int r = json_append(array, o);

	if (r == 0)
		r = put_place(o, unit->config, unit->lun);
	if (r == 0)
		r = json_put_string(o, "format", info->format);
	if (r == 0)
		r = json_put_integer(o, "size", info->size);
	if (r == 0)
		r = json_put(o, "read-only", json_object_new_boolean(info->read_only));
	return r < 0 ? r : put_scsi_counters(o, scsi_counters(unit->scsi));
}

static int put_disks(struct json_object *o, const struct machine *m)
{
	const struct machine_storage *s = m->storage;
	struct json_object *array = json_object_new_array();
	int r = json_put(o, "disks", array);

	for (size_t i = 0; s && i < s->unit_count && r == 0; i++)
		/* What comes or goes is the disk's loop's. */
		if (s->units[i]->state == UNIT_READY)
			r = put_disk(array, s->units[i]);
	return r;
}

static bool lacks_space(const struct machine *m)
{
	return m->storage && m->storage->retry.next;
}

static const char *state_of(const struct machine *m)
{
	if (m->ended)
		return "ending";
	return m->paused || lacks_space(m) ? "paused" : "running";
}

static int put_identity(struct json_object *o, const struct machine *m)
{
	int r = json_put_string(o, "name", m->config->name);

	if (r == 0)
		r = json_put_integer(o, "pid", (uint64_t)getpid());
	if (r == 0)
		r = json_put_string(o, "version", CANDELA_VERSION);
	if (r == 0)
		r = json_put_string(o, "state", state_of(m));
	if (r == 0 && !m->ended && !m->paused && lacks_space(m))
		r = json_put_string(o, "reason", "no space left on the host");
	return r;
}

static int put_status(struct json_object *o, const struct machine *m)
{
	int r = put_identity(o, m);

	if (r == 0)
		r = json_put_integer(o, "uptime_ns", loop_now() - atomic_load(&m->started_at));
	if (r == 0)
		r = json_put_integer(o, "cpus", m->config->cpus.count);
	if (r == 0)
		r = json_put_integer(o, "memory", m->config->memory.startup);
	if (r == 0)
		r = machine_put_memory_report(o, m);
	if (r == 0)
		r = json_put_string(o, "engine", m->hv ? hv_engine_name(m->hv) : "none");
	if (r == 0)
		r = json_put_integer(o, "resets", m->resets);
	if (r == 0 && m->serial_path)
		r = json_put(o, "serial", control_text(m->serial_path));
	if (r == 0)
		r = json_put_integer(o, "consoles", console_client_count(m->console));
	if (r == 0)
		r = json_put_integer(o, "clients", control_client_count(m->control));
	if (r == 0)
		r = machine_put_services(o, m);
	if (r == 0)
		r = put_disks(o, m);
	return r < 0 ? r : machine_control_put_nics(o, m);
}

void machine_control_reply(struct control_call *call, struct json_object *object, int r)
{
	if (r < 0) {
		json_object_put(object);
		object = NULL;
	}
	control_reply(call, object);
}

static void run_status(void *ctx, struct control_call *call, struct json_object *params)
{
	struct json_object *o = json_object_new_object();

	machine_control_reply(call, o, o ? put_status(o, ctx) : -ENOMEM);
}

static void run_counters(void *ctx, struct control_call *call, struct json_object *params)
{
	const struct machine *m = ctx;
	struct json_object *o = json_object_new_object();
	int r = o ? 0 : -ENOMEM;

	if (o)
		result_add_counters(o, m);
	if (r == 0)
		r = machine_control_put_times(o, m);
	if (r == 0)
		r = machine_control_put_channels(o, m);
	if (r == 0)
		r = put_disks(o, m);
	if (r == 0)
		r = machine_control_put_nics(o, m);
	machine_control_reply(call, o, r);
}

/* --- Running and not. ------------------------------------------------------------------------ */

bool machine_control_refuse_ended(const struct machine *m, struct control_call *call)
{
	if (m->ended)
		control_refuse(call, CONTROL_REFUSED, "the VM is ending");
	return m->ended;
}

static void reply_done(struct control_call *call)
{
	control_reply(call, json_object_new_object());
}

/*
 * The guest's clocks all go on: time stamp counter, reference time and what KVM has cannot be held,
 * and a power management timer that stood still beside them would make a guest distrust them. What
 * a guest's timers have missed comes when it runs again, once or a few times each.
 */
static bool follows_pauses(const struct machine *m, const struct device *device)
{
	return device != pm_device(m->pm);
}

static void pause_machine(struct machine *m)
{
	m->paused = true;
	vcpu_set_stop(&m->vcpus);
	machine_pause_services(m);
	machine_pause_network(m);
	for (size_t i = 0; i < m->device_count; i++)
		if (m->devices[i]->ops->pause && follows_pauses(m, m->devices[i]))
			m->devices[i]->ops->pause(m->devices[i]);
	machine_event(m, EVENT_PAUSED, NULL);
}

static void resume_machine(struct machine *m)
{
	m->paused = false;
	machine_resume_network(m);
	for (size_t i = 0; i < m->device_count; i++)
		if (m->devices[i]->ops->resume && follows_pauses(m, m->devices[i]))
			m->devices[i]->ops->resume(m->devices[i]);
	machine_let_run(m);
	/* Timers that expired meanwhile have kicked VPs that were not there to be kicked. */
	for (unsigned int i = 0; i < m->vcpus.count; i++)
		vcpu_kick(&m->vcpus.vcpus[i]);
	machine_resume_services(m);
	machine_event(m, EVENT_RESUMED, NULL);
}

static void run_pause(void *ctx, struct control_call *call, struct json_object *params)
{
	struct machine *m = ctx;

	if (machine_control_refuse_ended(m, call))
		return;
	if (!m->paused)
		pause_machine(m);
	reply_done(call);
}

static void run_resume(void *ctx, struct control_call *call, struct json_object *params)
{
	struct machine *m = ctx;

	if (machine_control_refuse_ended(m, call))
		return;
	if (m->paused)
		resume_machine(m);
	reply_done(call);
}

static void run_reset(void *ctx, struct control_call *call, struct json_object *params)
{
	struct machine *m = ctx;

	if (machine_control_refuse_ended(m, call))
		return;
	machine_restart(m, "asked for by the control socket");
	reply_done(call);
}

static void run_kill(void *ctx, struct control_call *call, struct json_object *params)
{
	static const struct machine_outcome outcome = {
		.end = MACHINE_SIGNAL,
		.value = SIGTERM,
		.detail = "killed by the control socket",
	};

	/* The answer first: the loop ends with the machine. */
	reply_done(call);
	machine_stop(ctx, &outcome);
}

/* Intel SDM volume 3, 11.11.2. */
#define MSI_DELIVERY_NMI (4u << 8)

static void run_nmi(void *ctx, struct control_call *call, struct json_object *params)
{
	struct machine *m = ctx;
	struct control_error error;
	uint32_t vp = 0, data;
	uint64_t address;
	int r;

	if (machine_control_refuse_ended(m, call))
		return;
	if (control_param_uint(params, "vp", m->vcpus.count - 1, &vp, &error) < 0) {
		control_refuse(call, error.code, error.text);
		return;
	}
	irqchip_msi_message(vp, 0, &address, &data);
	r = irqchip_signal_msi(&m->irqchip, address, data | MSI_DELIVERY_NMI);
	if (r < 0)
		control_refuse(call, CONTROL_FAILED, strerrordesc_np(-r));
	else
		reply_done(call);
}

/* --- Disks. ---------------------------------------------------------------------------------- */

static void answer_disk(struct control_call *call, int r, const struct error *err,
			const struct unit *unit)
{
	struct json_object *o;

	if (r < 0) {
		control_refuse(call, CONTROL_FAILED, err->text);
		return;
	}
	o = json_object_new_object();
	machine_control_reply(call, o, o ? put_place(o, unit->config, unit->lun) : -ENOMEM);
}

static void on_added(void *ctx, int r, const struct error *err, const struct unit *unit)
{
	if (r == 0)
		machine_event_disk(unit->machine, EVENT_DISK_ADDED, unit->config, unit->lun);
	answer_disk(ctx, r, err, unit);
}

static void on_removed(void *ctx, int r, const struct error *err, const struct unit *unit)
{
	/* One that was not closed well is gone all the same. */
	if (!unit->scsi)
		machine_event_disk(unit->machine, EVENT_DISK_REMOVED, unit->config, unit->lun);
	answer_disk(ctx, r, err, unit);
}

/* The parameters are an item of "disks". Relative to what a path would be, nobody could tell. */
static int read_disk(struct json_object *params, struct config_disk *disk, struct error *err)
{
	const char *text = params ? json_object_to_json_string(params) : "{}";
	int r;

	config_tree_init(&config_disk_table, disk);
	if (!text)
		return error_set(err, -ENOMEM, "out of memory");
	r = config_json_load(&config_disk_table, disk, text, strlen(text), NULL, err);
	if (r == 0 && !disk->path)
		r = error_set(err, -EINVAL, "path: missing");
	if (r == 0 && disk->path[0] != '/')
		r = error_set(err, -EINVAL, "path: expected an absolute one");
	return r;
}

static void run_disk_add(void *ctx, struct control_call *call, struct json_object *params)
{
	struct config_disk disk;
	struct error err;

	if (machine_control_refuse_ended(ctx, call))
		return;
	if (read_disk(params, &disk, &err) < 0) {
		config_tree_finish(&config_disk_table, &disk);
		control_refuse(call, CONTROL_INVALID_PARAMS, err.text);
		return;
	}
	if (machine_add_disk(ctx, &disk, on_added, call, &err) < 0)
		control_refuse(call, CONTROL_REFUSED, err.text);
}

static void run_disk_remove(void *ctx, struct control_call *call, struct json_object *params)
{
	uint32_t controller = 0, lun = CONFIG_UINT_UNSET;
	struct control_error error;
	struct error err;

	if (machine_control_refuse_ended(ctx, call))
		return;
	if (control_param_uint(params, "controller", CONFIG_DISK_CONTROLLERS - 1, &controller,
			       &error) < 0 ||
	    control_param_uint(params, "lun", CONFIG_DISK_LUNS - 1, &lun, &error) < 0)
		control_refuse(call, error.code, error.text);
	else if (lun == CONFIG_UINT_UNSET)
		control_refuse(call, CONTROL_INVALID_PARAMS, "lun: missing");
	else if (machine_remove_disk(ctx, controller, lun, on_removed, call, &err) < 0)
		control_refuse(call, CONTROL_REFUSED, err.text);
}

/* --- The socket. ----------------------------------------------------------------------------- */

static const char *const nmi_params[] = {"vp", NULL};
static const char *const disk_remove_params[] = {"controller", "lun", NULL};

/* docs/control-socket.md describes them. */
static const struct control_method methods[] = {
	{.name = "status", .run = run_status},
	{.name = "counters", .run = run_counters},
	{.name = "pause", .changes = true, .run = run_pause},
	{.name = "resume", .changes = true, .run = run_resume},
	{.name = "reset", .changes = true, .run = run_reset},
	{.name = "kill", .changes = true, .run = run_kill},
	{.name = "kvp.list", .run = machine_run_kvp_list},
	{.name = "cpus", .run = machine_run_cpus},
	{.name = "cpus.set",
	 .changes = true,
	 .run = machine_run_cpus_set,
	 .params = machine_cpus_set_params},
	{.name = "kvp.set",
	 .changes = true,
	 .run = machine_run_kvp_set,
	 .params = machine_kvp_set_params},
	{.name = "kvp.delete",
	 .changes = true,
	 .run = machine_run_kvp_delete,
	 .params = machine_kvp_delete_params},
	{.name = "freeze",
	 .changes = true,
	 .run = machine_run_freeze,
	 .params = machine_freeze_params},
	{.name = "thaw", .changes = true, .run = machine_run_thaw},
	{.name = "stop", .changes = true, .run = machine_run_stop, .params = machine_stop_params},
	{.name = "console",
	 .changes = true,
	 .run = machine_run_console,
	 .params = machine_console_params},
	{.name = "console.break", .changes = true, .run = machine_run_console_break},
	{.name = "reopen-log", .changes = true, .run = machine_run_reopen_log},
	{.name = "nmi", .changes = true, .run = run_nmi, .params = nmi_params},
	{.name = "memory", .run = machine_run_memory},
	{.name = "memory.set",
	 .changes = true,
	 .run = machine_run_memory_set,
	 .params = machine_memory_set_params},
	{.name = "memory.target",
	 .changes = true,
	 .run = machine_run_memory_target,
	 .params = machine_memory_target_params},
	{.name = "disk.add", .changes = true, .run = run_disk_add, .any_params = true},
	{.name = "disk.remove",
	 .changes = true,
	 .run = run_disk_remove,
	 .params = disk_remove_params},
	{.name = "net.add", .changes = true, .run = machine_control_add_nic, .any_params = true},
	{.name = "net.remove",
	 .changes = true,
	 .run = machine_control_remove_nic,
	 .params = machine_control_nic_params},
	{.name = "net.set", .changes = true, .run = machine_control_set_nic, .any_params = true},
};

static int open_socket(struct machine *m, const char *path, struct error *err)
{
	char what[CONFIG_NAME_MAX + 16];
	int r;

	snprintf(what, sizeof(what), "a VM named %s", m->config->name);
	r = control_socket_open(&m->control_socket, path, what, err);
	if (r == 0) {
		const struct control_config config = {
			.loop = m->loop,
			.fd = m->control_socket.fd,
			.methods = methods,
			.method_count = ARRAY_SIZE(methods),
			.requested = machine_note_request,
			.ctx = m,
		};

		r = control_create(&config, err, &m->control);
	}
	return r;
}

/* Did somebody give it the name? Then they may want to use it. */
static bool is_named(const struct machine *m)
{
	char name[32];

	snprintf(name, sizeof(name), "vm-%ld", (long)getpid());
	return strcmp(m->config->name, name) != 0;
}

static int open_automatic(struct machine *m, struct error *err)
{
	char path[CONTROL_PATH_MAX];
	int r = control_make_dir(err);

	if (r == 0)
		r = control_path(m->config->name, path, err);
	if (r == 0)
		r = open_socket(m, path, err);
	if (r == 0 || r == -EADDRINUSE || r == -ENOMEM)
		return r;
	log_line(is_named(m) ? LOG_WARNING : LOG_INFO, "no control socket: %s", err->text);
	return 0;
}

int machine_create_control(struct machine *m, struct error *err)
{
	if (!m->config->name)
		return 0;
	m->stat_fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	switch (m->config->control.kind) {
	case CONFIG_CONTROL_NONE:
		return 0;
	case CONFIG_CONTROL_PATH:
		return open_socket(m, m->config->control.path, err);
	case CONFIG_CONTROL_AUTO:
		break;
	}
	return open_automatic(m, err);
}

void machine_destroy_control(struct machine *m)
{
	/* The name is free before clients see that the VM is gone. */
	control_socket_close(&m->control_socket);
	control_destroy(m->control);
	m->control = NULL;
	if (m->stat_fd >= 0)
		close(m->stat_fd);
	m->stat_fd = -1;
}

const char *machine_control_path(const struct machine *m)
{
	return m->control ? m->control_socket.path : NULL;
}

struct end {
	const char *outcome, *detail;
	int status;
};

static int put_end(struct json_object *o, const void *ctx)
{
	const struct end *end = ctx;
	int r = json_put_string(o, "outcome", end->outcome);

	if (r == 0)
		r = json_put(o, "status", json_object_new_int(end->status));
	return r < 0 ? r : json_put(o, "detail", control_text(end->detail));
}

void machine_announce_end(struct machine *m, const char *outcome, int status, const char *detail)
{
	const struct end end = {outcome, detail, status};
	struct json_object *o;

	if (!m)
		return;
	machine_settle_events(m);
	machine_event_with(m, EVENT_ENDED, put_end, &end);
	machine_end_events(m);
	if (!m->control)
		return;
	o = json_object_new_object();
	if (o && put_end(o, &end) < 0) {
		json_object_put(o);
		o = NULL;
	}
	control_end(m->control, o);
}
