// SPDX-License-Identifier: MIT
/* candela balance --report: a page about a history. Main thread. */
#pragma once

#include "balancer/series.h"
#include "vmm/error.h"

/* Writes the page; what was there is replaced when it is whole. */
int balance_report_write(const char *path, const struct series *series,
			 struct error *err) must_check;

/* Reads a history and writes the page. */
int balance_report(const char *path, const char *history, struct error *err) must_check;
