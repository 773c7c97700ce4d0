// SPDX-License-Identifier: MIT
#include "ring_guest.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* --- Memory. ------------------------------------------------------------------------------- */

static void *map_at(void *at, size_t len, int fd, off_t offset)
{
	void *map = mmap(at, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, offset);

	assert(map != MAP_FAILED);
	return map;
}

void ring_guest_memory(struct ring_memory *mem, uint32_t pages, bool paged)
{
	size_t data_len = (size_t)pages * PAGE_SIZE, len = PAGE_SIZE + 2 * data_len;
	int fd = memfd_create("ring", MFD_CLOEXEC);
	uint8_t *map;

	assert(fd >= 0 && ftruncate(fd, (off_t)(PAGE_SIZE + data_len)) == 0);
	map = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert(map != MAP_FAILED);
	*mem = (struct ring_memory){.map = map, .map_len = len, .len = (uint32_t)data_len};
	mem->control = map_at(map, PAGE_SIZE, fd, 0);
	map_at(map + PAGE_SIZE, data_len, fd, PAGE_SIZE);
	if (paged) {
		mem->pages = malloc(pages * sizeof(*mem->pages));
		assert(mem->pages);
		for (uint32_t i = 0; i < pages; i++)
			mem->pages[i] = map + PAGE_SIZE + (size_t)i * PAGE_SIZE;
	} else {
		mem->data = map + PAGE_SIZE;
		map_at(mem->data + data_len, data_len, fd, PAGE_SIZE);
	}
	close(fd);
}

void ring_guest_memory_free(struct ring_memory *mem)
{
	munmap(mem->map, mem->map_len);
	free(mem->pages);
}

/* Byte by byte through the first mapping: what a wrap is, is not learned from ring.c. */
static uint8_t *byte_at(const struct ring_memory *mem, uint32_t at)
{
	uint8_t *data = (uint8_t *)mem->map + PAGE_SIZE;

	return &data[at % mem->len];
}

void ring_guest_put(const struct ring_memory *mem, uint32_t at, const void *buf, uint32_t len)
{
	const uint8_t *from = buf;

	/* One piece where it is one, for speed. */
	if (at % mem->len + len <= mem->len) {
		memcpy(byte_at(mem, at), from, len);
		return;
	}
	for (uint32_t i = 0; i < len; i++)
		*byte_at(mem, at + i) = from[i];
}

void ring_guest_get(const struct ring_memory *mem, uint32_t at, void *buf, uint32_t len)
{
	uint8_t *to = buf;

	if (at % mem->len + len <= mem->len) {
		memcpy(to, byte_at(mem, at), len);
		return;
	}
	for (uint32_t i = 0; i < len; i++)
		to[i] = *byte_at(mem, at + i);
}

static uint32_t load(const uint32_t *field)
{
	return __atomic_load_n(field, __ATOMIC_SEQ_CST);
}

static void store(uint32_t *field, uint32_t value)
{
	__atomic_store_n(field, value, __ATOMIC_SEQ_CST);
}

void ring_guest_init_writer(struct ring_guest *guest, const struct ring_memory *mem)
{
	*guest = (struct ring_guest){.mem = mem, .index = mem->control->write_index};
	mem->control->feature_bits = HV_RING_FEAT_PENDING_SEND_SZ;
}

void ring_guest_init_reader(struct ring_guest *guest, const struct ring_memory *mem)
{
	*guest = (struct ring_guest){.mem = mem, .index = mem->control->read_index};
}

/* --- The writer. --------------------------------------------------------------------------- */

static uint32_t free_bytes(const struct ring_memory *mem, uint32_t write, uint32_t read)
{
	return write >= read ? mem->len - (write - read) : read - write;
}

bool ring_guest_send(struct ring_guest *guest, uint16_t type, uint16_t flags, uint64_t trans_id,
		     const void *list, uint32_t list_len, const void *payload, uint32_t payload_len,
		     bool *signal)
{
	const struct ring_memory *mem = guest->mem;
	struct hv_ring_buffer *control = mem->control;
	uint32_t at = guest->index, start = at, len = 16 + list_len + payload_len;
	uint64_t trailer = (uint64_t)start << 32;
	struct vmpacket_descriptor head = {.type = type,
					   .offset8 = (uint16_t)((16 + list_len) / 8),
					   .len8 = (uint16_t)(len / 8),
					   .flags = flags,
					   .trans_id = trans_id};

	if (free_bytes(mem, at, load(&control->read_index)) <= len + 8) { /* B' */
		store(&control->pending_send_sz, len + 8);                /* G' */
		if (free_bytes(mem, at, load(&control->read_index)) <= len + 8)
			return false;
	}
	store(&control->pending_send_sz, 0);
	ring_guest_put(mem, at, &head, 16);
	if (list_len)
		ring_guest_put(mem, at + 16, list, list_len);
	if (payload_len)
		ring_guest_put(mem, at + 16 + list_len, payload, payload_len);
	ring_guest_put(mem, at + len, &trailer, 8);
	guest->index = (at + len + 8) % mem->len;
	store(&control->write_index, guest->index); /* A', E' */
	*signal = !load(&control->interrupt_mask) && load(&control->read_index) == start;
	return true;
}

/* --- The reader. --------------------------------------------------------------------------- */

void ring_guest_begin(struct ring_guest *guest)
{
	store(&guest->mem->control->interrupt_mask, 1);
}

uint32_t ring_guest_receive(struct ring_guest *guest, void *buf, uint32_t max)
{
	const struct ring_memory *mem = guest->mem;
	uint32_t write = load(&mem->control->write_index), at = guest->index, len; /* C' */
	struct vmpacket_descriptor head;
	uint64_t trailer;

	if (write == at)
		return 0;
	ring_guest_get(mem, at, &head, 16);
	len = head.len8 * 8u;
	assert(len >= 16 && len <= max && head.offset8 >= 2 && head.offset8 <= head.len8);
	assert(len + 8 <= mem->len - free_bytes(mem, write, at));
	ring_guest_get(mem, at, buf, len);
	ring_guest_get(mem, at + len, &trailer, 8);
	assert(trailer == (uint64_t)at << 32);
	guest->index = (at + len + 8) % mem->len;
	return len;
}

bool ring_guest_commit(struct ring_guest *guest)
{
	const struct ring_memory *mem = guest->mem;
	struct hv_ring_buffer *control = mem->control;
	uint32_t from = control->read_index, pending, write;

	store(&control->read_index, guest->index); /* D', F', H' */
	pending = load(&control->pending_send_sz);
	if (!pending)
		return false;
	write = load(&control->write_index);
	return free_bytes(mem, write, from) <= pending &&
	       free_bytes(mem, write, guest->index) > pending;
}

bool ring_guest_end(struct ring_guest *guest)
{
	store(&guest->mem->control->interrupt_mask, 0); /* F' */
	return load(&guest->mem->control->write_index) != guest->index;
}
