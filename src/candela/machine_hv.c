// SPDX-License-Identifier: MIT
/*
 * What VPs tell the machine, and the hypervisor interface between the two. On vCPU threads.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "candela/machine_internal.h"
#include "hv-enlight/hv.h"
#include "hv-enlight/test_device.h"
#include "vmm/log.h"

/* --- VPs that cannot go on. ---------------------------------------------------------------- */

static void on_ended(void *ctx, struct vcpu *vcpu, enum vcpu_end why, const char *detail)
{
	static const enum machine_end ends[] = {
		[VCPU_END_TRIPLE_FAULT] = MACHINE_CRASH,
		[VCPU_END_INTERNAL_ERROR] = MACHINE_CRASH,
		[VCPU_END_HOST_ERROR] = MACHINE_FAILED,
		[VCPU_END_SYSTEM_RESET] = MACHINE_RESET,
		[VCPU_END_SYSTEM_OFF] = MACHINE_POWER_OFF,
		[VCPU_END_SYSTEM_CRASH] = MACHINE_CRASH,
	};
	char text[128];

	snprintf(text, sizeof(text), "VP %u: %s", vcpu->index, detail);
	machine_report(ctx, ends[why], 0, text);
}

/* --- The hooks that lead to the hypervisor interface. --------------------------------------- */

static struct hv *hv_of(void *ctx)
{
	const struct machine *m = ctx;

	return m->hv;
}

static enum vcpu_msr on_read_msr(void *ctx, struct vcpu *vcpu, uint32_t index, uint64_t *ret)
{
	return hv_read_msr(hv_of(ctx), vcpu, index, ret);
}

static enum vcpu_msr on_write_msr(void *ctx, struct vcpu *vcpu, uint32_t index, uint64_t value)
{
	return hv_write_msr(hv_of(ctx), vcpu, index, value);
}

static void on_hook_port(void *ctx, struct vcpu *vcpu, uint16_t port, uint32_t value)
{
	hv_hook_port(hv_of(ctx), vcpu, port, value);
}

static void on_hyperv(void *ctx, struct vcpu *vcpu)
{
	hv_exit(hv_of(ctx), vcpu);
}

static void on_kicked(void *ctx, struct vcpu *vcpu)
{
	hv_kicked(hv_of(ctx), vcpu);
}

const struct vcpu_hooks machine_plain_hooks = {
	.begin = machine_enter_sandbox_vcpu,
	.ended = on_ended,
};

const struct vcpu_hooks machine_hv_hooks = {
	.begin = machine_enter_sandbox_vcpu,
	.ended = on_ended,
	.read_msr = on_read_msr,
	.write_msr = on_write_msr,
	.hook_port = on_hook_port,
	.hyperv = on_hyperv,
	.kicked = on_kicked,
};

/* --- Creation. ----------------------------------------------------------------------------- */

static void on_hv_reset(void *ctx)
{
	machine_report(ctx, MACHINE_RESET, 0, "guest asked for a reset (MSR)");
}

#define PANIC_TEXT "Kernel panic - not syncing: "

/* A Linux kernel that panics reports it here, too, with the end of its log. */
static bool is_panic(const struct hv_crash *crash, char *text, size_t size)
{
	const char *reason = strstr(crash->message, PANIC_TEXT);

	if (!reason)
		return false;
	reason += strlen(PANIC_TEXT);
	snprintf(text, size, "kernel panic: %.*s", (int)strcspn(reason, "\n"), reason);
	return true;
}

static void describe_crash(const struct hv_crash *crash, char *text, size_t size)
{
	const uint64_t *p = crash->parameters;
	size_t len = strlen(crash->message), kept = min_of(len, (size_t)400);
	int head = snprintf(text, size, "crash MSRs: %llx %llx %llx %llx %llx%s",
			    (unsigned long long)p[0], (unsigned long long)p[1],
			    (unsigned long long)p[2], (unsigned long long)p[3],
			    (unsigned long long)p[4], len ? ": " : "");

	/* The end of the text is where the reason stands; one line of it. */
	snprintf(text + head, size - (size_t)head, "%s", crash->message + (len - kept));
	for (char *c = text; (c = strchr(c, '\n'));)
		*c = ' ';
}

static void ignore_crash(struct machine *m, const char *text)
{
	log_guest(&m->crash_log, LOG_WARNING, "%s", text);
	machine_event(m, EVENT_CRASH_IGNORED, text);
}

static void on_hv_crash(void *ctx, const struct hv_crash *crash)
{
	struct machine *m = ctx;
	char text[640];
	bool panic = is_panic(crash, text, sizeof(text));

	if (!panic)
		describe_crash(crash, text, sizeof(text));
	if (m->config->on_panic == CONFIG_PANIC_IGNORE)
		ignore_crash(m, text);
	else if (panic)
		machine_report(m, MACHINE_PANIC, 0, text);
	else
		machine_report(m, MACHINE_CRASH, MACHINE_CRASH_REPORTED, text);
}

struct switch_row {
	enum hv_feature feature;
	size_t offset; /* of the switch in struct config_hyperv_features */
};

static const struct switch_row switch_rows[] = {
	{HV_FEATURE_RUNTIME, offsetof(struct config_hyperv_features, runtime)},
	{HV_FEATURE_REFERENCE_TIME, offsetof(struct config_hyperv_features, reference_time)},
	{HV_FEATURE_FREQUENCIES, offsetof(struct config_hyperv_features, frequencies)},
	{HV_FEATURE_SYNIC, offsetof(struct config_hyperv_features, synic)},
	{HV_FEATURE_STIMERS, offsetof(struct config_hyperv_features, stimers)},
	{HV_FEATURE_DIRECT_STIMERS, offsetof(struct config_hyperv_features, direct_stimers)},
	{HV_FEATURE_APIC, offsetof(struct config_hyperv_features, apic)},
	{HV_FEATURE_RESET, offsetof(struct config_hyperv_features, reset)},
	{HV_FEATURE_IDLE, offsetof(struct config_hyperv_features, idle)},
	{HV_FEATURE_CRASH, offsetof(struct config_hyperv_features, crash)},
	{HV_FEATURE_RELAXED, offsetof(struct config_hyperv_features, relaxed)},
	{HV_FEATURE_SPINLOCKS, offsetof(struct config_hyperv_features, spinlocks)},
	{HV_FEATURE_IPI, offsetof(struct config_hyperv_features, ipi)},
	{HV_FEATURE_TLB_FLUSH, offsetof(struct config_hyperv_features, tlb_flush)},
	{HV_FEATURE_VP_REGISTERS, offsetof(struct config_hyperv_features, vp_registers)},
	{HV_FEATURE_XMM_INPUT, offsetof(struct config_hyperv_features, xmm_input)},
	{HV_FEATURE_EXTENDED_CALLS, offsetof(struct config_hyperv_features, extended_calls)},
	{HV_FEATURE_SINT_POLLING, offsetof(struct config_hyperv_features, sint_polling)},
	{HV_FEATURE_NO_AUTO_EOI, offsetof(struct config_hyperv_features, no_auto_eoi)},
	{HV_FEATURE_EOI_ASSIST, offsetof(struct config_hyperv_features, eoi_assist)},
};

static_assert(ARRAY_SIZE(switch_rows) == HV_FEATURE_COUNT, "a switch for each feature");

static struct hv_feature_switches switches_of(const struct config_hyperv_features *features)
{
	struct hv_feature_switches switches = {0};

	for (size_t i = 0; i < ARRAY_SIZE(switch_rows); i++) {
		const struct switch_row *row = &switch_rows[i];
		enum config_switch value;

		memcpy(&value, (const char *)features + row->offset, sizeof(value));
		if (value == CONFIG_SWITCH_ON)
			switches.on |= HV_FEATURE_BIT(row->feature);
		else if (value == CONFIG_SWITCH_OFF)
			switches.off |= HV_FEATURE_BIT(row->feature);
	}
	return switches;
}

static const struct hv_events events = {.reset = on_hv_reset, .crash = on_hv_crash};

int machine_create_hv(struct machine *m, struct error *err)
{
	static const enum hv_engine_choice choices[] = {
		[CONFIG_ENGINE_AUTO] = HV_ENGINE_AUTO,
		[CONFIG_ENGINE_KERNEL] = HV_ENGINE_KERNEL,
		[CONFIG_ENGINE_USER] = HV_ENGINE_USER,
	};
	const struct hv_config config = {
		.engine = choices[m->config->hyperv.engine],
		.switches = switches_of(&m->config->hyperv.features),
		.spin_retries = m->config->hyperv.spin_retries,
		.events = &events,
		.events_ctx = m,
	};
	const struct hv_host host = {
		.kvm = &m->kvm,
		.mem = m->mem,
		.irqchip = &m->irqchip,
		.vcpus = &m->vcpus,
		.vp_count = m->config->cpus.count,
		.first_slot = MACHINE_OVERLAY_SLOTS,
	};
	int r = hv_create(&config, &host, err, &m->hv);

	if (r < 0)
		return r;
	log_debug("hyperv: engine %s, features %x", hv_engine_name(m->hv), hv_features(m->hv));
	if (!m->config->hyperv.test_device)
		return 0;
	r = hv_test_device_create(m->hv, err, &m->hv_test);
	return r < 0 ? r : hv_test_device_attach(m->hv_test, &m->ports, err);
}
