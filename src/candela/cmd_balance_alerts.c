// SPDX-License-Identifier: MIT
/* Alerts. See cmd_balance_alerts.h. */
#include "candela/cmd_balance_alerts.h"

#include <stdio.h>

#include "candela/show.h"

/* Percent of the host's memory by which a limit must be left behind. */
#define ROOM 1

struct change {
	bool *flag;
	bool begins, ends;
	const char *alert, *name, *text;
};

static void change(struct balance_output *out, uint64_t time_ms, const struct change *c)
{
	const bool on = *c->flag ? !c->ends : c->begins;

	if (on == *c->flag)
		return;
	*c->flag = on;
	balance_output_alert(out, time_ms, c->alert, c->name, on, c->text);
}

static void available(bool *flag, uint32_t percent, const char *alert, struct balance_output *out,
		      uint64_t time_ms, const struct host_memory *m)
{
	char text[160], a[32], b[32];

	show_bytes(m->available, a);
	show_bytes(m->total, b);
	snprintf(text, sizeof(text), "%s of %s of memory available; the limit is %u %%", a, b,
		 percent);
	change(out, time_ms,
	       &(struct change){.flag = flag,
				.begins = m->available / percent < m->total / 100,
				.ends = m->available / (percent + ROOM) >= m->total / 100,
				.alert = alert,
				.text = text});
}

void balance_alerts_host(struct balance_alerts *alerts, const struct balance_config *config,
			 struct balance_output *out, uint64_t time_ms,
			 const struct host_memory *memory, const struct policy_totals *totals)
{
	if (config->alert.available)
		available(&alerts->low, config->alert.available, "available-low", out, time_ms,
			  memory);
	if (config->alert.critical)
		available(&alerts->critical, config->alert.critical, "available-critical", out,
			  time_ms, memory);
	change(out, time_ms,
	       &(struct change){.flag = &alerts->overpacked,
				.begins = totals->overpacked,
				.ends = !totals->overpacked,
				.alert = "overpacked",
				.text = "the VMs' minimums are more than there is for guests: "
					"move some elsewhere, or lower them"});
	change(out, time_ms,
	       &(struct change){.flag = &alerts->stalled,
				.begins = totals->stalled,
				.ends = !totals->stalled,
				.alert = "stalled",
				.text = "the host waits for memory; no guest is given any"});
}

static void pressure(struct balance_vm *vm, const struct balance_config *config,
		     struct balance_output *out, uint64_t time_ms, uint64_t now_ns)
{
	const uint32_t now = vm->decision.pressure, limit = config->alert.pressure;
	char text[400], why[320];

	if (now <= limit)
		vm->pressed_ns = 0;
	else if (!vm->pressed_ns)
		vm->pressed_ns = now_ns;
	policy_reason_text(&vm->decision, why, sizeof(why));
	snprintf(text, sizeof(text), "pressure %s %u: %s", now > limit ? "above" : "not above",
		 limit, why);
	change(out, time_ms,
	       &(struct change){.flag = &vm->alerted,
				.begins = vm->pressed_ns &&
					  now_ns - vm->pressed_ns >= config->alert.pressure_for_ns,
				.ends = !vm->pressed_ns,
				.alert = "pressure",
				.name = vm->name,
				.text = text});
}

void balance_alerts_vm(struct balance_vm *vm, const struct balance_config *config,
		       struct balance_output *out, uint64_t time_ms, uint64_t now_ns)
{
	const bool silent = vm->decision.reason == POLICY_SILENT;

	pressure(vm, config, out, time_ms, now_ns);
	change(out, time_ms,
	       &(struct change){.flag = &vm->silent,
				.begins = silent,
				.ends = !silent,
				.alert = "silent",
				.name = vm->name,
				.text = silent ? "it does not answer" : "it answers again"});
}
