// SPDX-License-Identifier: MIT
/*
 * The VMBus of a machine, and bringing its devices to rest before guest memory goes away under
 * them.
 */
#include "candela/machine_internal.h"
#include "hv-enlight/hv.h"
#include "vmbus/bus.h"
#include "vmbus/vmbus_proto.h"
#include "vmm/log.h"

static uint32_t max_version(enum config_vmbus_version version)
{
	static const uint32_t versions[] = {
		[CONFIG_VMBUS_AUTO] = 0,
		[CONFIG_VMBUS_0_13] = VERSION_WS2008,
		[CONFIG_VMBUS_1_1] = VERSION_WIN7,
		[CONFIG_VMBUS_2_4] = VERSION_WIN8,
		[CONFIG_VMBUS_3_0] = VERSION_WIN8_1,
		[CONFIG_VMBUS_4_0] = VERSION_WIN10,
		[CONFIG_VMBUS_4_1] = VERSION_WIN10_V4_1,
		[CONFIG_VMBUS_5_0] = VERSION_WIN10_V5,
		[CONFIG_VMBUS_5_1] = VERSION_WIN10_V5_1,
		[CONFIG_VMBUS_5_2] = VERSION_WIN10_V5_2,
		[CONFIG_VMBUS_5_3] = VERSION_WIN10_V5_3,
		[CONFIG_VMBUS_6_0] = VERSION_WIN_COPPER,
	};

	return versions[version];
}

int machine_create_vmbus(struct machine *m, struct error *err)
{
	const struct vmbus_config config = {
		.loop = m->loop,
		.mem = m->mem,
		.hv = m->hv,
		.vp_count = m->config->cpus.count,
		.max_version = max_version(m->config->hyperv.vmbus_version),
		.events = machine_sink(m),
	};

	if (!m->config->hyperv.vmbus || !m->hv ||
	    !(hv_features(m->hv) & HV_FEATURE_BIT(HV_FEATURE_SYNIC)))
		return 0;
	return vmbus_create(&config, err, &m->vmbus);
}

static void on_quiet(void *ctx)
{
	struct machine *m = ctx;
	void (*then)(struct machine * m) = m->when_quiet;

	m->when_quiet = NULL;
	then(m);
}

/* Asked for again while it is under way, what was asked for last happens. */
void machine_quiesce(struct machine *m, void (*then)(struct machine *m))
{
	const bool under_way = m->when_quiet;

	m->when_quiet = then;
	if (under_way)
		return;
	if (m->vmbus)
		vmbus_reset(m->vmbus, on_quiet, m);
	else
		on_quiet(m);
}
