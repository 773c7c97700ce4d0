// SPDX-License-Identifier: MIT
/*
 * The inside of a machine's storage, for machine_storage.c and machine_hotplug.c.
 *
 * The machine's loop owns the list of units and the controllers; what is behind a unit (disk and
 * SCSI device) belongs to its controller's loop while that runs.
 */
#pragma once

#include "candela/machine_internal.h"
#include "devices/block/block_open.h"
#include "devices/scsi.h"
#include "devices/storvsp.h"
#include "vmm/io_thread.h"

#define MACHINE_UNITS_MAX (CONFIG_DISK_CONTROLLERS * CONFIG_DISK_LUNS)

enum unit_state {
	UNIT_READY,
	UNIT_COMING, /* its disk is being opened */
	UNIT_GOING,
};

struct unit {
	struct machine *machine;
	const struct config_disk *config;
	struct config_disk own_config; /* of one that was added later: this is it */
	unsigned int lun;
	enum unit_state state;
	struct loop *loop;
	struct storvsp *controller;
	struct block *block;
	struct scsi_device *scsi;
	struct loop_task stop_task;                /* to the machine's loop */
	struct loop_task retry_task, give_up_task; /* to the disk's */

	/* Of adding and removing while the VM runs. */
	struct loop_task change_task; /* to the disk's loop */
	struct loop_task done_task;   /* and back */
	machine_disk_done *done;
	void *done_ctx;
	int result;
	struct error error;
};

struct machine_storage {
	struct machine *machine;
	struct io_thread *threads[CONFIG_DISK_CONTROLLERS];
	struct storvsp *controllers[CONFIG_DISK_CONTROLLERS];
	bool started; /* the threads run, and so do those that are made from now on */
	size_t unit_count;
	struct unit *units[MACHINE_UNITS_MAX];

	unsigned int changing; /* units that come or go */
	unsigned int removing; /* controllers that are on their way out */
	void (*removed)(struct machine *m);

	struct loop_timer retry;  /* armed while the VM is paused */
	struct loop_timer relief; /* armed from then on until it is known to go on */
	struct log_limit log;
};

int machine_alloc_storage(struct machine *m, struct error *err) must_check;
/* Makes the controller unless it is there, and its thread run if the others do. */
int machine_add_controller(struct machine *m, unsigned int index, struct error *err) must_check;
/* A unit on a controller that is there, without a disk yet. */
int machine_add_unit(struct machine *m, const struct config_disk *config, unsigned int lun,
		     struct error *err, struct unit **ret) must_check;
/* Takes it off the list and frees it; its disk must be closed. */
void machine_drop_unit(struct unit *unit);
/* The unit's loop, or nobody's yet: opens the disk and puts it on the controller. */
int machine_open_unit(struct unit *unit, struct error *err) must_check;
/* The same: closes it. Nothing may be in flight. */
int machine_close_unit(struct unit *unit, struct error *err) must_check;
/* A unit has come or gone: what waited for that goes on. */
void machine_storage_settled(struct machine *m);
