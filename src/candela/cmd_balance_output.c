// SPDX-License-Identifier: MIT
/* What candela balance says. See cmd_balance_output.h. */
#include "candela/cmd_balance_output.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "candela/show.h"
#include "vmm/json_build.h"

#define STYLE (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

/* A pipe that can be written to has room for so much. */
#define TEXT_MAX 4096

static bool has_room(void)
{
	struct pollfd pfd = {.fd = STDOUT_FILENO, .events = POLLOUT};

	return poll(&pfd, 1, 0) == 1;
}

static void say(struct balance_output *out, const char *text)
{
	char line[TEXT_MAX];
	int len;

	if (out->failed)
		return;
	if (!has_room()) {
		out->dropped++;
		return;
	}
	len = snprintf(line, sizeof(line) - 1, "%s", text);
	len = (int)min_of((size_t)len, sizeof(line) - 2);
	line[len++] = '\n';
	if (write(STDOUT_FILENO, line, (size_t)len) < 0 && errno != EINTR)
		out->failed = true;
}

static void say_json(struct balance_output *out, struct json_object *o, int r)
{
	if (r == 0 && out->dropped)
		r = json_put_integer(o, "dropped", out->dropped);
	if (r == 0) {
		const uint64_t before = out->dropped;

		say(out, json_object_to_json_string_ext(o, STYLE));
		if (out->dropped == before)
			out->dropped = 0;
	}
	json_object_put(o);
}

static void say_text(struct balance_output *out, uint64_t time_ms, const char *text)
{
	const time_t t = (time_t)(time_ms / 1000);
	char when[40] = "", line[TEXT_MAX + sizeof(when)];
	struct tm tm;

	if (localtime_r(&t, &tm))
		strftime(when, sizeof(when), "%F %T", &tm);
	snprintf(line, sizeof(line), "%s %s", when, text);
	say(out, line);
}

static struct json_object *event_of(const char *event, uint64_t time_ms, const char *name, int *r)
{
	struct json_object *o = json_object_new_object();

	*r = o ? json_put(o, "time", balance_time(time_ms)) : -ENOMEM;
	if (*r == 0)
		*r = json_put_string(o, "event", event);
	if (*r == 0 && name)
		*r = json_put_string(o, "name", name);
	return o;
}

void balance_output_move(struct balance_output *out, uint64_t time_ms, const char *name,
			 uint64_t from, const struct policy_decision *decision)
{
	char why[320], text[TEXT_MAX], a[32], b[32];
	struct json_object *o;
	int r;

	policy_reason_text(decision, why, sizeof(why));
	if (!out->json) {
		show_bytes(from, a);
		show_bytes(decision->target, b);
		snprintf(text, sizeof(text), "%s: %s -> %s: %s", name, a, b, why);
		say_text(out, time_ms, text);
		return;
	}
	o = event_of("target", time_ms, name, &r);
	if (r == 0)
		r = json_put_integer(o, "from", from);
	if (r == 0)
		r = json_put_integer(o, "to", decision->target);
	if (r == 0)
		r = json_put_string(o, "reason", policy_reason_name(decision->reason));
	if (r == 0)
		r = json_put_string(o, "text", why);
	say_json(out, o, r);
}

void balance_output_alert(struct balance_output *out, uint64_t time_ms, const char *alert,
			  const char *name, bool on, const char *text)
{
	char line[TEXT_MAX];
	struct json_object *o;
	int r;

	if (!out->json) {
		snprintf(line, sizeof(line), "%s%s: %s",
			 on ? "alert: " : "over: ", name ? name : "host", text);
		say_text(out, time_ms, line);
		return;
	}
	o = event_of("alert", time_ms, name, &r);
	if (r == 0)
		r = json_put_string(o, "alert", alert);
	if (r == 0)
		r = json_put(o, "on", json_object_new_boolean(on));
	if (r == 0)
		r = json_put_string(o, "text", text);
	say_json(out, o, r);
}

void balance_output_state(struct balance_output *out, uint64_t time_ms, const char *name,
			  const struct balance_sample *sample,
			  const struct policy_decision *decision)
{
	char why[320], text[TEXT_MAX], a[32], b[32];
	struct json_object *o;

	if (out->json) {
		o = balance_vm_line(time_ms, name, sample, decision);
		say_json(out, o, o ? 0 : -ENOMEM);
		return;
	}
	policy_reason_text(decision, why, sizeof(why));
	show_bytes(sample->vm.assigned, a);
	show_bytes(decision->target, b);
	snprintf(text, sizeof(text), "%-24s %10s -> %10s  %s: %s", name, a, b,
		 policy_reason_name(decision->reason), why);
	say(out, text);
}

void balance_output_host(struct balance_output *out, const struct series_host *host)
{
	char text[TEXT_MAX], a[32], b[32], c[32];
	struct json_object *o;

	if (out->json) {
		o = balance_host_line(host);
		say_json(out, o, o ? 0 : -ENOMEM);
		return;
	}
	show_bytes(host->available, a);
	show_bytes(host->total, b);
	show_bytes(host->spare, c);
	snprintf(text, sizeof(text),
		 "host: %s of %s available, %s to give; %u VMs, average pressure %u", a, b, c,
		 host->vms, host->pressure);
	say(out, text);
}
