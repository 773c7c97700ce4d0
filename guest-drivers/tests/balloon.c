// SPDX-License-Identifier: MIT
/*
 * A guest with dynamic memory, good or bad. It gives what it is asked for, takes back what it gave
 * and what is added, and reports, until its end; or it does so as one of the bad ones does:
 *
 *   mode=silent   never answers a request, and goes on reporting
 *   mode=twice    gives each answer twice
 *   mode=claims   has committed 2^64 pages, and has as many free
 *   mode=thief    gives its own pages, those of others and of nobody, and what it gave before
 *   mode=closes   closes its channel in the middle of each third request, and comes again
 *
 * Further parameters: used_mb=N (committed, default 60), give_mb=N (what it starts with, most of
 * which it can give; default 256). "# ballooned N added N" (MiB) tells of each change.
 */
#include "devices/dm_proto.h"
#include "kit/hv.h"
#include "kit/kit.h"
#include "kit/vmbus.h"

#define PAGES     4u
#define OFFERS    8u
#define REPORT_MS 200u

#define BLOCK       MiB(2)
#define BLOCK_PAGES (BLOCK / PAGE_SIZE)
#define BLOCKS_MAX  1024u
/* Image, page tables and what the host reads are below. */
#define FIRST_BLOCK 24u

/* {525074dc-8985-46e2-8057-a307dc18a502} */
static const struct vmbus_guid memory_class = {{0xdc, 0x74, 0x50, 0x52, 0x85, 0x89, 0xe2, 0x46,
						0x80, 0x57, 0xa3, 0x07, 0xdc, 0x18, 0xa5, 0x02}};

static struct vmbus_channel channel;
static char mode[16];
static uint64_t used_pages, start_pages, added_pages;
static bool is_out[BLOCKS_MAX]; /* of what it started with */
static uint64_t out_blocks;
static unsigned int requests;
static uint32_t trans_id;

static bool is_mode(const char *name)
{
	return strcmp(mode, name) == 0;
}

static void tell(void)
{
	note("ballooned %lu added %lu", out_blocks * 2, added_pages >> 8);
}

/* --- Messages. ------------------------------------------------------------------------------- */

static bool send(void *message, uint16_t type, uint32_t len)
{
	const struct dm_header header = {
		.type = type, .size = (uint16_t)len, .trans_id = ++trans_id};
	const struct vmpacket_descriptor head = {
		.type = VM_PKT_DATA_INBAND, .offset8 = 2, .len8 = (uint16_t)(2 + (len + 7) / 8)};
	bool sent;

	memcpy(message, &header, sizeof(header));
	sent = wait_for(vmbus_write(&channel, &head, message, (len + 7) / 8 * 8), VMBUS_MS);
	vmbus_signal(&channel);
	return sent;
}

static bool answer(void *message, uint16_t type, uint32_t len)
{
	return send(message, type, len) && (!is_mode("twice") || send(message, type, len));
}

static void report(void)
{
	const uint64_t visible = start_pages + added_pages - out_blocks * BLOCK_PAGES;
	struct dm_status status = {
		.num_avail = visible > used_pages ? visible - used_pages : 0,
		.num_committed = used_pages + out_blocks * BLOCK_PAGES,
		.page_file_size = 1, /* not Linux */
	};

	if (is_mode("claims"))
		status.num_avail = status.num_committed = UINT64_MAX;
	expect(send(&status, DM_STATUS_REPORT, sizeof(status)));
}

/* --- Requests. ------------------------------------------------------------------------------- */

struct ranges {
	struct dm_balloon_response head;
	uint64_t range[64];
};

static uint64_t range_of(uint64_t start, uint64_t count)
{
	return start | count << DM_RANGE_START_BITS;
}

/* What is not the guest's to give. */
static void steal(void)
{
	struct ranges bad = {
		.range = {range_of(0xfee00, 1), range_of(0xc0000, 512), range_of(0, 0),
			  range_of(DM_RANGE_START_MASK, DM_RANGE_COUNT_MAX),
			  range_of(0x100, 1 << 23), range_of(start_pages - 1, 2),
			  range_of(1ull << 39, 512)},
	};
	unsigned int count = 7;

	for (uint64_t b = FIRST_BLOCK; b < start_pages / BLOCK_PAGES && count < 16; b++)
		if (is_out[b])
			bad.range[count++] = range_of(b * BLOCK_PAGES, BLOCK_PAGES);
	bad.head.more_and_count = count << 1 | 1;
	expect(send(&bad, DM_BALLOON_RESPONSE, sizeof(bad.head) + count * 8));
}

static void give(uint64_t pages)
{
	struct ranges message = {0};
	unsigned int count = 0;

	if (is_mode("thief"))
		steal();
	for (uint64_t b = start_pages / BLOCK_PAGES; b-- > FIRST_BLOCK && pages >= BLOCK_PAGES;) {
		if (is_out[b] || count == ARRAY_SIZE(message.range))
			continue;
		message.range[count++] = range_of(b * BLOCK_PAGES, BLOCK_PAGES);
		is_out[b] = true;
		out_blocks++;
		pages -= BLOCK_PAGES;
	}
	message.head.more_and_count = count << 1;
	expect(answer(&message, DM_BALLOON_RESPONSE, sizeof(message.head) + count * 8));
	tell();
}

static void take_back(const struct dm_unballoon_request *in)
{
	const uint64_t *ranges = (const uint64_t *)(in + 1);
	struct dm_unballoon_response message;

	for (uint32_t i = 0; i < in->range_count; i++) {
		const uint64_t start = ranges[i] & DM_RANGE_START_MASK;
		const uint64_t count = ranges[i] >> DM_RANGE_START_BITS;

		expect(start % BLOCK_PAGES == 0 && count % BLOCK_PAGES == 0);
		for (uint64_t b = start / BLOCK_PAGES; b < (start + count) / BLOCK_PAGES; b++) {
			if (!expect(b < BLOCKS_MAX && is_out[b]))
				return;
			is_out[b] = false;
			out_blocks--;
			/* It is there: zeroes, and it can be written. */
			expect_eq(*(volatile uint64_t *)(b * BLOCK), 0);
			*(volatile uint64_t *)(b * BLOCK) = b;
			*(volatile uint64_t *)(b * BLOCK) = 0;
		}
	}
	if (in->more & 1)
		return;
	expect(answer(&message, DM_UNBALLOON_RESPONSE, sizeof(message)));
	tell();
}

static void take_more(const struct dm_hot_add_request *in)
{
	struct dm_hot_add_response message = {.result = 1};

	message.page_count = (uint32_t)(in->range >> DM_RANGE_START_BITS);
	added_pages += message.page_count;
	expect(answer(&message, DM_MEM_HOT_ADD_RESPONSE, sizeof(message)));
	tell();
}

/* --- The channel. ---------------------------------------------------------------------------- */

static union {
	struct {
		struct vmpacket_descriptor head;
		struct dm_header dm;
	};
	uint8_t bytes[4096 + 64];
} packet;

static bool next(uint64_t ms)
{
	return vmbus_receive(&channel, &packet, sizeof(packet), ms) != 0;
}

static bool await(uint16_t type)
{
	while (next(VMBUS_MS))
		if (packet.dm.type == type)
			return true;
	return false;
}

static void open(void)
{
	struct dm_version_request version = {.version = DYNMEM_PROTOCOL_VERSION_3};
	struct dm_capabilities caps = {.caps = DM_CAP_BALLOON | DM_CAP_HOT_ADD |
					       1 << DM_CAP_HOT_ADD_ALIGNMENT_SHIFT,
				       .max_page_number = UINT64_MAX};

	if (vmbus_open(&channel) != VMBUS_STATUS_SUCCESS ||
	    !send(&version, DM_VERSION_REQUEST, sizeof(version)) || !await(DM_VERSION_RESPONSE) ||
	    !send(&caps, DM_CAPABILITIES_REPORT, sizeof(caps)) || !await(DM_CAPABILITIES_RESPONSE))
		bail_out("the channel does not open");
	report();
}

/* Whoever comes next knows nothing of what was given. */
static void close_and_open(void)
{
	if (!expect(vmbus_close(&channel)))
		bail_out("the channel does not close");
	memset(is_out, 0, sizeof(is_out));
	out_blocks = 0;
	tell();
	open();
}

static void serve(void)
{
	const void *message = &packet.dm;

	if (packet.dm.type != DM_BALLOON_REQUEST && packet.dm.type != DM_UNBALLOON_REQUEST &&
	    packet.dm.type != DM_MEM_HOT_ADD_REQUEST)
		return;
	requests++;
	if (is_mode("silent"))
		return;
	if (is_mode("closes") && requests % 3 == 0) {
		close_and_open();
		return;
	}
	if (packet.dm.type == DM_BALLOON_REQUEST)
		give(((const struct dm_balloon_request *)message)->num_pages);
	else if (packet.dm.type == DM_UNBALLOON_REQUEST)
		take_back(message);
	else
		take_more(message);
}

static bool connect(void)
{
	struct vmbus_channel_offer_channel offers[OFFERS];
	unsigned int count;

	if (!vmbus_contact(VERSION_WIN10_V5_3) && !vmbus_contact(VERSION_WIN10))
		return false;
	count = vmbus_offers(offers, OFFERS);
	for (unsigned int i = 0; i < count && i < OFFERS; i++) {
		if (memcmp(&offers[i].offer.if_type, &memory_class, sizeof(memory_class)) != 0)
			continue;
		vmbus_channel_init(&channel, &offers[i], PAGES);
		return true;
	}
	return false;
}

void test_main(void)
{
	uint64_t reported = now_ns();

	hv_init();
	if (!hv_eax(HV_EAX_SYNIC))
		skip_all("SynIC is not announced");
	vmbus_init();
	if (!connect())
		skip_all("no dynamic memory is offered");
	param_string("mode", "good", mode, sizeof(mode));
	used_pages = param_u64("used_mb", 60) << 8;
	start_pages = param_u64("give_mb", 256) << 8;
	open();
	note("serving as %s", mode);
	for (;;) {
		if (next(REPORT_MS / 4))
			serve();
		if (now_ns() - reported < REPORT_MS * 1000000ull)
			continue;
		reported = now_ns();
		report();
	}
}
