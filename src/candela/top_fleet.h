// SPDX-License-Identifier: MIT
/*
 * The VMs that candela top shows, asked again and again. Each has one connection, on which one
 * question at a time is open, so that one that hangs costs a moment once and nothing after that.
 * Main thread.
 */
#pragma once

#include "candela/top_rows.h"
#include "vmm/error.h"

struct top_fleet;

/* So long a round waits for those that answered the last time. */
#define TOP_WAIT_MS 300

int top_fleet_create(struct error *err, struct top_fleet **ret) must_check;
void top_fleet_destroy(struct top_fleet *fleet);

/* Asks all, and has a row for each that is there: the fleet's, until the next call. */
int top_fleet_read(struct top_fleet *fleet, struct error *err, struct top_row **ret_rows,
		   size_t *ret_count) must_check;
