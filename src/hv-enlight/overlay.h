// SPDX-License-Identifier: MIT
/*
 * Overlay pages (TLFS 5.2.1): pages of the hypervisor's that lie over a guest physical page while
 * enabled. Whatever the guest had there is untouched and comes back when the overlay moves away.
 *
 * Over RAM, a page of our own is mapped in place of the RAM page (mem_cover()), which KVM follows
 * like any other change of mapping. Where there is no RAM, the page gets a memory slot of its own.
 * RAM made of explicit huge pages cannot be remapped page by page: there the contents are
 * exchanged.
 *
 * Several overlays may lie at one address: the one placed last is seen, the ones below come back in
 * turn. Any thread may call; the set has a lock. The page's contents are guest-writable.
 */
#pragma once

#include <pthread.h>

#include "vmm/error.h"
#include "vmm/kvm.h"
#include "vmm/mem.h"

struct overlay_set;

struct overlay {
	struct overlay_set *set;
	struct overlay *below; /* next in the set's list of placed ones, latest first */
	unsigned int index;    /* of its page in the set's backing */
	bool placed;
	uint64_t gpa;
};

/* Contents of a huge-page RAM page that an overlay's contents stand in for. */
struct overlay_saved {
	struct overlay_saved *next;
	uint64_t gpa;
	uint8_t bytes[PAGE_SIZE];
};

struct overlay_set {
	struct kvm *kvm; /* NULL in tests: no overlays outside RAM */
	struct mem *mem;
	int fd;         /* backing of all pages */
	uint8_t *pages; /* our own mapping of it */
	unsigned int page_count, used;
	unsigned int first_slot; /* KVM memory slot of page 0, when it lies outside RAM */
	struct overlay *placed;
	struct overlay_saved *saved;
	pthread_mutex_t lock;
};

/* @pages overlays at most. Memory slots from @first_slot on must be unused. */
int overlay_set_init(struct overlay_set *set, struct kvm *kvm, struct mem *mem, unsigned int pages,
		     unsigned int first_slot, struct error *err) must_check;
void overlay_set_finish(struct overlay_set *set);

/* Takes all overlays away and clears their pages. */
void overlay_set_reset(struct overlay_set *set);

/* Takes a page from the set. There is no way back; a set has as many as its users ever need. */
void overlay_init(struct overlay *overlay, struct overlay_set *set);

/*
 * Puts the overlay at @gpa (page-aligned), from where it was. On failure it is where it was, or,
 * had it to move, nowhere. -EINVAL: KVM takes no page there.
 */
int overlay_place(struct overlay *overlay, uint64_t gpa) must_check;
void overlay_remove(struct overlay *overlay);

/* The contents, for the hypervisor's side; PAGE_SIZE bytes. Valid until it is placed or removed. */
void *overlay_page(struct overlay *overlay);
