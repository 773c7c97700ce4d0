// SPDX-License-Identifier: MIT
/*
 * The NICs of a machine: backends, netvsp, and a thread for each queue. Everything is made and
 * taken apart on the machine's loop; what is in between runs on the queues' threads.
 */
#include "candela/machine_network.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "candela/machine_control.h"
#include "vmm/config_table.h"
#include "vmm/config_tree.h"
#include "vmm/net_plan.h"

#define MTU_DEFAULT 1500u

/* --- Threads. ------------------------------------------------------------------------------- */

static int add_thread(struct nic *nic, struct error *err)
{
	const unsigned int i = nic->thread_count;
	char name[16];
	int r;

	snprintf(name, sizeof(name), "net%u.%u", nic->index, i);
	r = io_thread_create(name, err, &nic->threads[i]);
	if (r < 0)
		return r;
	nic->thread_count++;
	io_thread_on_begin(nic->threads[i], machine_enter_sandbox_io, nic->machine);
	nic->loops[i] = io_thread_loop(nic->threads[i]);
	return nic->machine->network->started ? io_thread_start(nic->threads[i], err) : 0;
}

static void destroy_threads(struct nic *nic)
{
	for (unsigned int i = 0; i < nic->thread_count; i++)
		(void)io_thread_stop(nic->threads[i]);
	/* With its queues stopped, a backend is the machine's loop's. */
	net_backend_destroy(nic->backend);
	for (unsigned int i = 0; i < nic->thread_count; i++)
		io_thread_destroy(nic->threads[i]);
}

/* --- One NIC. ------------------------------------------------------------------------------- */

int machine_new_nic(struct machine *m, const struct config_net *config, unsigned int index,
		    struct error *err, struct nic **ret)
{
	struct nic *nic = calloc(1, sizeof(*nic));
	int r;

	if (!nic)
		return error_set(err, -ENOMEM, "out of memory");
	*nic = (struct nic){
		.machine = m,
		.config = config,
		.index = index,
		.link = config->link == CONFIG_NET_LINK_UP,
		.limits = machine_net_limits(config),
	};
	net_mac_default(m->config->name ? m->config->name : "", index, nic->mac);
	if (config->mac && net_mac_parse(config->mac, nic->mac) < 0)
		r = error_set(err, -EINVAL, "networks[%u].mac: not the address of a NIC", index);
	else
		r = add_thread(nic, err);
	if (r < 0) {
		destroy_threads(nic);
		free(nic);
		return r;
	}
	m->network->nics[index] = nic;
	*ret = nic;
	return 0;
}

int machine_open_nic(struct nic *nic, struct error *err)
{
	struct machine_net_config config;
	int r = machine_net_config(nic->config, nic->machine->config->cpus.count, err, &config);

	if (r < 0)
		return r;
	r = net_open(&config.config, err, &nic->backend);
	machine_net_config_finish(&config);
	return r;
}

/* What the guest is told. */
static int settle_mtu(struct nic *nic, struct error *err)
{
	const uint32_t max = net_backend_info(nic->backend)->mtu_max;
	const uint32_t wanted = nic->config->mtu;

	if (wanted != CONFIG_UINT_UNSET && wanted > max)
		return error_set(err, -EINVAL, "mtu: the other end takes %u at most, not %u", max,
				 wanted);
	if (wanted != CONFIG_UINT_UNSET)
		nic->mtu = wanted;
	else
		nic->mtu = nic->config->mode == CONFIG_NET_TAP ? max : min_of(max, MTU_DEFAULT);
	return 0;
}

/* On the first queue's loop. */
static void on_link(void *ctx, bool up)
{
	const struct nic *nic = ctx;

	event(machine_sink(nic->machine), EVENT_NET_LINK, EVENT_NUMBER("index", nic->index),
	      EVENT_TEXT("detail", up ? "up" : "down"));
}

int machine_offer_nic(struct nic *nic, struct error *err)
{
	struct machine *m = nic->machine;
	struct netvsp_config config = {
		.bus = m->vmbus,
		.vm = m->config->name,
		.index = nic->index,
		.backend = nic->backend,
		.link_up = nic->link,
		.link_changed = on_link,
		.link_ctx = nic,
		.loops = nic->loops,
		.queues_max = machine_net_queues(nic->config, m->config->cpus.count,
						 net_backend_info(nic->backend)->queues),
	};
	int r = settle_mtu(nic, err);

	while (r == 0 && nic->thread_count < config.queues_max)
		r = add_thread(nic, err);
	if (r < 0)
		return r;
	config.mtu = nic->mtu;
	config.loop_count = nic->thread_count;
	for (size_t i = 0; i < sizeof(nic->mac); i++)
		config.mac[i] = nic->mac[i];
	r = netvsp_create(&config, err, &nic->netvsp);
	if (r == 0 && m->paused)
		machine_pause_nic(nic);
	return r;
}

void machine_drop_nic(struct nic *nic)
{
	destroy_threads(nic);
	nic->machine->network->nics[nic->index] = NULL;
	if (nic->config == &nic->own_config)
		config_tree_finish(&config_net_table, &nic->own_config);
	free(nic);
}

/* --- All of them. --------------------------------------------------------------------------- */

int machine_alloc_network(struct machine *m, struct error *err)
{
	if (!m->vmbus)
		return error_set(err, -EINVAL,
				 "networks: they need the VMBus: hyperv.identity, hyperv.synic or "
				 "hyperv.vmbus has taken it away");
	m->network = calloc(1, sizeof(*m->network));
	if (!m->network)
		return error_set(err, -ENOMEM, "out of memory");
	m->network->machine = m;
	return 0;
}

static int add_nic(struct machine *m, unsigned int index, struct error *err)
{
	const struct config_net *config = &m->config->nets[index];
	struct nic *nic;
	int r;

	if (config->mode == CONFIG_NET_NONE)
		return 0;
	r = machine_new_nic(m, config, index, err, &nic);
	if (r == 0)
		r = machine_open_nic(nic, err);
	if (r == 0)
		r = machine_offer_nic(nic, err);
	if (r == 0)
		machine_event_with(m, EVENT_NET_ADDED, machine_control_put_nic, nic);
	if (r < 0)
		error_prefix(err, "networks[%u]", index);
	return r;
}

int machine_create_network(struct machine *m, struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; i < m->config->net_count && r == 0; i++) {
		if (!m->network && m->config->nets[i].mode != CONFIG_NET_NONE)
			r = machine_alloc_network(m, err);
		if (r == 0)
			r = add_nic(m, i, err);
	}
	return r;
}

int machine_start_network(struct machine *m, struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; m->network && i < CONFIG_NETS; i++) {
		const struct nic *nic = m->network->nics[i];

		for (unsigned int k = 0; nic && k < nic->thread_count && r == 0; k++)
			r = io_thread_start(nic->threads[k], err);
	}
	if (m->network)
		m->network->started = true;
	return r;
}

static void on_paused(void *ctx)
{
	struct nic *nic = ctx;

	nic->pausing = false;
	if (nic->pause_again && nic->netvsp)
		machine_pause_nic(nic);
}

/* One pause at a time: the VM may have been resumed and paused again meanwhile. */
void machine_pause_nic(struct nic *nic)
{
	nic->pause_again = nic->pausing;
	if (nic->pausing)
		return;
	nic->pausing = true;
	netvsp_pause(nic->netvsp, on_paused, nic);
}

static void resume_nic(struct nic *nic)
{
	nic->pause_again = false;
	netvsp_resume(nic->netvsp);
}

static void each_nic(struct machine *m, void (*call)(struct nic *nic))
{
	for (unsigned int i = 0; m->network && i < CONFIG_NETS; i++)
		if (m->network->nics[i] && m->network->nics[i]->netvsp)
			call(m->network->nics[i]);
}

void machine_pause_network(struct machine *m)
{
	each_nic(m, machine_pause_nic);
}

void machine_resume_network(struct machine *m)
{
	each_nic(m, resume_nic);
}

/* --- The end. ------------------------------------------------------------------------------- */

static void on_removed(void *ctx)
{
	struct machine *m = ctx;
	struct machine_network *n = m->network;

	if (--n->removing == 0)
		n->removed(m);
}

static void remove_nics(struct machine *m)
{
	struct machine_network *n = m->network;

	n->removing = 1; /* ours, until all are asked */
	for (unsigned int i = 0; i < CONFIG_NETS; i++) {
		struct netvsp *netvsp = n->nics[i] ? n->nics[i]->netvsp : NULL;

		if (!netvsp)
			continue;
		n->nics[i]->netvsp = NULL;
		n->removing++;
		netvsp_destroy(netvsp, on_removed, m);
	}
	on_removed(m);
}

void machine_network_settled(struct machine *m)
{
	struct machine_network *n = m->network;

	if (--n->changing == 0 && n->removed)
		remove_nics(m);
}

/* NICs that come or go do so first. */
void machine_remove_network(struct machine *m, void (*then)(struct machine *m))
{
	if (!m->network) {
		then(m);
		return;
	}
	m->network->removed = then;
	if (m->network->changing == 0)
		remove_nics(m);
}

static void stop_loop(struct machine *m)
{
	loop_stop(m->loop);
}

static bool is_offered(const struct machine_network *n)
{
	for (unsigned int i = 0; i < CONFIG_NETS; i++)
		if (n->nics[i] && n->nics[i]->netvsp)
			return true;
	return false;
}

/* Where the machine's loop never ran: what is offered needs one to go. */
static int remove_unused(struct machine *m, struct error *err)
{
	int r;

	if (!is_offered(m->network))
		return 0;
	r = machine_start_network(m, err);
	if (r < 0)
		return r;
	machine_remove_network(m, stop_loop);
	return loop_run(m->loop);
}

int machine_close_network(struct machine *m, struct error *err)
{
	struct machine_network *n = m->network;
	int r;

	if (!n)
		return 0;
	r = remove_unused(m, err);
	if (r < 0)
		return r;
	for (unsigned int i = 0; i < CONFIG_NETS; i++)
		if (n->nics[i])
			machine_drop_nic(n->nics[i]);
	free(n);
	m->network = NULL;
	return 0;
}
