// SPDX-License-Identifier: MIT
/*
 * Channels without a bus, rings or a guest: the VSP interface of vmbus/channel.h for tests and fuzz
 * targets of devices. What the device answers and sends is recorded; what it may not do is
 * asserted. Implements all of channel.h, so that the real one is not linked.
 *
 * One thread. Packets are given to the device in memory of exactly their size, gone afterwards.
 */
#pragma once

#include "vmbus/channel.h"

#define FAKE_PAGES    4096ul /* of guest memory, from GPA 0 */
#define FAKE_CHANNELS 8u
#define FAKE_RECORDS  512u /* kept; more are only counted */
#define FAKE_PAYLOAD  128u

struct fake_record {
	uint64_t trans_id;
	uint32_t len;
	uint8_t payload[FAKE_PAYLOAD];
};

struct channel {
	struct vmbus_device *device;
	unsigned int index;
	bool open, closing, full;
	void *private;
	unsigned int outstanding;
	unsigned int resumes;
	uint8_t user_data[120];
	/* Completions, and packets of the device's own; the first FAKE_RECORDS of them. */
	unsigned int completions, sent;
	struct fake_record completed[FAKE_RECORDS];
	struct fake_record message[FAKE_RECORDS];
};

struct vmbus_device {
	struct vmbus_device_config config;
	struct vmbus *bus;
	struct channel *channels[FAKE_CHANNELS];
	unsigned int offered; /* sub-channels */
	bool removing;
	struct channel_counters counters;
};

struct vmbus {
	uint8_t *memory; /* FAKE_PAGES */
	struct vmbus_device *device;
	int add_result; /* of vmbus_device_add() */
};

void channel_fake_init(struct vmbus *bus);
/* The device must be gone. */
void channel_fake_finish(struct vmbus *bus);

/* As the guest opens it; NULL when the device refuses. */
struct channel *channel_fake_open(struct vmbus *bus, unsigned int index);
/* Sub-channels that are open go first. True: the device has said that it is done. */
bool channel_fake_close(struct vmbus *bus, unsigned int index);

/*
 * A packet. -EBUSY: the device is not ready for one; another -errno: it calls it a violation, and
 * the channel has been closed.
 */
int channel_fake_send(struct channel *channel, const struct ring_packet *packet);
/* In band, and asking for a completion. */
int channel_fake_inband(struct channel *channel, uint64_t trans_id, const void *payload,
			uint32_t len);
/* With one range of @bytes from @offset in page @pfn on. */
int channel_fake_gpa(struct channel *channel, uint64_t trans_id, uint64_t pfn, uint32_t offset,
		     uint32_t bytes, const void *payload, uint32_t len);

/* The completion of @trans_id that came last, or NULL. */
const struct fake_record *channel_fake_completion(const struct channel *channel, uint64_t trans_id);

/* There is room after -EAGAIN. */
void channel_fake_room(struct channel *channel);
