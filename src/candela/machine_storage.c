// SPDX-License-Identifier: MIT
/*
 * The disks of a machine: images, SCSI units, controllers on the VMBus, and a thread for each
 * controller. Everything is made and taken apart on the machine's loop; what is in between runs on
 * the controllers' threads.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "candela/machine_storage.h"
#include "vmm/config_table.h"
#include "vmm/config_tree.h"

/* How long a VM is paused for want of space on the host before it is tried again. */
#define RETRY_NS NSEC_PER_SEC

/* --- A host without space. ----------------------------------------------------------------- */

static void pause_vm(struct loop_task *task)
{
	struct unit *unit = container_of(task, struct unit, stop_task);
	struct machine *m = unit->machine;
	struct machine_storage *s = m->storage;

	if (m->ended)
		return;
	log_guest(&s->log, LOG_WARNING,
		  "%s: no space left on the host; the VM is paused until there is some",
		  unit->config->path);
	vcpu_set_stop(&m->vcpus);
	machine_event_disk(m, EVENT_NO_SPACE, unit->config, unit->lun);
	loop_timer_cancel(m->loop, &s->relief);
	if (!s->retry.next)
		loop_timer_set(m->loop, &s->retry, loop_now() + RETRY_NS);
}

/* On the disk's loop. */
static void on_stop(void *ctx, const char *why)
{
	struct unit *unit = ctx;

	loop_post(unit->machine->loop, &unit->stop_task);
}

static void retry_disk(struct loop_task *task)
{
	block_retry(container_of(task, struct unit, retry_task)->block);
}

static void give_up_disk(struct loop_task *task)
{
	block_give_up(container_of(task, struct unit, give_up_task)->block);
}

static void on_retry(struct loop_timer *timer)
{
	struct machine_storage *s = container_of(timer, struct machine_storage, retry);

	/* Those that come or go have other tasks on their way, and may be freed behind these. */
	for (size_t i = 0; i < s->unit_count; i++)
		if (s->units[i]->state == UNIT_READY)
			loop_post(s->units[i]->loop, &s->units[i]->retry_task);
	machine_let_run(s->machine);
	loop_timer_set(s->machine->loop, &s->relief, loop_now() + RETRY_NS);
}

/* Nothing has lacked space since it was tried again. */
static void on_relief(struct loop_timer *timer)
{
	machine_event(container_of(timer, struct machine_storage, relief)->machine, EVENT_SPACE,
		      NULL);
}

/* --- Creation. ----------------------------------------------------------------------------- */

static enum block_format format_of(const struct config_disk *disk)
{
	static const enum block_format formats[] = {
		[CONFIG_DISK_FORMAT_AUTO] = BLOCK_FORMAT_AUTO,
		[CONFIG_DISK_FORMAT_RAW] = BLOCK_FORMAT_RAW,
		[CONFIG_DISK_FORMAT_VHD] = BLOCK_FORMAT_VHD,
		[CONFIG_DISK_FORMAT_VHDX] = BLOCK_FORMAT_VHDX,
	};

	return formats[disk->format];
}

static enum block_cache cache_of(const struct config_disk *disk)
{
	static const enum block_cache caches[] = {
		[CONFIG_DISK_CACHE_NONE] = BLOCK_CACHE_NONE,
		[CONFIG_DISK_CACHE_WRITEBACK] = BLOCK_CACHE_WRITEBACK,
		[CONFIG_DISK_CACHE_UNSAFE] = BLOCK_CACHE_UNSAFE,
	};

	return caches[disk->cache];
}

/* On the disk's loop. */
static void on_failed(void *ctx, bool reading, int error)
{
	const struct unit *unit = ctx;

	event(machine_sink(unit->machine), EVENT_DISK_ERROR, EVENT_TEXT("path", unit->config->path),
	      EVENT_NUMBER("controller", unit->config->controller), EVENT_NUMBER("lun", unit->lun),
	      EVENT_TEXT("operation", reading ? "read" : "write"),
	      EVENT_TEXT("detail", strerrordesc_np(-error)));
}

static int open_disk(struct unit *unit, struct error *err)
{
	const struct config_disk *disk = unit->config;
	const bool dvd = disk->type == CONFIG_DISK_DVD;
	const struct block_config config = {
		.path = disk->path,
		.format = dvd ? BLOCK_FORMAT_RAW : format_of(disk),
		.cache = cache_of(disk),
		.read_only = dvd || disk->read_only,
		.ephemeral = disk->ephemeral,
		.logical_sector = disk->sector_size == CONFIG_UINT_UNSET ? 0 : disk->sector_size,
		.limits = {.iops = disk->iops,
			   .bytes_per_second = disk->bandwidth,
			   .burst_ios = disk->iops_burst,
			   .burst_bytes = disk->bandwidth_burst},
		.on_error = disk->on_error == CONFIG_DISK_ERROR_PAUSE ? BLOCK_ERROR_STOP_ENOSPC
								      : BLOCK_ERROR_REPORT,
		.stop = on_stop,
		.ctx = unit,
	};
	struct scsi_config scsi = {.failed = on_failed, .ctx = unit};
	int r = block_open(&config, unit->loop, err, &unit->block);

	if (r < 0)
		return r;
	scsi.block = unit->block;
	r = dvd ? scsi_dvd_create(&scsi, err, &unit->scsi)
		: scsi_disk_create(&scsi, err, &unit->scsi);
	if (r < 0)
		error_prefix(err, "%s", disk->path);
	return r;
}

int machine_open_unit(struct unit *unit, struct error *err)
{
	int r = open_disk(unit, err);

	if (r == 0)
		r = storvsp_attach(unit->controller, unit->lun, unit->scsi, err);
	return r;
}

int machine_add_controller(struct machine *m, unsigned int index, struct error *err)
{
	struct machine_storage *s = m->storage;
	struct storvsp_config config = {
		.bus = m->vmbus,
		.kind = STORVSP_SCSI,
		.vm = m->config->name,
		.index = index,
		.sub_channels_max = m->config->cpus.count - 1,
	};
	char name[16];
	int r = 0;

	if (s->controllers[index])
		return 0;
	snprintf(name, sizeof(name), "disk%u", index);
	if (!s->threads[index]) {
		r = io_thread_create(name, err, &s->threads[index]);
		if (r == 0)
			io_thread_on_begin(s->threads[index], machine_enter_sandbox_io, m);
		if (r == 0 && s->started)
			r = io_thread_start(s->threads[index], err);
	}
	if (r < 0)
		return r;
	config.loop = io_thread_loop(s->threads[index]);
	return storvsp_create(&config, err, &s->controllers[index]);
}

int machine_add_unit(struct machine *m, const struct config_disk *config, unsigned int lun,
		     struct error *err, struct unit **ret)
{
	struct machine_storage *s = m->storage;
	struct unit *unit = calloc(1, sizeof(*unit));

	if (!unit)
		return error_set(err, -ENOMEM, "out of memory");
	*unit = (struct unit){
		.machine = m,
		.config = config,
		.lun = lun,
		.loop = io_thread_loop(s->threads[config->controller]),
		.controller = s->controllers[config->controller],
		.stop_task = {.run = pause_vm},
		.retry_task = {.run = retry_disk},
		.give_up_task = {.run = give_up_disk},
	};
	s->units[s->unit_count++] = unit;
	*ret = unit;
	return 0;
}

void machine_drop_unit(struct unit *unit)
{
	struct machine_storage *s = unit->machine->storage;
	size_t i = 0;

	while (s->units[i] != unit)
		i++;
	s->units[i] = s->units[--s->unit_count];
	if (unit->config == &unit->own_config)
		config_tree_finish(&config_disk_table, &unit->own_config);
	free(unit);
}

static int add_disk(struct machine *m, size_t index, struct error *err)
{
	const struct config_disk *disk = &m->config->disks[index];
	struct unit *unit;
	int r = machine_add_controller(m, disk->controller, err);

	if (r == 0)
		r = machine_add_unit(m, disk, config_disk_lun(m->config, index), err, &unit);
	if (r == 0)
		r = machine_open_unit(unit, err);
	if (r == 0)
		machine_event_disk(m, EVENT_DISK_ADDED, disk, unit->lun);
	return r;
}

int machine_alloc_storage(struct machine *m, struct error *err)
{
	if (!m->vmbus)
		return error_set(err, -EINVAL,
				 "disks: they need the VMBus: hyperv.identity, hyperv.synic or "
				 "hyperv.vmbus has taken it away");
	m->storage = calloc(1, sizeof(*m->storage));
	if (!m->storage)
		return error_set(err, -ENOMEM, "out of memory");
	m->storage->machine = m;
	m->storage->retry.fired = on_retry;
	m->storage->relief.fired = on_relief;
	return 0;
}

int machine_create_storage(struct machine *m, struct error *err)
{
	int r;

	if (m->config->disk_count == 0)
		return 0;
	r = machine_alloc_storage(m, err);
	for (size_t i = 0; i < m->config->disk_count && r == 0; i++)
		r = add_disk(m, i, err);
	return r;
}

int machine_start_storage(struct machine *m, struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; m->storage && i < CONFIG_DISK_CONTROLLERS && r == 0; i++)
		if (m->storage->threads[i])
			r = io_thread_start(m->storage->threads[i], err);
	if (m->storage)
		m->storage->started = true;
	return r;
}

/* --- The end. ------------------------------------------------------------------------------ */

void machine_give_up_waiting_disks(struct machine *m)
{
	struct machine_storage *s = m->storage;

	if (!s)
		return;
	loop_timer_cancel(m->loop, &s->retry);
	loop_timer_cancel(m->loop, &s->relief);
	for (size_t i = 0; i < s->unit_count; i++)
		if (s->units[i]->state == UNIT_READY)
			loop_post(s->units[i]->loop, &s->units[i]->give_up_task);
}

static void on_removed(void *ctx)
{
	struct machine *m = ctx;
	struct machine_storage *s = m->storage;

	if (--s->removing == 0)
		s->removed(m);
}

static void remove_controllers(struct machine *m)
{
	struct machine_storage *s = m->storage;

	s->removing = 1; /* ours, until all are asked */
	for (unsigned int i = 0; i < CONFIG_DISK_CONTROLLERS; i++) {
		struct storvsp *controller = s->controllers[i];

		s->controllers[i] = NULL;
		if (!controller)
			continue;
		s->removing++;
		storvsp_destroy(controller, on_removed, m);
	}
	on_removed(m);
}

void machine_storage_settled(struct machine *m)
{
	struct machine_storage *s = m->storage;

	if (--s->changing == 0 && s->removed)
		remove_controllers(m);
}

/* Units that come or go do so first: their controller must be there for that. */
void machine_remove_storage(struct machine *m, void (*then)(struct machine *m))
{
	struct machine_storage *s = m->storage;

	if (!s) {
		then(m);
		return;
	}
	s->removed = then;
	if (s->changing == 0)
		remove_controllers(m);
}

static void stop_loop(struct machine *m)
{
	loop_stop(m->loop);
}

static bool has_controllers(const struct machine_storage *s)
{
	for (unsigned int i = 0; i < CONFIG_DISK_CONTROLLERS; i++)
		if (s->controllers[i])
			return true;
	return false;
}

/* Where the machine's loop never ran: the controllers need one to go. */
static int remove_unused(struct machine *m, struct error *err)
{
	int r;

	if (!has_controllers(m->storage))
		return 0;
	r = machine_start_storage(m, err);
	if (r < 0)
		return r;
	machine_remove_storage(m, stop_loop);
	return loop_run(m->loop);
}

int machine_close_unit(struct unit *unit, struct error *err)
{
	int r;

	scsi_destroy(unit->scsi);
	r = block_close(unit->block, err);
	unit->scsi = NULL;
	unit->block = NULL;
	return r;
}

/* The first failure counts; the other disks are closed all the same. */
static int close_units(struct machine_storage *s, struct error *err)
{
	struct error ignored;
	int result = 0;

	while (s->unit_count) {
		int r = machine_close_unit(s->units[0], result == 0 ? err : &ignored);

		if (result == 0)
			result = r;
		machine_drop_unit(s->units[0]);
	}
	return result;
}

int machine_close_storage(struct machine *m, struct error *err)
{
	struct machine_storage *s = m->storage;
	int r;

	if (!s)
		return 0;
	r = remove_unused(m, err);
	if (r < 0)
		return r;
	for (unsigned int i = 0; i < CONFIG_DISK_CONTROLLERS; i++)
		if (s->threads[i])
			(void)io_thread_stop(s->threads[i]);
	r = close_units(s, err);
	for (unsigned int i = 0; i < CONFIG_DISK_CONTROLLERS; i++)
		io_thread_destroy(s->threads[i]);
	free(s);
	m->storage = NULL;
	return r;
}
