// SPDX-License-Identifier: MIT
/*
 * Lists of key-value pairs. Owner: the caller.
 */
#include "devices/ic/kvp_list.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/ic/ic_text.h"

struct ic_kvp_item *ic_kvp_list_find(const struct ic_kvp_list *list, uint8_t pool, const char *key)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].pool == pool && strcmp(list->items[i].key, key) == 0)
			return &list->items[i];
	return NULL;
}

static int change(struct ic_kvp_item *item, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return -ENOMEM;
	free(item->value);
	item->value = copy;
	return 0;
}

static int grow(struct ic_kvp_list *list)
{
	const size_t size = list->size ? 2 * list->size : 16;
	struct ic_kvp_item *items;

	if (list->count < list->size)
		return 0;
	if (list->count >= IC_KVP_ITEMS_MAX)
		return -ENOSPC;
	items = realloc(list->items, size * sizeof(*items));
	if (!items)
		return -ENOMEM;
	list->items = items;
	list->size = size;
	return 0;
}

int ic_kvp_list_set(struct ic_kvp_list *list, uint8_t pool, const char *key, const char *value)
{
	struct ic_kvp_item *item = ic_kvp_list_find(list, pool, key), fresh = {.pool = pool};
	int r;

	if (item)
		return change(item, value);
	r = grow(list);
	if (r < 0)
		return r;
	fresh.key = strdup(key);
	fresh.value = strdup(value);
	if (!fresh.key || !fresh.value) {
		free(fresh.key);
		free(fresh.value);
		return -ENOMEM;
	}
	list->items[list->count++] = fresh;
	return 0;
}

int ic_kvp_list_delete(struct ic_kvp_list *list, uint8_t pool, const char *key)
{
	struct ic_kvp_item *item = ic_kvp_list_find(list, pool, key);

	if (!item)
		return -ENOENT;
	free(item->key);
	free(item->value);
	memmove(item, item + 1, (size_t)(list->items + list->count - (item + 1)) * sizeof(*item));
	list->count--;
	return 0;
}

void ic_kvp_list_clear(struct ic_kvp_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->items[i].key);
		free(list->items[i].value);
	}
	free(list->items);
	*list = (struct ic_kvp_list){0};
}

/* --- As they are sent. ----------------------------------------------------------------------- */

bool ic_kvp_is_valid(const char *key, const char *value)
{
	return *key && ic_text_size(key) <= HV_KVP_EXCHANGE_MAX_KEY_SIZE &&
	       ic_text_size(value) <= HV_KVP_EXCHANGE_MAX_VALUE_SIZE;
}

void ic_kvp_encode(const char *key, const char *value, struct hv_kvp_exchg_msg_value *ret)
{
	*ret = (struct hv_kvp_exchg_msg_value){.value_type = REG_SZ};
	ret->key_size = (uint32_t)ic_text_encode(key, ret->key, sizeof(ret->key));
	ret->value_size = (uint32_t)ic_text_encode(value, ret->value, sizeof(ret->value));
}

bool ic_kvp_decode(const struct hv_kvp_exchg_msg_value *data, char key[IC_KVP_KEY_MAX],
		   char value[IC_KVP_VALUE_MAX])
{
	uint64_t number = 0;

	if (data->key_size > sizeof(data->key) || data->value_size > sizeof(data->value))
		return false;
	ic_text_decode(data->key, data->key_size, key, IC_KVP_KEY_MAX);
	switch (data->value_type) {
	case REG_SZ:
		ic_text_decode(data->value, data->value_size, value, IC_KVP_VALUE_MAX);
		break;
	case REG_U32:
	case REG_U64:
		memcpy(&number, data->value, data->value_type == REG_U32 ? 4 : 8);
		snprintf(value, IC_KVP_VALUE_MAX, "%" PRIu64, number);
		break;
	default:
		return false;
	}
	return *key;
}
