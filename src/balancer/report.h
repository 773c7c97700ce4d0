// SPDX-License-Identifier: MIT
/*
 * One page of HTML about a series: what each VM had, needed and was told, and why. Pictures are SVG
 * inside it; no script, no other file. Well-formed XML, too, whatever names are in the series.
 * No state; any thread.
 */
#pragma once

#include <stdio.h>

#include "balancer/series.h"

#define REPORT_VMS   64  /* with pictures: those that moved most */
#define REPORT_MOVES 500 /* the last ones */

/* Errors of @out are left to whoever closes it; without memory for a picture, the page says so. */
void report_write(FILE *out, const struct series *series);
