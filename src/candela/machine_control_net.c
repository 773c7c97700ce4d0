// SPDX-License-Identifier: MIT
/* What the control socket asks of network interfaces, and what it tells. On the machine's loop. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "candela/machine_control.h"
#include "candela/machine_network.h"
#include "vmm/config_json.h"
#include "vmm/config_table.h"
#include "vmm/config_tree.h"
#include "vmm/json_build.h"

/* --- status ---------------------------------------------------------------------------------- */

static const char *mode_name(const struct nic *nic)
{
	return config_tree_find(&config_net_table, "mode", 4)->names[nic->config->mode];
}

int machine_control_put_nic(struct json_object *o, const void *ctx)
{
	const struct nic *nic = ctx;
	char mac[18];
	int r = json_put_integer(o, "index", nic->index);

	if (r == 0)
		r = json_put_string(o, "mode", mode_name(nic));
	if (r == 0 && nic->config->name)
		r = json_put_string(o, "name", nic->config->name);
	if (r == 0 && nic->config->path)
		r = json_put(o, "path", control_text(nic->config->path));
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", nic->mac[0], nic->mac[1],
		 nic->mac[2], nic->mac[3], nic->mac[4], nic->mac[5]);
	return r < 0 ? r : json_put_string(o, "mac", mac);
}

struct number {
	const char *key;
	uint64_t value;
};

static int put_numbers(struct json_object *o, const struct number *numbers, size_t count)
{
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++)
		r = json_put_integer(o, numbers[i].key, numbers[i].value);
	return r;
}

/* What the frontend counts, from the guest's side. */
static int put_frontend(struct json_object *o, const struct nic *nic)
{
	const struct netvsp_counters *c = netvsp_counters(nic->netvsp);
	const struct channel_counters *ch = netvsp_channel_counters(nic->netvsp);
	const struct number numbers[] = {
		{"tx_packets", counter_get(&c->tx_packets)},
		{"tx_bytes", counter_get(&c->tx_bytes)},
		{"tx_dropped", counter_get(&c->tx_dropped)},
		{"tx_batches", counter_get(&c->tx_batches)},
		{"rx_packets", counter_get(&c->rx_packets)},
		{"rx_bytes", counter_get(&c->rx_bytes)},
		{"rx_dropped", counter_get(&c->rx_dropped)},
		{"rx_batches", counter_get(&c->rx_batches)},
		{"rx_no_buffer", counter_get(&c->rx_no_buffer)},
		{"copied_bytes", counter_get(&c->copied)},
		{"control", counter_get(&c->control)},
		{"refused", counter_get(&c->refused)},
		{"wakes", counter_get(&ch->wakes)},
		{"interrupts", counter_get(&ch->interrupts)},
		{"failures", counter_get(&ch->failures)},
	};

	return put_numbers(o, numbers, ARRAY_SIZE(numbers));
}

/* What the other end's side counts, of all queues. */
static int put_backend(struct json_object *o, const struct nic *nic)
{
	uint64_t tx_lost = 0, rx_lost = 0, calls = 0;

	for (unsigned int i = 0; i < NET_QUEUES_MAX; i++) {
		const struct net_counters *c = net_backend_counters(nic->backend, i);

		tx_lost += counter_get(&c->tx_lost);
		rx_lost += counter_get(&c->rx_lost);
		calls += counter_get(&c->calls);
	}
	const struct number numbers[] = {
		{"tx_lost", tx_lost},
		{"rx_lost", rx_lost},
		{"host_calls", calls},
	};

	return put_numbers(o, numbers, ARRAY_SIZE(numbers));
}

static int put_protocol(struct json_object *o, const struct nic *nic)
{
	const uint32_t version = netvsp_protocol_version(nic->netvsp);
	char text[24];

	if (!version)
		return 0;
	snprintf(text, sizeof(text), "%u.%u", version >> 16, version & 0xffff);
	return json_put_string(o, "protocol", text);
}

static int put_nic(struct json_object *array, const struct nic *nic)
{
	struct json_object *o = json_object_new_object();
	struct json_object *counters = json_object_new_object();
	const bool up = nic->link && net_backend_link(nic->backend);
	int r = json_append(array, o);

	if (r == 0)
		r = json_put(o, "counters", counters);
	else
		json_object_put(counters);
	if (r == 0)
		r = machine_control_put_nic(o, nic);
	if (r == 0)
		r = json_put_integer(o, "mtu", nic->mtu);
	if (r == 0)
		r = json_put_integer(o, "queues", nic->thread_count);
	if (r == 0)
		r = json_put_string(o, "link", up ? "up" : "down");
	if (r == 0)
		r = put_protocol(o, nic);
	if (r == 0)
		r = put_frontend(counters, nic);
	return r < 0 ? r : put_backend(counters, nic);
}

int machine_control_put_nics(struct json_object *o, const struct machine *m)
{
	struct json_object *array = json_object_new_array();
	int r = json_put(o, "networks", array);

	for (unsigned int i = 0; m->network && i < CONFIG_NETS && r == 0; i++) {
		const struct nic *nic = m->network->nics[i];

		if (nic && nic->state == NIC_READY && nic->netvsp)
			r = put_nic(array, nic);
	}
	return r;
}

/* --- Coming and going. ----------------------------------------------------------------------- */

static void answer(struct control_call *call, int r, const struct error *err, const struct nic *nic)
{
	struct json_object *o;

	if (r < 0) {
		control_refuse(call, CONTROL_FAILED, err->text);
		return;
	}
	o = json_object_new_object();
	machine_control_reply(call, o, o ? machine_control_put_nic(o, nic) : -ENOMEM);
}

static void on_added(void *ctx, int r, const struct error *err, const struct nic *nic)
{
	if (r == 0)
		machine_event_with(nic->machine, EVENT_NET_ADDED, machine_control_put_nic, nic);
	answer(ctx, r, err, nic);
}

static void on_removed(void *ctx, int r, const struct error *err, const struct nic *nic)
{
	machine_event_with(nic->machine, EVENT_NET_REMOVED, machine_control_put_nic, nic);
	answer(ctx, r, err, nic);
}

static bool is_absolute(const char *path)
{
	return !path || path[0] == '/';
}

/* The parameters are an item of "networks". Relative to what a path would be, nobody could tell. */
static int read_nic(struct json_object *params, struct config_net *net, struct error *err)
{
	const char *text = params ? json_object_to_json_string(params) : "{}";
	int r;

	config_tree_init(&config_net_table, net);
	if (!text)
		return error_set(err, -ENOMEM, "out of memory");
	r = config_json_load(&config_net_table, net, text, strlen(text), NULL, err);
	if (r == 0 && (!is_absolute(net->path) || !is_absolute(net->pcap)))
		r = error_set(err, -EINVAL, "%s: expected an absolute one",
			      is_absolute(net->path) ? "pcap" : "path");
	if (r == 0 && net->fd_count)
		r = error_set(err, -EINVAL, "fd: this process has no descriptors of the caller's");
	return r;
}

void machine_control_add_nic(void *ctx, struct control_call *call, struct json_object *params)
{
	struct config_net net;
	struct error err;

	if (machine_control_refuse_ended(ctx, call))
		return;
	if (read_nic(params, &net, &err) < 0) {
		config_tree_finish(&config_net_table, &net);
		control_refuse(call, CONTROL_INVALID_PARAMS, err.text);
		return;
	}
	if (machine_add_nic(ctx, &net, on_added, call, &err) < 0)
		control_refuse(call, CONTROL_REFUSED, err.text);
}

const char *const machine_control_nic_params[] = {"index", NULL};

static int read_index(struct json_object *params, uint32_t *ret, struct control_call *call)
{
	struct control_error error;
	uint32_t index = CONFIG_UINT_UNSET;

	if (control_param_uint(params, "index", CONFIG_NETS - 1, &index, &error) < 0) {
		control_refuse(call, error.code, error.text);
		return -EINVAL;
	}
	if (index == CONFIG_UINT_UNSET) {
		control_refuse(call, CONTROL_INVALID_PARAMS, "index: missing");
		return -EINVAL;
	}
	*ret = index;
	return 0;
}

void machine_control_remove_nic(void *ctx, struct control_call *call, struct json_object *params)
{
	uint32_t index;
	struct error err;

	if (machine_control_refuse_ended(ctx, call) || read_index(params, &index, call) < 0)
		return;
	if (machine_remove_nic(ctx, index, on_removed, call, &err) < 0)
		control_refuse(call, CONTROL_REFUSED, err.text);
}

/* --- Changing. ------------------------------------------------------------------------------- */

/* Keys of "networks" that can be changed; the first is no limit. */
static const char *const changeable[] = {
	"link",
	"tx-bandwidth",
	"tx-bandwidth-burst",
	"tx-packets",
	"tx-packets-burst",
	"rx-bandwidth",
	"rx-bandwidth-burst",
	"rx-packets",
	"rx-packets-burst",
};

static int change_key(const char *key, struct json_object *value, struct config_net *net,
		      struct machine_nic_change *change, struct error *err)
{
	const char *text = json_object_get_string(value);
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(changeable); i++) {
		if (strcmp(key, changeable[i]) != 0)
			continue;
		if (json_object_is_type(value, json_type_object) ||
		    json_object_is_type(value, json_type_array) || !text)
			return error_set(err, -EINVAL, "%s: expected text or a number", key);
		r = config_tree_set(&config_net_table, net, key, text, NULL, err);
		if (r < 0)
			error_prefix(err, "%s", key);
		if (i == 0)
			change->set_link = true;
		else
			change->set_limits = true;
		return r;
	}
	return error_set(err, -EINVAL, "%.60s: cannot be changed while the VM runs", key);
}

/* What is not named stays as it is. */
static void fill_limits(struct config_net *net, const struct net_limits *limits)
{
	net->tx_bandwidth = limits->tx.bytes;
	net->tx_bandwidth_burst = limits->tx.burst_bytes;
	net->tx_packets = (uint32_t)limits->tx.packets;
	net->tx_packets_burst = (uint32_t)limits->tx.burst_packets;
	net->rx_bandwidth = limits->rx.bytes;
	net->rx_bandwidth_burst = limits->rx.burst_bytes;
	net->rx_packets = (uint32_t)limits->rx.packets;
	net->rx_packets_burst = (uint32_t)limits->rx.burst_packets;
}

static int read_change(struct json_object *params, const struct nic *nic,
		       struct machine_nic_change *change, struct error *err)
{
	struct json_object_iterator it = json_object_iter_begin(params);
	struct json_object_iterator end = json_object_iter_end(params);
	struct config_net net;
	int r = 0;

	*change = (struct machine_nic_change){0};
	config_tree_init(&config_net_table, &net);
	fill_limits(&net, &nic->limits);
	for (; r == 0 && !json_object_iter_equal(&it, &end); json_object_iter_next(&it)) {
		const char *key = json_object_iter_peek_name(&it);

		if (strcmp(key, "index") != 0)
			r = change_key(key, json_object_iter_peek_value(&it), &net, change, err);
	}
	change->link = net.link == CONFIG_NET_LINK_UP;
	change->limits = machine_net_limits(&net);
	config_tree_finish(&config_net_table, &net);
	return r;
}

void machine_control_set_nic(void *ctx, struct control_call *call, struct json_object *params)
{
	struct machine_nic_change change;
	struct nic *nic;
	uint32_t index;
	struct error err;

	if (machine_control_refuse_ended(ctx, call) || read_index(params, &index, call) < 0)
		return;
	if (machine_find_nic(ctx, index, &err, &nic) < 0) {
		control_refuse(call, CONTROL_REFUSED, err.text);
		return;
	}
	if (read_change(params, nic, &change, &err) < 0) {
		control_refuse(call, CONTROL_INVALID_PARAMS, err.text);
		return;
	}
	if (machine_change_nic(ctx, index, &change, &err) < 0) {
		control_refuse(call, CONTROL_REFUSED, err.text);
		return;
	}
	machine_event_with(ctx, EVENT_NET_CHANGED, machine_control_put_nic, nic);
	control_reply(call, json_object_new_object());
}
