// SPDX-License-Identifier: MIT
/*
 * Disks that come and go while the VM runs. Asked for and answered on the machine's loop; what may
 * wait for the host, opening and closing, is done on the loop of the disk's controller, beside the
 * other disks of that controller alone.
 */
#include <errno.h>

#include "candela/machine_storage.h"
#include "vmm/config_table.h"
#include "vmm/config_tree.h"

/* --- Back on the machine's loop. ------------------------------------------------------------ */

static void on_done(struct loop_task *task)
{
	struct unit *unit = container_of(task, struct unit, done_task);
	struct machine *m = unit->machine;
	const bool came = unit->state == UNIT_COMING && unit->result == 0;
	/* Something that is not there cannot be removed; all others are gone, however they went. */
	const bool stays = came || (unit->state == UNIT_GOING && unit->scsi);

	unit->state = UNIT_READY;
	machine_explain_sandbox(m, unit->result, &unit->error);
	if (unit->done)
		unit->done(unit->done_ctx, unit->result, &unit->error, unit);
	if (!stays)
		machine_drop_unit(unit);
	else if (m->ended) /* the others were told when it ended */
		loop_post(unit->loop, &unit->give_up_task);
	machine_storage_settled(m);
}

static void finish_change(struct unit *unit, int result)
{
	unit->result = result;
	loop_post(unit->machine->loop, &unit->done_task);
}

/* --- Coming. -------------------------------------------------------------------------------- */

/* On the disk's loop. */
static void come(struct loop_task *task)
{
	struct unit *unit = container_of(task, struct unit, change_task);
	struct error ignored;
	int r = machine_open_unit(unit, &unit->error);

	if (r < 0)
		(void)!machine_close_unit(unit, &ignored);
	finish_change(unit, r);
}

/* Of those that are there, and those that come or go. */
static uint64_t used_luns(const struct machine_storage *s, unsigned int controller)
{
	uint64_t used = 0;

	for (size_t i = 0; i < s->unit_count; i++)
		if (s->units[i]->config->controller == controller)
			used |= 1ull << s->units[i]->lun;
	return used;
}

static int choose_lun(const struct machine_storage *s, const struct config_disk *disk,
		      struct error *err, unsigned int *ret)
{
	const uint64_t used = used_luns(s, disk->controller);

	if (disk->lun == CONFIG_UINT_UNSET && ~used) {
		*ret = (unsigned int)__builtin_ctzll(~used);
		return 0;
	}
	if (disk->lun == CONFIG_UINT_UNSET)
		return error_set(err, -EBUSY, "controller %u has %u disks already: name another",
				 disk->controller, CONFIG_DISK_LUNS);
	if (used >> disk->lun & 1)
		return error_set(err, -EBUSY,
				 "LUN %u of controller %u is in use: name another, or none",
				 disk->lun, disk->controller);
	*ret = disk->lun;
	return 0;
}

/* As for a disk that the configuration has from the beginning. */
static int check_disk(const struct machine *m, const struct config_disk *disk, struct error *err)
{
	struct vm_config config = *m->config;

	config.disks = disk;
	config.disk_count = 1;
	return config_check(&config, err);
}

static int may_change(const struct machine *m, struct error *err)
{
	if (m->ended)
		return error_set(err, -EBUSY, "the VM is ending");
	return 0;
}

static int prepare_unit(struct machine *m, const struct config_disk *disk, struct error *err,
			struct unit **ret)
{
	unsigned int lun = 0;
	int r = may_change(m, err);

	if (r == 0)
		r = check_disk(m, disk, err);
	if (r == 0 && !m->storage) {
		r = machine_alloc_storage(m, err);
		if (r == 0)
			r = machine_start_storage(m, err);
	}
	if (r == 0)
		r = choose_lun(m->storage, disk, err, &lun);
	if (r == 0)
		r = machine_add_controller(m, disk->controller, err);
	return r < 0 ? r : machine_add_unit(m, disk, lun, err, ret);
}

static void start_change(struct unit *unit, enum unit_state state,
			 void (*run)(struct loop_task *task), machine_disk_done *done, void *ctx)
{
	unit->state = state;
	unit->done = done;
	unit->done_ctx = ctx;
	unit->error = (struct error){0};
	unit->change_task.run = run;
	unit->done_task.run = on_done;
	unit->machine->storage->changing++;
	loop_post(unit->loop, &unit->change_task);
}

int machine_add_disk(struct machine *m, struct config_disk *disk, machine_disk_done *done,
		     void *ctx, struct error *err)
{
	struct unit *unit;
	int r = prepare_unit(m, disk, err, &unit);

	if (r < 0) {
		config_tree_finish(&config_disk_table, disk);
		return r;
	}
	unit->own_config = *disk;
	unit->config = &unit->own_config;
	start_change(unit, UNIT_COMING, come, done, ctx);
	return 0;
}

/* --- Going. --------------------------------------------------------------------------------- */

/* On the disk's loop, both. */
static void close_detached(struct loop_task *task)
{
	struct unit *unit = container_of(task, struct unit, change_task);

	finish_change(unit, machine_close_unit(unit, &unit->error));
}

/*
 * The controller calls this and goes on. Once the machine knows it may remove the controller, and
 * then this thread must not be inside it any more: what is posted comes after it.
 */
static void on_detached(void *ctx)
{
	struct unit *unit = ctx;

	unit->change_task.run = close_detached;
	loop_post(unit->loop, &unit->change_task);
}

static void go(struct loop_task *task)
{
	struct unit *unit = container_of(task, struct unit, change_task);
	int r;

	/* What waits for space on the host would wait for ever. */
	block_give_up(unit->block);
	r = storvsp_detach(unit->controller, unit->lun, on_detached, unit, &unit->error);
	if (r < 0)
		finish_change(unit, r);
}

static struct unit *find_unit(const struct machine_storage *s, unsigned int controller,
			      unsigned int lun)
{
	for (size_t i = 0; s && i < s->unit_count; i++)
		if (s->units[i]->config->controller == controller && s->units[i]->lun == lun)
			return s->units[i];
	return NULL;
}

int machine_remove_disk(struct machine *m, unsigned int controller, unsigned int lun,
			machine_disk_done *done, void *ctx, struct error *err)
{
	struct unit *unit = find_unit(m->storage, controller, lun);
	int r = may_change(m, err);

	if (r < 0)
		return r;
	if (!unit)
		return error_set(err, -ENOENT, "there is no disk %u:%u (controller:LUN)",
				 controller, lun);
	if (unit->state != UNIT_READY)
		return error_set(err, -EBUSY, "disk %u:%u is being %s: try again", controller, lun,
				 unit->state == UNIT_COMING ? "added" : "removed");
	start_change(unit, UNIT_GOING, go, done, ctx);
	return 0;
}
