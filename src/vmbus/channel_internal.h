// SPDX-License-Identifier: MIT
/*
 * The inside of the bus and its channels, for bus.c, device.c, channel_open.c and channel.c alone.
 *
 * A channel lives on two loops. The bus' loop has what the control plane deals with: the offer,
 * GPADLs, mappings, connections. The channel's own has the rings and the device's callbacks. They
 * hand a channel to each other by tasks, one at a time:
 *
 *	bus: map, connect -> start -> own: open() -> started -> bus: answer the guest
 *	bus: closing -> stop -> own: close() .. channel_closed() -> stopped -> bus: unmap, answer
 *
 * Between started and stopped, and on the way there, the rings belong to the channel's loop.
 */
#pragma once

#include "vmbus/bus.h"
#include "vmbus/channel.h"
#include "vmbus/gather.h"
#include "vmm/log.h"

enum channel_state {
	CHANNEL_CLOSED,
	CHANNEL_OPEN,    /* packets flow */
	CHANNEL_ENDING,  /* the device was told to close */
	CHANNEL_ENDED,   /* the device is done, the guest's signals may still be on their way */
	CHANNEL_STOPPED, /* nothing of it runs; not closed by the guest yet */
};

struct channel {
	struct vmbus_device *device;
	unsigned int index;
	struct loop *loop; /* its own */

	/* --- The bus' loop. --- */
	struct vmbus_offer offer;
	bool offered;  /* registered, and not yet released */
	bool revoking; /* the registration is going away */
	bool in_use;   /* from open to closed */
	bool stopping; /* the device has been told to close */
	struct gpadl *gpadl;
	struct ring_memory in_memory, out_memory;
	int eventfd; /* -1: none */
	bool connected;
	int start_result;

	/* --- Set by the bus before start, then constant. --- */
	struct vmbus_open request;
	uint32_t vmbus_version;
	unsigned int sint;
	unsigned int connection_vp;       /* takes the interrupts of old protocols */
	_Atomic uint64_t *interrupt_bits; /* of old protocols; NULL: event flags */
	_Atomic uint32_t target_vp;

	/* --- The channel's loop. --- */
	enum channel_state state;
	bool stop_wanted; /* the bus waits for stopped */
	struct ring_in in;
	struct ring_out out;
	uint8_t *buffer;          /* packet_max bytes */
	uint32_t reserve;         /* bytes in the out ring for each answer */
	unsigned int outstanding; /* packets that were not answered yet */
	bool draining;            /* a drain has begun and not ended: signals are masked */
	bool more;                /* it stopped with packets left */
	bool deep;                /* it stopped for the many answers to come */
	bool full;                /* the out ring lacked room for an answer */
	uint32_t room_wanted;     /* and for a message of the device, of so many bytes; 0: none */
	bool answered;            /* something was since the last poll */
	bool silent;              /* nothing was */
	int failing;              /* -errno: the channel is to end */
	struct loop_deferred work;
	struct loop_timer poll;
	struct gather gather;
	struct loop_timer moment; /* armed while an interrupt is held back */
	bool moment_over;
	uint64_t noted; /* packets that @gather knows of */
	/* Not yet in the device's counters. */
	uint32_t packets, completions, sent;
	struct loop_op wake_op;
	uint64_t wake_value;
	bool wake_armed;
	void *private;

	struct loop_task start_task, stop_task, retarget_task;        /* to its own loop */
	struct loop_task started_task, stopped_task, retargeted_task; /* to the bus' loop */
};

struct vmbus_device {
	struct vmbus *bus;
	struct vmbus_device *prev, *next;
	struct vmbus_device_config config;
	struct channel_counters counters;
	struct log_limit log;

	/* The bus' loop. */
	bool removing;
	unsigned int offered; /* channels with @offered */
	_Atomic unsigned int sub_channels_wanted;
	struct loop_task offer_task;
	struct loop_task removed_task;

	unsigned int channel_count; /* 1 + sub_channels_max */
	struct channel channels[];
};

struct vmbus {
	struct loop *loop;
	struct mem *mem;
	struct transport *transport;
	struct vmbus_server *server;
	struct event_sink *events;        /* NULL: nobody wants to know */
	struct vmbus_device devices;      /* sentinel */
	_Atomic uint64_t *interrupt_page; /* of old protocols */
	int legacy_eventfd;               /* for their one event connection */
	bool legacy_open;                 /* it is bound to that connection */
	struct loop_fd legacy_watch;
	const struct vmbus_tl_ops *tl; /* NULL: nobody serves hvsocket */
	void *tl_ctx;
	void (*reset_done)(void *ctx);
	void *reset_ctx;
};

/* device.c: what the control plane says of offers. */
void device_released(struct vmbus *bus, struct channel *channel);
void device_revoke_sub_channels(struct vmbus_device *device);
void device_primary_closed(struct vmbus_device *device);
void device_destroy(struct vmbus_device *device);

/* Any thread: something has happened to a channel; @why may be NULL. */
void channel_event(const struct channel *channel, enum event_id id, const char *why);

/* channel_open.c: and of channels. */
void channel_init(struct channel *channel, struct vmbus_device *device, unsigned int index);
void channel_start_open(struct channel *channel, const struct vmbus_open *open);
void channel_start_close(struct channel *channel);
void channel_retarget(struct channel *channel, unsigned int vp);

/* channel.c: the channel's loop. */
int channel_begin(struct channel *channel) must_check;
void channel_end(struct channel *channel);
void channel_work(struct loop_deferred *deferred);
