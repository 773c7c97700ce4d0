// SPDX-License-Identifier: MIT
/*
 * The serial port's data: batches, both FIFOs, flow control to a slow host, the end, and several
 * threads at it at once.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "serial_fake.h"

/* The host's end of the port: stdin and stdout of the process are pipes. */
static int host_in, host_out;

/* Stdin and stdout become pipes; check's own messages go elsewhere. */
static void setup_pipes(void)
{
	int in[2], out[2];

	ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(out, O_CLOEXEC | O_NONBLOCK), 0);
	/* Only our end of the output does not block. */
	ck_assert_int_eq(fcntl(out[1], F_SETFL, fcntl(out[1], F_GETFL) & ~O_NONBLOCK), 0);
	dup2(in[0], STDIN_FILENO);
	dup2(out[1], STDOUT_FILENO);
	close(in[0]);
	close(out[1]);
	host_in = in[1];
	host_out = out[0];
	create(CHARDEV_STDIO, NULL);
}

static void put_text(const char *text)
{
	for (; *text; text++)
		put(SERIAL_THR, (uint8_t)*text);
}

/* --- Output. ------------------------------------------------------------------------------- */

static char received[4 << 20];
static size_t received_len;

/* Takes what the host's end has, up to @max bytes. */
static void receive(size_t max)
{
	ssize_t n;

	max = min_of(max, sizeof(received) - received_len);
	while (max && (n = read(host_out, received + received_len, max)) > 0) {
		received_len += (size_t)n;
		max -= (size_t)n;
	}
}

static bool received_all(void *ctx)
{
	receive(SIZE_MAX);
	return received_len >= *(const size_t *)ctx;
}

START_TEST(output_arrives)
{
	size_t len = 12;

	put_text("hello, ");
	put_text("world");
	ck_assert(run_until(loop, received_all, &len, 500));
	ck_assert_uint_eq(received_len, 12);
	ck_assert(!memcmp(received, "hello, world", 12));
	ck_assert_uint_eq(counter_get(&serial_counters(serial)->tx_posts), 1);
	ck_assert_uint_eq(counter_get(&serial_counters(serial)->tx_batches), 1);
}
END_TEST

/* Bytes that come one at a time, while the loop runs: few wakes, few writes. */
static void *slow_writer(void *ctx)
{
	struct timespec ts = {.tv_nsec = 20000};

	for (unsigned int i = 0; i < 500; i++) {
		get(SERIAL_LSR);
		put(SERIAL_THR, 'x');
		nanosleep(&ts, NULL);
	}
	return NULL;
}

START_TEST(a_drain_is_shared_by_many_bytes)
{
	size_t len = 500;
	pthread_t thread;

	pthread_create(&thread, NULL, slow_writer, NULL);
	ck_assert(run_until(loop, received_all, &len, 5000));
	pthread_join(thread, NULL);
	ck_assert_uint_lt(counter_get(&serial_counters(serial)->tx_batches), 100);
	ck_assert_uint_le(counter_get(&serial_counters(serial)->tx_posts), 10);
}
END_TEST

START_TEST(slow_host_holds_the_guest_back)
{
	size_t sent = 0, len;

	put(SERIAL_IER, IER_EDSSI);
	/* Nobody reads: THRE goes away at the soft limit, and CTS with it. */
	while (get(SERIAL_LSR) & LSR_THRE) {
		put(SERIAL_THR, (uint8_t)('a' + sent % 26));
		sent++;
	}
	ck_assert_uint_eq(sent, SERIAL_TX_SOFT);
	ck_assert_uint_eq(fake_irq_take(&irq), 1);
	ck_assert_uint_eq(get(SERIAL_MSR), MSR_DSR | MSR_DCD | MSR_DCTS);
	put(SERIAL_IER, IER_ETBEI);
	ck_assert_uint_eq(get(SERIAL_IIR), IIR_NONE);
	/* A guest that does not care is still heard. */
	for (unsigned int i = 0; i < 1000; i++)
		put(SERIAL_THR, (uint8_t)('a' + sent++ % 26));
	ck_assert_uint_eq(get(SERIAL_IIR), IIR_NONE);
	/* The pipe takes 64 KiB; the rest waits for its reader. */
	run_for(loop, 20);
	len = sent;
	ck_assert(run_until(loop, received_all, &len, 2000));
	ck_assert_uint_eq(received_len, sent);
	for (size_t i = 0; i < sent; i++) {
		if (received[i] != (char)('a' + i % 26))
			ck_abort_msg("byte %zu is wrong", i);
	}
	ck_assert_uint_eq(get(SERIAL_LSR), LSR_THRE | LSR_TEMT);
	ck_assert_uint_eq(fake_irq_take(&irq), 1);
	ck_assert_uint_eq(get(SERIAL_IIR), IIR_THRI);
	ck_assert_uint_eq(get(SERIAL_MSR) & MSR_CTS, MSR_CTS);
	ck_assert_uint_eq(counter_get(&serial_counters(serial)->tx_dropped), 0);
	ck_assert_uint_eq(counter_get(&serial_counters(serial)->tx_stalls), 1);
}
END_TEST

START_TEST(past_the_hard_limit_bytes_are_dropped)
{
	size_t len = SERIAL_TX_HARD;

	for (size_t i = 0; i < SERIAL_TX_HARD; i++)
		put(SERIAL_THR, (uint8_t)i);
	ck_assert_uint_eq(counter_get(&serial_counters(serial)->tx_dropped), 0);
	for (size_t i = 0; i < 10; i++)
		put(SERIAL_THR, 0xff);
	ck_assert_uint_eq(counter_get(&serial_counters(serial)->tx_dropped), 10);
	ck_assert(run_until(loop, received_all, &len, 2000));
	run_for(loop, 5);
	receive(SIZE_MAX);
	ck_assert_uint_eq(received_len, SERIAL_TX_HARD);
	for (size_t i = 0; i < received_len; i++) {
		if ((uint8_t)received[i] != (uint8_t)i)
			ck_abort_msg("byte %zu is wrong", i);
	}
	/* The limit counts what is being written too. */
	for (size_t i = 0; i < SERIAL_TX_HARD / 2; i++)
		put(SERIAL_THR, 0);
	run_for(loop, 5);
	for (size_t i = 0; i < SERIAL_TX_HARD; i++)
		put(SERIAL_THR, 0);
	ck_assert_uint_ge(counter_get(&serial_counters(serial)->tx_dropped),
			  SERIAL_TX_HARD / 2 - KiB(128));
	close(host_out);
}
END_TEST

START_TEST(a_reset_keeps_output)
{
	size_t len = 5;

	put_text("panic");
	serial_device(serial)->ops->reset(serial_device(serial));
	ck_assert(run_until(loop, received_all, &len, 500));
	ck_assert(!memcmp(received, "panic", 5));
}
END_TEST

START_TEST(the_end_flushes)
{
	for (size_t i = 0; i < KiB(60); i++)
		put(SERIAL_THR, 'z');
	shut_down(1000);
	receive(SIZE_MAX);
	ck_assert_uint_eq(received_len, KiB(60));
	ck_assert_uint_eq(counter_get(&serial_counters(serial)->tx_dropped), 0);
}
END_TEST

static void *slow_reader(void *ctx)
{
	struct timespec ts = {.tv_nsec = 5000000};

	while (received_len < KiB(300)) {
		receive(KiB(8));
		nanosleep(&ts, NULL);
	}
	return NULL;
}

START_TEST(the_end_waits_for_a_slow_reader)
{
	pthread_t thread;

	for (size_t i = 0; i < KiB(300); i++)
		put(SERIAL_THR, (uint8_t)i);
	pthread_create(&thread, NULL, slow_reader, NULL);
	shut_down(5000);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(received_len, KiB(300));
	ck_assert_uint_eq(counter_get(&serial_counters(serial)->tx_dropped), 0);
}
END_TEST

START_TEST(the_end_does_not_wait_for_a_stuck_reader)
{
	uint64_t start = loop_now();

	for (size_t i = 0; i < KiB(300); i++)
		put(SERIAL_THR, 'z');
	shut_down(4000);
	ck_assert_uint_ge(loop_now() - start, FLUSH_STUCK_NS);
	ck_assert_uint_ge(counter_get(&serial_counters(serial)->tx_dropped), KiB(200));
}
END_TEST

START_TEST(a_reader_that_left_costs_nothing)
{
	close(host_out);
	put_text("nobody hears this");
	run_for(loop, 10);
	put_text("nor this");
	run_for(loop, 10);
	ck_assert_uint_eq(get(SERIAL_LSR), LSR_THRE | LSR_TEMT);
	ck_assert_uint_eq(counter_get(&chardev_counters(chardev)->discarded), 25);
	ck_assert_uint_eq(counter_get(&chardev_counters(chardev)->errors), 1);
}
END_TEST

/* --- Input. -------------------------------------------------------------------------------- */

static bool data_ready(void *ctx)
{
	return get(SERIAL_LSR) & LSR_DR;
}

static void host_sends(const char *text)
{
	ck_assert_int_eq(write(host_in, text, strlen(text)), (ssize_t)strlen(text));
}

START_TEST(input_arrives)
{
	put(SERIAL_FCR, FCR_ENABLE);
	put(SERIAL_IER, IER_ERBFI);
	host_sends("ok\n");
	ck_assert(run_until(loop, data_ready, NULL, 500));
	ck_assert_uint_eq(fake_irq_take(&irq), 1);
	ck_assert_uint_eq(get(SERIAL_RBR), 'o');
	ck_assert_uint_eq(get(SERIAL_RBR), 'k');
	ck_assert_uint_eq(get(SERIAL_RBR), '\n');
	ck_assert_uint_eq(get(SERIAL_LSR), LSR_THRE | LSR_TEMT);
}
END_TEST

START_TEST(input_waits_for_room)
{
	char text[5001];
	size_t at = 0;

	for (size_t i = 0; i < sizeof(text) - 1; i++)
		text[i] = (char)('0' + i % 10);
	text[sizeof(text) - 1] = 0;
	put(SERIAL_FCR, FCR_ENABLE | 3 << FCR_TRIGGER_SHIFT);
	put(SERIAL_IER, IER_ERBFI);
	host_sends(text);
	while (at < sizeof(text) - 1) {
		unsigned int burst = 0;

		ck_assert(run_until(loop, data_ready, NULL, 500));
		while (get(SERIAL_LSR) & LSR_DR) {
			ck_assert_uint_eq(get(SERIAL_LSR) & LSR_OE, 0);
			ck_assert_int_eq(get(SERIAL_RBR), text[at]);
			at++;
			burst++;
		}
		ck_assert_uint_le(burst, 16);
	}
	run_for(loop, 5);
	ck_assert_uint_eq(get(SERIAL_LSR) & LSR_DR, 0);
	ck_assert_uint_eq(counter_get(&chardev_counters(chardev)->bytes_in), sizeof(text) - 1);
}
END_TEST

START_TEST(input_without_fifos)
{
	host_sends("abc");
	for (char c = 'a'; c <= 'c'; c++) {
		ck_assert(run_until(loop, data_ready, NULL, 500));
		ck_assert_int_eq(get(SERIAL_RBR), c);
	}
}
END_TEST

START_TEST(rts_holds_input)
{
	put(SERIAL_FCR, FCR_ENABLE);
	put(SERIAL_MCR, MCR_DTR);
	host_sends("abc");
	run_for(loop, 20);
	ck_assert_uint_eq(get(SERIAL_LSR) & LSR_DR, 0);
	put(SERIAL_MCR, MCR_DTR | MCR_RTS);
	ck_assert(run_until(loop, data_ready, NULL, 500));
	ck_assert_int_eq(get(SERIAL_RBR), 'a');
}
END_TEST

START_TEST(loopback_holds_input)
{
	put(SERIAL_FCR, FCR_ENABLE);
	put(SERIAL_MCR, MCR_LOOP);
	host_sends("abc");
	run_for(loop, 20);
	ck_assert_uint_eq(get(SERIAL_LSR) & LSR_DR, 0);
	put(SERIAL_MCR, 0);
	ck_assert(run_until(loop, data_ready, NULL, 500));
	ck_assert_int_eq(get(SERIAL_RBR), 'a');
}
END_TEST

START_TEST(pause_holds_input)
{
	struct device *dev = serial_device(serial);

	put(SERIAL_FCR, FCR_ENABLE);
	dev->ops->pause(dev);
	host_sends("abc");
	run_for(loop, 20);
	ck_assert_uint_eq(get(SERIAL_LSR) & LSR_DR, 0);
	dev->ops->resume(dev);
	ck_assert(run_until(loop, data_ready, NULL, 500));
	ck_assert_int_eq(get(SERIAL_RBR), 'a');
}
END_TEST

START_TEST(clearing_the_fifo_makes_room)
{
	put(SERIAL_FCR, FCR_ENABLE);
	host_sends("0123456789abcdefXYZ");
	ck_assert(run_until(loop, data_ready, NULL, 500));
	put(SERIAL_FCR, FCR_ENABLE | FCR_CLEAR_RX);
	ck_assert(run_until(loop, data_ready, NULL, 500));
	ck_assert_int_eq(get(SERIAL_RBR), 'X');
}
END_TEST

START_TEST(the_end_of_input_is_no_trouble)
{
	host_sends("a");
	close(host_in);
	ck_assert(run_until(loop, data_ready, NULL, 500));
	ck_assert_int_eq(get(SERIAL_RBR), 'a');
	run_for(loop, 10);
	ck_assert_uint_eq(get(SERIAL_LSR) & LSR_DR, 0);
	put_text("b");
	run_for(loop, 10);
	receive(SIZE_MAX);
	ck_assert_uint_eq(received_len, 1);
}
END_TEST

/* --- Several threads. ---------------------------------------------------------------------- */

START_TEST(two_threads_and_the_loop)
{
	static const uint16_t ports[] = {PORT,     PORT + 1, PORT + 2, PORT + 3,
					 PORT + 4, PORT + 5, PORT + 6, PORT + 7};

	host_sends("some input for them to fight over");
	hammer(loop, &bus, ports, ARRAY_SIZE(ports));
	receive(SIZE_MAX);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("serial_io");
	TCase *tc = tcase_create("data");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, setup_pipes, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, output_arrives);
	tcase_add_test(tc, a_drain_is_shared_by_many_bytes);
	tcase_add_test(tc, slow_host_holds_the_guest_back);
	tcase_add_test(tc, past_the_hard_limit_bytes_are_dropped);
	tcase_add_test(tc, a_reset_keeps_output);
	tcase_add_test(tc, the_end_flushes);
	tcase_add_test(tc, the_end_waits_for_a_slow_reader);
	tcase_add_test(tc, the_end_does_not_wait_for_a_stuck_reader);
	tcase_add_test(tc, a_reader_that_left_costs_nothing);
	tcase_add_test(tc, input_arrives);
	tcase_add_test(tc, input_waits_for_room);
	tcase_add_test(tc, input_without_fifos);
	tcase_add_test(tc, rts_holds_input);
	tcase_add_test(tc, loopback_holds_input);
	tcase_add_test(tc, pause_holds_input);
	tcase_add_test(tc, clearing_the_fifo_makes_room);
	tcase_add_test(tc, the_end_of_input_is_no_trouble);
	tcase_add_test(tc, two_threads_and_the_loop);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
