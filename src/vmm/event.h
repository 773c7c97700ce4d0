// SPDX-License-Identifier: MIT
/*
 * Events: what happens to a VM, for its event log and for those that listen on its control socket.
 * Each is made in one place, by whoever sees it, and goes to a sink that the machine has; parts
 * that know nothing of a machine are given the sink.
 *
 * What an event is called and how much it matters stands in one table (event.c), which
 * docs/events.md repeats.
 */
#pragma once

#include "vmm/base.h"

enum event_id {
	/* The life of the VM. */
	EVENT_CREATED,
	EVENT_RUNNING,
	EVENT_PAUSED,
	EVENT_RESUMED,
	EVENT_RESET,
	EVENT_CRASH,
	EVENT_PANIC,
	EVENT_CRASH_IGNORED,
	EVENT_ENDING,
	EVENT_ENDED,
	EVENT_FAILED,
	/* Who wants what. */
	EVENT_REQUEST,
	EVENT_STOP_ASKED,
	EVENT_STOP_ACCEPTED,
	EVENT_STOP_REFUSED,
	/* The bus and the services. */
	EVENT_VMBUS_CONNECTED,
	EVENT_VMBUS_DISCONNECTED,
	EVENT_CHANNEL_OPENED,
	EVENT_CHANNEL_REFUSED,
	EVENT_CHANNEL_CLOSED,
	EVENT_CHANNEL_BROKEN,
	EVENT_SERVICE_UP,
	EVENT_SERVICE_USELESS,
	EVENT_HEARTBEAT,
	EVENT_FREEZE_EXPIRED,
	/* Devices. */
	EVENT_DISK_ADDED,
	EVENT_DISK_REMOVED,
	EVENT_DISK_ERROR,
	EVENT_NO_SPACE,
	EVENT_SPACE,
	EVENT_NET_ADDED,
	EVENT_NET_REMOVED,
	EVENT_NET_CHANGED,
	EVENT_CPUS,
	EVENT_NET_LINK,
	EVENT_MEMORY,
	EVENT_MEMORY_ADDED,
	/* The log itself. */
	EVENT_SUPPRESSED,
	EVENT_LOST,
	EVENT_LOG_REOPENED,
	EVENT_COUNT
};

enum event_severity { EVENT_INFO, EVENT_WARNING, EVENT_ERROR };

struct event_kind {
	const char *name;
	enum event_severity severity;
	/* A guest can cause many: they are limited to EVENT_BURST in EVENT_WINDOW_NS. */
	bool guest;
};

#define EVENT_BURST     20
#define EVENT_WINDOW_NS (10 * NSEC_PER_SEC)

extern const struct event_kind event_kinds[EVENT_COUNT];
const char *event_severity_name(enum event_severity severity);

/* A member of an event. @text NULL: it is a number. */
struct event_field {
	const char *key;
	const char *text;
	uint64_t number;
};

struct event_sink {
	/* Any thread. Nothing is kept of what @fields points to. */
	void (*emit)(struct event_sink *sink, enum event_id id, const struct event_field *fields,
		     size_t count);
};

/* Any thread; @sink may be NULL: nobody wants to know. */
static inline void event_emit(struct event_sink *sink, enum event_id id,
			      const struct event_field *fields, size_t count)
{
	if (sink)
		sink->emit(sink, id, fields, count);
}

#define EVENT_TEXT(key_, text_)     ((struct event_field){.key = (key_), .text = (text_)})
#define EVENT_NUMBER(key_, number_) ((struct event_field){.key = (key_), .number = (number_)})

/* event(sink, EVENT_X, EVENT_TEXT("key", text), ...) */
#define event(sink, id, ...)                                                                       \
	event_emit((sink), (id), (const struct event_field[]){__VA_ARGS__},                        \
		   sizeof((const struct event_field[]){__VA_ARGS__}) / sizeof(struct event_field))
