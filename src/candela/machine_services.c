// SPDX-License-Identifier: MIT
/*
 * The integration services of a machine: which there are, what they are told of pauses, and what
 * "status" says of them. Owner: the machine's loop.
 */
#include "candela/machine_services.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "hv-enlight/hv.h"
#include "vmm/json_build.h"

/* --- Creation. ------------------------------------------------------------------------------- */

static void on_heartbeat(void *ctx)
{
	struct machine *m = ctx;

	/* Not while it is being made or taken apart. */
	if (m->services && m->services->heartbeat && !m->ended)
		machine_event(m, EVENT_HEARTBEAT, ic_heartbeat_state_name(m->services->heartbeat));
}

static uint64_t reference_time(void *ctx)
{
	const struct machine *m = ctx;

	return hv_reference_time(m->hv);
}

static int create_heartbeat(struct machine *m, struct error *err)
{
	const struct ic_heartbeat_config config = {
		.bus = m->vmbus,
		.loop = m->loop,
		.changed = on_heartbeat,
		.ctx = m,
	};

	return ic_heartbeat_create(&config, err, &m->services->heartbeat);
}

static int create_timesync(struct machine *m, struct error *err)
{
	const struct ic_timesync_config config = {
		.bus = m->vmbus,
		.loop = m->loop,
		.reference_time = reference_time,
		.ctx = m,
	};

	return ic_timesync_create(&config, err, &m->services->timesync);
}

static void on_expired(void *ctx)
{
	machine_event(ctx, EVENT_FREEZE_EXPIRED, NULL);
}

static int create_vss(struct machine *m, struct error *err)
{
	const struct ic_vss_config config = {
		.bus = m->vmbus, .loop = m->loop, .expired = on_expired, .ctx = m};

	return ic_vss_create(&config, err, &m->services->vss);
}

/* A connection has two descriptors, and the usual limit is 1024 in all. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)!setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int create_hvsock(struct machine *m, struct error *err)
{
	const struct hvsock_config config = {
		.bus = m->vmbus,
		.loop = m->loop,
		.path = m->config->vsock,
	};

	raise_file_limit();
	return hvsock_create(&config, err, &m->services->hvsock);
}

int machine_create_services(struct machine *m, struct error *err)
{
	const struct vm_config *vm = m->config;
	const struct config_services *config = &vm->services;
	struct machine_services *s;
	int r = 0;

	if (!m->vmbus && vm->vsock)
		return error_set(err, -EINVAL,
				 "vsock: it needs the VMBus: hyperv.identity, hyperv.synic or "
				 "hyperv.vmbus has taken it away");
	if (!m->vmbus)
		return 0;
	s = calloc(1, sizeof(*s));
	if (!s)
		return error_set(err, -ENOMEM, "out of memory");
	s->machine = m;
	m->services = s;
	if (config->shutdown)
		r = ic_shutdown_create(m->vmbus, m->loop, err, &s->shutdown);
	if (r == 0 && config->heartbeat)
		r = create_heartbeat(m, err);
	if (r == 0 && config->time_sync)
		r = create_timesync(m, err);
	if (r == 0 && config->key_values)
		r = ic_kvp_create(m->vmbus, m->loop, m->config->name, err, &s->kvp);
	if (r == 0 && config->snapshots)
		r = create_vss(m, err);
	if (r == 0 && vm->vsock)
		r = create_hvsock(m, err);
	return r;
}

void machine_destroy_services(struct machine *m)
{
	struct machine_services *s = m->services;

	if (!s)
		return;
	m->services = NULL;
	ic_shutdown_destroy(s->shutdown);
	ic_heartbeat_destroy(s->heartbeat);
	ic_timesync_destroy(s->timesync);
	ic_kvp_destroy(s->kvp);
	ic_vss_destroy(s->vss);
	hvsock_destroy(s->hvsock);
	free(s);
}

/* --- What happens to the machine. ------------------------------------------------------------ */

void machine_pause_services(struct machine *m)
{
	struct machine_services *s = m->services;

	if (s && s->heartbeat)
		ic_heartbeat_pause(s->heartbeat);
	if (s && s->timesync)
		ic_timesync_pause(s->timesync);
}

void machine_resume_services(struct machine *m)
{
	struct machine_services *s = m->services;

	if (s && s->heartbeat)
		ic_heartbeat_resume(s->heartbeat);
	if (s && s->timesync)
		ic_timesync_resume(s->timesync);
}

void machine_reset_services(struct machine *m)
{
	if (m->services && m->services->heartbeat)
		ic_heartbeat_reset(m->services->heartbeat);
}

void machine_end_services(struct machine *m)
{
	struct machine_services *s = m->services;

	if (!s)
		return;
	machine_end_stop(m);
	if (s->kvp)
		ic_kvp_cancel(s->kvp);
	if (s->vss)
		ic_vss_cancel(s->vss);
}

/* --- What is told and asked. ----------------------------------------------------------------- */

static int put_heartbeat(struct json_object *o, const struct ic_heartbeat *heartbeat)
{
	const char *applications = ic_heartbeat_applications(heartbeat);
	int r = json_put_string(o, "heartbeat", ic_heartbeat_state_name(heartbeat));

	return r < 0 || !applications ? r : json_put_string(o, "applications", applications);
}

static int put_hvsock(struct json_object *o, const struct machine *m, const struct hvsock *hvsock)
{
	struct json_object *v = json_object_new_object();
	int r = json_put(o, "vsock", v);

	if (r == 0)
		r = json_put(v, "path", control_text(m->config->vsock));
	return r < 0 ? r : json_put_integer(v, "connections", hvsock_connections(hvsock));
}

int machine_put_services(struct json_object *o, const struct machine *m)
{
	const struct machine_services *s = m->services;
	int r = 0;

	if (s && s->heartbeat)
		r = put_heartbeat(o, s->heartbeat);
	if (r == 0 && s && s->vss)
		r = json_put_string(o, "file-systems", machine_freeze_state(s->vss));
	if (r == 0 && s && s->kvp)
		r = machine_put_guest(o, s->kvp);
	if (r == 0 && s && s->hvsock)
		r = put_hvsock(o, m, s->hvsock);
	return r;
}

static bool find_param(struct json_object *params, const char *name, struct json_object **ret)
{
	return params && json_object_object_get_ex(params, name, ret);
}

static bool refuse_type(struct control_call *call, const char *name, const char *expected)
{
	struct error err;

	error_set(&err, -EINVAL, "%s: expected %s", name, expected);
	control_refuse(call, CONTROL_INVALID_PARAMS, err.text);
	return false;
}

bool machine_param_bool(struct control_call *call, struct json_object *params, const char *name,
			bool *ret)
{
	struct json_object *value;

	if (!find_param(params, name, &value))
		return true;
	if (!json_object_is_type(value, json_type_boolean))
		return refuse_type(call, name, "true or false");
	*ret = json_object_get_boolean(value);
	return true;
}

bool machine_param_text(struct control_call *call, struct json_object *params, const char *name,
			const char **ret)
{
	struct json_object *value;

	if (!find_param(params, name, &value))
		return true;
	if (!json_object_is_type(value, json_type_string))
		return refuse_type(call, name, "a string");
	*ret = json_object_get_string(value);
	return true;
}

bool machine_param_uint(struct control_call *call, struct json_object *params, const char *name,
			uint32_t max, uint32_t *ret)
{
	struct control_error error;

	if (control_param_uint(params, name, max, ret, &error) == 0)
		return true;
	control_refuse(call, error.code, error.text);
	return false;
}

void machine_reply(struct control_call *call, struct json_object *object, int r)
{
	if (r < 0) {
		json_object_put(object);
		object = NULL;
	}
	control_reply(call, object);
}
