// SPDX-License-Identifier: MIT
/*
 * What candela balance says on standard output: a line for each thing that happens, for people or
 * as JSON. Whoever reads may be slow or stopped: what does not fit is left out and counted, since
 * VMs do not wait for a pager. One thread.
 */
#pragma once

#include "candela/cmd_balance_sample.h"

struct balance_output {
	bool json;
	uint64_t dropped; /* lines, since the last one that was written */
	bool failed;      /* nobody reads any more */
};

/* A target that is set (or, of a dry run, would be). */
void balance_output_move(struct balance_output *out, uint64_t time_ms, const char *name,
			 uint64_t from, const struct policy_decision *decision);

/*
 * Something that a person should look at: @alert is its name for programs, @name a VM or NULL (the
 * host), @text what it is. @on: false when it is over.
 */
void balance_output_alert(struct balance_output *out, uint64_t time_ms, const char *alert,
			  const char *name, bool on, const char *text);

/* Every VM, moved or not: what --once and --dry-run show. */
void balance_output_state(struct balance_output *out, uint64_t time_ms, const char *name,
			  const struct balance_sample *sample,
			  const struct policy_decision *decision);
void balance_output_host(struct balance_output *out, const struct series_host *host);
