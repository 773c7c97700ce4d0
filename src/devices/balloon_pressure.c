// SPDX-License-Identifier: MIT
/* Pressure and floors. See balloon_pressure.h. */
#include "devices/balloon_pressure.h"

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

struct balloon_report balloon_report_of(uint64_t available_pages, uint64_t committed_pages)
{
	const uint64_t max = BALLOON_REPORT_MAX >> PAGE_SHIFT;

	return (struct balloon_report){
		.available = min_of(available_pages, max) << PAGE_SHIFT,
		.committed = min_of(committed_pages, max) << PAGE_SHIFT,
	};
}

/* Piecewise linear: 128 MiB need 72, 512 need 168, 2 GiB 360, 8 GiB 744. */
uint64_t balloon_guest_floor(uint64_t visible)
{
	static const struct {
		uint64_t below, base;
		unsigned int shift;
	} pieces[] = {
		{MiB(128), MiB(8), 1},
		{MiB(512), MiB(40), 2},
		{MiB(2048), MiB(104), 3},
		{MiB(8192), MiB(232), 4},
	};

	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++)
		if (visible < pieces[i].below)
			return pieces[i].base + (visible >> pieces[i].shift);
	return MiB(488) + (visible >> 5);
}

uint64_t balloon_demand(const struct balloon_report *report, const struct balloon_view *view,
			uint64_t before)
{
	uint64_t demand = less(report->committed, view->ballooned);

	if (view->linux_guest)
		demand = less(demand, balloon_guest_floor(view->visible)) +
			 balloon_guest_floor(view->startup);
	if (!before)
		return demand;
	return max_of(min_of(before, demand), less(demand, view->underway));
}

uint64_t balloon_pressure(uint64_t committed, uint64_t visible)
{
	if (!visible)
		return committed ? UINT32_MAX : 0;
	/* Of at most 2^52 bytes each: no overflow. */
	committed = min_of(committed, BALLOON_REPORT_MAX);
	return (committed * 100 + visible / 2) / visible;
}

uint64_t balloon_committed(uint64_t pressure, uint64_t visible)
{
	return (uint64_t)((unsigned __int128)visible * pressure / 100);
}

uint64_t balloon_take_floor(const struct balloon_report *report, const struct balloon_view *view,
			    uint64_t minimum)
{
	const uint64_t spare = less(report->available, balloon_guest_floor(view->visible));

	return max_of(less(view->visible, spare), minimum);
}
