// SPDX-License-Identifier: MIT
/* Pages about histories. See cmd_balance_report.h; what is on them is balancer/report.c's. */
#include "candela/cmd_balance_report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "balancer/report.h"
#include "candela/cmd_balance_history.h"
#include "vmm/log.h"

static int write_page(FILE *file, const struct series *series)
{
	report_write(file, series);
	return ferror(file) || fflush(file) != 0 ? -EIO : 0;
}

int balance_report_write(const char *path, const struct series *series, struct error *err)
{
	char *fresh;
	FILE *file;
	int r;

	if (asprintf(&fresh, "%s.new", path) < 0)
		return error_set(err, -ENOMEM, "out of memory");
	file = fopen(fresh, "we");
	if (!file) {
		r = error_errno(err, -errno, "cannot write %s", fresh);
	} else {
		r = write_page(file, series);
		if (fclose(file) != 0)
			r = -EIO;
		if (r == 0 && rename(fresh, path) < 0)
			r = -errno;
		if (r < 0) {
			unlink(fresh);
			error_errno(err, r, "cannot write %s", path);
		}
	}
	free(fresh);
	return r;
}

int balance_report(const char *path, const char *history, struct error *err)
{
	struct series series;
	uint64_t bad = 0;
	int r;

	series_init(&series);
	r = balance_history_read(&series, history, &bad, err);
	if (r == 0 && bad)
		log_warning("%s: %llu lines are none of a history", history,
			    (unsigned long long)bad);
	if (r == 0)
		r = balance_report_write(path, &series, err);
	series_finish(&series);
	return r;
}
