// SPDX-License-Identifier: MIT
/*
 * A layer that writes all frames, of both directions, into a capture file (pcapng) as they pass. A
 * file that is too slow loses frames from the capture, never from the wire; the file's end says how
 * many.
 */
#pragma once

#include "devices/net/net_backend.h"

#define NET_PCAP_SNAP_MAX 65535u

/*
 * Owns @lower from here on, unless it fails. @path is created, or emptied; of each frame @snap
 * bytes are kept. -errno of the host's.
 */
int net_pcap_create(struct net_backend *lower, const char *path, uint32_t snap, struct error *err,
		    struct net_backend **ret) must_check;
