// SPDX-License-Identifier: MIT
/* What events there are. See event.h; docs/events.md says what they have in them. */
#include "vmm/event.h"

const struct event_kind event_kinds[EVENT_COUNT] = {
	[EVENT_CREATED] = {"created", EVENT_INFO, false},
	[EVENT_RUNNING] = {"running", EVENT_INFO, false},
	[EVENT_PAUSED] = {"paused", EVENT_INFO, false},
	[EVENT_RESUMED] = {"resumed", EVENT_INFO, false},
	[EVENT_RESET] = {"reset", EVENT_WARNING, true},
	[EVENT_CRASH] = {"crash", EVENT_ERROR, false},
	[EVENT_PANIC] = {"panic", EVENT_ERROR, false},
	[EVENT_CRASH_IGNORED] = {"crash-ignored", EVENT_WARNING, true},
	[EVENT_ENDING] = {"ending", EVENT_INFO, false},
	[EVENT_ENDED] = {"ended", EVENT_INFO, false},
	[EVENT_FAILED] = {"failed", EVENT_ERROR, false},
	[EVENT_REQUEST] = {"request", EVENT_INFO, false},
	[EVENT_STOP_ASKED] = {"stop-asked", EVENT_INFO, false},
	[EVENT_STOP_ACCEPTED] = {"stop-accepted", EVENT_INFO, false},
	[EVENT_STOP_REFUSED] = {"stop-refused", EVENT_WARNING, false},
	[EVENT_VMBUS_CONNECTED] = {"vmbus-connected", EVENT_INFO, true},
	[EVENT_VMBUS_DISCONNECTED] = {"vmbus-disconnected", EVENT_INFO, true},
	[EVENT_CHANNEL_OPENED] = {"channel-opened", EVENT_INFO, true},
	[EVENT_CHANNEL_REFUSED] = {"channel-refused", EVENT_WARNING, true},
	[EVENT_CHANNEL_CLOSED] = {"channel-closed", EVENT_INFO, true},
	[EVENT_CHANNEL_BROKEN] = {"channel-broken", EVENT_WARNING, true},
	[EVENT_SERVICE_UP] = {"service-up", EVENT_INFO, true},
	[EVENT_SERVICE_USELESS] = {"service-useless", EVENT_WARNING, true},
	[EVENT_HEARTBEAT] = {"heartbeat", EVENT_INFO, true},
	[EVENT_FREEZE_EXPIRED] = {"freeze-expired", EVENT_WARNING, false},
	[EVENT_DISK_ADDED] = {"disk-added", EVENT_INFO, false},
	[EVENT_DISK_REMOVED] = {"disk-removed", EVENT_INFO, false},
	[EVENT_DISK_ERROR] = {"disk-error", EVENT_ERROR, true},
	[EVENT_NO_SPACE] = {"no-space", EVENT_ERROR, true},
	[EVENT_SPACE] = {"space", EVENT_INFO, true},
	[EVENT_NET_ADDED] = {"net-added", EVENT_INFO, false},
	[EVENT_NET_REMOVED] = {"net-removed", EVENT_INFO, false},
	[EVENT_NET_CHANGED] = {"net-changed", EVENT_INFO, false},
	[EVENT_CPUS] = {"cpus", EVENT_INFO, false},
	[EVENT_NET_LINK] = {"net-link", EVENT_INFO, true},
	[EVENT_MEMORY] = {"memory", EVENT_INFO, true},
	[EVENT_MEMORY_ADDED] = {"memory-added", EVENT_INFO, true},
	[EVENT_SUPPRESSED] = {"suppressed", EVENT_WARNING, false},
	[EVENT_LOST] = {"events-lost", EVENT_WARNING, false},
	[EVENT_LOG_REOPENED] = {"log-reopened", EVENT_INFO, false},
};

const char *event_severity_name(enum event_severity severity)
{
	static const char *const names[] = {"info", "warning", "error"};

	return names[severity];
}
