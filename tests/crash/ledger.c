// SPDX-License-Identifier: MIT
/*
 * What a process that may be killed has written to a disk.
 */
#include "ledger.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pattern.h"

static size_t size_of(uint64_t units)
{
	return sizeof(struct ledger) + units * sizeof(struct ledger_entry);
}

struct ledger *ledger_map(const char *path, uint64_t units)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | (units ? O_CREAT | O_TRUNC : 0), 0600);
	struct ledger *ledger = MAP_FAILED;
	struct stat st;

	if (fd < 0) {
		perror(path);
		return NULL;
	}
	if ((!units || ftruncate(fd, (off_t)size_of(units)) == 0) && fstat(fd, &st) == 0)
		ledger = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ledger == MAP_FAILED) {
		perror(path);
		ledger = NULL;
	} else if (units) {
		ledger->units = units;
	}
	close(fd);
	return ledger;
}

static bool complain(const struct ledger_entry *entry, uint64_t unit, const char *what,
		     uint32_t generation)
{
	fprintf(stderr, "unit %llu: %s %u; flushed %u, newest %u, zeroed %u\n",
		(unsigned long long)unit, what, generation, entry->floor, entry->top,
		entry->zeroed);
	return false;
}

bool ledger_check(struct ledger *ledger, uint64_t unit, const void *contents)
{
	struct ledger_entry *entry = &ledger->entries[unit];
	const unsigned char *p = contents;
	uint32_t oldest = UINT32_MAX, generation;

	for (uint32_t i = 0; i < LEDGER_UNIT / PATTERN_UNIT; i++) {
		uint64_t first = unit * (LEDGER_UNIT / PATTERN_UNIT), found;
		enum pattern_kind kind = pattern_decode(p + (size_t)i * PATTERN_UNIT, first + i,
							&found, &generation);

		if (kind == PATTERN_ELSEWHERE)
			return complain(entry, unit, "has what belongs elsewhere, from",
					generation);
		if (kind == PATTERN_GARBAGE)
			return complain(entry, unit, "has garbage", generation);
		if (generation == 0 && entry->zeroed < entry->floor)
			return complain(entry, unit, "is zero", generation);
		if (generation != 0 && (generation < entry->floor || generation > entry->top))
			return complain(entry, unit, "has", generation);
		oldest = min_of(oldest, generation);
	}
	/* What the machine has shown once does not go away when only processes die. */
	if (oldest > entry->floor)
		entry->floor = oldest;
	return true;
}
