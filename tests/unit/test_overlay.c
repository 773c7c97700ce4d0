// SPDX-License-Identifier: MIT
/*
 * Overlay pages (TLFS 5.2.1) in the three ways there are: mapped over RAM, in a memory slot outside
 * of it, and in exchange for the contents of RAM made of huge pages.
 */
#include "hv-enlight/overlay.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "hv_tests.h"
#include "kvm_fake.h"

#define RAM   MiB(2)
#define PAGES 4

enum place { OVER_RAM, OUTSIDE, OVER_HUGE, PLACES };

static struct kvm kvm = {.fd = KVM_FAKE, .vm_fd = KVM_FAKE_VM};
static struct mem *mem;
static struct overlay_set set;
static struct overlay overlays[PAGES];
static uint64_t gpa, other;

/* There may be no huge pages here: memory that is only called huge is treated alike. */
int memfd_create(const char *name, unsigned int flags)
{
	return (int)syscall(SYS_memfd_create, name, flags & (MFD_CLOEXEC | MFD_ALLOW_SEALING));
}

static void setup(void)
{
}

static void teardown(void)
{
	overlay_set_finish(&set);
	mem_destroy(mem);
	mem = NULL;
}

static void fill(struct overlay *overlay, uint8_t byte)
{
	memset(overlay_page(overlay), byte, PAGE_SIZE);
}

static void begin(enum place place)
{
	const struct mem_config config = {.size = RAM,
					  .huge = place == OVER_HUGE ? MEM_HUGE_2M : MEM_HUGE_NONE};
	struct error err;

	teardown();
	memset(&kvm_fake, 0, sizeof(kvm_fake));
	ck_assert_int_eq(mem_create(&config, &err, &mem), 0);
	for (size_t i = 0; i < RAM; i += PAGE_SIZE)
		ck_assert_int_eq(mem_fill(mem, i, (uint8_t)(0x40 + i / PAGE_SIZE % 64), PAGE_SIZE),
				 0);
	ck_assert_int_eq(overlay_set_init(&set, &kvm, mem, PAGES, 3, &err), 0);
	for (size_t i = 0; i < PAGES; i++) {
		overlay_init(&overlays[i], &set);
		fill(&overlays[i], (uint8_t)(0xa0 + i));
	}
	gpa = place == OUTSIDE ? RAM + 0x5000 : 0x5000;
	other = place == OUTSIDE ? 1ull << 36 : RAM - PAGE_SIZE;
}

/* What the guest has at @at: its address here, or NULL. */
static uint8_t *guest(uint64_t at)
{
	if (at < RAM)
		return mem_map(mem, at, PAGE_SIZE);
	for (size_t i = 0; i < KVM_FAKE_SLOTS; i++)
		if (kvm_fake.slots[i].memory_size && kvm_fake.slots[i].guest_phys_addr == at)
			return (uint8_t *)(uintptr_t)kvm_fake.slots[i].userspace_addr;
	return NULL;
}

/* The guest sees a page of @byte there. */
static bool sees(uint64_t at, uint8_t byte)
{
	const uint8_t *page = guest(at);

	for (size_t i = 0; page && i < PAGE_SIZE; i++)
		if (page[i] != byte)
			return false;
	return page;
}

/* What belongs there is there: its RAM, or nothing. */
static bool bare(uint64_t at)
{
	return at < RAM ? sees(at, (uint8_t)(0x40 + at / PAGE_SIZE % 64)) : !guest(at);
}

static bool all_bare(void)
{
	for (uint64_t at = 0; at < RAM; at += PAGE_SIZE)
		if (!bare(at))
			return false;
	return bare(gpa) && bare(other);
}

static void put(unsigned int n, uint64_t at)
{
	ck_assert_int_eq(overlay_place(&overlays[n], at), 0);
}

START_TEST(placed_and_removed)
{
	for (enum place place = 0; place < PLACES; place++) {
		begin(place);
		put(0, gpa);
		ck_assert(sees(gpa, 0xa0));
		ck_assert(bare(other));
		/* Both sides write, both read. */
		fill(&overlays[0], 0x11);
		ck_assert(sees(gpa, 0x11));
		memset(guest(gpa), 0x22, PAGE_SIZE);
		ck_assert_uint_eq(*(uint8_t *)overlay_page(&overlays[0]), 0x22);
		overlay_remove(&overlays[0]);
		ck_assert(all_bare());
		/* The contents are the overlay's, wherever it is. */
		ck_assert_uint_eq(*(uint8_t *)overlay_page(&overlays[0]), 0x22);
		overlay_remove(&overlays[0]);
		put(0, other);
		ck_assert(sees(other, 0x22));
		ck_assert(bare(gpa));
	}
}
END_TEST

START_TEST(moved)
{
	for (enum place place = 0; place < PLACES; place++) {
		begin(place);
		put(0, gpa);
		memset(guest(gpa), 0x33, PAGE_SIZE);
		put(0, other);
		ck_assert(bare(gpa));
		ck_assert(sees(other, 0x33));
		put(0, other);
		ck_assert(sees(other, 0x33));
		put(0, gpa);
		ck_assert(bare(other));
		ck_assert(sees(gpa, 0x33));
		overlay_remove(&overlays[0]);
		ck_assert(all_bare());
	}
}
END_TEST

/* The latest is seen; as each goes, the one below it comes back with what it had. */
START_TEST(stacked)
{
	static const unsigned int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
						 {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

	for (enum place place = 0; place < PLACES; place++)
		for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
			bool there[3] = {true, true, true};

			begin(place);
			for (unsigned int n = 0; n < 3; n++) {
				put(n, gpa);
				ck_assert(sees(gpa, (uint8_t)(0xa0 + n)));
				memset(guest(gpa), (int)(0xb0 + n), PAGE_SIZE);
			}
			for (unsigned int k = 0; k < 3; k++) {
				unsigned int top;

				overlay_remove(&overlays[orders[i][k]]);
				there[orders[i][k]] = false;
				top = there[2] ? 2 : there[1] ? 1 : 0;
				ck_assert(there[top] ? sees(gpa, (uint8_t)(0xb0 + top))
						     : bare(gpa));
			}
			ck_assert(all_bare());
		}
}
END_TEST

/* Only the top one hears what the guest writes; those below are reached by us alone. */
START_TEST(covered_ones_keep_still)
{
	for (enum place place = 0; place < PLACES; place++) {
		begin(place);
		put(0, gpa);
		put(1, gpa);
		memset(guest(gpa), 0x66, PAGE_SIZE);
		ck_assert_uint_eq(*(uint8_t *)overlay_page(&overlays[0]), 0xa0);
		fill(&overlays[0], 0x77);
		ck_assert(sees(gpa, 0x66));
		put(1, other);
		ck_assert(sees(gpa, 0x77));
		ck_assert(sees(other, 0x66));
	}
}
END_TEST

START_TEST(refused_places)
{
	for (enum place place = 0; place < PLACES; place++) {
		begin(place);
		put(0, gpa);
		for (uint64_t off = 1; off < PAGE_SIZE; off *= 2)
			ck_assert_int_eq(overlay_place(&overlays[0], gpa + off), -EINVAL);
		ck_assert(sees(gpa, 0xa0));
		ck_assert_int_eq(overlay_place(&overlays[1], UINT64_MAX - 0xfff), -EINVAL);
		ck_assert(sees(gpa, 0xa0));
		/* Without KVM there is nothing outside RAM. */
		set.kvm = NULL;
		ck_assert_int_eq(overlay_place(&overlays[1], RAM), -EINVAL);
		set.kvm = &kvm;
	}
}
END_TEST

/* A move that KVM refuses leaves the page nowhere, and no trace of it. */
START_TEST(failed_move)
{
	for (enum place place = 0; place < PLACES; place++) {
		begin(place);
		put(0, gpa);
		kvm_fake.fails = KVM_SET_USER_MEMORY_REGION;
		kvm_fake.fails_after = place == OUTSIDE;
		kvm_fake.fails_with = ENOMEM;
		ck_assert_int_eq(overlay_place(&overlays[0], RAM + 0x9000), -ENOMEM);
		ck_assert(all_bare());
		ck_assert(!guest(RAM + 0x9000));
		put(0, gpa);
		ck_assert(sees(gpa, 0xa0));
	}
}
END_TEST

START_TEST(between_the_kinds)
{
	for (enum place place = 0; place < PLACES; place++) {
		begin(place);
		put(0, 0);
		put(0, RAM);
		ck_assert(bare(0));
		ck_assert(sees(RAM, 0xa0));
		put(0, RAM - PAGE_SIZE);
		ck_assert(!guest(RAM));
		ck_assert(sees(RAM - PAGE_SIZE, 0xa0));
		overlay_remove(&overlays[0]);
		ck_assert(all_bare());
	}
}
END_TEST

START_TEST(reset)
{
	for (enum place place = 0; place < PLACES; place++) {
		begin(place);
		for (unsigned int round = 0; round < 3; round++) {
			put(0, gpa);
			put(1, gpa);
			put(2, other);
			fill(&overlays[1], 0x99);
			overlay_set_reset(&set);
			ck_assert(all_bare());
			for (size_t i = 0; i < PAGES; i++)
				ck_assert_uint_eq(*(uint8_t *)overlay_page(&overlays[i]), 0);
		}
		put(1, gpa);
		ck_assert(sees(gpa, 0));
	}
}
END_TEST

/* RAM the guest gives up is not that of the page above it. */
START_TEST(released_beneath)
{
	begin(OVER_RAM);
	put(0, gpa);
	ck_assert_int_eq(mem_release(mem, gpa, PAGE_SIZE), 0);
	ck_assert(sees(gpa, 0xa0));
	overlay_remove(&overlays[0]);
	ck_assert(sees(gpa, 0));
}
END_TEST

static size_t open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

START_TEST(finished)
{
	struct overlay_set never = {0};
	size_t before;

	overlay_set_finish(&never);
	teardown();
	before = open_files();
	for (enum place place = 0; place < PLACES; place++) {
		begin(place);
		put(0, gpa);
		put(1, gpa);
		put(2, other);
		overlay_set_finish(&set);
		ck_assert(all_bare());
		teardown();
		ck_assert_uint_eq(open_files(), before);
	}
}
END_TEST

/* --- Several VPs at once. -------------------------------------------------------------------- */

static void *shuffle(void *arg)
{
	struct overlay *overlay = arg;
	unsigned int n = (unsigned int)(overlay - overlays);

	for (unsigned int i = 0; i < 300; i++) {
		/* Some on top of each other, some alone. */
		if (overlay_place(overlay, gpa + (i % 3 == 0 ? 0 : n + 1ull) * PAGE_SIZE) < 0)
			abort();
		if (overlay_page(overlay) == NULL)
			abort();
		if (i % 7 == 0)
			overlay_remove(overlay);
	}
	overlay_remove(overlay);
	return NULL;
}

START_TEST(several_threads)
{
	for (enum place place = 0; place < PLACES; place++) {
		pthread_t threads[PAGES];

		begin(place);
		for (size_t i = 0; i < PAGES; i++)
			ck_assert_int_eq(pthread_create(&threads[i], NULL, shuffle, &overlays[i]),
					 0);
		for (size_t i = 0; i < PAGES; i++)
			pthread_join(threads[i], NULL);
		ck_assert(all_bare());
		/* Nobody wrote: each has what it had. */
		for (unsigned int i = 0; i < PAGES; i++)
			ck_assert_uint_eq(*(uint8_t *)overlay_page(&overlays[i]), 0xa0 + i);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		placed_and_removed, moved,       stacked,           covered_ones_keep_still,
		refused_places,     failed_move, between_the_kinds, reset,
		released_beneath,   finished,    several_threads,
	};

	return hv_run_tests("overlay", setup, teardown, tests, ARRAY_SIZE(tests));
}
