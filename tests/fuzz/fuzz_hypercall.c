// SPDX-License-Identifier: MIT
/*
 * Fuzzes hypercalls: any control word, addresses, registers and memory, on the partition of
 * unit/hv_fake.h. Beyond not crashing:
 *
 *   - the result word is one that the TLFS knows, and counts what was done; or there is none, where
 *     XMM registers are not for hypercalls;
 *   - guest memory changes where the output of what was done is, and nowhere else;
 *   - interrupts have vectors that exist, messages the sizes and types that a guest may send;
 *   - what SetVpRegisters sets is gone after a reset, and the memory under its pages is back.
 *
 * The input is which features are off, then a list of commands, below.
 */
#include <stdio.h>
#include <sys/eventfd.h>

#include "../unit/hv_fake.h"
#include "hv-enlight/hv_calls_proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * RAW_CALL: VP (1 byte), control, input, output (8 each). FORM_CALL: VP, code (index into the
 * table), form (bit 0: fast; 1 each), reps, start, header (2 each), input, output (8 each;
 * addresses are brought into RAM). PUT: address (4), length (1), bytes. XMM: VP, XMM0-XMM5.
 */
enum command { RAW_CALL, FORM_CALL, PUT, XMM, COMMANDS };

#define COMMANDS_MAX 64

struct input {
	const uint8_t *data;
	size_t left;
};

static struct hv_fake fake;
static uint8_t shadow[HV_FAKE_RAM]; /* what RAM should hold */

static void require(bool truth, const char *what)
{
	if (truth)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

static uint64_t take(struct input *in, size_t bytes)
{
	uint64_t value = 0;
	size_t n = min_of(bytes, in->left);

	memcpy(&value, in->data, n);
	in->data += n;
	in->left -= n;
	return value;
}

/* --- What may happen to the host. ------------------------------------------------------------ */

static enum hv_status on_message(void *ctx, uint32_t type, const uint8_t *payload, size_t len)
{
	uint8_t copy[HV_MESSAGE_PAYLOAD_SIZE];

	require(len <= sizeof(copy), "a message that is too long");
	require(type != 0 && type < 0x80000000u, "a message of a type that is not the guest's");
	memcpy(copy, payload, len);
	return len == 240 ? HV_STATUS_INSUFFICIENT_BUFFERS : HV_STATUS_SUCCESS;
}

static enum hv_status on_event(void *ctx, uint16_t flag)
{
	return flag < 16 ? HV_STATUS_SUCCESS : HV_STATUS_INVALID_PARAMETER;
}

static void create(void)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	hv_fake_create(&fake, 0);
	require(synic_open_message(fake.hv, 1, on_message, NULL) == 0, "no message connection");
	require(synic_open_event(fake.hv, 2, fd) == 0, "no event connection");
	require(synic_open_event_handler(fake.hv, 3, on_event, NULL) == 0, "no event handler");
}

static void check_interrupts(unsigned int from)
{
	unsigned int count = kvm_fake.msi_count;

	require(count - from <= 512, "more interrupts than processors could be sent");
	for (unsigned int n = count - from > KVM_FAKE_LOG ? count - KVM_FAKE_LOG : from; n < count;
	     n++)
		require(hv_fake_vector(n) >= 16 && hv_fake_target(n) < HV_FAKE_VPS,
			"an interrupt that cannot be");
}

/* --- Results. -------------------------------------------------------------------------------- */

static const struct hypercall_row *row_of(uint16_t code)
{
	for (size_t i = 0; i < hv_call_count; i++)
		if (hv_call_table[i].code == code)
			return &hv_call_table[i];
	return NULL;
}

static void check_result(uint64_t control, uint64_t result, const struct hypercall_row *row)
{
	static const uint16_t known[] = {
		HV_STATUS_SUCCESS,
		HV_STATUS_INVALID_HYPERCALL_CODE,
		HV_STATUS_INVALID_HYPERCALL_INPUT,
		HV_STATUS_INVALID_ALIGNMENT,
		HV_STATUS_INVALID_PARAMETER,
		HV_STATUS_ACCESS_DENIED,
		HV_STATUS_INVALID_PARTITION_ID,
		HV_STATUS_INVALID_VP_INDEX,
		HV_STATUS_INVALID_PORT_ID,
		HV_STATUS_INVALID_CONNECTION_ID,
		HV_STATUS_INSUFFICIENT_BUFFERS,
	};
	uint16_t reps = result >> 32 & 0xfff;
	bool found = false;

	if (result == HYPERCALL_UNDEFINED) {
		require((control & HV_CONTROL_FAST) && !hv_has(fake.hv, HV_FEATURE_XMM_INPUT),
			"an undefined opcode");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		found |= (uint16_t)result == known[i];
	require(found, "an unknown status");
	require(!(result & 0xfffff000ffff0000ull), "reserved bits in the result");
	require((uint16_t)result != HV_STATUS_INVALID_HYPERCALL_CODE || !row, "a call not known");
	if (!row || !row->rep)
		require(reps == 0, "elements of a call that has none");
	else if ((uint16_t)result == HV_STATUS_SUCCESS)
		require(reps == HV_CONTROL_REP_COUNT(control), "success before the end");
	else
		require(!reps || reps < HV_CONTROL_REP_COUNT(control), "failure after the end");
}

/* Takes over from RAM what the call may have written there. */
static void mirror(uint64_t gpa, uint64_t len)
{
	require(mem_read(fake.mem, gpa, shadow + (len ? gpa : 0), len) == 0, "output outside RAM");
}

static void mirror_output(uint64_t control, uint64_t output, uint64_t result,
			  const struct hypercall_row *row)
{
	uint64_t start = HV_CONTROL_REP_START(control), done = result >> 32 & 0xfff;

	if (row->output && (uint16_t)result == HV_STATUS_SUCCESS)
		mirror(output, row->output);
	if (row->rep_output && done > start)
		mirror(output + row->output + start * row->rep_output,
		       (done - start) * row->rep_output);
}

/* Ranges that were given up read as zero. */
static void mirror_heat(uint64_t control, uint64_t input, uint64_t result)
{
	uint64_t words[PAGE_SIZE / 8];
	uint64_t start = HV_CONTROL_REP_START(control), done = result >> 32 & 0xfff;

	if (done <= start)
		return;
	memcpy(words, shadow + input, 8 + done * 8);
	for (uint64_t i = start; i < done; i++) {
		uint64_t range = words[1 + i], pages = (range & 0x7ff) + 1, gpa = range >> 12 << 12;

		require(!(range & HV_RANGE_LARGE), "large pages given up of so little memory");
		require(range_within(gpa, pages << 12, HV_FAKE_RAM),
			"memory given up that is none");
		memset(shadow + gpa, 0, pages << 12);
	}
}

/* --- Commands. ------------------------------------------------------------------------------- */

static void call(unsigned int vp, uint64_t control, uint64_t input, uint64_t output)
{
	const struct hypercall_row *row = row_of(HV_CONTROL_CODE(control));
	unsigned int interrupts = kvm_fake.msi_count;
	uint64_t result;

	/* mirror_heat() looks for its ranges in memory. */
	if (row && row->code == HV_CALL_EXT_MEMORY_HEAT && (control & HV_CONTROL_FAST))
		control &= ~HV_CONTROL_FAST;
	result = hv_fake_call(&fake, vp, control, input, output);
	check_result(control, result, row);
	/* Among the registers is the interrupt command's, which holds what the guest likes. */
	if (!row || row->code != HV_CALL_SET_VP_REGISTERS)
		check_interrupts(interrupts);
	if (!row || result == HYPERCALL_UNDEFINED)
		return;
	if (row->code == HV_CALL_EXT_MEMORY_HEAT)
		mirror_heat(control, input, result);
	if (row->code == HV_CALL_SET_VP_REGISTERS)
		hv_reset(fake.hv);
	if (!(control & HV_CONTROL_FAST))
		mirror_output(control, output, result, row);
}

static void form_call(struct input *in)
{
	unsigned int vp = take(in, 1) % HV_FAKE_VPS;
	const struct hypercall_row *row = &hv_call_table[take(in, 1) % hv_call_count];
	uint64_t form = take(in, 1), reps = take(in, 2), start = take(in, 2), header = take(in, 2);
	uint64_t input = take(in, 8), output = take(in, 8);
	uint64_t control =
		row->code | (reps & 0xfff) << 32 | (start & 0xfff) << 48 | (header & 0x3ff) << 17;

	if (form & 1)
		call(vp, control | HV_CONTROL_FAST, input, output);
	else
		call(vp, control, input % HV_FAKE_RAM, output % HV_FAKE_RAM);
}

static void put(struct input *in)
{
	uint64_t gpa = take(in, 4) % HV_FAKE_RAM, len = take(in, 1);

	len = min_of(len, in->left);
	if (!range_within(gpa, len, HV_FAKE_RAM))
		return;
	require(mem_write(fake.mem, gpa, in->data, len) == 0, "no memory");
	memcpy(shadow + gpa, in->data, len);
	in->data += len;
	in->left -= len;
}

static void put_xmm(struct input *in)
{
	struct kvm_fake_cpu *cpu = &kvm_fake.cpus[take(in, 1) % HV_FAKE_VPS];
	size_t len = min_of(in->left, (size_t)96);

	memcpy(cpu->fpu.xmm, in->data, len);
	in->data += len;
	in->left -= len;
}

static void run(struct input *in)
{
	unsigned int vp;
	uint64_t control, input;

	switch ((enum command)(take(in, 1) % COMMANDS)) {
	case RAW_CALL:
		vp = take(in, 1) % HV_FAKE_VPS;
		control = take(in, 8);
		input = take(in, 8);
		call(vp, control, input, take(in, 8));
		break;
	case FORM_CALL:
		form_call(in);
		break;
	case PUT:
		put(in);
		break;
	case XMM:
		put_xmm(in);
		break;
	case COMMANDS:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {.data = data, .left = size};
	const void *ram;

	if (!fake.hv)
		create();
	memset(shadow, 0, sizeof(shadow));
	require(mem_fill(fake.mem, 0, 0, HV_FAKE_RAM) == 0, "no memory");
	memset(kvm_fake.cpus, 0, sizeof(kvm_fake.cpus));
	fake.hv->features = HV_FEATURES_ALL & ~(uint32_t)take(&in, 4);
	fake.hv->hypercalls.features = fake.hv->features;
	for (int i = 0; in.left && i < COMMANDS_MAX; i++)
		run(&in);
	ram = mem_map(fake.mem, 0, HV_FAKE_RAM);
	require(memcmp(ram, shadow, sizeof(shadow)) == 0, "memory changed where nothing was to");
	return 0;
}
