// SPDX-License-Identifier: MIT
/* Series over time. See series.h. */
#include "balancer/series.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SPACING_FIRST 1000 /* ms */

void series_init(struct series *series)
{
	*series = (struct series){0};
}

void series_finish(struct series *series)
{
	for (size_t i = 0; i < series->vm_count; i++)
		free(series->vms[i].points);
	free(series->vms);
	free(series->hosts);
	free(series->moves);
	free(series->index);
	series_init(series);
}

/* Room for one more of @item bytes at @array, of which there are @count in room for *size. */
static void *grow(void *array, size_t count, size_t item, size_t *size)
{
	const size_t larger = *size ? 2 * *size : 16;
	void *grown;

	if (count < *size)
		return array;
	grown = reallocarray(array, larger, item);
	if (grown)
		*size = larger;
	return grown;
}

/* --- Thinning. ------------------------------------------------------------------------------ */

static bool is_spaced(const struct series *series, uint64_t last, uint64_t next)
{
	return next >= last && next - last >= series->spacing_ms;
}

static void thin_vm(struct series *series, struct series_vm *vm)
{
	size_t kept = vm->count ? 1 : 0;

	for (size_t i = 1; i < vm->count; i++)
		if (is_spaced(series, vm->points[kept - 1].time_ms, vm->points[i].time_ms))
			vm->points[kept++] = vm->points[i];
	series->points -= vm->count - kept;
	vm->count = kept;
}

static void thin_host(struct series *series)
{
	size_t kept = series->host_count ? 1 : 0;

	for (size_t i = 1; i < series->host_count; i++)
		if (is_spaced(series, series->hosts[kept - 1].time_ms, series->hosts[i].time_ms))
			series->hosts[kept++] = series->hosts[i];
	series->points -= series->host_count - kept;
	series->host_count = kept;
}

/* More VMs than points are kept whole: one point each. */
static void make_room(struct series *series)
{
	while (series->points >= SERIES_POINTS_MAX && series->spacing_ms < UINT64_MAX / 2) {
		series->spacing_ms = series->spacing_ms ? 2 * series->spacing_ms : SPACING_FIRST;
		thin_host(series);
		for (size_t i = 0; i < series->vm_count; i++)
			thin_vm(series, &series->vms[i]);
	}
}

/* --- Adding. -------------------------------------------------------------------------------- */

int series_add_host(struct series *series, const struct series_host *host)
{
	struct series_host *hosts;

	make_room(series);
	if (series->host_count &&
	    !is_spaced(series, series->hosts[series->host_count - 1].time_ms, host->time_ms))
		return 0;
	hosts = grow(series->hosts, series->host_count, sizeof(*hosts), &series->host_size);
	if (!hosts)
		return -ENOMEM;
	series->hosts = hosts;
	hosts[series->host_count++] = *host;
	series->points++;
	return 0;
}

static size_t hash_of(const char *name)
{
	size_t hash = 5381;

	for (; *name; name++)
		hash = hash * 33 ^ (unsigned char)*name;
	return hash ^ hash >> 15;
}

/* Where @name is, or belongs. */
static uint32_t *place_of(const struct series *series, const char *name)
{
	size_t at = hash_of(name);

	for (;; at++) {
		uint32_t *place = &series->index[at & (series->index_size - 1)];

		if (*place == 0 || strcmp(series->vms[*place - 1].name, name) == 0)
			return place;
	}
}

static int grow_index(struct series *series)
{
	const size_t size = series->index_size ? 2 * series->index_size : 64;
	uint32_t *index;

	if (2 * (series->vm_count + 1) <= series->index_size)
		return 0;
	index = calloc(size, sizeof(*index));
	if (!index)
		return -ENOMEM;
	free(series->index);
	series->index = index;
	series->index_size = size;
	for (size_t i = 0; i < series->vm_count; i++)
		*place_of(series, series->vms[i].name) = (uint32_t)i + 1;
	return 0;
}

int series_find_vm(struct series *series, const char *name, size_t *ret)
{
	char cut[SERIES_NAME_MAX + 1] = "";
	struct series_vm *vms;
	uint32_t *place;

	memcpy(cut, name, strnlen(name, SERIES_NAME_MAX));
	if (grow_index(series) < 0)
		return -ENOMEM;
	place = place_of(series, cut);
	if (*place == 0) {
		vms = grow(series->vms, series->vm_count, sizeof(*vms), &series->vm_size);
		if (!vms)
			return -ENOMEM;
		series->vms = vms;
		vms[series->vm_count] = (struct series_vm){0};
		memcpy(vms[series->vm_count].name, cut, sizeof(cut));
		*place = (uint32_t)++series->vm_count;
	}
	*ret = *place - 1;
	return 0;
}

int series_add_point(struct series *series, size_t vm, const struct series_point *point)
{
	struct series_vm *v = &series->vms[vm];
	struct series_point *points;

	make_room(series);
	if (v->count && !is_spaced(series, v->points[v->count - 1].time_ms, point->time_ms))
		return 0;
	points = grow(v->points, v->count, sizeof(*points), &v->size);
	if (!points)
		return -ENOMEM;
	v->points = points;
	points[v->count++] = *point;
	series->points++;
	return 0;
}

int series_add_move(struct series *series, const struct series_move *move)
{
	if (!series->moves) {
		series->moves = calloc(SERIES_MOVES_MAX, sizeof(*series->moves));
		if (!series->moves)
			return -ENOMEM;
	}
	series->moves[series->move_count++ % SERIES_MOVES_MAX] = *move;
	return 0;
}

const struct series_move *series_move(const struct series *series, size_t i)
{
	const size_t kept = min_of(series->move_count, (size_t)SERIES_MOVES_MAX);

	return i < kept ? &series->moves[(series->move_count - kept + i) % SERIES_MOVES_MAX] : NULL;
}
