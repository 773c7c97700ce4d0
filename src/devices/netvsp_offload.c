// SPDX-License-Identifier: MIT
/*
 * Offloads: what the backend can do, what the guest is offered of it, and what it has agreed to.
 * State belongs to the first queue's loop; the queues read the outcome.
 */
#include <string.h>

#include "devices/netvsp_internal.h"

#define TX_CHECKSUMS                                                                               \
	(NETVSP_TX_TCP4 | NETVSP_TX_UDP4 | NETVSP_TX_TCP6 | NETVSP_TX_UDP6 | NETVSP_TX_IP4)
#define RX_CHECKSUMS (NETVSP_RX_TCP4 | NETVSP_RX_UDP4 | NETVSP_RX_TCP6 | NETVSP_RX_UDP6)

bool netvsp_offloads_large(const struct netvsp *netvsp)
{
	const struct net_backend_info *info = net_backend_info(netvsp->backend);

	return info->checksum && info->tso && netvsp_version(netvsp) >= NVSP_PROTOCOL_VERSION_61 &&
	       (netvsp->capabilities & NVSP_CAPABILITY_RSC);
}

/* Large frames need many sections each, and a queue several of them. */
static bool enough_sections(const struct netvsp *netvsp)
{
	const struct netvsp_sections *s = &netvsp->sections;
	uint32_t data, parts;

	if (!s->count)
		return false;
	data = s->size - NETVSP_RX_DATA;
	parts = (NET_FRAME_MAX + data - 1) / data;
	return parts <= NETVSP_RX_PARTS && s->count / netvsp->queue_count >= 3 * parts;
}

uint32_t netvsp_offloads_possible(const struct netvsp *netvsp)
{
	const struct net_backend_info *info = net_backend_info(netvsp->backend);
	uint32_t possible = 0;

	if (!info->checksum)
		return 0;
	possible = TX_CHECKSUMS | RX_CHECKSUMS;
	if (!info->tso)
		return possible;
	possible |= NETVSP_LSO4 | NETVSP_LSO6;
	if (netvsp_offloads_large(netvsp) && enough_sections(netvsp))
		possible |= NETVSP_RSC4 | NETVSP_RSC6;
	return possible;
}

/* --- As NDIS says it. ------------------------------------------------------------------------ */

static uint32_t checksum_caps(bool ip, bool tcp, bool udp)
{
	uint32_t caps = 0;

	if (ip)
		caps |= NDIS_CSUM_CAP_IP | NDIS_CSUM_CAP_IP_OPTIONS;
	if (tcp)
		caps |= NDIS_CSUM_CAP_TCP | NDIS_CSUM_CAP_TCP_OPTIONS | NDIS_CSUM_CAP_IP_OPTIONS;
	if (udp)
		caps |= NDIS_CSUM_CAP_UDP | NDIS_CSUM_CAP_IP_OPTIONS;
	return caps;
}

static uint32_t encapsulation(uint32_t caps)
{
	return caps ? NDIS_OFFLOAD_ENCAP_8023 : 0;
}

static void describe_checksums(uint32_t o, struct ndis_csum_offload *csum)
{
	csum->ip4_txcsum = checksum_caps(o & NETVSP_TX_IP4, o & NETVSP_TX_TCP4, o & NETVSP_TX_UDP4);
	csum->ip4_rxcsum = checksum_caps(o & NETVSP_RX_IP4, o & NETVSP_RX_TCP4, o & NETVSP_RX_UDP4);
	csum->ip6_txcsum = checksum_caps(false, o & NETVSP_TX_TCP6, o & NETVSP_TX_UDP6);
	csum->ip6_rxcsum = checksum_caps(false, o & NETVSP_RX_TCP6, o & NETVSP_RX_UDP6);
	csum->ip4_txenc = encapsulation(csum->ip4_txcsum);
	csum->ip4_rxenc = encapsulation(csum->ip4_rxcsum);
	csum->ip6_txenc = encapsulation(csum->ip6_txcsum);
	csum->ip6_rxenc = encapsulation(csum->ip6_rxcsum);
}

static void describe_lso(uint32_t o, struct ndis_lsov2_offload *lso)
{
	if (o & NETVSP_LSO4) {
		lso->ip4_encap = NDIS_OFFLOAD_ENCAP_8023;
		lso->ip4_maxsz = NETVSP_LSO_MAX;
		lso->ip4_minsg = 2;
	}
	if (o & NETVSP_LSO6) {
		lso->ip6_encap = NDIS_OFFLOAD_ENCAP_8023;
		lso->ip6_maxsz = NETVSP_LSO_MAX;
		lso->ip6_minsg = 2;
		lso->ip6_opts = NDIS_LSOV2_CAP_IP6_EXTENSIONS | NDIS_LSOV2_CAP_TCP6_OPTIONS;
	}
}

uint32_t netvsp_offloads_describe(const struct netvsp *netvsp, uint32_t offloads,
				  struct ndis_offload *ret)
{
	uint8_t revision = 1;
	uint16_t size = offsetof(struct ndis_offload, ipsecv2);

	/* Of NDIS 6.30, of 6.1, and before. */
	if (netvsp->ndis_major > 6 || (netvsp->ndis_major == 6 && netvsp->ndis_minor >= 30)) {
		revision = 3;
		size = sizeof(*ret);
	} else if (netvsp->ndis_major == 6 && netvsp->ndis_minor >= 1) {
		revision = 2;
		size = offsetof(struct ndis_offload, rsc_ip4);
	}
	*ret = (struct ndis_offload){
		.header = {.type = NDIS_OBJECT_TYPE_OFFLOAD, .revision = revision, .size = size},
		.rsc_ip4 = (offloads & NETVSP_RSC4) != 0,
		.rsc_ip6 = (offloads & NETVSP_RSC6) != 0,
	};
	describe_checksums(offloads, &ret->csum);
	describe_lso(offloads, &ret->lsov2);
	return size;
}

/* --- What the guest sets. -------------------------------------------------------------------- */

void netvsp_offloads_apply(struct netvsp *netvsp, uint32_t offloads)
{
	struct net_offloads backend;

	/* Who is not told of checksums has no use for frames without. */
	if (!(offloads & NETVSP_RX_TCP4))
		offloads &= ~(uint32_t)NETVSP_RSC4;
	if (!(offloads & NETVSP_RX_TCP6))
		offloads &= ~(uint32_t)NETVSP_RSC6;
	backend = (struct net_offloads){
		.checksum = (offloads & RX_CHECKSUMS) != 0,
		.tso4 = (offloads & NETVSP_RSC4) != 0,
		.tso6 = (offloads & NETVSP_RSC6) != 0,
	};
	/* Before the first large frame, and after the last. */
	atomic_fetch_or(&netvsp->offloads, offloads);
	net_backend_set_offloads(netvsp->backend, &backend);
	atomic_store(&netvsp->offloads, offloads);
}

static void change(uint32_t *offloads, uint32_t bit, bool on)
{
	*offloads = on ? *offloads | bit : *offloads & ~bit;
}

static bool set_checksum(uint32_t *offloads, uint8_t value, uint32_t tx, uint32_t rx)
{
	if (value > NDIS_OFFLOAD_TX_RX_ENABLED)
		return false;
	if (value) {
		change(offloads, tx,
		       value == NDIS_OFFLOAD_TX_ENABLED || value == NDIS_OFFLOAD_TX_RX_ENABLED);
		change(offloads, rx,
		       value == NDIS_OFFLOAD_RX_ENABLED || value == NDIS_OFFLOAD_TX_RX_ENABLED);
	}
	return true;
}

static bool set_switch(uint32_t *offloads, uint8_t value, uint32_t bit)
{
	if (value > NDIS_OFFLOAD_ENABLED)
		return false;
	if (value)
		change(offloads, bit, value == NDIS_OFFLOAD_ENABLED);
	return true;
}

uint32_t netvsp_offloads_set(struct netvsp *netvsp, const uint8_t *info, uint32_t len)
{
	struct ndis_offload_params in = {0};
	uint32_t o = atomic_load(&netvsp->offloads);

	memcpy(&in, info, min_of((size_t)len, sizeof(in)));
	if (in.header.type != NDIS_OBJECT_TYPE_DEFAULT || !in.header.revision ||
	    in.header.size < offsetof(struct ndis_offload_params, ip_sec_v2) ||
	    in.header.size > len)
		return RNDIS_STATUS_INVALID_DATA;
	if (in.lso_v1 == NDIS_OFFLOAD_ENABLED)
		return RNDIS_STATUS_NOT_SUPPORTED;
	if (!set_checksum(&o, in.ip_v4_csum, NETVSP_TX_IP4, NETVSP_RX_IP4) ||
	    !set_checksum(&o, in.tcp_ip_v4_csum, NETVSP_TX_TCP4, NETVSP_RX_TCP4) ||
	    !set_checksum(&o, in.udp_ip_v4_csum, NETVSP_TX_UDP4, NETVSP_RX_UDP4) ||
	    !set_checksum(&o, in.tcp_ip_v6_csum, NETVSP_TX_TCP6, NETVSP_RX_TCP6) ||
	    !set_checksum(&o, in.udp_ip_v6_csum, NETVSP_TX_UDP6, NETVSP_RX_UDP6) ||
	    !set_switch(&o, in.lso_v2_ipv4, NETVSP_LSO4) ||
	    !set_switch(&o, in.lso_v2_ipv6, NETVSP_LSO6) ||
	    !set_switch(&o, in.rsc_ip_v4, NETVSP_RSC4) ||
	    !set_switch(&o, in.rsc_ip_v6, NETVSP_RSC6))
		return RNDIS_STATUS_INVALID_DATA;
	netvsp_offloads_apply(netvsp, o & netvsp_offloads_possible(netvsp));
	netvsp->tell_offloads = true;
	return RNDIS_STATUS_SUCCESS;
}
