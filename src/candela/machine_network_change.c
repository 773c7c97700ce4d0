// SPDX-License-Identifier: MIT
/*
 * NICs that come, go and change while the VM runs. Asked for and answered on the machine's loop;
 * opening a backend, which may wait for the host, is done on the loop of the NIC's first queue.
 */
#include <errno.h>
#include <string.h>

#include "candela/machine_network.h"
#include "vmm/config_table.h"
#include "vmm/config_tree.h"
#include "vmm/net_plan.h"

static int may_change(const struct machine *m, struct error *err)
{
	return m->ended ? error_set(err, -EBUSY, "the VM is ending") : 0;
}

int machine_find_nic(const struct machine *m, unsigned int index, struct error *err,
		     struct nic **ret)
{
	struct nic *nic = m->network && index < CONFIG_NETS ? m->network->nics[index] : NULL;
	int r = may_change(m, err);

	if (r < 0)
		return r;
	if (!nic)
		return error_set(err, -ENOENT, "there is no network interface %u", index);
	if (nic->state != NIC_READY)
		return error_set(err, -EBUSY, "network interface %u is being %s: try again", index,
				 nic->state == NIC_COMING ? "added" : "removed");
	*ret = nic;
	return 0;
}

static void begin_change(struct nic *nic, enum nic_state state, machine_nic_done *done, void *ctx)
{
	nic->state = state;
	nic->done = done;
	nic->done_ctx = ctx;
	nic->result = 0;
	nic->error = (struct error){0};
	nic->machine->network->changing++;
}

static void end_change(struct nic *nic, bool stays)
{
	struct machine *m = nic->machine;

	nic->state = NIC_READY;
	machine_explain_sandbox(m, nic->result, &nic->error);
	nic->done(nic->done_ctx, nic->result, &nic->error, nic);
	if (!stays)
		machine_drop_nic(nic);
	machine_network_settled(m);
}

/* --- Coming. -------------------------------------------------------------------------------- */

static void on_opened(struct loop_task *task)
{
	struct nic *nic = container_of(task, struct nic, done_task);

	if (nic->result == 0)
		nic->result = may_change(nic->machine, &nic->error);
	if (nic->result == 0)
		nic->result = machine_offer_nic(nic, &nic->error);
	end_change(nic, nic->result == 0);
}

/* On the loop of its first queue. */
static void open_it(struct loop_task *task)
{
	struct nic *nic = container_of(task, struct nic, open_task);

	nic->result = machine_open_nic(nic, &nic->error);
	loop_post(nic->machine->loop, &nic->done_task);
}

/* What a configuration file with it alone would have to obey, and no address twice. */
static int check_nic(const struct machine *m, const struct config_net *net, struct error *err)
{
	struct vm_config config = *m->config;
	uint8_t mac[6];
	int r;

	config.nets = net;
	config.net_count = 1;
	r = config_check(&config, err);
	if (r < 0 || !net->mac || net_mac_parse(net->mac, mac) < 0)
		return r;
	for (unsigned int i = 0; m->network && i < CONFIG_NETS; i++)
		if (m->network->nics[i] && memcmp(m->network->nics[i]->mac, mac, sizeof(mac)) == 0)
			return error_set(err, -EEXIST, "mac: network interface %u has %s already",
					 i, net->mac);
	return 0;
}

static int choose_index(const struct machine *m, struct error *err, unsigned int *ret)
{
	for (unsigned int i = 0; i < CONFIG_NETS; i++) {
		if (!m->network->nics[i]) {
			*ret = i;
			return 0;
		}
	}
	return error_set(err, -ENOSPC, "there are %u network interfaces already", CONFIG_NETS);
}

static int prepare_nic(struct machine *m, const struct config_net *net, struct error *err,
		       struct nic **ret)
{
	unsigned int index = 0;
	int r = may_change(m, err);

	if (r == 0 && net->mode == CONFIG_NET_NONE)
		r = error_set(err, -EINVAL, "mode: none is no network interface");
	if (r == 0 && net->mode == CONFIG_NET_USER && machine_is_confined(m))
		r = error_set(err, -EPERM,
			      "mode: user is a program of its own, which the sandbox lets nobody "
			      "start once the VM runs: give the VM the interface from the "
			      "beginning, with link=down, or start it with --sandbox=off");
	if (r == 0)
		r = check_nic(m, net, err);
	if (r == 0 && !m->network) {
		r = machine_alloc_network(m, err);
		if (r == 0)
			r = machine_start_network(m, err);
	}
	if (r == 0)
		r = choose_index(m, err, &index);
	return r < 0 ? r : machine_new_nic(m, net, index, err, ret);
}

int machine_add_nic(struct machine *m, struct config_net *net, machine_nic_done *done, void *ctx,
		    struct error *err)
{
	struct nic *nic;
	int r = prepare_nic(m, net, err, &nic);

	if (r < 0) {
		config_tree_finish(&config_net_table, net);
		return r;
	}
	nic->own_config = *net;
	nic->config = &nic->own_config;
	nic->open_task.run = open_it;
	nic->done_task.run = on_opened;
	begin_change(nic, NIC_COMING, done, ctx);
	loop_post(nic->loops[0], &nic->open_task);
	return 0;
}

/* --- Going. --------------------------------------------------------------------------------- */

static void on_gone(struct loop_task *task)
{
	end_change(container_of(task, struct nic, done_task), false);
}

/* Whoever calls this goes on: what is posted comes after it. */
static void on_removed(void *ctx)
{
	struct nic *nic = ctx;

	loop_post(nic->machine->loop, &nic->done_task);
}

int machine_remove_nic(struct machine *m, unsigned int index, machine_nic_done *done, void *ctx,
		       struct error *err)
{
	struct netvsp *netvsp;
	struct nic *nic = NULL;
	int r = machine_find_nic(m, index, err, &nic);

	if (r < 0)
		return r;
	nic->done_task.run = on_gone;
	begin_change(nic, NIC_GOING, done, ctx);
	netvsp = nic->netvsp;
	nic->netvsp = NULL;
	netvsp_destroy(netvsp, on_removed, nic);
	return 0;
}

/* --- Changing. ------------------------------------------------------------------------------ */

int machine_change_nic(struct machine *m, unsigned int index,
		       const struct machine_nic_change *change, struct error *err)
{
	struct nic *nic = NULL;
	int r = machine_find_nic(m, index, err, &nic);

	if (r < 0)
		return r;
	if (change->set_link) {
		nic->link = change->link;
		netvsp_set_link(nic->netvsp, change->link);
	}
	if (change->set_limits) {
		nic->limits = change->limits;
		net_limits_set(nic->backend, &nic->limits);
	}
	return 0;
}
