// SPDX-License-Identifier: MIT
/* The policy file. See cmd_balance_config.h. */
#include "candela/cmd_balance_config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/config.h"
#include "vmm/config_json.h"
#include "vmm/config_table.h"
#include "vmm/config_tree.h"

#define BC struct balance_config

static const struct config_row rows[] = {
	{
		.key = "$schema",
		.kind = CONFIG_IGNORED,
		.help = "where the schema of this file is, for editors; not looked at",
	},
	{
		.key = "reserve",
		CONFIG_AT_SIZE(BC, policy.reserve),
		.max = POLICY_BYTES_MAX,
		.preset = "256M",
		.help = "memory of the host that guests are never given",
	},
	{
		.key = "reserve-percent",
		CONFIG_AT_UINT(BC, policy.reserve_percent),
		.max = 90,
		.preset = "5",
		.help = "or so much of the host's memory, if that is more",
	},
	{
		.key = "budget",
		CONFIG_AT_SIZE(BC, policy.budget),
		.max = POLICY_BYTES_MAX,
		.preset = "0",
		.help = "memory for all guests together; 0: what the host has beyond its reserve",
	},
	{
		.key = "interval",
		CONFIG_AT_DURATION(BC, interval_ns),
		.min = 100 * NSEC_PER_MSEC,
		.max = 3600 * NSEC_PER_SEC,
		.preset = "1s",
		.help = "from one decision to the next",
	},
	{
		.key = "dead-band",
		CONFIG_AT_UINT(BC, policy.dead_band),
		.min = 1,
		.max = 50,
		.preset = "5",
		.help = "percent of what a VM has; less is not moved",
	},
	{
		.key = "step-up",
		CONFIG_AT_UINT(BC, policy.step_up),
		.min = 1,
		.max = 1000,
		.preset = "50",
		.help = "percent of what a VM has: at most so much more in one decision",
	},
	{
		.key = "step-down",
		CONFIG_AT_UINT(BC, policy.step_down),
		.min = 1,
		.max = 100,
		.preset = "25",
		.help = "percent of what a VM has: at most so much less in one decision",
	},
	{
		.key = "stall",
		CONFIG_AT_UINT(BC, policy.stall),
		.max = 100,
		.preset = "10",
		.help = "percent of the time that something on the host waits for memory, above "
			"which no guest is given any",
	},
	{
		.key = "hold",
		CONFIG_AT_DURATION(BC, policy.hold_ns),
		.max = 24 * 3600 * NSEC_PER_SEC,
		.preset = "30s",
		.help = "a surplus that nobody needs stays where it is for so long",
	},
	{
		.key = "stale",
		CONFIG_AT_DURATION(BC, policy.stale_ns),
		.min = NSEC_PER_SEC,
		.max = 3600 * NSEC_PER_SEC,
		.preset = "10s",
		.help = "a guest that has not reported for so long is left alone",
	},
	{
		.key = "stuck",
		CONFIG_AT_DURATION(BC, policy.stuck_ns),
		.min = NSEC_PER_SEC,
		.max = 3600 * NSEC_PER_SEC,
		.preset = "20s",
		.help = "a guest that does not move for so long is taken to be unable to",
	},
	{
		.key = "alert.available",
		CONFIG_AT_UINT(BC, alert.available),
		.max = 100,
		.preset = "5",
		.help = "percent of the host's memory: a warning when less is available",
	},
	{
		.key = "alert.critical",
		CONFIG_AT_UINT(BC, alert.critical),
		.max = 100,
		.preset = "3",
		.help = "percent of the host's memory: an alert when less is available",
	},
	{
		.key = "alert.pressure",
		CONFIG_AT_UINT(BC, alert.pressure),
		.min = 1,
		.max = 10000,
		.preset = "110",
		.help = "an alert when a VM's pressure stays above it",
	},
	{
		.key = "alert.pressure-for",
		CONFIG_AT_DURATION(BC, alert.pressure_for_ns),
		.max = 24 * 3600 * NSEC_PER_SEC,
		.preset = "60s",
		.help = "for so long",
	},
	{
		.key = "history.interval",
		CONFIG_AT_DURATION(BC, history.interval_ns),
		.min = 100 * NSEC_PER_MSEC,
		.max = 3600 * NSEC_PER_SEC,
		.preset = "10s",
		.help = "what does not change is written so often",
	},
	{
		.key = "history.limit",
		CONFIG_AT_SIZE(BC, history.limit),
		.min = MiB(1),
		.max = GiB(1024),
		.preset = "64M",
		.help = "a larger file is set aside, in place of the one before",
	},
};

static const struct config_table table = {
	.rows = rows,
	.row_count = ARRAY_SIZE(rows),
	.size = sizeof(struct balance_config),
};

void balance_config_init(struct balance_config *config)
{
	config_tree_init(&table, config);
}

static int check(const struct balance_config *config, struct error *err)
{
	if (config->alert.critical > config->alert.available)
		return error_set(err, -EINVAL,
				 "alert.critical: %u is more than alert.available (%u); the "
				 "critical limit is the lower one",
				 config->alert.critical, config->alert.available);
	return 0;
}

int balance_config_parse(struct balance_config *config, const char *text, size_t len,
			 struct error *err)
{
	int r = config_json_load(&table, config, text, len, NULL, err);

	return r < 0 ? r : check(config, err);
}

static int load(struct balance_config *config, FILE *file, struct error *err)
{
	char *text = malloc(CONFIG_FILE_MAX + 1);
	size_t len;
	int r;

	if (!text)
		return error_set(err, -ENOMEM, "out of memory");
	len = fread(text, 1, CONFIG_FILE_MAX + 1, file);
	if (ferror(file))
		r = error_errno(err, -errno, "cannot read it");
	else
		r = balance_config_parse(config, text, len, err);
	free(text);
	return r;
}

int balance_config_load(struct balance_config *config, const char *path, struct error *err)
{
	const bool is_stdin = strcmp(path, "-") == 0;
	FILE *file = is_stdin ? stdin : fopen(path, "re");
	int r;

	if (!file)
		return error_errno(err, -errno, "%s", path);
	r = load(config, file, err);
	if (!is_stdin)
		fclose(file);
	if (r < 0)
		error_prefix(err, "%s", is_stdin ? "standard input" : path);
	return r;
}

int balance_config_print_schema(struct error *err)
{
	return config_json_schema(&table, "A policy of candela balance", stdout, err);
}
