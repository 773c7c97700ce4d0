// SPDX-License-Identifier: MIT
/* Where a machine's events go. See machine_events.h. */
#include "candela/machine_events.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "candela/control.h"
#include "candela/event_log.h"
#include "vmm/event.h"
#include "vmm/json_build.h"
#include "vmm/log.h"

#define JSON_STYLE (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

/* What other threads have emitted and the loop has not seen yet. */
#define QUEUE_MAX 64

struct pending {
	enum event_id id;
	struct timespec real;
	uint64_t monotonic_ns;
	struct json_object *fields; /* owned */
};

struct limit {
	uint64_t window_start_ns;
	uint32_t in_window;
	uint64_t suppressed;
};

struct machine_events {
	struct event_sink sink;
	struct machine *machine;
	struct event_log *log; /* NULL: none */
	pthread_t owner;
	struct loop *loop; /* NULL: there is none yet, or any more */
	struct loop_task task;
	struct loop_timer window; /* armed while there are suppressed ones to tell of */

	pthread_mutex_t lock; /* of what follows */
	struct limit limits[EVENT_COUNT];
	struct pending queue[QUEUE_MAX];
	size_t queued;
};

/* --- What an event looks like. --------------------------------------------------------------- */

static int copy_fields(struct json_object *to, struct json_object *fields)
{
	int r = 0;

	json_object_object_foreach(fields, key, value)
	{
		if (r == 0)
			r = json_put(to, key, json_object_get(value));
	}
	return r;
}

static struct json_object *real_time(const struct timespec *ts)
{
	char text[40];

	snprintf(text, sizeof(text), "%lld.%03ld", (long long)ts->tv_sec,
		 ts->tv_nsec / (long)NSEC_PER_MSEC);
	return json_object_new_double_s((double)ts->tv_sec, text);
}

static void put_rfc3339(const struct timespec *ts, char text[64])
{
	char seconds[32] = "";
	struct tm tm;

	if (gmtime_r(&ts->tv_sec, &tm))
		strftime(seconds, sizeof(seconds), "%FT%T", &tm);
	snprintf(text, 64, "%s.%03uZ", seconds,
		 (unsigned int)(ts->tv_nsec / (long)NSEC_PER_MSEC) % 1000);
}

static void tell_clients(struct machine_events *e, const struct pending *p)
{
	const struct machine *m = e->machine;
	struct json_object *o = m->control ? json_object_new_object() : NULL;

	if (!o)
		return;
	if (json_put_string(o, "event", event_kinds[p->id].name) == 0 &&
	    json_put_string(o, "name", m->config->name) == 0 &&
	    json_put(o, "time", real_time(&p->real)) == 0 && copy_fields(o, p->fields) == 0)
		control_event(m->control, o);
	else
		json_object_put(o);
}

static struct json_object *log_object(const struct machine *m, const struct pending *p)
{
	const struct event_kind *kind = &event_kinds[p->id];
	struct json_object *o = json_object_new_object();
	char when[64];

	put_rfc3339(&p->real, when);
	if (o && json_put_string(o, "time", when) == 0 &&
	    json_put_integer(o, "monotonic_ns", p->monotonic_ns) == 0 &&
	    json_put_string(o, "name", m->config->name ? m->config->name : "") == 0 &&
	    json_put_integer(o, "pid", (uint64_t)getpid()) == 0 &&
	    json_put_string(o, "event", kind->name) == 0 &&
	    json_put_string(o, "severity", event_severity_name(kind->severity)) == 0 &&
	    copy_fields(o, p->fields) == 0)
		return o;
	json_object_put(o);
	return NULL;
}

static void write_line(struct machine_events *e, const struct pending *p)
{
	struct json_object *o = log_object(e->machine, p);
	const char *text = o ? json_object_to_json_string_ext(o, JSON_STYLE) : NULL;
	char *line = NULL;
	int len = text ? asprintf(&line, "%s\n", text) : -1;

	if (len > 0)
		event_log_line(e->log, line, (size_t)len);
	if (len >= 0)
		free(line);
	json_object_put(o);
}

/* For people: what it is, and what is said of it. */
static void say(const struct pending *p)
{
	char text[800];
	size_t len = 0;

	text[0] = '\0';
	json_object_object_foreach(p->fields, key, value)
	{
		int n = snprintf(text + len, sizeof(text) - len, "%s %s=%s", len ? "," : ":", key,
				 json_object_get_string(value));

		len = min_of(len + (size_t)max_of(n, 0), sizeof(text) - 1);
	}
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	log_info("event %s%s", event_kinds[p->id].name, text);
}

static void deliver(struct machine_events *e, const struct pending *p)
{
	if (log_enabled(LOG_INFO))
		say(p);
	if (e->log)
		write_line(e, p);
	tell_clients(e, p);
}

/* --- Limits. Under the lock. ----------------------------------------------------------------- */

/* How many of its kind were suppressed since one was let through; -EBUSY: so is this one. */
static int64_t admit(struct machine_events *e, enum event_id id, bool own)
{
	struct limit *limit = &e->limits[id];
	const uint64_t now = loop_now();
	int64_t suppressed;

	if (now - limit->window_start_ns >= EVENT_WINDOW_NS || !limit->window_start_ns) {
		limit->window_start_ns = now;
		limit->in_window = 0;
	}
	if ((event_kinds[id].guest && limit->in_window >= EVENT_BURST) ||
	    (!own && e->queued == QUEUE_MAX)) {
		limit->suppressed++;
		return -EBUSY;
	}
	limit->in_window++;
	suppressed = (int64_t)limit->suppressed;
	limit->suppressed = 0;
	return suppressed;
}

static bool any_suppressed(const struct machine_events *e)
{
	for (size_t i = 0; i < EVENT_COUNT; i++)
		if (e->limits[i].suppressed)
			return true;
	return false;
}

/* --- The sink. ------------------------------------------------------------------------------- */

static bool is_owner(const struct machine_events *e)
{
	return pthread_equal(pthread_self(), e->owner);
}

/* What other threads have emitted before. Owner. */
static void drain(struct machine_events *e)
{
	struct pending queue[QUEUE_MAX];
	size_t queued;

	pthread_mutex_lock(&e->lock);
	queued = e->queued;
	memcpy(queue, e->queue, queued * sizeof(queue[0]));
	e->queued = 0;
	pthread_mutex_unlock(&e->lock);
	for (size_t i = 0; i < queued; i++) {
		deliver(e, &queue[i]);
		json_object_put(queue[i].fields);
	}
}

/* A count that no later event has told. Owner. */
static void watch_suppressed(struct machine_events *e)
{
	bool any;

	pthread_mutex_lock(&e->lock);
	any = any_suppressed(e);
	pthread_mutex_unlock(&e->lock);
	if (any && e->loop && !e->window.next)
		loop_timer_set(e->loop, &e->window, loop_now() + EVENT_WINDOW_NS);
}

static void tell_suppressed(struct machine_events *e)
{
	for (size_t i = 0; i < EVENT_COUNT; i++) {
		uint64_t count;

		pthread_mutex_lock(&e->lock);
		count = e->limits[i].suppressed;
		e->limits[i].suppressed = 0;
		pthread_mutex_unlock(&e->lock);
		if (count)
			event(&e->sink, EVENT_SUPPRESSED, EVENT_TEXT("kind", event_kinds[i].name),
			      EVENT_NUMBER("count", count));
	}
}

static void on_window(struct loop_timer *timer)
{
	tell_suppressed(container_of(timer, struct machine_events, window));
}

static void on_task(struct loop_task *task)
{
	struct machine_events *e = container_of(task, struct machine_events, task);

	drain(e);
	watch_suppressed(e);
}

/* Takes over @p's fields. Owner. */
static void deliver_own(struct machine_events *e, struct pending *p)
{
	uint64_t lost = e->log ? event_log_take_lost(e->log) : 0;

	drain(e);
	deliver(e, p);
	json_object_put(p->fields);
	if (lost)
		event(&e->sink, EVENT_LOST, EVENT_NUMBER("count", lost));
}

/* Takes over @fields. */
static void emit_object(struct machine_events *e, enum event_id id, struct json_object *fields)
{
	struct pending p = {.id = id, .monotonic_ns = loop_now(), .fields = fields};
	const bool own = is_owner(e);
	int64_t suppressed;
	bool posts;

	clock_gettime(CLOCK_REALTIME, &p.real);
	pthread_mutex_lock(&e->lock);
	suppressed = fields ? admit(e, id, own) : -ENOMEM;
	if (suppressed > 0 && json_put_integer(fields, "suppressed", (uint64_t)suppressed) < 0)
		e->limits[id].suppressed += (uint64_t)suppressed;
	if (suppressed >= 0 && !own)
		e->queue[e->queued++] = p;
	posts = e->loop && !own;
	pthread_mutex_unlock(&e->lock);
	if (posts)
		loop_post(e->loop, &e->task);
	if (suppressed < 0)
		json_object_put(fields);
	else if (own)
		deliver_own(e, &p);
	if (own && suppressed < 0)
		watch_suppressed(e);
}

static struct json_object *object_of(const struct event_field *fields, size_t count)
{
	struct json_object *o = json_object_new_object();
	int r = o ? 0 : -ENOMEM;

	for (size_t i = 0; i < count && r == 0; i++)
		r = fields[i].text ? json_put(o, fields[i].key, control_text(fields[i].text))
				   : json_put_integer(o, fields[i].key, fields[i].number);
	if (r == 0)
		return o;
	json_object_put(o);
	return NULL;
}

static void emit(struct event_sink *sink, enum event_id id, const struct event_field *fields,
		 size_t count)
{
	emit_object(container_of(sink, struct machine_events, sink), id, object_of(fields, count));
}

/* --- For the machine. ------------------------------------------------------------------------ */

struct event_sink *machine_sink(const struct machine *m)
{
	return m->events ? &m->events->sink : NULL;
}

void machine_event(struct machine *m, enum event_id id, const char *detail)
{
	const struct event_field field = EVENT_TEXT("detail", detail);

	event_emit(machine_sink(m), id, &field, detail ? 1 : 0);
}

void machine_event_with(struct machine *m, enum event_id id,
			int (*put)(struct json_object *o, const void *ctx), const void *ctx)
{
	struct json_object *o = m->events ? json_object_new_object() : NULL;

	if (!o)
		return;
	if (put(o, ctx) == 0)
		emit_object(m->events, id, o);
	else
		json_object_put(o);
}

void machine_note_request(void *ctx, const char *method, pid_t pid, uid_t uid)
{
	event(machine_sink(ctx), EVENT_REQUEST, EVENT_TEXT("method", method),
	      EVENT_NUMBER("by-pid", (uint64_t)pid), EVENT_NUMBER("by-uid", uid));
}

void machine_run_reopen_log(void *ctx, struct control_call *call, struct json_object *params)
{
	struct machine *m = ctx;
	struct error err;

	if (!m->events->log) {
		control_refuse(call, CONTROL_REFUSED, "the VM has no event log");
		return;
	}
	if (event_log_reopen(m->events->log, &err) < 0) {
		control_refuse(call, CONTROL_FAILED, err.text);
		return;
	}
	machine_event(m, EVENT_LOG_REOPENED, NULL);
	control_reply(call, json_object_new_object());
}

/* What tells one configuration from another: FNV-1a of what "check --effective" prints. */
static uint64_t digest(const struct vm_config *config)
{
	uint64_t hash = 0xcbf29ce484222325;
	char *text = NULL;
	size_t len = 0;
	struct error err;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return 0;
	if (config_print(config, out, &err) < 0)
		log_debug("the configuration has no digest: %s", err.text);
	fclose(out);
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (uint8_t)text[i]) * 0x100000001b3;
	free(text);
	return hash;
}

static void tell_created(struct machine *m)
{
	char config[20];

	snprintf(config, sizeof(config), "%016llx", (unsigned long long)digest(m->config));
	event(machine_sink(m), EVENT_CREATED, EVENT_TEXT("version", CANDELA_VERSION),
	      EVENT_TEXT("config", config), EVENT_NUMBER("cpus", m->config->cpus.count),
	      EVENT_NUMBER("memory", m->config->memory.startup));
}

int machine_create_events(struct machine *m, struct error *err)
{
	struct machine_events *e = calloc(1, sizeof(*e));
	int r = 0;

	if (!e)
		return error_set(err, -ENOMEM, "out of memory");
	e->sink.emit = emit;
	e->machine = m;
	e->owner = pthread_self();
	e->task.run = on_task;
	e->window.fired = on_window;
	if (m->config->event_log)
		r = event_log_open(m->config->event_log, err, &e->log);
	if (r < 0) {
		free(e);
		return r;
	}
	pthread_mutex_init(&e->lock, NULL);
	m->events = e;
	if (e->log || log_enabled(LOG_INFO))
		tell_created(m);
	return 0;
}

void machine_start_events(struct machine *m)
{
	struct machine_events *e = m->events;

	pthread_mutex_lock(&e->lock);
	e->loop = m->loop;
	pthread_mutex_unlock(&e->lock);
	if (e->log)
		event_log_start(e->log, m->loop);
}

void machine_settle_events(struct machine *m)
{
	drain(m->events);
	tell_suppressed(m->events);
}

void machine_end_events(struct machine *m)
{
	struct machine_events *e = m->events;

	if (!e)
		return;
	machine_settle_events(m);
	pthread_mutex_lock(&e->lock);
	if (e->loop)
		loop_timer_cancel(e->loop, &e->window);
	e->loop = NULL;
	pthread_mutex_unlock(&e->lock);
	event_log_close(e->log);
	e->log = NULL;
}

void machine_destroy_events(struct machine *m)
{
	struct machine_events *e = m->events;

	if (!e)
		return;
	for (size_t i = 0; i < e->queued; i++)
		json_object_put(e->queue[i].fields);
	pthread_mutex_destroy(&e->lock);
	free(e);
	m->events = NULL;
}
