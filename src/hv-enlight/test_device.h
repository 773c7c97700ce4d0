// SPDX-License-Identifier: MIT
/*
 * A device for testing SynIC from inside a guest, compatible with QEMU's hyperv-testdev: one port
 * that makes connections and raises SINTs. kvm-unit-tests' hyperv group drives it. Off unless the
 * configuration asks for it.
 *
 * A write is connection id (bits 24-31), command (16-23), VP index (8-15), SINT (0-7). A message
 * connection sends what is posted to it back to its VP and SINT; an event connection sets the event
 * flag of its own number there. What QEMU's does not have: a doorbell connection (command 8), whose
 * signals end in an eventfd as those of a VMBus channel do; nobody reads it.
 */
#pragma once

#include "hv-enlight/synic.h"
#include "vmm/bus.h"

#define HV_TEST_PORT 0x3000

struct hv_test_device;

int hv_test_device_create(struct hv *hv, struct error *err, struct hv_test_device **ret) must_check;
/* Closes its connections. */
void hv_test_device_destroy(struct hv_test_device *device);
/* Claims HV_TEST_PORT. */
int hv_test_device_attach(struct hv_test_device *device, struct bus *ports,
			  struct error *err) must_check;
/* A machine's reset: closes all connections. No VP runs. */
void hv_test_device_reset(struct hv_test_device *device);
