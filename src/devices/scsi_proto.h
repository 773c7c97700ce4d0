// SPDX-License-Identifier: MIT
/*
 * SCSI on the wire: what SPC-4, SBC-3, SAM-5 and MMC-6 call commands, pages and codes. All numbers
 * of more than one byte are big-endian, and few are aligned: offsets are named where they are used.
 * No logic.
 */
#pragma once

#include <assert.h>
#include <stdint.h>

#define SCSI_CDB_SIZE   16u /* the longest command descriptor block here */
#define SCSI_SENSE_SIZE 18u /* of sense data in fixed format */
#define SCSI_LUN_SIZE   8u

/* Operation codes; those of multimedia commands are together at the end. */
#define SCSI_TEST_UNIT_READY        0x00u
#define SCSI_REQUEST_SENSE          0x03u
#define SCSI_READ_6                 0x08u
#define SCSI_WRITE_6                0x0au
#define SCSI_INQUIRY                0x12u
#define SCSI_MODE_SELECT_6          0x15u
#define SCSI_RESERVE_6              0x16u
#define SCSI_RELEASE_6              0x17u
#define SCSI_MODE_SENSE_6           0x1au
#define SCSI_START_STOP_UNIT        0x1bu
#define SCSI_SEND_DIAGNOSTIC        0x1du
#define SCSI_PREVENT_ALLOW_REMOVAL  0x1eu
#define SCSI_READ_CAPACITY_10       0x25u
#define SCSI_READ_10                0x28u
#define SCSI_WRITE_10               0x2au
#define SCSI_SEEK_10                0x2bu
#define SCSI_WRITE_AND_VERIFY_10    0x2eu
#define SCSI_VERIFY_10              0x2fu
#define SCSI_SYNCHRONIZE_CACHE_10   0x35u
#define SCSI_WRITE_SAME_10          0x41u
#define SCSI_UNMAP                  0x42u
#define SCSI_MODE_SELECT_10         0x55u
#define SCSI_RESERVE_10             0x56u
#define SCSI_RELEASE_10             0x57u
#define SCSI_MODE_SENSE_10          0x5au
#define SCSI_PERSISTENT_RESERVE_IN  0x5eu
#define SCSI_PERSISTENT_RESERVE_OUT 0x5fu
#define SCSI_READ_16                0x88u
#define SCSI_WRITE_16               0x8au
#define SCSI_WRITE_AND_VERIFY_16    0x8eu
#define SCSI_VERIFY_16              0x8fu
#define SCSI_SYNCHRONIZE_CACHE_16   0x91u
#define SCSI_WRITE_SAME_16          0x93u
#define SCSI_SERVICE_ACTION_IN_16   0x9eu
#define SCSI_REPORT_LUNS            0xa0u
#define SCSI_MAINTENANCE_IN         0xa3u
#define SCSI_READ_12                0xa8u
#define SCSI_WRITE_12               0xaau
#define SCSI_WRITE_AND_VERIFY_12    0xaeu
#define SCSI_VERIFY_12              0xafu
#define SCSI_READ_TOC               0x43u
#define SCSI_GET_CONFIGURATION      0x46u
#define SCSI_GET_EVENT_STATUS       0x4au
#define SCSI_READ_DISC_INFORMATION  0x51u
#define SCSI_READ_TRACK_INFORMATION 0x52u
#define SCSI_SET_CD_SPEED           0xbbu
#define SCSI_MECHANISM_STATUS       0xbdu
#define SCSI_READ_DISC_STRUCTURE    0xadu

/* Service actions: the low five bits of the second byte. */
#define SCSI_SERVICE_ACTION_MASK      0x1fu
#define SCSI_SA_READ_CAPACITY_16      0x10u
#define SCSI_SA_GET_LBA_STATUS        0x12u
#define SCSI_SA_REPORT_OPCODES        0x0cu
#define SCSI_SA_REPORT_TASK_FUNCTIONS 0x0du

/* Status. */
#define SCSI_GOOD                 0x00u
#define SCSI_CHECK_CONDITION      0x02u
#define SCSI_BUSY                 0x08u
#define SCSI_RESERVATION_CONFLICT 0x18u
#define SCSI_TASK_ABORTED         0x40u

/* Sense keys. */
#define SCSI_NO_SENSE        0x0u
#define SCSI_NOT_READY       0x2u
#define SCSI_MEDIUM_ERROR    0x3u
#define SCSI_HARDWARE_ERROR  0x4u
#define SCSI_ILLEGAL_REQUEST 0x5u
#define SCSI_UNIT_ATTENTION  0x6u
#define SCSI_DATA_PROTECT    0x7u
#define SCSI_ABORTED_COMMAND 0xbu
#define SCSI_MISCOMPARE      0xeu

/* Additional sense codes, the qualifier in the low byte. */
#define SCSI_ASC_NONE                           0x0000u
#define SCSI_ASC_WRITE_ERROR                    0x0c00u
#define SCSI_ASC_UNRECOVERED_READ_ERROR         0x1100u
#define SCSI_ASC_PARAMETER_LIST_LENGTH_ERROR    0x1a00u
#define SCSI_ASC_MISCOMPARE_DURING_VERIFY       0x1d00u
#define SCSI_ASC_INVALID_OPERATION_CODE         0x2000u
#define SCSI_ASC_LBA_OUT_OF_RANGE               0x2100u
#define SCSI_ASC_INVALID_FIELD_IN_CDB           0x2400u
#define SCSI_ASC_LOGICAL_UNIT_NOT_SUPPORTED     0x2500u
#define SCSI_ASC_INVALID_FIELD_IN_PARAMETERS    0x2600u
#define SCSI_ASC_INVALID_RELEASE_OF_RESERVATION 0x2604u
#define SCSI_ASC_WRITE_PROTECTED                0x2700u
#define SCSI_ASC_SPACE_ALLOCATION_FAILED        0x2707u
#define SCSI_ASC_MEDIUM_MAY_HAVE_CHANGED        0x2800u
#define SCSI_ASC_POWER_ON_OR_RESET              0x2900u
#define SCSI_ASC_MODE_PARAMETERS_CHANGED        0x2a01u
#define SCSI_ASC_RESERVATIONS_PREEMPTED         0x2a03u
#define SCSI_ASC_RESERVATIONS_RELEASED          0x2a04u
#define SCSI_ASC_REGISTRATIONS_PREEMPTED        0x2a05u
#define SCSI_ASC_CAPACITY_CHANGED               0x2a09u
#define SCSI_ASC_SAVING_PARAMETERS_UNSUPPORTED  0x3900u
#define SCSI_ASC_INCOMPATIBLE_MEDIUM            0x3000u
#define SCSI_ASC_NO_MEDIUM_TRAY_CLOSED          0x3a01u
#define SCSI_ASC_NO_MEDIUM_TRAY_OPEN            0x3a02u
#define SCSI_ASC_INTERNAL_TARGET_FAILURE        0x4400u
#define SCSI_ASC_MEDIUM_REMOVAL_PREVENTED       0x5302u
#define SCSI_ASC_INSUFFICIENT_RESOURCES         0x5503u
#define SCSI_ASC_INSUFFICIENT_REGISTRATIONS     0x5504u

/* INQUIRY. */
#define SCSI_INQUIRY_EVPD        0x01u
#define SCSI_INQUIRY_CMDDT       0x02u
#define SCSI_INQUIRY_SIZE        96u
#define SCSI_TYPE_DISK           0x00u
#define SCSI_TYPE_CD_DVD         0x05u
#define SCSI_TYPE_NOT_PRESENT    0x7fu /* with the qualifier: there never is a unit here */
#define SCSI_VERSION_SPC_3       0x05u
#define SCSI_VPD_SUPPORTED_PAGES 0x00u
#define SCSI_VPD_SERIAL_NUMBER   0x80u
#define SCSI_VPD_DEVICE_ID       0x83u
#define SCSI_VPD_BLOCK_LIMITS    0xb0u
#define SCSI_VPD_CHARACTERISTICS 0xb1u
#define SCSI_VPD_PROVISIONING    0xb2u

/* Mode pages. */
#define SCSI_MODE_CACHING      0x08u
#define SCSI_MODE_CONTROL      0x0au
#define SCSI_MODE_CAPABILITIES 0x2au /* of CD and DVD drives */
#define SCSI_MODE_ALL          0x3fu
#define SCSI_MODE_WP           0x80u /* device-specific parameter: write protected */
#define SCSI_MODE_DPOFUA       0x10u /* and: FUA is heeded */

/* Persistent reservations: service actions in and out, types. */
#define SCSI_PR_READ_KEYS           0x00u
#define SCSI_PR_READ_RESERVATION    0x01u
#define SCSI_PR_REPORT_CAPABILITIES 0x02u
#define SCSI_PR_READ_FULL_STATUS    0x03u
#define SCSI_PR_REGISTER            0x00u
#define SCSI_PR_RESERVE             0x01u
#define SCSI_PR_RELEASE             0x02u
#define SCSI_PR_CLEAR               0x03u
#define SCSI_PR_PREEMPT             0x04u
#define SCSI_PR_PREEMPT_AND_ABORT   0x05u
#define SCSI_PR_REGISTER_AND_IGNORE 0x06u
#define SCSI_PR_WRITE_EXCLUSIVE     0x1u
#define SCSI_PR_EXCLUSIVE_ACCESS    0x3u
#define SCSI_PR_WRITE_EXCLUSIVE_RO  0x5u /* registrants only */
#define SCSI_PR_EXCLUSIVE_ACCESS_RO 0x6u
#define SCSI_PR_WRITE_EXCLUSIVE_AR  0x7u /* all registrants */
#define SCSI_PR_EXCLUSIVE_ACCESS_AR 0x8u
#define SCSI_PR_PARAMETER_LIST_SIZE 24u
