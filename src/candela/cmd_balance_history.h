// SPDX-License-Identifier: MIT
/*
 * The history of candela balance: a file of JSON lines that only grows, until it is as large as it
 * may be; then it takes the place of FILE.1, and a new one begins. What cannot be written is lost,
 * and said once. One thread.
 */
#pragma once

#include <json-c/json.h>

#include "balancer/series.h"
#include "vmm/error.h"

struct balance_history {
	const char *path;
	int fd; /* -1: none */
	uint64_t size, limit;
	bool failed; /* it has been said */
};

/* @path is kept. A line that was cut short by a crash is ended first. */
int balance_history_open(struct balance_history *history, const char *path, uint64_t limit,
			 struct error *err) must_check;
void balance_history_close(struct balance_history *history);

/* Takes @line over; NULL (no memory) is lost. -errno with text: the first time that one is lost. */
int balance_history_write(struct balance_history *history, struct json_object *line,
			  struct error *err) must_check;

/*
 * Reads FILE.1, when there is one, and FILE into @series; *ret_bad counts lines that are none of a
 * history. @path may be "-". -ENODATA with text: there is not one line of a history in it.
 */
int balance_history_read(struct series *series, const char *path, uint64_t *ret_bad,
			 struct error *err) must_check;
