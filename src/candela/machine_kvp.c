// SPDX-License-Identifier: MIT
/*
 * The methods "kvp.list", "kvp.set" and "kvp.delete", and what the guest says of itself in
 * "status". Owner: the machine's loop.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "candela/machine_services.h"
#include "vmm/json_build.h"

const char *const machine_kvp_set_params[] = {"key", "value", NULL};
const char *const machine_kvp_delete_params[] = {"key", NULL};

static const char *const pool_names[KVP_POOL_COUNT] = {
	[KVP_POOL_EXTERNAL] = "host",
	[KVP_POOL_GUEST] = "guest",
	[KVP_POOL_AUTO] = "system",
	[KVP_POOL_AUTO_EXTERNAL] = "machine",
	[KVP_POOL_AUTO_INTERNAL] = "internal",
};

static int put_items(struct json_object *array, const struct ic_kvp_list *list)
{
	int r = 0;

	for (size_t i = 0; i < list->count && r == 0; i++) {
		const struct ic_kvp_item *item = &list->items[i];
		struct json_object *o = json_object_new_object();

		r = json_append(array, o);
		if (r == 0)
			r = json_put_string(o, "pool", pool_names[item->pool]);
		if (r == 0)
			r = json_put(o, "key", control_text(item->key));
		if (r == 0)
			r = json_put(o, "value", control_text(item->value));
	}
	return r;
}

/* --- kvp.list -------------------------------------------------------------------------------- */

/* Asks the guest for one pool after the other. */
struct listing {
	struct control_call *call;
	struct ic_kvp *kvp;
	struct json_object *result, *items;
	unsigned int pools; /* asked for so far */
};

static const uint8_t guest_pools[] = {KVP_POOL_AUTO, KVP_POOL_GUEST};

static void on_listed(void *ctx, int result, const struct ic_kvp_list *list);

static void end_listing(struct listing *l, bool complete, int r)
{
	if (r == 0)
		r = json_put(l->result, "complete", json_object_new_boolean(complete));
	machine_reply(l->call, l->result, r);
	free(l);
}

static void list_next(struct listing *l)
{
	if (l->pools == ARRAY_SIZE(guest_pools))
		end_listing(l, true, 0);
	else if (ic_kvp_enumerate(l->kvp, guest_pools[l->pools++], on_listed, l) < 0)
		end_listing(l, false, 0);
}

static void on_listed(void *ctx, int result, const struct ic_kvp_list *list)
{
	struct listing *l = ctx;
	int r = result == 0 ? put_items(l->items, list) : 0;

	if (result < 0 || r < 0)
		end_listing(l, false, r);
	else
		list_next(l);
}

static struct ic_kvp *service_of(struct machine *m, struct control_call *call)
{
	struct ic_kvp *kvp = m->services ? m->services->kvp : NULL;

	if (m->ended)
		control_refuse(call, CONTROL_REFUSED, "the VM is ending");
	else if (!kvp)
		control_refuse(call, CONTROL_REFUSED, "the VM has no key-value service");
	return m->ended ? NULL : kvp;
}

void machine_run_kvp_list(void *ctx, struct control_call *call, struct json_object *params)
{
	struct ic_kvp *kvp = service_of(ctx, call);
	struct listing *l;
	int r;

	if (!kvp)
		return;
	l = calloc(1, sizeof(*l));
	if (!l) {
		control_reply(call, NULL);
		return;
	}
	*l = (struct listing){.call = call, .kvp = kvp, .result = json_object_new_object()};
	l->items = json_object_new_array();
	r = l->result ? json_put(l->result, "items", l->items) : -ENOMEM;
	if (r == 0)
		r = put_items(l->items, ic_kvp_items(kvp));
	if (r < 0)
		end_listing(l, false, r);
	else
		list_next(l);
}

/* --- kvp.set, kvp.delete --------------------------------------------------------------------- */

static void on_changed(void *ctx, int result, const struct ic_kvp_list *list)
{
	struct json_object *o;

	switch (result) {
	case 0:
	case -ENOTCONN:
		o = json_object_new_object();
		machine_reply(ctx, o,
			      o ? json_put_string(o, "state", result == 0 ? "given" : "kept")
				: -ENOMEM);
		break;
	case -ETIMEDOUT:
		control_refuse(ctx, CONTROL_FAILED, "the guest does not answer");
		break;
	default:
		control_refuse(ctx, CONTROL_FAILED, "the guest refuses");
	}
}

static void answer_error(struct control_call *call, int r)
{
	switch (r) {
	case 0:
		break;
	case -EINVAL:
		control_refuse(call, CONTROL_INVALID_PARAMS,
			       "a key has 1 to 255 UTF-16 units, a value at most 1023");
		break;
	case -ENOENT:
		control_refuse(call, CONTROL_REFUSED, "the host has no item of that key");
		break;
	case -ENOSPC:
		control_refuse(call, CONTROL_REFUSED, "there are too many items");
		break;
	case -EBUSY:
		control_refuse(call, CONTROL_REFUSED, "too many changes wait for the guest");
		break;
	default:
		control_refuse(call, CONTROL_INTERNAL, "out of memory");
	}
}

/* Reads a parameter that there must be. */
static bool must_have(struct control_call *call, struct json_object *params, const char *name,
		      const char **ret)
{
	struct error err;

	*ret = NULL;
	if (!machine_param_text(call, params, name, ret))
		return false;
	if (*ret)
		return true;
	error_set(&err, -EINVAL, "%s: missing", name);
	control_refuse(call, CONTROL_INVALID_PARAMS, err.text);
	return false;
}

void machine_run_kvp_set(void *ctx, struct control_call *call, struct json_object *params)
{
	struct ic_kvp *kvp = service_of(ctx, call);
	const char *key, *value;

	if (kvp && must_have(call, params, "key", &key) && must_have(call, params, "value", &value))
		answer_error(call, ic_kvp_set(kvp, key, value, on_changed, call));
}

void machine_run_kvp_delete(void *ctx, struct control_call *call, struct json_object *params)
{
	struct ic_kvp *kvp = service_of(ctx, call);
	const char *key;

	if (kvp && must_have(call, params, "key", &key))
		answer_error(call, ic_kvp_delete(kvp, key, on_changed, call));
}

/* --- status ---------------------------------------------------------------------------------- */

struct fact {
	const char *key, *member;
};

static const struct fact facts[] = {
	{"OSName", "os"},
	{"OSVersion", "os-version"},
	{"OSBuildNumber", "os-build"},
	{"ProcessorArchitecture", "architecture"},
	{"FullyQualifiedDomainName", "host-name"},
	{"IntegrationServicesVersion", "services-version"},
};

/* Guests separate them by semicolons. */
static int put_addresses(struct json_object *array, const char *text)
{
	int r = 0;

	while (*text && r == 0) {
		const int len = (int)strcspn(text, ";");

		if (len)
			r = json_append(array, json_object_new_string_len(text, len));
		text += len + (text[len] == ';');
	}
	return r;
}

static int put_facts(struct json_object *guest, const struct ic_kvp_list *list)
{
	static const char *const families[] = {"NetworkAddressIPv4", "NetworkAddressIPv6"};
	struct json_object *addresses = json_object_new_array();
	const struct ic_kvp_item *item;
	int r = json_put(guest, "addresses", addresses);

	for (size_t i = 0; i < ARRAY_SIZE(families) && r == 0; i++) {
		item = ic_kvp_list_find(list, KVP_POOL_AUTO, families[i]);
		if (item)
			r = put_addresses(addresses, item->value);
	}
	for (size_t i = 0; i < ARRAY_SIZE(facts) && r == 0; i++) {
		item = ic_kvp_list_find(list, KVP_POOL_AUTO, facts[i].key);
		if (item && *item->value)
			r = json_put(guest, facts[i].member, control_text(item->value));
	}
	return r;
}

int machine_put_guest(struct json_object *o, struct ic_kvp *kvp)
{
	const struct ic_kvp_list *list = ic_kvp_guest(kvp);
	struct json_object *guest;
	int r;

	if (!list->count)
		return 0;
	guest = json_object_new_object();
	r = json_put(o, "guest", guest);
	return r < 0 ? r : put_facts(guest, list);
}
