// SPDX-License-Identifier: MIT
/*
 * Integration services on the wire: what a host and a guest say to each other about shutting down,
 * being alive, time, key-value pairs and snapshots. The names are those that guest drivers use in
 * public; there is no published specification. Packed and little-endian throughout. No logic.
 *
 * Every message is an in-band packet of a channel in message pipe mode: pipe header, message
 * header, body. The host asks and the guest answers, but for nothing that it says unasked; answers
 * repeat the question's message, with IC_FLAG_RESPONSE and a status, and what was asked for.
 */
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define IC_VERSION(major, minor) ((uint32_t)(major) << 16 | (minor))
#define IC_VERSION_MAJOR(v)      ((uint16_t)((v) >> 16))
#define IC_VERSION_MINOR(v)      ((uint16_t)(v))

/* The longest message with its header that either side sends. */
#define IC_MESSAGE_MAX 13312u

#define IC_PIPE_DATA 1u

struct vmbuspipe_hdr {
	uint32_t flags;   /* IC_PIPE_DATA */
	uint32_t msgsize; /* of what follows */
};
static_assert(sizeof(struct vmbuspipe_hdr) == 8, "pipe header");

struct ic_version {
	uint16_t major;
	uint16_t minor;
};
static_assert(sizeof(struct ic_version) == 4, "version");

enum icmsg_type {
	ICMSGTYPE_NEGOTIATE = 0,
	ICMSGTYPE_HEARTBEAT = 1,
	ICMSGTYPE_KVPEXCHANGE = 2,
	ICMSGTYPE_SHUTDOWN = 3,
	ICMSGTYPE_TIMESYNC = 4,
	ICMSGTYPE_VSS = 5,
};

#define ICMSGHDRFLAG_TRANSACTION 1u /* an answer is expected */
#define ICMSGHDRFLAG_REQUEST     2u
#define ICMSGHDRFLAG_RESPONSE    4u

struct icmsg_hdr {
	struct ic_version icverframe;
	uint16_t icmsgtype;
	struct ic_version icvermsg;
	uint16_t icmsgsize; /* of the body */
	uint32_t status;    /* of an answer: HV_* */
	uint8_t ictransaction_id;
	uint8_t icflags;
	uint8_t reserved[2];
} __attribute__((packed));
static_assert(sizeof(struct icmsg_hdr) == 20, "message header");

/* Statuses; those with the highest bit are failures. */
#define HV_S_OK                 0x00000000u
#define HV_E_FAIL               0x80004005u
#define HV_S_CONT               0x80070103u /* there are no more items */
#define HV_ERROR_NOT_SUPPORTED  0x80070032u
#define HV_ERROR_MACHINE_LOCKED 0x800704f7u
#define HV_INVALIDARG           0x80070057u
#define HV_GUID_NOTFOUND        0x80041002u
#define HV_ERROR_ALREADY_EXISTS 0x80070050u

/* Versions of the framework follow, then those of the service; of an answer, one of each. */
struct icmsg_negotiate {
	uint16_t icframe_vercnt;
	uint16_t icmsg_vercnt;
	uint32_t reserved;
};
static_assert(sizeof(struct icmsg_negotiate) == 8, "negotiate");

/* --- Shutdown: versions 1.0, 3.0, 3.1 (with restart) and 3.2 (with hibernation). ------------ */

#define IC_SHUTDOWN_FORCE     1u /* without asking what runs in the guest */
#define IC_SHUTDOWN_RESTART   2u
#define IC_SHUTDOWN_HIBERNATE 4u

/* Planned, "other": what Windows writes into its log. */
#define IC_SHUTDOWN_REASON_PLANNED 0x80000000u

struct shutdown_msg_data {
	uint32_t reason_code;
	uint32_t timeout_seconds;
	uint32_t flags;
	uint8_t display_message[2048]; /* UTF-16 with a terminating zero */
};
static_assert(sizeof(struct shutdown_msg_data) == 2060, "shutdown");

/* --- Heartbeat: versions 1.0 and 3.0. ------------------------------------------------------- */

enum ic_application_state {
	IC_APPLICATIONS_UNKNOWN = 0,
	IC_APPLICATIONS_HEALTHY = 1,
	IC_APPLICATIONS_CRITICAL = 2,
	IC_APPLICATIONS_STOPPED = 3,
};

/* The answer has the next number. */
struct heartbeat_msg_data {
	uint64_t seq_num;
	uint32_t application_state; /* of an answer */
	uint32_t reserved;
};
static_assert(sizeof(struct heartbeat_msg_data) == 16, "heartbeat");

/* --- Time synchronisation: versions 1.0, 3.0 and 4.0. --------------------------------------- */

#define ICTIMESYNCFLAG_SYNC   1u /* set the clock */
#define ICTIMESYNCFLAG_SAMPLE 2u /* steer by it, or do not */

/* Times are in 100 ns since 1601, UTC. */
#define IC_TIME_UNIX_EPOCH 116444736000000000ull

/* Before 4.0. */
struct ictimesync_data {
	uint64_t parenttime;
	uint64_t childtime;
	uint64_t roundtriptime;
	uint8_t flags;
	uint8_t reserved[3];
} __attribute__((packed));
static_assert(sizeof(struct ictimesync_data) == 28, "time");

struct ictimesync_ref_data {
	uint64_t parenttime;
	uint64_t vmreferencetime; /* the partition's reference time at that moment */
	uint8_t flags;
	uint8_t leapflags;
	uint8_t stratum;
	uint8_t reserved[5];
};
static_assert(sizeof(struct ictimesync_ref_data) == 24, "time with reference");

/* --- Key-value pairs: versions 3.0, 4.0 and 5.0. -------------------------------------------- */

#define HV_KVP_EXCHANGE_MAX_KEY_SIZE   512u /* bytes of UTF-16, the terminating zero included */
#define HV_KVP_EXCHANGE_MAX_VALUE_SIZE 2048u

enum hv_kvp_exchg_op {
	KVP_OP_GET = 0,
	KVP_OP_SET = 1,
	KVP_OP_DELETE = 2,
	KVP_OP_ENUMERATE = 3,
};

enum hv_kvp_exchg_pool {
	KVP_POOL_EXTERNAL = 0,      /* the host's items, for the guest to read */
	KVP_POOL_GUEST = 1,         /* the guest's, for the host */
	KVP_POOL_AUTO = 2,          /* what the guest's system says of itself */
	KVP_POOL_AUTO_EXTERNAL = 3, /* what the host says of the virtual machine */
	KVP_POOL_AUTO_INTERNAL = 4,
	KVP_POOL_COUNT
};

#define REG_SZ  1u
#define REG_U32 4u
#define REG_U64 8u

struct hv_kvp_hdr {
	uint8_t operation;
	uint8_t pool;
	uint16_t pad;
};
static_assert(sizeof(struct hv_kvp_hdr) == 4, "kvp header");

struct hv_kvp_exchg_msg_value {
	uint32_t value_type;
	uint32_t key_size;
	uint32_t value_size;
	uint8_t key[HV_KVP_EXCHANGE_MAX_KEY_SIZE];
	uint8_t value[HV_KVP_EXCHANGE_MAX_VALUE_SIZE];
};
static_assert(sizeof(struct hv_kvp_exchg_msg_value) == 2572, "kvp value");

struct hv_kvp_msg_enumerate {
	uint32_t index;
	struct hv_kvp_exchg_msg_value data;
};
static_assert(sizeof(struct hv_kvp_msg_enumerate) == 2576, "kvp enumerate");

struct hv_kvp_msg_delete {
	uint32_t key_size;
	uint8_t key[HV_KVP_EXCHANGE_MAX_KEY_SIZE];
};
static_assert(sizeof(struct hv_kvp_msg_delete) == 516, "kvp delete");

/* As long as the longest, which is about addresses, whatever it holds: guests answer in place. */
struct hv_kvp_msg {
	struct hv_kvp_hdr kvp_hdr;
	union {
		struct hv_kvp_exchg_msg_value kvp_set; /* and get */
		struct hv_kvp_msg_enumerate kvp_enum_data;
		struct hv_kvp_msg_delete kvp_delete;
		uint8_t kvp_ip_val[7428];
	} body;
};
static_assert(sizeof(struct hv_kvp_msg) == 7432, "kvp");

/* --- Snapshots: version 5.0. ---------------------------------------------------------------- */

enum hv_vss_op {
	VSS_OP_CREATE = 0,
	VSS_OP_DELETE = 1,
	VSS_OP_HOT_BACKUP = 2, /* can it be done while the guest runs? */
	VSS_OP_GET_DM_INFO = 3,
	VSS_OP_BU_COMPLETE = 4,
	VSS_OP_FREEZE = 5,
	VSS_OP_THAW = 6,
	VSS_OP_AUTO_RECOVER = 7,
};

struct hv_vss_msg {
	uint8_t operation;
	uint8_t reserved[7];
	uint32_t flags; /* of answers about what can be done */
};
static_assert(sizeof(struct hv_vss_msg) == 12, "vss");
