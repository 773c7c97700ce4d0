// SPDX-License-Identifier: MIT
/*
 * Remote NDIS on the wire, as network devices of VMBus speak it ([MS-RNDIS], and the structures of
 * NDIS that its queries carry). Little-endian. No logic.
 *
 * A message is a header, the fields of its type, and what these point to: offsets count from the
 * end of the header, in structures of NDIS from their own beginning.
 */
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

enum rndis_message_type {
	RNDIS_MSG_PACKET = 1,
	RNDIS_MSG_INIT = 2,
	RNDIS_MSG_HALT = 3,
	RNDIS_MSG_QUERY = 4,
	RNDIS_MSG_SET = 5,
	RNDIS_MSG_RESET = 6,
	RNDIS_MSG_INDICATE = 7,
	RNDIS_MSG_KEEPALIVE = 8,
};
#define RNDIS_MSG_COMPLETION 0x80000000u /* the answer to a message of the type below */

struct rndis_header {
	uint32_t msg_type;
	uint32_t msg_len; /* with the header */
};
static_assert(sizeof(struct rndis_header) == 8, "header");

#define RNDIS_STATUS_SUCCESS           0x00000000u
#define RNDIS_STATUS_MEDIA_CONNECT     0x4001000bu
#define RNDIS_STATUS_MEDIA_DISCONNECT  0x4001000cu
#define RNDIS_STATUS_NETWORK_CHANGE    0x40010018u
#define RNDIS_STATUS_OFFLOAD_CONFIG    0x40020006u /* with a struct ndis_offload */
#define RNDIS_STATUS_FAILURE           0xc0000001u
#define RNDIS_STATUS_NOT_SUPPORTED     0xc00000bbu
#define RNDIS_STATUS_BAD_VERSION       0xc0010004u
#define RNDIS_STATUS_MULTICAST_FULL    0xc0010009u
#define RNDIS_STATUS_INVALID_LENGTH    0xc0010014u
#define RNDIS_STATUS_INVALID_DATA      0xc0010015u
#define RNDIS_STATUS_ADAPTER_NOT_READY 0xc0010011u

#define RNDIS_MAJOR_VERSION 1u
#define RNDIS_MINOR_VERSION 0u

struct rndis_initialize_request {
	uint32_t req_id;
	uint32_t major_ver, minor_ver;
	uint32_t max_xfer_size;
};
static_assert(sizeof(struct rndis_initialize_request) == 16, "initialize");

#define RNDIS_DF_CONNECTIONLESS 1u
#define RNDIS_MEDIUM_802_3      0u

struct rndis_initialize_complete {
	uint32_t req_id;
	uint32_t status;
	uint32_t major_ver, minor_ver;
	uint32_t dev_flags;
	uint32_t medium;
	uint32_t max_pkt_per_msg;
	uint32_t max_xfer_size;
	uint32_t pkt_alignment_factor; /* a power of two */
	uint32_t af_list_offset;
	uint32_t af_list_size;
};
static_assert(sizeof(struct rndis_initialize_complete) == 44, "initialize complete");

/* Also of keep-alives and halts, the latter without an answer. */
struct rndis_request {
	uint32_t req_id;
};
struct rndis_complete {
	uint32_t req_id;
	uint32_t status;
};
static_assert(sizeof(struct rndis_complete) == 8, "complete");

/* Of queries and sets. */
struct rndis_oid_request {
	uint32_t req_id;
	uint32_t oid;
	uint32_t info_buflen;
	uint32_t info_buf_offset;
	uint32_t dev_vc_handle;
};
static_assert(sizeof(struct rndis_oid_request) == 20, "query, set");

struct rndis_query_complete {
	uint32_t req_id;
	uint32_t status;
	uint32_t info_buflen;
	uint32_t info_buf_offset;
};
static_assert(sizeof(struct rndis_query_complete) == 16, "query complete");

struct rndis_reset_request {
	uint32_t reserved;
};
struct rndis_reset_complete {
	uint32_t status;
	uint32_t addressing_reset; /* filter and addresses have to be set anew */
};
static_assert(sizeof(struct rndis_reset_complete) == 8, "reset complete");

struct rndis_indicate_status {
	uint32_t status;
	uint32_t status_buflen;
	uint32_t status_buf_offset;
};
static_assert(sizeof(struct rndis_indicate_status) == 12, "indicate");

/* --- Packets. ------------------------------------------------------------------------------ */

struct rndis_packet {
	uint32_t data_offset;
	uint32_t data_len;
	uint32_t oob_data_offset;
	uint32_t oob_data_len;
	uint32_t num_oob_data_elements;
	uint32_t per_pkt_info_offset;
	uint32_t per_pkt_info_len;
	uint32_t vc_handle;
	uint32_t reserved;
};
static_assert(sizeof(struct rndis_packet) == 36, "packet");

#define RNDIS_PPI_INTERNAL 0x80000000u /* in the type: one of VMBus' own */

struct rndis_per_packet_info {
	uint32_t size; /* with this */
	uint32_t type;
	uint32_t ppi_offset; /* from the beginning of this */
};
static_assert(sizeof(struct rndis_per_packet_info) == 12, "per-packet info");

enum ndis_per_packet_info {
	NDIS_PPI_CHECKSUM = 0,
	NDIS_PPI_LSO = 2,
	NDIS_PPI_8021Q = 6,
};
#define RNDIS_PKTINFO_ID (RNDIS_PPI_INTERNAL | 1u)

/* Of a packet to the host: what is to be filled in. */
#define NDIS_TXCSUM_IS_IPV4                 (1u << 0)
#define NDIS_TXCSUM_IS_IPV6                 (1u << 1)
#define NDIS_TXCSUM_TCP                     (1u << 2)
#define NDIS_TXCSUM_UDP                     (1u << 3)
#define NDIS_TXCSUM_IP                      (1u << 4)
#define NDIS_TXCSUM_TRANSPORT_OFFSET(value) ((value) >> 16 & 0x3ffu)

/* Of one to the guest: what was looked at. */
#define NDIS_RXCSUM_TCP_FAILED        (1u << 0)
#define NDIS_RXCSUM_UDP_FAILED        (1u << 1)
#define NDIS_RXCSUM_IP_FAILED         (1u << 2)
#define NDIS_RXCSUM_TCP_SUCCEEDED     (1u << 3)
#define NDIS_RXCSUM_UDP_SUCCEEDED     (1u << 4)
#define NDIS_RXCSUM_IP_SUCCEEDED      (1u << 5)
#define NDIS_RXCSUM_LOOPBACK          (1u << 6)
#define NDIS_RXCSUM_TCP_VALUE_INVALID (1u << 7) /* good, though not what stands there */
#define NDIS_RXCSUM_IP_VALUE_INVALID  (1u << 8)

/* Large sends. Version 1 is for IPv4 only, and has no such bits. */
#define NDIS_LSO_MSS(value)              ((value)&0xfffffu)
#define NDIS_LSO_TRANSPORT_OFFSET(value) ((value) >> 20 & 0x3ffu)
#define NDIS_LSO_V2                      (1u << 30)
#define NDIS_LSO_V2_IPV6                 (1u << 31)

/* 802.1Q: from bit 0 on priority, DEI, and the VLAN's number. */
#define NDIS_8021Q_PRIORITY(value) ((value)&7u)
#define NDIS_8021Q_DEI(value)      ((value) >> 3 & 1u)
#define NDIS_8021Q_VLAN(value)     ((value) >> 4 & 0xfffu)

/* A packet that is in several sections of the receive buffer. */
#define RNDIS_PKTINFO_ID_V1     1u
#define RNDIS_PKTINFO_SUBALLOC  (1u << 0)
#define RNDIS_PKTINFO_1ST_FRAG  (1u << 1)
#define RNDIS_PKTINFO_LAST_FRAG (1u << 2)

struct rndis_pktinfo_id {
	uint8_t ver;
	uint8_t flag;
	uint16_t pkt_id;
};
static_assert(sizeof(struct rndis_pktinfo_id) == 4, "packet id");

/* --- Objects. ------------------------------------------------------------------------------ */

enum rndis_oid {
	OID_GEN_SUPPORTED_LIST = 0x00010101,
	OID_GEN_HARDWARE_STATUS = 0x00010102,
	OID_GEN_MEDIA_SUPPORTED = 0x00010103,
	OID_GEN_MEDIA_IN_USE = 0x00010104,
	OID_GEN_MAXIMUM_LOOKAHEAD = 0x00010105,
	OID_GEN_MAXIMUM_FRAME_SIZE = 0x00010106,
	OID_GEN_LINK_SPEED = 0x00010107,
	OID_GEN_TRANSMIT_BUFFER_SPACE = 0x00010108,
	OID_GEN_RECEIVE_BUFFER_SPACE = 0x00010109,
	OID_GEN_TRANSMIT_BLOCK_SIZE = 0x0001010a,
	OID_GEN_RECEIVE_BLOCK_SIZE = 0x0001010b,
	OID_GEN_VENDOR_ID = 0x0001010c,
	OID_GEN_VENDOR_DESCRIPTION = 0x0001010d,
	OID_GEN_CURRENT_PACKET_FILTER = 0x0001010e,
	OID_GEN_CURRENT_LOOKAHEAD = 0x0001010f,
	OID_GEN_DRIVER_VERSION = 0x00010110,
	OID_GEN_MAXIMUM_TOTAL_SIZE = 0x00010111,
	OID_GEN_PROTOCOL_OPTIONS = 0x00010112,
	OID_GEN_MAC_OPTIONS = 0x00010113,
	OID_GEN_MEDIA_CONNECT_STATUS = 0x00010114,
	OID_GEN_MAXIMUM_SEND_PACKETS = 0x00010115,
	OID_GEN_VENDOR_DRIVER_VERSION = 0x00010116,
	OID_GEN_NETWORK_LAYER_ADDRESSES = 0x00010118,
	OID_GEN_PHYSICAL_MEDIUM = 0x00010202,
	OID_GEN_RECEIVE_SCALE_CAPABILITIES = 0x00010203,
	OID_GEN_RECEIVE_SCALE_PARAMETERS = 0x00010204,
	OID_GEN_MAX_LINK_SPEED = 0x00010206,
	OID_GEN_LINK_STATE = 0x00010207,
	OID_GEN_LINK_PARAMETERS = 0x00010208,
	OID_GEN_RNDIS_CONFIG_PARAMETER = 0x0001021b,
	OID_GEN_XMIT_OK = 0x00020101,
	OID_GEN_RCV_OK = 0x00020102,
	OID_GEN_XMIT_ERROR = 0x00020103,
	OID_GEN_RCV_ERROR = 0x00020104,
	OID_GEN_RCV_NO_BUFFER = 0x00020105,
	OID_GEN_FRIENDLY_NAME = 0x00020216,
	OID_GEN_BYTES_RCV = 0x00020219,
	OID_GEN_BYTES_XMIT = 0x0002021a,
	OID_802_3_PERMANENT_ADDRESS = 0x01010101,
	OID_802_3_CURRENT_ADDRESS = 0x01010102,
	OID_802_3_MULTICAST_LIST = 0x01010103,
	OID_802_3_MAXIMUM_LIST_SIZE = 0x01010104,
	OID_OFFLOAD_ENCAPSULATION = 0x0101010a,
	OID_802_3_RCV_ERROR_ALIGNMENT = 0x01020101,
	OID_802_3_XMIT_ONE_COLLISION = 0x01020102,
	OID_802_3_XMIT_MORE_COLLISIONS = 0x01020103,
};
/* Above what an enum holds. */
#define OID_TCP_OFFLOAD_CURRENT_CONFIG        0xfc01020bu
#define OID_TCP_OFFLOAD_PARAMETERS            0xfc01020cu
#define OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES 0xfc01020du

#define NDIS_PACKET_TYPE_DIRECTED      0x0001u
#define NDIS_PACKET_TYPE_MULTICAST     0x0002u
#define NDIS_PACKET_TYPE_ALL_MULTICAST 0x0004u
#define NDIS_PACKET_TYPE_BROADCAST     0x0008u
#define NDIS_PACKET_TYPE_PROMISCUOUS   0x0020u

#define NDIS_MEDIA_STATE_CONNECTED    0u
#define NDIS_MEDIA_STATE_DISCONNECTED 1u

#define NDIS_MAC_OPTION_COPY_LOOKAHEAD_DATA 0x0001u
#define NDIS_MAC_OPTION_TRANSFERS_NOT_PEND  0x0004u
#define NDIS_MAC_OPTION_NO_LOOPBACK         0x0008u
#define NDIS_MAC_OPTION_FULL_DUPLEX         0x0010u
#define NDIS_MAC_OPTION_8021P_PRIORITY      0x0040u
#define NDIS_MAC_OPTION_8021Q_VLAN          0x0200u

#define NDIS_OBJECT_TYPE_DEFAULT               0x80u
#define NDIS_OBJECT_TYPE_RSS_CAPABILITIES      0x88u
#define NDIS_OBJECT_TYPE_RSS_PARAMETERS        0x89u
#define NDIS_OBJECT_TYPE_OFFLOAD               0xa7u
#define NDIS_OBJECT_TYPE_OFFLOAD_ENCAPSULATION 0xa8u

struct ndis_object_header {
	uint8_t type;
	uint8_t revision;
	uint16_t size;
};
static_assert(sizeof(struct ndis_object_header) == 4, "object header");

/* Media states of OID_GEN_LINK_STATE. */
#define NDIS_LINK_CONNECTED    1u
#define NDIS_LINK_DISCONNECTED 2u
#define NDIS_DUPLEX_FULL       2u

struct ndis_link_state {
	struct ndis_object_header header;
	uint32_t media_connect_state;
	uint32_t media_duplex_state;
	uint32_t padding;
	uint64_t xmit_link_speed;
	uint64_t rcv_link_speed;
	uint32_t pause_functions;
	uint32_t auto_negotiation_flags;
};
static_assert(sizeof(struct ndis_link_state) == 40, "link state");

struct ndis_link_speed {
	uint64_t xmit;
	uint64_t rcv;
};
static_assert(sizeof(struct ndis_link_speed) == 16, "link speed");

/* OID_GEN_RNDIS_CONFIG_PARAMETER. Names and strings are UTF-16. */
#define RNDIS_CONFIG_PARAM_TYPE_STRING 2u

struct rndis_config_parameter_info {
	uint32_t parameter_name_offset;
	uint32_t parameter_name_length;
	uint32_t parameter_type;
	uint32_t parameter_value_offset;
	uint32_t parameter_value_length;
};
static_assert(sizeof(struct rndis_config_parameter_info) == 20, "config parameter");

/* --- Offloads. ----------------------------------------------------------------------------- */

#define NDIS_OFFLOAD_ENCAP_8023 2u

/* Each of these is a field of two bits, of which 1 says yes. */
#define NDIS_CSUM_CAP_IP_OPTIONS  0x001u /* IPv6: extension headers */
#define NDIS_CSUM_CAP_TCP_OPTIONS 0x004u
#define NDIS_CSUM_CAP_TCP         0x010u
#define NDIS_CSUM_CAP_UDP         0x040u
#define NDIS_CSUM_CAP_IP          0x100u

struct ndis_csum_offload {
	uint32_t ip4_txenc, ip4_txcsum;
	uint32_t ip4_rxenc, ip4_rxcsum;
	uint32_t ip6_txenc, ip6_txcsum;
	uint32_t ip6_rxenc, ip6_rxcsum;
};

#define NDIS_LSOV2_CAP_IP6_EXTENSIONS 0x001u
#define NDIS_LSOV2_CAP_TCP6_OPTIONS   0x004u

struct ndis_lsov2_offload {
	uint32_t ip4_encap, ip4_maxsz, ip4_minsg;
	uint32_t ip6_encap, ip6_maxsz, ip6_minsg;
	uint32_t ip6_opts;
};

struct ndis_offload {
	struct ndis_object_header header;
	struct ndis_csum_offload csum;
	uint32_t lsov1[4]; /* as ip4_encap, _maxsz, _minsg; options */
	uint32_t ipsecv1[7];
	struct ndis_lsov2_offload lsov2;
	uint32_t flags;
	/* From revision 2 on. */
	uint32_t ipsecv2[8];
	/* From revision 3 on. */
	uint8_t rsc_ip4, rsc_ip6;
	uint8_t reserved[2];
	uint32_t encap_gre[2];
};
static_assert(offsetof(struct ndis_offload, lsov2) == 80, "lsov2");
static_assert(offsetof(struct ndis_offload, ipsecv2) == 112, "revision 1");
static_assert(offsetof(struct ndis_offload, rsc_ip4) == 144, "revision 2");
static_assert(sizeof(struct ndis_offload) == 156, "revision 3");

/* OID_TCP_OFFLOAD_PARAMETERS: 0 is no change everywhere. */
#define NDIS_OFFLOAD_TX_RX_DISABLED 1u
#define NDIS_OFFLOAD_TX_ENABLED     2u
#define NDIS_OFFLOAD_RX_ENABLED     3u
#define NDIS_OFFLOAD_TX_RX_ENABLED  4u
#define NDIS_OFFLOAD_DISABLED       1u /* LSO and RSC */
#define NDIS_OFFLOAD_ENABLED        2u

struct ndis_offload_params {
	struct ndis_object_header header;
	uint8_t ip_v4_csum;
	uint8_t tcp_ip_v4_csum;
	uint8_t udp_ip_v4_csum;
	uint8_t tcp_ip_v6_csum;
	uint8_t udp_ip_v6_csum;
	uint8_t lso_v1;
	uint8_t ip_sec_v1;
	uint8_t lso_v2_ipv4;
	uint8_t lso_v2_ipv6;
	uint8_t tcp_connection_ip_v4;
	uint8_t tcp_connection_ip_v6;
	uint8_t reserved;
	uint32_t flags;
	/* From revision 2 on. */
	uint8_t ip_sec_v2;
	uint8_t ip_sec_v2_ip_v4;
	/* From revision 3 on. */
	uint8_t rsc_ip_v4;
	uint8_t rsc_ip_v6;
	uint8_t encapsulated_packet_task_offload;
	uint8_t encapsulation_types;
	uint8_t padding[2];
};
static_assert(offsetof(struct ndis_offload_params, ip_sec_v2) == 20, "revision 1");
static_assert(offsetof(struct ndis_offload_params, rsc_ip_v4) == 22, "revision 2");
static_assert(sizeof(struct ndis_offload_params) == 28, "revision 3");

#define NDIS_ENCAPSULATION_SET_ON 1u

struct ndis_offload_encapsulation {
	struct ndis_object_header header;
	uint32_t ip4_enabled, ip4_type, ip4_header_size;
	uint32_t ip6_enabled, ip6_type, ip6_header_size;
};
static_assert(sizeof(struct ndis_offload_encapsulation) == 28, "encapsulation");

/* --- Receive-side scaling. ----------------------------------------------------------------- */

#define NDIS_HASH_FUNCTION_MASK     0x000000ffu
#define NDIS_HASH_FUNCTION_TOEPLITZ 0x00000001u

#define NDIS_RSS_CAPS_HASH_TYPE_TCP_IPV4 0x00000100u
#define NDIS_RSS_CAPS_HASH_TYPE_TCP_IPV6 0x00000200u

#define NDIS_RSS_TABLE_MAX 128u
#define NDIS_RSS_KEY_SIZE  40u

/* Of revision 2 without the padding at its end. */
#define NDIS_RSS_CAPABILITIES_SIZE 18u

struct ndis_recv_scale_cap {
	struct ndis_object_header header;
	uint32_t cap_flags;
	uint32_t num_int_msg;
	uint32_t num_recv_que;
	uint16_t num_indirect_tabent;
	uint16_t padding;
};
static_assert(sizeof(struct ndis_recv_scale_cap) == 20, "rss capabilities");

#define NDIS_RSS_PARAM_HASH_INFO_UNCHANGED 0x0002u
#define NDIS_RSS_PARAM_TABLE_UNCHANGED     0x0004u
#define NDIS_RSS_PARAM_KEY_UNCHANGED       0x0008u
#define NDIS_RSS_PARAM_DISABLE             0x0010u

struct ndis_recv_scale_param {
	struct ndis_object_header header;
	uint16_t flag;
	uint16_t base_cpu_number;
	uint32_t hashinfo;
	uint16_t indirect_tabsize;
	uint16_t padding1;
	uint32_t indirect_taboffset;
	uint16_t hashkey_size;
	uint16_t padding2;
	uint32_t hashkey_offset;
	/* From revision 2 on. */
	uint32_t processor_masks_offset;
	uint32_t num_processor_masks;
	uint32_t processor_masks_entry_size;
};
static_assert(offsetof(struct ndis_recv_scale_param, processor_masks_offset) == 28, "revision 1");
static_assert(sizeof(struct ndis_recv_scale_param) == 40, "rss parameters");
