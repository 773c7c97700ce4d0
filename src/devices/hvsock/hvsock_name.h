// SPDX-License-Identifier: MIT
/*
 * Names of hvsocket services: ports, GUIDs, and what a host's client asks for. No state.
 */
#pragma once

#include "vmbus/guid.h"

#define HVSOCK_NAME_MAX 40u /* of a port or a GUID as text, with its terminating zero */
#define HVSOCK_LINE_MAX 64u /* of what a client of the host asks for, with its line end */

/* The service of a port. */
struct vmbus_guid hvsock_port_guid(uint32_t port);
/* Is it a port? */
bool hvsock_guid_port(const struct vmbus_guid *guid, uint32_t *ret);
/* The port in decimal, or the GUID as text. */
void hvsock_guid_name(const struct vmbus_guid *guid, char name[HVSOCK_NAME_MAX]);
/* "CONNECT 1234", "connect 00000400-facb-11e6-bd58-64006a7986d3"; without a line end. -EINVAL. */
int hvsock_parse_connect(const char *line, size_t len, struct vmbus_guid *ret) must_check;
