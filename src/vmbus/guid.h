// SPDX-License-Identifier: MIT
/*
 * GUIDs of devices: the same for the same virtual machine every time, so that a guest recognizes
 * its disks and network cards after a restart. Pure functions.
 */
#pragma once

#include "vmbus/vmbus_proto.h"
#include "vmm/base.h"

bool vmbus_guid_equal(const struct vmbus_guid *a, const struct vmbus_guid *b);

/*
 * The instance GUID of device @index of kind @type ("scsi", "network", ...) of the machine @vm: the
 * 128-bit FNV-1a hash of both names, each with its terminating zero, and the index as four bytes,
 * least significant first; most significant byte of the hash first, and marked as a GUID of version
 * 8 (RFC 9562: made in a way of one's own). Indices below 256 never collide.
 */
struct vmbus_guid vmbus_instance_guid(const char *vm, const char *type, uint32_t index);
