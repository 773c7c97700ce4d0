// SPDX-License-Identifier: MIT
/*
 * What a guest may ask its network interface about: a list, and nothing that is not on it.
 * Questions carry no information that is looked at. State belongs to the first queue's loop.
 */
#include <string.h>

#include "devices/netvsp_internal.h"

/* A virtual wire has no speed; guests want one to show. */
#define LINK_BITS_PER_SECOND 10000000000ull

/* Where an answer is put together. */
struct info {
	struct netvsp *netvsp;
	uint8_t *at;
	uint32_t len;
};

static void put(struct info *info, const void *value, uint32_t len)
{
	memcpy(info->at + info->len, value, len);
	info->len += len;
}

static void put32(struct info *info, uint32_t value)
{
	put(info, &value, sizeof(value));
}

/* --- Values. --------------------------------------------------------------------------------- */

static void zero(struct info *info)
{
	put32(info, 0);
}

static void frame_size(struct info *info)
{
	put32(info, info->netvsp->frame_max - ETHERNET_HEADER);
}

static void total_size(struct info *info)
{
	put32(info, info->netvsp->frame_max);
}

/* In units of 100 bit/s. */
static void speed(struct info *info)
{
	put32(info, (uint32_t)(LINK_BITS_PER_SECOND / 100));
}

static void max_speed(struct info *info)
{
	const struct ndis_link_speed v = {LINK_BITS_PER_SECOND, LINK_BITS_PER_SECOND};

	put(info, &v, sizeof(v));
}

static void buffer_space(struct info *info)
{
	put32(info, 256 * 1024);
}

static void vendor_id(struct info *info)
{
	const uint8_t *mac = info->netvsp->permanent_mac;

	put32(info, (uint32_t)mac[0] << 16 | (uint32_t)mac[1] << 8 | mac[2]);
}

static void vendor(struct info *info)
{
	static const char name[] = "candela";

	put(info, name, sizeof(name));
}

static void driver_version(struct info *info)
{
	const uint16_t v = 0x0100;

	put(info, &v, sizeof(v));
}

static void vendor_driver_version(struct info *info)
{
	put32(info, 0x00010000);
}

static void filter(struct info *info)
{
	put32(info, atomic_load(&info->netvsp->filter));
}

static void mac_options(struct info *info)
{
	put32(info, NDIS_MAC_OPTION_COPY_LOOKAHEAD_DATA | NDIS_MAC_OPTION_TRANSFERS_NOT_PEND |
			    NDIS_MAC_OPTION_NO_LOOPBACK | NDIS_MAC_OPTION_FULL_DUPLEX |
			    NDIS_MAC_OPTION_8021P_PRIORITY | NDIS_MAC_OPTION_8021Q_VLAN);
}

static bool linked(const struct info *info)
{
	return atomic_load(&info->netvsp->link);
}

static void connect_status(struct info *info)
{
	put32(info, linked(info) ? NDIS_MEDIA_STATE_CONNECTED : NDIS_MEDIA_STATE_DISCONNECTED);
	/* From now on it knows. */
	info->netvsp->link_told = linked(info);
}

static void link_state(struct info *info)
{
	const struct ndis_link_state v = {
		.header = {.type = NDIS_OBJECT_TYPE_DEFAULT, .revision = 1, .size = sizeof(v)},
		.media_connect_state = linked(info) ? NDIS_LINK_CONNECTED : NDIS_LINK_DISCONNECTED,
		.media_duplex_state = NDIS_DUPLEX_FULL,
		.xmit_link_speed = LINK_BITS_PER_SECOND,
		.rcv_link_speed = LINK_BITS_PER_SECOND,
	};

	put(info, &v, sizeof(v));
}

static void send_packets(struct info *info)
{
	put32(info, NETVSP_BATCH_TOLD);
}

static void permanent_address(struct info *info)
{
	put(info, info->netvsp->permanent_mac, 6);
}

static void put_address(struct info *info, uint64_t address)
{
	uint8_t bytes[6];

	for (unsigned int i = 0; i < 6; i++)
		bytes[i] = (uint8_t)(address >> (40 - 8 * i));
	put(info, bytes, sizeof(bytes));
}

static void current_address(struct info *info)
{
	put_address(info, atomic_load(&info->netvsp->mac));
}

static void multicast_list(struct info *info)
{
	for (unsigned int i = 0; i < info->netvsp->multicast_count; i++)
		put_address(info, atomic_load(&info->netvsp->multicast[i]));
}

static void multicast_max(struct info *info)
{
	put32(info, NETVSP_MULTICAST_MAX);
}

/* Statistics. Guests of NDIS 5 read the lower half. */
static void put_counter(struct info *info, const struct counter *counter)
{
	const uint64_t v = counter_get(counter);

	put(info, &v, sizeof(v));
}

static void sent_frames(struct info *info)
{
	put_counter(info, &info->netvsp->counters.tx_packets);
}

static void sent_bytes(struct info *info)
{
	put_counter(info, &info->netvsp->counters.tx_bytes);
}

static void sent_errors(struct info *info)
{
	put_counter(info, &info->netvsp->counters.tx_dropped);
}

static void received_frames(struct info *info)
{
	put_counter(info, &info->netvsp->counters.rx_packets);
}

static void received_bytes(struct info *info)
{
	put_counter(info, &info->netvsp->counters.rx_bytes);
}

static void received_errors(struct info *info)
{
	put_counter(info, &info->netvsp->counters.rx_dropped);
}

static void no_buffer(struct info *info)
{
	put32(info, (uint32_t)counter_get(&info->netvsp->counters.rx_no_buffer));
}

static void offload_caps(struct info *info)
{
	struct ndis_offload v;
	const uint32_t possible = netvsp_offloads_possible(info->netvsp);

	put(info, &v, netvsp_offloads_describe(info->netvsp, possible, &v));
}

static void offload_config(struct info *info)
{
	struct ndis_offload v;
	const uint32_t current = atomic_load(&info->netvsp->offloads);

	put(info, &v, netvsp_offloads_describe(info->netvsp, current, &v));
}

static void encapsulation(struct info *info)
{
	const struct ndis_offload_encapsulation v = {
		.header = {.type = NDIS_OBJECT_TYPE_OFFLOAD_ENCAPSULATION,
			   .revision = 1,
			   .size = sizeof(v)},
		.ip4_enabled = NDIS_ENCAPSULATION_SET_ON,
		.ip4_type = NDIS_OFFLOAD_ENCAP_8023,
		.ip4_header_size = ETHERNET_HEADER,
		.ip6_enabled = NDIS_ENCAPSULATION_SET_ON,
		.ip6_type = NDIS_OFFLOAD_ENCAP_8023,
		.ip6_header_size = ETHERNET_HEADER,
	};

	put(info, &v, sizeof(v));
}

static void scale_caps(struct info *info)
{
	const struct ndis_recv_scale_cap v = {
		.header = {.type = NDIS_OBJECT_TYPE_RSS_CAPABILITIES,
			   .revision = 2,
			   .size = NDIS_RSS_CAPABILITIES_SIZE},
		.cap_flags = NDIS_RSS_CAPS_HASH_TYPE_TCP_IPV4 | NDIS_RSS_CAPS_HASH_TYPE_TCP_IPV6 |
			     NDIS_HASH_FUNCTION_TOEPLITZ,
		.num_int_msg = 1,
		.num_recv_que = info->netvsp->queue_count,
		.num_indirect_tabent = NDIS_RSS_TABLE_MAX,
	};

	put(info, &v, NDIS_RSS_CAPABILITIES_SIZE);
}

/* --- The list. ------------------------------------------------------------------------------- */

static void supported_list(struct info *info);

static const struct query {
	uint32_t oid;
	bool ndis6; /* guests of older versions do not know it */
	void (*put)(struct info *info);
} queries[] = {
	{OID_GEN_SUPPORTED_LIST, false, supported_list},
	{OID_GEN_HARDWARE_STATUS, false, zero}, /* ready */
	{OID_GEN_MEDIA_SUPPORTED, false, zero}, /* 802.3 */
	{OID_GEN_MEDIA_IN_USE, false, zero},
	{OID_GEN_MAXIMUM_LOOKAHEAD, false, frame_size},
	{OID_GEN_CURRENT_LOOKAHEAD, false, frame_size},
	{OID_GEN_MAXIMUM_FRAME_SIZE, false, frame_size},
	{OID_GEN_MAXIMUM_TOTAL_SIZE, false, total_size},
	{OID_GEN_TRANSMIT_BLOCK_SIZE, false, total_size},
	{OID_GEN_RECEIVE_BLOCK_SIZE, false, total_size},
	{OID_GEN_LINK_SPEED, false, speed},
	{OID_GEN_TRANSMIT_BUFFER_SPACE, false, buffer_space},
	{OID_GEN_RECEIVE_BUFFER_SPACE, false, buffer_space},
	{OID_GEN_VENDOR_ID, false, vendor_id},
	{OID_GEN_VENDOR_DESCRIPTION, false, vendor},
	{OID_GEN_VENDOR_DRIVER_VERSION, false, vendor_driver_version},
	{OID_GEN_DRIVER_VERSION, false, driver_version},
	{OID_GEN_CURRENT_PACKET_FILTER, false, filter},
	{OID_GEN_MAC_OPTIONS, false, mac_options},
	{OID_GEN_MEDIA_CONNECT_STATUS, false, connect_status},
	{OID_GEN_MAXIMUM_SEND_PACKETS, false, send_packets},
	{OID_GEN_PHYSICAL_MEDIUM, false, zero}, /* unspecified */
	{OID_GEN_XMIT_OK, false, sent_frames},
	{OID_GEN_RCV_OK, false, received_frames},
	{OID_GEN_XMIT_ERROR, false, sent_errors},
	{OID_GEN_RCV_ERROR, false, received_errors},
	{OID_GEN_RCV_NO_BUFFER, false, no_buffer},
	{OID_802_3_PERMANENT_ADDRESS, false, permanent_address},
	{OID_802_3_CURRENT_ADDRESS, false, current_address},
	{OID_802_3_MULTICAST_LIST, false, multicast_list},
	{OID_802_3_MAXIMUM_LIST_SIZE, false, multicast_max},
	{OID_802_3_RCV_ERROR_ALIGNMENT, false, zero},
	{OID_802_3_XMIT_ONE_COLLISION, false, zero},
	{OID_802_3_XMIT_MORE_COLLISIONS, false, zero},
	{OID_GEN_LINK_STATE, true, link_state},
	{OID_GEN_MAX_LINK_SPEED, true, max_speed},
	{OID_GEN_BYTES_RCV, true, received_bytes},
	{OID_GEN_BYTES_XMIT, true, sent_bytes},
	{OID_TCP_OFFLOAD_CURRENT_CONFIG, true, offload_config},
	{OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES, true, offload_caps},
	{OID_OFFLOAD_ENCAPSULATION, true, encapsulation},
	{OID_GEN_RECEIVE_SCALE_CAPABILITIES, true, scale_caps},
};

/* Those that can be set only; the list has them too. */
static const struct {
	uint32_t oid;
	bool ndis6;
} sets[] = {
	{OID_GEN_NETWORK_LAYER_ADDRESSES, false},
	{OID_GEN_RNDIS_CONFIG_PARAMETER, false},
	{OID_TCP_OFFLOAD_PARAMETERS, true},
	{OID_GEN_RECEIVE_SCALE_PARAMETERS, true},
};
static_assert((ARRAY_SIZE(queries) + ARRAY_SIZE(sets)) * 4 <= NETVSP_INFO_MAX, "supported list");
static_assert(NETVSP_MULTICAST_MAX * 6 <= NETVSP_INFO_MAX, "multicast list");

static bool knows(const struct netvsp *netvsp, bool ndis6)
{
	return !ndis6 || netvsp->ndis_major >= 6;
}

static void supported_list(struct info *info)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(queries); i++)
		if (knows(info->netvsp, queries[i].ndis6))
			put32(info, queries[i].oid);
	for (unsigned int i = 0; i < ARRAY_SIZE(sets); i++)
		if (knows(info->netvsp, sets[i].ndis6))
			put32(info, sets[i].oid);
}

uint32_t netvsp_oid_query(struct netvsp *netvsp, uint32_t oid, uint8_t *info, uint32_t *ret_len)
{
	struct info out = {.netvsp = netvsp};

	out.at = info;
	for (unsigned int i = 0; i < ARRAY_SIZE(queries); i++) {
		if (queries[i].oid != oid)
			continue;
		queries[i].put(&out);
		*ret_len = out.len;
		return RNDIS_STATUS_SUCCESS;
	}
	log_guest(&netvsp->log, LOG_DEBUG, "netvsp: a query of object %#x is not served", oid);
	return RNDIS_STATUS_NOT_SUPPORTED;
}
