// SPDX-License-Identifier: MIT
/*
 * Lists of key-value pairs, bounded in what a guest can make them hold. No state but the caller's.
 */
#pragma once

#include "devices/ic/ic_proto.h"
#include "vmm/base.h"

#define IC_KVP_ITEMS_MAX 1024u
/* As UTF-8, with a terminating zero: three bytes for each UTF-16 unit. */
#define IC_KVP_KEY_MAX   (HV_KVP_EXCHANGE_MAX_KEY_SIZE / 2 * 3)
#define IC_KVP_VALUE_MAX (HV_KVP_EXCHANGE_MAX_VALUE_SIZE / 2 * 3)

struct ic_kvp_item {
	uint8_t pool; /* enum hv_kvp_exchg_pool */
	bool dirty;   /* the owner's: the guest has not got it as it is */
	char *key, *value;
};

struct ic_kvp_list {
	struct ic_kvp_item *items;
	size_t count, size;
};

/* Adds a pair, or gives a key that is there another value. -ENOSPC, -ENOMEM. */
int ic_kvp_list_set(struct ic_kvp_list *list, uint8_t pool, const char *key,
		    const char *value) must_check;
/* Takes one out. -ENOENT. */
int ic_kvp_list_delete(struct ic_kvp_list *list, uint8_t pool, const char *key) must_check;
/* NULL: there is none. */
struct ic_kvp_item *ic_kvp_list_find(const struct ic_kvp_list *list, uint8_t pool, const char *key);
/* Frees all, and leaves it empty. */
void ic_kvp_list_clear(struct ic_kvp_list *list);

/* May @key and @value be sent? Neither too long, the key not empty. */
bool ic_kvp_is_valid(const char *key, const char *value);
/* Writes them as they are sent. */
void ic_kvp_encode(const char *key, const char *value, struct hv_kvp_exchg_msg_value *ret);
/* And back, numbers as decimal text. False: there is no key, or lengths that cannot be. */
bool ic_kvp_decode(const struct hv_kvp_exchg_msg_value *data, char key[IC_KVP_KEY_MAX],
		   char value[IC_KVP_VALUE_MAX]);
