// SPDX-License-Identifier: MIT
/*
 * Overlay pages. The set's lock protects the lists and every change of what the guest sees.
 */
#include "hv-enlight/overlay.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

int overlay_set_init(struct overlay_set *set, struct kvm *kvm, struct mem *mem, unsigned int pages,
		     unsigned int first_slot, struct error *err)
{
	size_t len = (size_t)pages * PAGE_SIZE;

	*set = (struct overlay_set){
		.kvm = kvm, .mem = mem, .page_count = pages, .first_slot = first_slot};
	pthread_mutex_init(&set->lock, NULL);
	set->fd = memfd_create("overlay-pages", MFD_CLOEXEC);
	if (set->fd < 0)
		return error_errno(err, -errno, "cannot create overlay pages");
	if (ftruncate(set->fd, (off_t)len) < 0)
		return error_errno(err, -errno, "cannot size overlay pages");
	set->pages = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, set->fd, 0);
	if (set->pages == MAP_FAILED) {
		set->pages = NULL;
		return error_errno(err, -errno, "cannot map overlay pages");
	}
	return 0;
}

void overlay_set_finish(struct overlay_set *set)
{
	if (!set->mem)
		return;
	if (set->pages) {
		overlay_set_reset(set);
		munmap(set->pages, (size_t)set->page_count * PAGE_SIZE);
	}
	if (set->fd >= 0)
		close(set->fd);
	pthread_mutex_destroy(&set->lock);
	*set = (struct overlay_set){.fd = -1};
}

void overlay_init(struct overlay *overlay, struct overlay_set *set)
{
	assert(set->used < set->page_count);
	*overlay = (struct overlay){.set = set, .index = set->used++};
}

static uint8_t *own_page(const struct overlay *overlay)
{
	return overlay->set->pages + (size_t)overlay->index * PAGE_SIZE;
}

/* The overlay that is seen at @gpa, or NULL. */
static struct overlay *visible_at(struct overlay_set *set, uint64_t gpa)
{
	for (struct overlay *o = set->placed; o; o = o->below)
		if (o->gpa == gpa)
			return o;
	return NULL;
}

/* --- Showing a page. ----------------------------------------------------------------------- */

static int show_by_slot(struct overlay_set *set, uint64_t gpa, const struct overlay *old,
			const struct overlay *next)
{
	struct kvm_userspace_memory_region slot = {.guest_phys_addr = gpa};

	if (!set->kvm)
		return -EINVAL;
	/* Size 0 deletes; slots may not overlap, so the old one goes first. */
	if (old) {
		slot.slot = set->first_slot + old->index;
		if (ioctl(set->kvm->vm_fd, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
			return -errno;
	}
	if (!next)
		return 0;
	slot.slot = set->first_slot + next->index;
	slot.memory_size = PAGE_SIZE;
	slot.userspace_addr = (uintptr_t)own_page(next);
	return ioctl(set->kvm->vm_fd, KVM_SET_USER_MEMORY_REGION, &slot) < 0 ? -errno : 0;
}

static int save_ram(struct overlay_set *set, uint64_t gpa, const uint8_t *ram)
{
	struct overlay_saved *saved = malloc(sizeof(*saved));

	if (!saved)
		return -ENOMEM;
	saved->gpa = gpa;
	memcpy(saved->bytes, ram, PAGE_SIZE);
	saved->next = set->saved;
	set->saved = saved;
	return 0;
}

static void restore_ram(struct overlay_set *set, uint64_t gpa, uint8_t *ram)
{
	for (struct overlay_saved **at = &set->saved; *at; at = &(*at)->next) {
		struct overlay_saved *saved = *at;

		if (saved->gpa != gpa)
			continue;
		memcpy(ram, saved->bytes, PAGE_SIZE);
		*at = saved->next;
		free(saved);
		return;
	}
}

/* RAM of huge pages: the overlay's contents change places with what was there. */
static int show_by_exchange(struct overlay_set *set, uint64_t gpa, const struct overlay *old,
			    const struct overlay *next)
{
	uint8_t *ram = mem_map(set->mem, gpa, PAGE_SIZE);

	if (old) {
		memcpy(own_page(old), ram, PAGE_SIZE);
	} else {
		int r = save_ram(set, gpa, ram);

		if (r < 0)
			return r;
	}
	if (next)
		memcpy(ram, own_page(next), PAGE_SIZE);
	else
		restore_ram(set, gpa, ram);
	return 0;
}

/* Makes @gpa show @next (NULL: what belongs there) where it showed @old. */
static int show(struct overlay_set *set, uint64_t gpa, const struct overlay *old,
		const struct overlay *next)
{
	int r;

	if (old == next)
		return 0;
	if (!mem_is_ram(set->mem, gpa, PAGE_SIZE))
		return show_by_slot(set, gpa, old, next);
	r = next ? mem_cover(set->mem, gpa, set->fd, (uint64_t)next->index * PAGE_SIZE)
		 : mem_uncover(set->mem, gpa);
	return r == -ENOTSUP ? show_by_exchange(set, gpa, old, next) : r;
}

/* --- Placing. ------------------------------------------------------------------------------ */

static void unlink_placed(struct overlay *overlay)
{
	struct overlay **at = &overlay->set->placed;

	while (*at != overlay)
		at = &(*at)->below;
	*at = overlay->below;
}

static void remove_locked(struct overlay *overlay)
{
	struct overlay_set *set = overlay->set;
	struct overlay *old;

	if (!overlay->placed)
		return;
	old = visible_at(set, overlay->gpa);
	unlink_placed(overlay);
	overlay->placed = false;
	/* Going back to what was there before needs nothing that could be refused. */
	(void)show(set, overlay->gpa, old, visible_at(set, overlay->gpa));
}

int overlay_place(struct overlay *overlay, uint64_t gpa)
{
	struct overlay_set *set = overlay->set;
	int r = 0;

	if (!is_aligned(gpa, PAGE_SIZE))
		return -EINVAL;
	pthread_mutex_lock(&set->lock);
	if (!overlay->placed || overlay->gpa != gpa) {
		remove_locked(overlay);
		r = show(set, gpa, visible_at(set, gpa), overlay);
		if (r == 0) {
			overlay->gpa = gpa;
			overlay->placed = true;
			overlay->below = set->placed;
			set->placed = overlay;
		}
	}
	pthread_mutex_unlock(&set->lock);
	return r;
}

void overlay_remove(struct overlay *overlay)
{
	pthread_mutex_lock(&overlay->set->lock);
	remove_locked(overlay);
	pthread_mutex_unlock(&overlay->set->lock);
}

void *overlay_page(struct overlay *overlay)
{
	struct overlay_set *set = overlay->set;
	uint8_t *page = own_page(overlay);

	pthread_mutex_lock(&set->lock);
	if (overlay->placed && visible_at(set, overlay->gpa) == overlay)
		for (const struct overlay_saved *s = set->saved; s; s = s->next)
			if (s->gpa == overlay->gpa)
				page = mem_map(set->mem, overlay->gpa, PAGE_SIZE);
	pthread_mutex_unlock(&set->lock);
	return page;
}

void overlay_set_reset(struct overlay_set *set)
{
	pthread_mutex_lock(&set->lock);
	while (set->placed)
		remove_locked(set->placed);
	memset(set->pages, 0, (size_t)set->page_count * PAGE_SIZE);
	pthread_mutex_unlock(&set->lock);
}
