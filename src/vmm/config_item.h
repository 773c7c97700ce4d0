// SPDX-License-Identifier: MIT
/*
 * One item of an array, written as one text: what follows --module, or KEY[]= in --set. No state.
 */
#pragma once

#include "vmm/config_table.h"
#include "vmm/error.h"

/*
 * Reads @text, in the syntax that the table names (enum config_item_syntax), into @item, which has
 * its defaults. Relative paths are put behind @dir unless it is NULL. -EINVAL or -ENOMEM; @item
 * then holds a part.
 */
int config_item_parse(const struct config_table *table, void *item, const char *text,
		      const char *dir, struct error *err) must_check;
