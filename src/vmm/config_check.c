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

int config_check(const struct vm_config *config, struct error *err)
{
	static int (*const rules[])(const struct vm_config *, struct error *) = {
		check_huge_pages,
		check_serial,
	};
	size_t i;
	int r;

	r = config_tree_check_required(&config_vm_table, config, err);
	for (i = 0; r == 0 && i < ARRAY_SIZE(rules); i++)
		r = rules[i](config, err);
	return r;
}
