// SPDX-License-Identifier: MIT
/*
 * The inside of a machine's network, for the machine_network*.c files.
 *
 * All of it is the machine's loop's, but a backend while its queues run, and one that is being
 * opened, which is its first thread's.
 */
#pragma once

#include "candela/machine_internal.h"
#include "devices/net/net_open.h"
#include "devices/netvsp.h"
#include "vmm/io_thread.h"

struct nic;
/* @r: 0, or -errno with @err; @nic is there until it returns. */
typedef void machine_nic_done(void *ctx, int r, const struct error *err, const struct nic *nic);

enum nic_state {
	NIC_READY,
	NIC_COMING, /* its backend is being opened */
	NIC_GOING,
};

struct nic {
	struct machine *machine;
	const struct config_net *config;
	struct config_net own_config; /* of one that was added later: this is it */
	unsigned int index;
	enum nic_state state;
	uint8_t mac[6];
	uint32_t mtu;
	bool link; /* the cable is plugged in */
	struct net_limits limits;
	struct net_backend *backend;
	struct netvsp *netvsp;
	bool pausing, pause_again; /* it is being paused; and is to be once more */
	unsigned int thread_count;
	struct io_thread *threads[CONFIG_NET_QUEUES]; /* one a queue */
	struct loop *loops[CONFIG_NET_QUEUES];        /* theirs */

	/* Of adding and removing while the VM runs. */
	struct loop_task open_task; /* to the first thread's loop */
	struct loop_task done_task; /* and back */
	machine_nic_done *done;
	void *done_ctx;
	int result;
	struct error error;
};

struct machine_network {
	struct machine *machine;
	struct nic *nics[CONFIG_NETS];
	bool started; /* threads run, and so do those that are made from now on */

	unsigned int changing; /* NICs that come or go */
	unsigned int removing; /* those that are on their way out at the end */
	void (*removed)(struct machine *m);
};

int machine_alloc_network(struct machine *m, struct error *err) must_check;
/* A NIC with its first thread, which runs if the others do, and nothing else yet. */
int machine_new_nic(struct machine *m, const struct config_net *config, unsigned int index,
		    struct error *err, struct nic **ret) must_check;
/* The first thread's loop, or nobody's yet. */
int machine_open_nic(struct nic *nic, struct error *err) must_check;
/* Offers it to the guest; its backend is open. */
int machine_offer_nic(struct nic *nic, struct error *err) must_check;
/* It is offered. */
void machine_pause_nic(struct nic *nic);
/* Frees it with its backend and threads; it is not offered any more. */
void machine_drop_nic(struct nic *nic);
/* A NIC has come or gone: what waited for that goes on. */
void machine_network_settled(struct machine *m);

/*
 * machine_network_change.c: while the VM runs; at other times -EBUSY. Takes over what @net owns,
 * also when it fails. @done comes later, unless this fails.
 */
int machine_add_nic(struct machine *m, struct config_net *net, machine_nic_done *done, void *ctx,
		    struct error *err) must_check;
int machine_remove_nic(struct machine *m, unsigned int index, machine_nic_done *done, void *ctx,
		       struct error *err) must_check;

struct machine_nic_change {
	bool set_link, link;
	bool set_limits;
	struct net_limits limits;
};

int machine_change_nic(struct machine *m, unsigned int index,
		       const struct machine_nic_change *change, struct error *err) must_check;
/* -ENOENT, or -EBUSY: it comes or goes. */
int machine_find_nic(const struct machine *m, unsigned int index, struct error *err,
		     struct nic **ret) must_check;

/*
 * machine_network_config.c: what @net says as a backend wants it. What it points to is @net's or
 * freed by machine_net_config_finish(), which goes by fields that are zero where nothing is.
 */
struct machine_net_config {
	struct net_config config;
	int fds[CONFIG_NET_QUEUES];
	char *args[2 * CONFIG_NET_FORWARDS + 32]; /* of candela-slirp; the last NULL */
	size_t arg_count;
};

int machine_net_config(const struct config_net *net, unsigned int cpus, struct error *err,
		       struct machine_net_config *ret) must_check;
void machine_net_config_finish(struct machine_net_config *config);
struct net_limits machine_net_limits(const struct config_net *net);
/* Queues that a guest is offered of those that the backend has. */
unsigned int machine_net_queues(const struct config_net *net, unsigned int cpus,
				unsigned int available);
