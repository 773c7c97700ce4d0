// SPDX-License-Identifier: MIT
/*
 * The storage protocol of VMBus on the wire, with the names that guest drivers use in public; there
 * is no published specification. Little-endian. No logic.
 *
 * Every packet is a vstor_packet, of 48 bytes before protocol 5.1 and of 64 from then on; shorter
 * contents are padded. Packets of the guest ask for a completion, which is a VM_PKT_COMP of
 * operation VSTOR_OPERATION_COMPLETE_IO. Data of SCSI requests is in VM_PKT_DATA_USING_GPA_DIRECT.
 */
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

enum vstor_packet_operation {
	VSTOR_OPERATION_COMPLETE_IO = 1,
	VSTOR_OPERATION_REMOVE_DEVICE = 2, /* to the guest */
	VSTOR_OPERATION_EXECUTE_SRB = 3,
	VSTOR_OPERATION_RESET_LUN = 4,
	VSTOR_OPERATION_RESET_ADAPTER = 5,
	VSTOR_OPERATION_RESET_BUS = 6,
	VSTOR_OPERATION_BEGIN_INITIALIZATION = 7,
	VSTOR_OPERATION_END_INITIALIZATION = 8,
	VSTOR_OPERATION_QUERY_PROTOCOL_VERSION = 9,
	VSTOR_OPERATION_QUERY_PROPERTIES = 10,
	VSTOR_OPERATION_ENUMERATE_BUS = 11, /* to the guest: look what units there are */
	VSTOR_OPERATION_FCHBA_DATA = 12,
	VSTOR_OPERATION_CREATE_SUB_CHANNELS = 13,
};

#define VMSTOR_PROTO_VERSION(major, minor) ((uint16_t)((major) << 8 | (minor)))
#define VMSTOR_PROTO_VERSION_WIN6          VMSTOR_PROTO_VERSION(2, 0)
#define VMSTOR_PROTO_VERSION_WIN7          VMSTOR_PROTO_VERSION(4, 2)
#define VMSTOR_PROTO_VERSION_WIN8          VMSTOR_PROTO_VERSION(5, 1)
#define VMSTOR_PROTO_VERSION_WIN8_1        VMSTOR_PROTO_VERSION(6, 0)
#define VMSTOR_PROTO_VERSION_WIN10         VMSTOR_PROTO_VERSION(6, 2)

/* vstor_packet.status: NTSTATUS. */
#define VSTOR_STATUS_SUCCESS                0x00000000u
#define VSTOR_STATUS_BUFFER_OVERFLOW        0x80000005u
#define VSTOR_STATUS_DEVICE_BUSY            0x80000011u
#define VSTOR_STATUS_INVALID_PARAMETER      0xc000000du
#define VSTOR_STATUS_INVALID_DEVICE_REQUEST 0xc0000010u
#define VSTOR_STATUS_REVISION_MISMATCH      0xc0000059u
#define VSTOR_STATUS_DEVICE_DOES_NOT_EXIST  0xc00000c0u
#define VSTOR_STATUS_CANCELLED              0xc0000120u
#define VSTOR_STATUS_INVALID_DEVICE_STATE   0xc0000184u
#define VSTOR_STATUS_IO_DEVICE_ERROR        0xc0000185u

/* vmscsi_request.srb_status: a number, and flags above it. */
#define SRB_STATUS_SUCCESS         0x01u
#define SRB_STATUS_ABORTED         0x02u
#define SRB_STATUS_ERROR           0x04u
#define SRB_STATUS_BUSY            0x05u
#define SRB_STATUS_INVALID_REQUEST 0x06u
#define SRB_STATUS_DATA_OVERRUN    0x12u
#define SRB_STATUS_INVALID_LUN     0x20u
#define SRB_STATUS_MASK            0x3fu
#define SRB_STATUS_QUEUE_FROZEN    0x40u
#define SRB_STATUS_AUTOSENSE_VALID 0x80u

/* vmscsi_request.srb_flags, of which little is of use to a host. */
#define SRB_FLAGS_DISABLE_AUTOSENSE 0x00000020u

/* vmscsi_request.data_in. */
#define VMSCSI_DATA_OUT  0u
#define VMSCSI_DATA_IN   1u
#define VMSCSI_DATA_NONE 2u /* or nobody knows */

#define VMSCSI_CDB_SIZE   16u
#define VMSCSI_SENSE_SIZE 20u

struct vmscsi_request {
	uint16_t length;
	uint8_t srb_status;
	uint8_t scsi_status;
	uint8_t port_number;
	uint8_t path_id;
	uint8_t target_id;
	uint8_t lun;
	uint8_t cdb_length;
	uint8_t sense_info_length;
	uint8_t data_in;
	uint8_t reserved;
	uint32_t data_transfer_length;
	union {
		uint8_t cdb[VMSCSI_CDB_SIZE];          /* in requests */
		uint8_t sense_data[VMSCSI_SENSE_SIZE]; /* in completions */
	};
	/* From protocol 5.1 on. */
	uint16_t reserve;
	uint8_t queue_tag;
	uint8_t queue_action;
	uint32_t srb_flags;
	uint32_t time_out_value;
	uint32_t queue_sort_key;
};
#define VMSCSI_REQUEST_SIZE_V1 36u /* before 5.1 */
static_assert(offsetof(struct vmscsi_request, cdb) == 16, "cdb");
static_assert(offsetof(struct vmscsi_request, reserve) == VMSCSI_REQUEST_SIZE_V1, "version 1");
static_assert(sizeof(struct vmscsi_request) == 52, "vmscsi_request");

#define STORAGE_CHANNEL_SUPPORTS_MULTI_CHANNEL 0x1u

struct vmstorage_channel_properties {
	uint32_t reserved;
	uint16_t max_channel_cnt; /* of sub-channels */
	uint16_t reserved1;
	uint32_t flags;
	uint32_t max_transfer_bytes;
	uint32_t reserved2[2];
};
static_assert(sizeof(struct vmstorage_channel_properties) == 24, "channel properties");

struct vmstorage_protocol_version {
	uint16_t major_minor; /* VMSTOR_PROTO_VERSION_* */
	uint16_t revision;
};
static_assert(sizeof(struct vmstorage_protocol_version) == 4, "protocol version");

/* vstor_packet.flags. */
#define VSTOR_REQUEST_COMPLETION_FLAG 0x1u

struct vstor_packet {
	uint32_t operation; /* enum vstor_packet_operation */
	uint32_t flags;
	uint32_t status;
	union {
		struct vmscsi_request vm_srb;
		struct vmstorage_channel_properties storage_channel_properties;
		struct vmstorage_protocol_version version;
		uint16_t sub_channel_count;
		uint8_t buffer[52];
	};
};
#define VSTOR_PACKET_HEADER  12u
#define VSTOR_PACKET_SIZE_V1 48u
static_assert(offsetof(struct vstor_packet, vm_srb) == VSTOR_PACKET_HEADER, "header");
static_assert(sizeof(struct vstor_packet) == 64, "vstor_packet");

/*
 * Part of the user data of an offer: which disk of an IDE controller a channel is for. Old guests
 * look here, others at the instance GUID.
 */
struct vstor_offer_properties {
	uint16_t reserved;
	uint8_t path_id;
	uint8_t target_id;
	uint32_t reserved2;
	uint32_t flags;
	uint32_t reserved3[3];
};
#define VSTOR_OFFER_EMULATED_IDE 0x2u
static_assert(sizeof(struct vstor_offer_properties) == 24, "offer properties");
