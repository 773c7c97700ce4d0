// SPDX-License-Identifier: MIT
/*
 * The rules that one key alone cannot tell, one function each. A rule names the keys that it is
 * about, and begins its reason with ", because", by which tests/lint/schema.py knows it: the JSON
 * Schema cannot say such a thing. No state; any thread.
 */
#include <errno.h>
#include <string.h>
#include <sys/un.h>

#include "vmm/config.h"
#include "vmm/config_cpus.h"
#include "vmm/config_net_check.h"
#include "vmm/config_table.h"
#include "vmm/config_tree.h"

/* Huge pages back whole huge pages of guest memory. */
static int check_huge_pages(const struct vm_config *config, struct error *err)
{
	const struct config_memory *m = &config->memory;

	if (m->huge_pages == MEM_HUGE_2M && !is_aligned(m->startup, MiB(2)))
		return error_set(err, -EINVAL,
				 "memory.startup: expected a multiple of 2M, because "
				 "memory.huge-pages is 2M");
	if (m->huge_pages == MEM_HUGE_1G && !is_aligned(m->startup, GiB(1)))
		return error_set(err, -EINVAL,
				 "memory.startup: expected a multiple of 1G, because "
				 "memory.huge-pages is 1G");
	return 0;
}

/* Dynamic memory has room to move in, and a way to the guest's driver. */
static int check_dynamic_memory(const struct vm_config *config, struct error *err)
{
	const struct config_memory *m = &config->memory;

	if (m->minimum > m->startup)
		return error_set(err, -EINVAL,
				 "memory.minimum: expected at most memory.startup, because the "
				 "guest starts with that");
	if (m->maximum && m->maximum < m->startup)
		return error_set(err, -EINVAL,
				 "memory.maximum: expected at least memory.startup, because the "
				 "guest starts with that");
	if (config_memory_minimum(m) == config_memory_maximum(m))
		return 0;
	if (config->hyperv.identity != CONFIG_IDENTITY_MICROSOFT || !config->hyperv.vmbus)
		return error_set(err, -EINVAL,
				 "memory.%s: expected hyperv.identity microsoft and hyperv.vmbus, "
				 "because memory is moved over VMBus",
				 m->minimum ? "minimum" : "maximum");
	return 0;
}

/* The kernel's limit; known only now, since a file's directory may stand before the path. */
static int check_serial(const struct vm_config *config, struct error *err)
{
	const size_t max = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;

	if (config->serial.kind == CONFIG_SERIAL_UNIX && strlen(config->serial.path) > max)
		return error_set(err, -EINVAL,
				 "serial: expected a path of at most %zu bytes, got %zu, "
				 "because Unix sockets allow no more: %s",
				 max, strlen(config->serial.path), config->serial.path);
	return 0;
}

static int check_disk(const struct vm_config *config, size_t i, struct error *err)
{
	const struct config_disk *disk = &config->disks[i];
	uint32_t lun = config_disk_lun(config, i);
	size_t other;

	if (disk->sector_size != CONFIG_UINT_UNSET && disk->sector_size != 512 &&
	    disk->sector_size != 4096)
		return error_set(err, -EINVAL,
				 "disks[%zu].sector-size: expected 512 or 4096, got %u, because "
				 "guests know no other",
				 i, disk->sector_size);
	if (disk->type == CONFIG_DISK_DVD && disk->format != CONFIG_DISK_FORMAT_AUTO &&
	    disk->format != CONFIG_DISK_FORMAT_RAW)
		return error_set(err, -EINVAL,
				 "disks[%zu].format: expected raw, because disks[%zu].type is dvd",
				 i, i);
	if (lun == CONFIG_UINT_UNSET)
		return error_set(err, -EINVAL,
				 "disks[%zu].controller: expected one with a free LUN, got %u, "
				 "because it has %u disks already",
				 i, disk->controller, CONFIG_DISK_LUNS);
	for (other = 0; other < i; other++) {
		if (config->disks[other].controller == disk->controller &&
		    config->disks[other].lun == lun)
			return error_set(err, -EINVAL,
					 "disks[%zu].lun: expected one that is free, got %u, "
					 "because disks[%zu] has it",
					 i, lun, other);
	}
	return 0;
}

static int check_disks(const struct vm_config *config, struct error *err)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < config->disk_count; i++)
		r = check_disk(config, i, err);
	return r;
}

int config_check(const struct vm_config *config, struct error *err)
{
	static int (*const rules[])(const struct vm_config *, struct error *) = {
		config_check_cpus, check_huge_pages, check_dynamic_memory,
		check_serial,      check_disks,      config_check_nets,
	};
	size_t i;
	int r;

	r = config_tree_check_required(&config_vm_table, config, err);
	for (i = 0; r == 0 && i < ARRAY_SIZE(rules); i++)
		r = rules[i](config, err);
	return r;
}
