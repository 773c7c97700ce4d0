// SPDX-License-Identifier: MIT
/*
 * Messages and events between host and guest, and the table of connections, on the partition of
 * hv_fake.h.
 */
#include "hv-enlight/synic.h"

#include <sched.h>
#include <sys/eventfd.h>

#include "hv-enlight/hypercall_page.h"
#include "hv_fake.h"
#include "hv_tests.h"

#define SIMP(vp) (0x10000ull + (uint64_t)(vp)*PAGE_SIZE)
#define SINT     2u

static struct hv_fake fake;
static struct hv *hv;

static void setup(void)
{
	hv_fake_create(&fake, 0);
	hv = fake.hv;
	for (unsigned int vp = 0; vp < 2; vp++) {
		ck_assert(hv_fake_wrmsr(&fake, vp, HV_MSR_SCONTROL, 1));
		ck_assert(hv_fake_wrmsr(&fake, vp, HV_MSR_SIMP, SIMP(vp) | 1));
		ck_assert(hv_fake_wrmsr(&fake, vp, HV_MSR_SINT0 + SINT, 0x80 + vp));
	}
}

static void teardown(void)
{
	hv_fake_destroy(&fake);
}

static struct hv_message slot(unsigned int vp, unsigned int sint)
{
	struct hv_message m;

	ck_assert_int_eq(mem_read(fake.mem, SIMP(vp) + sint * sizeof(m), &m, sizeof(m)), 0);
	return m;
}

static void consume(unsigned int vp, unsigned int sint)
{
	ck_assert_int_eq(mem_fill(fake.mem, SIMP(vp) + sint * 256ull, 0, 4), 0);
	ck_assert(hv_fake_wrmsr(&fake, vp, HV_MSR_EOM, 0));
}

/* --- To the guest. --------------------------------------------------------------------------- */

START_TEST(post_message)
{
	uint8_t payload[HV_MESSAGE_PAYLOAD_SIZE];
	struct hv_message m;

	memset(payload, 0x5a, sizeof(payload));
	ck_assert_int_eq(synic_post_message(hv, 1, SINT, 77, payload, sizeof(payload)), 0);
	m = slot(1, SINT);
	ck_assert_uint_eq(m.header.message_type, 77);
	ck_assert_uint_eq(m.header.payload_size, 240);
	ck_assert_mem_eq(m.payload, payload, sizeof(payload));
	ck_assert_uint_eq(slot(0, SINT).header.message_type, 0);
	ck_assert_uint_eq(kvm_fake.msi_count, 1);
	ck_assert_uint_eq(hv_fake_target(0), 1);
	ck_assert_uint_eq(hv_fake_vector(0), 0x81);
	/* A shorter one does not carry the longer one's tail along. */
	ck_assert_int_eq(synic_post_message(hv, 1, SINT, 78, "abc", 3), 0);
	consume(1, SINT);
	m = slot(1, SINT);
	ck_assert_uint_eq(m.header.payload_size, 3);
	ck_assert_mem_eq(m.payload, "abc\0\0\0\0\0", 8);
	for (size_t i = 3; i < sizeof(m.payload); i++)
		ck_assert_uint_eq(m.payload[i], 0);
}
END_TEST

START_TEST(what_does_not_exist)
{
	const uint8_t payload[256] = {0};

	ck_assert_int_eq(synic_post_message(hv, HV_FAKE_VPS, SINT, 1, payload, 1), -EINVAL);
	ck_assert_int_eq(synic_post_message(hv, UINT32_MAX, SINT, 1, payload, 1), -EINVAL);
	ck_assert_int_eq(synic_post_message(hv, 0, HV_SINT_COUNT, 1, payload, 1), -EINVAL);
	ck_assert_int_eq(synic_post_message(hv, 0, SINT, 1, payload, 241), -EINVAL);
	ck_assert_int_eq(synic_post_message(hv, 0, SINT, 1, payload, SIZE_MAX), -EINVAL);
	ck_assert_int_eq(synic_signal_event(hv, HV_FAKE_VPS, SINT, 0), -EINVAL);
	ck_assert_int_eq(synic_signal_event(hv, 0, HV_SINT_COUNT, 0), -EINVAL);
	ck_assert_int_eq(synic_signal_event(hv, 0, SINT, HV_EVENT_FLAGS_COUNT), -EINVAL);
	ck_assert_int_eq(synic_raise(hv, HV_FAKE_VPS, SINT), -EINVAL);
	ck_assert_int_eq(synic_raise(hv, 0, HV_SINT_COUNT), -EINVAL);
	/* The last ones there are. */
	ck_assert_int_eq(synic_post_message(hv, HV_FAKE_VPS - 1, 15, 1, payload, 240), 0);
	ck_assert_int_eq(synic_signal_event(hv, 0, SINT, 0), -ENODEV);
	ck_assert_int_eq(synic_raise(hv, 1, SINT), 0);
	ck_assert_uint_eq(kvm_fake.msi_count, 1);
}
END_TEST

START_TEST(room)
{
	for (uint32_t n = 0; n < 1 + SYNIC_QUEUE_MAX; n++)
		ck_assert_int_eq(synic_post_message(hv, 0, SINT, 1 + n, "m", 1), 0);
	ck_assert_int_eq(synic_post_message(hv, 0, SINT, 99, "m", 1), -EAGAIN);
	ck_assert_int_eq(synic_post_message(hv, 1, SINT, 99, "m", 1), 0);
	for (uint32_t n = 0; n < 1 + SYNIC_QUEUE_MAX; n++) {
		ck_assert_uint_eq(slot(0, SINT).header.message_type, 1 + n);
		consume(0, SINT);
		ck_assert_uint_eq(fake.rooms, 1);
	}
	ck_assert_uint_eq(slot(0, SINT).header.message_type, 0);
}
END_TEST

/* --- Connections. ---------------------------------------------------------------------------- */

static unsigned int received;

static enum hv_status receive(void *ctx, uint32_t type, const uint8_t *payload, size_t len)
{
	received++;
	return HV_STATUS_SUCCESS;
}

static uint16_t last_flag;

static enum hv_status on_event(void *ctx, uint16_t flag)
{
	last_flag = flag;
	return flag < 8 ? HV_STATUS_SUCCESS : HV_STATUS_INVALID_PARAMETER;
}

static enum hv_status post(uint32_t id)
{
	return hv_post_from_guest(hv, id, 1, (const uint8_t *)"x", 1);
}

START_TEST(ids)
{
	int fd = eventfd(0, EFD_NONBLOCK);

	ck_assert_int_eq(synic_open_message(hv, 1, receive, NULL), 0);
	ck_assert_int_eq(synic_open_event(hv, 2, fd), 0);
	ck_assert_int_eq(synic_open_event_handler(hv, 3, on_event, NULL), 0);
	/* Ids have 24 bits. */
	ck_assert_int_eq(synic_open_message(hv, 1u << 24, receive, NULL), -EINVAL);
	ck_assert_int_eq(synic_open_event(hv, UINT32_MAX, fd), -EINVAL);
	ck_assert_int_eq(synic_open_event_handler(hv, 0xffffff, on_event, NULL), 0);
	for (uint32_t id = 1; id <= 3; id++) {
		ck_assert_int_eq(synic_open_message(hv, id, receive, NULL), -EEXIST);
		ck_assert_int_eq(synic_open_event(hv, id, fd), -EEXIST);
		ck_assert_int_eq(synic_open_event_handler(hv, id, on_event, NULL), -EEXIST);
	}
	ck_assert_int_eq(post(1), HV_STATUS_SUCCESS);
	synic_close(hv, 1);
	synic_close(hv, 1);
	synic_close(hv, 4);
	ck_assert_int_eq(post(1), HV_STATUS_INVALID_CONNECTION_ID);
	/* The others are where they were, and the id is free. */
	ck_assert_int_eq(hv_signal_from_guest(hv, 2, 0), HV_STATUS_SUCCESS);
	ck_assert_int_eq(hv_signal_from_guest(hv, 3, 5), HV_STATUS_SUCCESS);
	ck_assert_uint_eq(last_flag, 5);
	ck_assert_int_eq(hv_signal_from_guest(hv, 3, 8), HV_STATUS_INVALID_PARAMETER);
	ck_assert_int_eq(synic_open_event(hv, 1, fd), 0);
	close(fd);
}
END_TEST

/* A message is no event, nor the other way round. */
START_TEST(kinds)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	uint64_t count;

	ck_assert_int_eq(synic_open_message(hv, 1, receive, NULL), 0);
	ck_assert_int_eq(synic_open_event(hv, 2, fd), 0);
	ck_assert_int_eq(synic_open_event_handler(hv, 3, on_event, NULL), 0);
	last_flag = 99;
	ck_assert_int_eq(hv_signal_from_guest(hv, 1, 0), HV_STATUS_INVALID_PORT_ID);
	ck_assert_int_eq(post(2), HV_STATUS_INVALID_PORT_ID);
	ck_assert_int_eq(post(3), HV_STATUS_INVALID_PORT_ID);
	ck_assert_uint_eq(received, 0);
	ck_assert_uint_eq(last_flag, 99);
	ck_assert_int_lt(read(fd, &count, sizeof(count)), 0);
	/* Signalling never fails for want of room (TLFS 11.5). */
	count = UINT64_MAX - 1;
	ck_assert_int_eq(write(fd, &count, sizeof(count)), sizeof(count));
	ck_assert_int_eq(hv_signal_from_guest(hv, 2, 0), HV_STATUS_SUCCESS);
	close(fd);
}
END_TEST

START_TEST(as_many_as_there_may_be)
{
	for (uint32_t id = 0; id < HV_CONNECTIONS_MAX; id++)
		if (synic_open_message(hv, id, receive, NULL) != 0)
			ck_abort_msg("connection %u", id);
	ck_assert_int_eq(synic_open_message(hv, HV_CONNECTIONS_MAX, receive, NULL), -ENOSPC);
	ck_assert_int_eq(post(HV_CONNECTIONS_MAX), HV_STATUS_INVALID_CONNECTION_ID);
	ck_assert_int_eq(post(HV_CONNECTIONS_MAX - 1), HV_STATUS_SUCCESS);
	synic_close(hv, 17);
	ck_assert_int_eq(synic_open_message(hv, HV_CONNECTIONS_MAX, receive, NULL), 0);
	ck_assert_int_eq(post(HV_CONNECTIONS_MAX), HV_STATUS_SUCCESS);
}
END_TEST

/* A guest's signal rings an eventfd in the kernel, by the id that it writes to the port. */
START_TEST(doorbells)
{
	int fd = eventfd(0, EFD_NONBLOCK);

	ck_assert_int_eq(synic_open_event(hv, 0xabcdef, fd), 0);
	ck_assert_uint_eq(kvm_fake.doorbells, 1);
	ck_assert_uint_eq(kvm_fake.doorbell.addr, HV_PORT_SIGNAL);
	ck_assert_uint_eq(kvm_fake.doorbell.len, 4);
	ck_assert_uint_eq(kvm_fake.doorbell.datamatch, 0xabcdef);
	ck_assert_int_eq(kvm_fake.doorbell.fd, fd);
	ck_assert_uint_eq(kvm_fake.doorbell.flags,
			  KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DATAMATCH);
	/* Those that are handled need to be seen. */
	ck_assert_int_eq(synic_open_message(hv, 1, receive, NULL), 0);
	ck_assert_int_eq(synic_open_event_handler(hv, 2, on_event, NULL), 0);
	ck_assert_uint_eq(kvm_fake.doorbells, 1);
	synic_close(hv, 1);
	synic_close(hv, 2);
	ck_assert_uint_eq(kvm_fake.doorbells, 1);
	synic_close(hv, 0xabcdef);
	ck_assert_uint_eq(kvm_fake.doorbells, 0);
	close(fd);
}
END_TEST

START_TEST(no_doorbell)
{
	int fd = eventfd(0, EFD_NONBLOCK);

	kvm_fake.fails = KVM_IOEVENTFD;
	kvm_fake.fails_with = ENOSPC;
	ck_assert_int_eq(synic_open_event(hv, 5, fd), -ENOSPC);
	ck_assert_int_eq(hv_signal_from_guest(hv, 5, 0), HV_STATUS_INVALID_CONNECTION_ID);
	ck_assert_int_eq(synic_open_event(hv, 5, fd), 0);
	ck_assert_int_eq(hv_signal_from_guest(hv, 5, 0), HV_STATUS_SUCCESS);
	close(fd);
}
END_TEST

/* --- Closing while a guest posts. ------------------------------------------------------------ */

static bool stop, open_now, called_when_closed;

static enum hv_status receive_while_open(void *ctx, uint32_t type, const uint8_t *payload,
					 size_t len)
{
	if (!__atomic_load_n(&open_now, __ATOMIC_SEQ_CST))
		__atomic_store_n(&called_when_closed, true, __ATOMIC_SEQ_CST);
	received++; /* the table's lock keeps handlers apart */
	return HV_STATUS_SUCCESS;
}

static void *keep_posting(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
		enum hv_status status = post(6);

		if (status != HV_STATUS_SUCCESS && status != HV_STATUS_INVALID_CONNECTION_ID)
			abort();
		sched_yield();
	}
	return NULL;
}

/* Once it is closed, no handler runs any more, on whichever VP. */
START_TEST(closed_under_way)
{
	pthread_t threads[2];

	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, keep_posting, NULL), 0);
	for (int i = 0; i < 100; i++) {
		__atomic_store_n(&open_now, true, __ATOMIC_SEQ_CST);
		ck_assert_int_eq(synic_open_message(hv, 6, receive_while_open, NULL), 0);
		ck_assert_int_eq(synic_open_message(hv, 7 + i, receive, NULL), 0);
		sched_yield();
		synic_close(hv, 6);
		__atomic_store_n(&open_now, false, __ATOMIC_SEQ_CST);
	}
	__atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	ck_assert(!called_when_closed);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		post_message,
		what_does_not_exist,
		room,
		ids,
		kinds,
		as_many_as_there_may_be,
		doorbells,
		no_doorbell,
		closed_under_way,
	};

	return hv_run_tests("synic", setup, teardown, tests, ARRAY_SIZE(tests));
}
