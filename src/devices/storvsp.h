// SPDX-License-Identifier: MIT
/*
 * A storage controller on VMBus: the host's end of storvsc. Protocols 2.0, 4.2, 5.1, 6.0 and 6.2
 * (storvsp_proto.h), sub-channels, and up to 64 SCSI units (scsi.h), which come and go while the
 * guest runs.
 *
 * A controller belongs to one loop, and so do its units and their disks; everything here is that
 * loop's, except that storvsp_create() and storvsp_destroy() are the bus' loop's, and counters may
 * be read from any thread.
 */
#pragma once

#include "devices/scsi.h"
#include "vmbus/channel.h"

struct storvsp;

#define STORVSP_LUNS 64u

enum storvsp_kind {
	STORVSP_SCSI,
	STORVSP_IDE, /* the fast way to one disk of an emulated IDE controller */
};

struct storvsp_config {
	struct vmbus *bus;
	struct loop *loop; /* the controller's */
	enum storvsp_kind kind;
	/* The machine's name, which with @index makes the instance GUID. */
	const char *vm;
	/* Number of the controller; of STORVSP_IDE: twice the IDE channel, plus 1 for the slave. */
	unsigned int index;
	/* That the guest may ask for; one less than the machine has VPs. STORVSP_IDE has none. */
	unsigned int sub_channels_max;
};

/* Offers the controller to the guest, without units. -EINVAL, -ENOMEM, -ENOSPC, -EEXIST. */
int storvsp_create(const struct storvsp_config *config, struct error *err,
		   struct storvsp **ret) must_check;

/*
 * Takes the controller away from the guest; then @removed (may be NULL), on the bus' loop: it is
 * freed, and its units, which are the caller's as ever, have nothing in flight and may be
 * destroyed. Units may be attached still, but none may be on its way out. NULL: @removed comes at
 * once.
 */
void storvsp_destroy(struct storvsp *storvsp, void (*removed)(void *ctx), void *ctx);

/*
 * Makes @device unit @lun of target 0, and tells a guest that runs. The device stays the caller's.
 * -EINVAL: no such number (STORVSP_IDE has 0 only); -EBUSY: there is one.
 */
int storvsp_attach(struct storvsp *storvsp, unsigned int lun, struct scsi_device *device,
		   struct error *err) must_check;

/*
 * Takes a unit away and tells the guest. @done (may be NULL) once nothing of it is in flight, never
 * from inside: then the device may be destroyed, and the number be used again. -ENOENT: there is no
 * such unit, or it is on its way out already.
 */
int storvsp_detach(struct storvsp *storvsp, unsigned int lun, void (*done)(void *ctx), void *ctx,
		   struct error *err) must_check;

/*
 * Has a guest that runs look at its units again, because one is not what it was: another size,
 * another disc.
 */
void storvsp_rescan(struct storvsp *storvsp);

/* NULL: there is none, or it is on its way out. */
struct scsi_device *storvsp_unit(const struct storvsp *storvsp, unsigned int lun);

/*
 * Takes no more requests until storvsp_resume(); @paused (may be NULL) once none is in flight, from
 * inside or later. One at a time. What the guest sends meanwhile waits in its rings.
 */
void storvsp_pause(struct storvsp *storvsp, void (*paused)(void *ctx), void *ctx);
void storvsp_resume(struct storvsp *storvsp);

struct storvsp_counters {
	struct counter srbs;       /* SCSI requests taken; scsi_counters() says what they were */
	struct counter no_unit;    /* for units that are not there */
	struct counter refused;    /* malformed, though not so that the channel ends */
	struct counter failed;     /* answered with anything but success */
	struct counter resets;     /* asked for */
	struct counter busy;       /* times that a channel had no request free */
	struct counter negotiated; /* initializations that were completed */
	struct counter notified;   /* times that the guest was told to look for units */
	struct counter unknown;    /* operations that are not served, or not now */
};

const struct storvsp_counters *storvsp_counters(const struct storvsp *storvsp);
/* Of its channels. */
const struct channel_counters *storvsp_channel_counters(const struct storvsp *storvsp);
/* VMSTOR_PROTO_VERSION_*; 0 while the guest has not initialized the controller. Any thread. */
uint16_t storvsp_protocol_version(const struct storvsp *storvsp);
