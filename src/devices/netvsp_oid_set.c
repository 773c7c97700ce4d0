// SPDX-License-Identifier: MIT
/*
 * What a guest may set: a list, with how long each is, and nothing that is not on it. The
 * information is a private copy; what it points to is within it. State belongs to the first queue's
 * loop.
 */
#include <errno.h>
#include <string.h>

#include "devices/netvsp_internal.h"

#define FILTERS                                                                                    \
	(NDIS_PACKET_TYPE_DIRECTED | NDIS_PACKET_TYPE_MULTICAST | NDIS_PACKET_TYPE_ALL_MULTICAST | \
	 NDIS_PACKET_TYPE_BROADCAST | NDIS_PACKET_TYPE_PROMISCUOUS)

static uint32_t set_filter(struct netvsp *netvsp, const uint8_t *info, uint32_t len)
{
	uint32_t filter;

	(void)len;
	memcpy(&filter, info, sizeof(filter));
	atomic_store(&netvsp->filter, filter & FILTERS);
	return RNDIS_STATUS_SUCCESS;
}

/* Hints for hosts that answer for their guests, or look ahead. */
static uint32_t ignore(struct netvsp *netvsp, const uint8_t *info, uint32_t len)
{
	(void)netvsp;
	(void)info;
	(void)len;
	return RNDIS_STATUS_SUCCESS;
}

static uint32_t set_multicast(struct netvsp *netvsp, const uint8_t *info, uint32_t len)
{
	const size_t count = len / 6;

	if (len % 6)
		return RNDIS_STATUS_INVALID_LENGTH;
	if (count > NETVSP_MULTICAST_MAX)
		return RNDIS_STATUS_MULTICAST_FULL;
	for (size_t i = 0; i < count; i++)
		if (!(info[6 * i] & 1))
			return RNDIS_STATUS_INVALID_DATA;
	for (size_t i = 0; i < NETVSP_MULTICAST_MAX; i++)
		atomic_store(&netvsp->multicast[i], i < count ? netvsp_address(info + 6 * i) : 0);
	netvsp->multicast_count = (unsigned int)count;
	return RNDIS_STATUS_SUCCESS;
}

/* --- The address. ---------------------------------------------------------------------------- */

static uint32_t use_address(struct netvsp *netvsp, const uint8_t *mac)
{
	const uint64_t address = netvsp_address(mac);

	if (!address || (mac[0] & 1))
		return RNDIS_STATUS_INVALID_DATA;
	atomic_store(&netvsp->mac, address);
	return RNDIS_STATUS_SUCCESS;
}

static uint32_t set_address(struct netvsp *netvsp, const uint8_t *info, uint32_t len)
{
	(void)len;
	return use_address(netvsp, info);
}

static int hex_digit(const uint8_t *utf16)
{
	const uint8_t c = utf16[0];

	if (utf16[1])
		return -1;
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 32) >= 'a' && (c | 32) <= 'f')
		return (c | 32) - 'a' + 10;
	return -1;
}

static uint32_t set_address_text(struct netvsp *netvsp, const uint8_t *value, uint32_t len)
{
	uint8_t mac[6];

	if (len != 4 * sizeof(mac))
		return RNDIS_STATUS_INVALID_DATA;
	for (size_t i = 0; i < sizeof(mac); i++) {
		const int high = hex_digit(value + 4 * i), low = hex_digit(value + 4 * i + 2);

		if (high < 0 || low < 0)
			return RNDIS_STATUS_INVALID_DATA;
		mac[i] = (uint8_t)(high << 4 | low);
	}
	return use_address(netvsp, mac);
}

static bool same_name(const uint8_t *utf16, uint32_t len, const char *name)
{
	if (len != 2 * strlen(name))
		return false;
	for (uint32_t i = 0; i < len; i += 2)
		if (utf16[i] != (uint8_t)name[i / 2] || utf16[i + 1])
			return false;
	return true;
}

static uint32_t set_parameter(struct netvsp *netvsp, const uint8_t *info, uint32_t len)
{
	struct rndis_config_parameter_info in;

	memcpy(&in, info, sizeof(in));
	if (in.parameter_name_offset < sizeof(in) || in.parameter_value_offset < sizeof(in) ||
	    !range_within(in.parameter_name_offset, in.parameter_name_length, len) ||
	    !range_within(in.parameter_value_offset, in.parameter_value_length, len))
		return RNDIS_STATUS_INVALID_DATA;
	if (in.parameter_type == RNDIS_CONFIG_PARAM_TYPE_STRING &&
	    same_name(info + in.parameter_name_offset, in.parameter_name_length, "NetworkAddress"))
		return set_address_text(netvsp, info + in.parameter_value_offset,
					in.parameter_value_length);
	/* Offloads are set as objects; the rest is between the guest and itself. */
	return RNDIS_STATUS_SUCCESS;
}

/* --- Receive-side scaling. ------------------------------------------------------------------- */

/*
 * Backends spread what comes in over their queues by themselves, each flow to the queue that it
 * goes out from, which is what the guest's table is about. So the table is looked at, and no more.
 */
static uint32_t set_scaling(struct netvsp *netvsp, const uint8_t *info, uint32_t len)
{
	struct ndis_recv_scale_param in = {0};
	unsigned int entries;

	memcpy(&in, info, min_of((size_t)len, sizeof(in)));
	if (in.header.type != NDIS_OBJECT_TYPE_RSS_PARAMETERS)
		return RNDIS_STATUS_INVALID_DATA;
	if ((in.flag & NDIS_RSS_PARAM_DISABLE) || !(in.hashinfo & NDIS_HASH_FUNCTION_MASK))
		return RNDIS_STATUS_SUCCESS;
	entries = in.indirect_tabsize / sizeof(uint32_t);
	if ((in.hashinfo & NDIS_HASH_FUNCTION_MASK) != NDIS_HASH_FUNCTION_TOEPLITZ ||
	    in.hashkey_size != NDIS_RSS_KEY_SIZE || !entries || entries > NDIS_RSS_TABLE_MAX ||
	    in.indirect_tabsize % sizeof(uint32_t) ||
	    !range_within(in.indirect_taboffset, in.indirect_tabsize, len) ||
	    !range_within(in.hashkey_offset, in.hashkey_size, len))
		return RNDIS_STATUS_INVALID_DATA;
	for (unsigned int i = 0; i < entries; i++) {
		uint32_t queue;

		memcpy(&queue, info + in.indirect_taboffset + i * sizeof(queue), sizeof(queue));
		if (queue >= netvsp->queue_count)
			return RNDIS_STATUS_INVALID_DATA;
	}
	return RNDIS_STATUS_SUCCESS;
}

static uint32_t set_encapsulation(struct netvsp *netvsp, const uint8_t *info, uint32_t len)
{
	struct ndis_offload_encapsulation in;

	(void)netvsp;
	(void)len;
	memcpy(&in, info, sizeof(in));
	if (in.header.type != NDIS_OBJECT_TYPE_OFFLOAD_ENCAPSULATION)
		return RNDIS_STATUS_INVALID_DATA;
	if ((in.ip4_enabled == NDIS_ENCAPSULATION_SET_ON &&
	     (in.ip4_type != NDIS_OFFLOAD_ENCAP_8023 || in.ip4_header_size != ETHERNET_HEADER)) ||
	    (in.ip6_enabled == NDIS_ENCAPSULATION_SET_ON &&
	     (in.ip6_type != NDIS_OFFLOAD_ENCAP_8023 || in.ip6_header_size != ETHERNET_HEADER)))
		return RNDIS_STATUS_NOT_SUPPORTED;
	return RNDIS_STATUS_SUCCESS;
}

/* --- The list. ------------------------------------------------------------------------------- */

static const struct set {
	uint32_t oid;
	uint32_t least, most; /* bytes of information */
	uint32_t (*run)(struct netvsp *netvsp, const uint8_t *info, uint32_t len);
} sets[] = {
	{OID_GEN_CURRENT_PACKET_FILTER, 4, 4, set_filter},
	{OID_GEN_CURRENT_LOOKAHEAD, 4, 4, ignore},
	{OID_GEN_PROTOCOL_OPTIONS, 4, 4, ignore},
	{OID_GEN_NETWORK_LAYER_ADDRESSES, 0, NETVSP_CONTROL_MAX, ignore},
	{OID_GEN_LINK_PARAMETERS, 4, 64, ignore},
	{OID_802_3_MULTICAST_LIST, 0, NETVSP_CONTROL_MAX, set_multicast},
	{OID_802_3_CURRENT_ADDRESS, 6, 6, set_address},
	{OID_GEN_RNDIS_CONFIG_PARAMETER, sizeof(struct rndis_config_parameter_info), 1024,
	 set_parameter},
	{OID_TCP_OFFLOAD_PARAMETERS, offsetof(struct ndis_offload_params, ip_sec_v2), 64,
	 netvsp_offloads_set},
	{OID_OFFLOAD_ENCAPSULATION, sizeof(struct ndis_offload_encapsulation), 32,
	 set_encapsulation},
	{OID_GEN_RECEIVE_SCALE_PARAMETERS,
	 offsetof(struct ndis_recv_scale_param, processor_masks_offset), NETVSP_CONTROL_MAX,
	 set_scaling},
};

uint32_t netvsp_oid_set(struct netvsp *netvsp, uint32_t oid, const uint8_t *info, uint32_t len)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(sets); i++) {
		if (sets[i].oid != oid)
			continue;
		if (len < sets[i].least || len > sets[i].most)
			return RNDIS_STATUS_INVALID_LENGTH;
		return sets[i].run(netvsp, info, len);
	}
	log_guest(&netvsp->log, LOG_DEBUG, "netvsp: setting object %#x is not served", oid);
	return RNDIS_STATUS_NOT_SUPPORTED;
}
