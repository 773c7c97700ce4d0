// SPDX-License-Identifier: MIT
/*
 * The life of a VM's configuration. No state; any thread.
 */
#include "vmm/config.h"

#include "vmm/config_table.h"
#include "vmm/config_tree.h"

void config_init(struct vm_config *config)
{
	config_tree_init(&config_vm_table, config);
}

void config_finish(struct vm_config *config)
{
	if (config)
		config_tree_finish(&config_vm_table, config);
}
