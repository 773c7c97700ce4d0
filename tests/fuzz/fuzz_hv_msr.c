// SPDX-License-Identifier: MIT
/*
 * Fuzzes the hypervisor interface's state: sequences of MSR accesses, hypercalls, EOM, passing
 * time, messages and events, on the partition of unit/hv_fake.h, whose clock is a number. Beyond
 * not crashing:
 *
 *   - what is not announced faults, what was written is read back, what is locked stays;
 *   - after its timers were seen to, a VP has none that is due, and few interrupts came of it;
 *   - interrupts have vectors that exist;
 *   - whatever pages lay over it, at a reset the guest's memory is as the guest left it.
 *
 * The input is which features are off, then a list of commands, below. In each the first byte's
 * upper bits are the VP.
 */
#include <stdio.h>
#include <sys/eventfd.h>

#include "../unit/hv_fake.h"
#include "hv-enlight/hv_calls_proto.h"
#include "hv-enlight/hypercall_page.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum command {
	READ,     /* MSR: an index into the table, or 255 and the number (2) */
	WRITE,    /* likewise, and the value (8) */
	PLACE,    /* likewise; the value is a page (2) and flags (1) */
	VALUE,    /* likewise; the value is small (2), at a bit (1) */
	CALL,     /* control, input (8 each); output goes to a page that is not compared */
	TIME,     /* how much later (2), times two to the (1) */
	KICK,     /* the VP's timer fires */
	POST,     /* SINT, length (1 each) */
	SIGNAL,   /* SINT (1), flag (2) */
	CONSUME,  /* SINT (1): the guest takes a message, and says EOM if asked to */
	SCRIBBLE, /* address (4), byte: the guest writes to its memory */
	APIC,     /* vector, in service or requested (1 each) */
	PORT,     /* which (1), a value (4) */
	RESET,
	COMMANDS
};

#define COMMANDS_MAX 256
#define OUTPUT       (HV_FAKE_RAM - PAGE_SIZE)

/* Four timers that catch up, and a queue for each SINT that follows. */
#define INTERRUPTS_MAX (HV_STIMER_COUNT * (STIMER_CATCH_UP + 1) + HV_SINT_COUNT)

struct input {
	const uint8_t *data;
	size_t left;
};

static struct hv_fake fake;
static uint8_t shadow[HV_FAKE_RAM]; /* the guest's memory, under all pages */
static uint64_t now;

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

/* --- What must hold. ------------------------------------------------------------------------- */

static void check_interrupts(unsigned int from)
{
	unsigned int count = kvm_fake.msi_count;

	require(count - from <= INTERRUPTS_MAX, "too many interrupts of one access");
	for (unsigned int n = from; n < count; n++)
		require(hv_fake_vector(n) >= 16, "an interrupt with the vector of an exception");
}

/* Nothing is due on @vp that was just seen to: or it would be seen to again at once, for ever. */
static void check_timers(unsigned int vp)
{
	require(now == UINT64_MAX || stimers_next(&fake.hv->vps[vp].timers) > now,
		"a timer is due still");
}

static bool page_is_at(const struct hv_page *page, uint64_t gpa)
{
	return (page->msr & HV_PAGE_MSR_ENABLE) && (page->msr & HV_PAGE_MSR_GPA_MASK) == gpa;
}

static bool covered(uint64_t gpa)
{
	for (size_t i = 0; i < HV_VM_PAGES; i++)
		if (page_is_at(&fake.hv->pages[i], gpa))
			return true;
	for (unsigned int vp = 0; vp < HV_FAKE_VPS; vp++)
		for (size_t i = 0; i < HV_VP_PAGES; i++)
			if (page_is_at(&fake.hv->vps[vp].pages[i], gpa))
				return true;
	return false;
}

static void reset(void)
{
	hv_reset(fake.hv);
	require(memcmp(mem_map(fake.mem, 0, OUTPUT), shadow, OUTPUT) == 0,
		"the guest's memory is not what it was");
	for (size_t i = 0; i < KVM_FAKE_SLOTS; i++)
		require(!kvm_fake.slots[i].memory_size, "a page is left outside RAM");
	for (unsigned int vp = 0; vp < HV_FAKE_VPS; vp++)
		require(stimers_next(&fake.hv->vps[vp].timers) == UINT64_MAX, "a timer is left");
}

/* --- MSRs. ----------------------------------------------------------------------------------- */

static const uint32_t msrs[] = {
	HV_MSR_GUEST_OS_ID,
	HV_MSR_HYPERCALL,
	HV_MSR_VP_INDEX,
	HV_MSR_RESET,
	HV_MSR_VP_RUNTIME,
	HV_MSR_TIME_REF_COUNT,
	HV_MSR_REFERENCE_TSC,
	HV_MSR_TSC_FREQUENCY,
	HV_MSR_APIC_FREQUENCY,
	HV_MSR_EOI,
	HV_MSR_ICR,
	HV_MSR_TPR,
	HV_MSR_VP_ASSIST_PAGE,
	HV_MSR_SCONTROL,
	HV_MSR_SVERSION,
	HV_MSR_SIEFP,
	HV_MSR_SIMP,
	HV_MSR_EOM,
	HV_MSR_SINT0,
	HV_MSR_SINT0 + 1,
	HV_MSR_SINT0 + 2,
	HV_MSR_SINT15,
	HV_MSR_STIMER0_CONFIG,
	HV_MSR_STIMER0_CONFIG + 1,
	HV_MSR_STIMER0_CONFIG + 2,
	HV_MSR_STIMER0_CONFIG + 3,
	HV_MSR_STIMER0_CONFIG + 4,
	HV_MSR_STIMER0_CONFIG + 5,
	HV_MSR_STIMER3_COUNT - 1,
	HV_MSR_STIMER3_COUNT,
	HV_MSR_GUEST_IDLE,
	HV_MSR_CRASH_P0,
	HV_MSR_CRASH_P0 + 3,
	HV_MSR_CRASH_P4,
	HV_MSR_CRASH_CTL,
};

static uint32_t take_msr(struct input *in)
{
	uint64_t index = take(in, 1);

	return index == 255 ? HV_MSR_FIRST + (uint32_t)take(in, 2) : msrs[index % ARRAY_SIZE(msrs)];
}

static uint32_t feature_of(uint32_t msr)
{
	if (msr == HV_MSR_RESET)
		return HV_FEATURE_BIT(HV_FEATURE_RESET);
	if (msr == HV_MSR_VP_RUNTIME)
		return HV_FEATURE_BIT(HV_FEATURE_RUNTIME);
	if (msr == HV_MSR_TIME_REF_COUNT || msr == HV_MSR_REFERENCE_TSC)
		return HV_FEATURE_BIT(HV_FEATURE_REFERENCE_TIME);
	if (msr >= HV_MSR_EOI && msr <= HV_MSR_VP_ASSIST_PAGE)
		return HV_FEATURE_BIT(HV_FEATURE_APIC);
	if (msr >= HV_MSR_SCONTROL && msr <= HV_MSR_SINT15)
		return HV_FEATURE_BIT(HV_FEATURE_SYNIC);
	if (msr >= HV_MSR_STIMER0_CONFIG && msr <= HV_MSR_STIMER3_COUNT)
		return HV_FEATURE_BIT(HV_FEATURE_STIMERS);
	return msr <= HV_MSR_VP_INDEX ? HV_FEATURES_ALL : 0;
}

static void read_msr(unsigned int vp, uint32_t msr)
{
	uint64_t value = 0x5a5a5a5a5a5a5a5aull;
	bool done = hv_fake_rdmsr(&fake, vp, msr, &value);

	if (!done)
		require(value == 0x5a5a5a5a5a5a5a5aull, "a fault that gives a value");
	if (feature_of(msr) && msr > HV_MSR_VP_INDEX && !(feature_of(msr) & fake.hv->features))
		require(!done, "an MSR that was not announced");
	if (done && msr == HV_MSR_TIME_REF_COUNT)
		require(value == now, "reference time");
	if (done && msr == HV_MSR_VP_INDEX)
		require(value == vp, "another VP's index");
}

/* Registers that keep every bit a guest writes, when it does not fault. */
static bool keeps_all(uint32_t msr)
{
	return msr == HV_MSR_GUEST_OS_ID || msr == HV_MSR_REFERENCE_TSC ||
	       msr == HV_MSR_VP_ASSIST_PAGE || msr == HV_MSR_SCONTROL || msr == HV_MSR_SIEFP ||
	       msr == HV_MSR_SIMP || (msr >= HV_MSR_SINT0 && msr <= HV_MSR_SINT15) ||
	       (msr >= HV_MSR_CRASH_P0 && msr <= HV_MSR_CRASH_P4);
}

static void write_msr(unsigned int vp, uint32_t msr, uint64_t value)
{
	uint64_t locked = fake.hv->pages[HV_PAGE_HYPERCALL].msr, before = 0, after = 0;
	unsigned int interrupts = kvm_fake.msi_count;
	bool readable = hv_fake_rdmsr(&fake, vp, msr, &before);
	bool done = hv_fake_wrmsr(&fake, vp, msr, value);

	/* An interrupt command holds what the guest likes. */
	if (msr != HV_MSR_ICR)
		check_interrupts(interrupts);
	if (feature_of(msr) && msr > HV_MSR_VP_INDEX && !(feature_of(msr) & fake.hv->features))
		require(!done, "an MSR that was not announced");
	if (readable && keeps_all(msr)) {
		require(hv_fake_rdmsr(&fake, vp, msr, &after), "an MSR that is gone");
		require(after == (done ? value : before), "another value than was written");
	}
	if (locked & HV_HYPERCALL_LOCKED)
		require(((fake.hv->pages[HV_PAGE_HYPERCALL].msr ^ locked) & ~HV_PAGE_MSR_ENABLE) ==
				0,
			"a locked register changed");
	if (done &&
	    (msr == HV_MSR_EOM || (msr >= HV_MSR_STIMER0_CONFIG && msr <= HV_MSR_STIMER3_COUNT)))
		check_timers(vp);
}

/* --- The guest and its hosts. ---------------------------------------------------------------- */

static enum hv_status on_message(void *ctx, uint32_t type, const uint8_t *payload, size_t len)
{
	/* As a device would answer: to the VP and SINT that the message names. */
	unsigned int vp = len ? payload[0] % HV_FAKE_VPS : 0, sint = len > 1 ? payload[1] % 16 : 0;

	return synic_post_message(fake.hv, vp, sint, type, payload, len) < 0
		       ? HV_STATUS_INSUFFICIENT_BUFFERS
		       : HV_STATUS_SUCCESS;
}

static enum hv_status on_event(void *ctx, uint16_t flag)
{
	(void)!synic_signal_event(fake.hv, flag % HV_FAKE_VPS, flag % 16, flag);
	return HV_STATUS_SUCCESS;
}

static void create(void)
{
	hv_fake_create(&fake, 0);
	require(synic_open_message(fake.hv, 1, on_message, NULL) == 0, "no message connection");
	require(synic_open_event(fake.hv, 2, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) == 0,
		"no event connection");
	require(synic_open_event_handler(fake.hv, 3, on_event, NULL) == 0, "no event handler");
}

static void consume(unsigned int vp, unsigned int sint)
{
	uint64_t simp = fake.hv->vps[vp].pages[HV_PAGE_SIMP].msr;
	uint64_t slot = (simp & HV_PAGE_MSR_GPA_MASK) + sint * sizeof(struct hv_message);
	struct hv_message_header header;
	uint32_t none = HV_MESSAGE_NONE;

	if (!(simp & HV_PAGE_MSR_ENABLE) || mem_read(fake.mem, slot, &header, sizeof(header)) < 0 ||
	    mem_write(fake.mem, slot, &none, sizeof(none)) < 0)
		return;
	if (header.message_flags & HV_MESSAGE_FLAG_PENDING)
		write_msr(vp, HV_MSR_EOM, 0);
}

static void scribble(uint64_t gpa, uint8_t byte)
{
	require(mem_write(fake.mem, gpa, &byte, 1) == 0, "no memory");
	if (!covered(gpa & HV_PAGE_MSR_GPA_MASK))
		shadow[gpa] = byte;
}

/* Output goes to a page of its own. No call gives memory up: that feature is off. */
static void call(unsigned int vp, uint64_t control, uint64_t input)
{
	unsigned int interrupts = kvm_fake.msi_count;
	uint64_t result = hv_fake_call(&fake, vp, control, input, OUTPUT);

	require(!(result & 0xfffff000ffff0000ull) || result == HYPERCALL_UNDEFINED,
		"reserved bits in the result");
	/* Each of its elements is an access. */
	require(kvm_fake.msi_count - interrupts <= 128 * INTERRUPTS_MAX,
		"too many interrupts of one call");
}

static void set_apic(unsigned int vp, uint8_t vector, bool in_service)
{
	char *word = kvm_fake.cpus[vp].lapic.regs + (in_service ? 0x100 : 0x200) + vector / 32 * 16;
	uint32_t bits;

	memcpy(&bits, word, sizeof(bits));
	bits ^= 1u << vector % 32;
	memcpy(word, &bits, sizeof(bits));
}

static void write_port(unsigned int vp, struct input *in)
{
	struct kvm_regs *regs = &kvm_fake.cpus[vp].regs;
	uint16_t port = HV_PORT_FIRST + take(in, 1) % HV_PORT_COUNT;
	uint32_t value = (uint32_t)take(in, 4);

	*regs = (struct kvm_regs){.rax = value,
				  .rcx = value,
				  .rdx = HV_STATUS_SUCCESS,
				  .r8 = OUTPUT,
				  .rsi = OUTPUT,
				  .rbx = 0};
	hv_hook_port(fake.hv, &fake.vcpus[vp], port, value);
}

static void pass_time(struct input *in)
{
	uint64_t step = take(in, 2), shift = take(in, 1) % 64;

	/* Time does not wrap: that is some ten thousand years off. */
	if (step << shift >> shift != step || !checked_add(now, step << shift, &now))
		now = UINT64_MAX;
	hv_fake_time(&fake, now);
}

static void kick(unsigned int vp)
{
	unsigned int interrupts = kvm_fake.msi_count;

	hv_kicked(fake.hv, &fake.vcpus[vp]);
	check_interrupts(interrupts);
	check_timers(vp);
}

/* --- Commands. ------------------------------------------------------------------------------- */

static void run_host(enum command command, unsigned int vp, struct input *in)
{
	static const uint8_t payload[256];
	unsigned int sint = (unsigned int)take(in, 1), interrupts = kvm_fake.msi_count;

	if (command == POST)
		(void)!synic_post_message(fake.hv, vp, sint % 17, 5, payload, take(in, 1));
	else if (command == SIGNAL)
		(void)!synic_signal_event(fake.hv, vp, sint % 17, (unsigned int)take(in, 2));
	check_interrupts(interrupts);
}

static void run_msr(enum command command, unsigned int vp, struct input *in)
{
	uint32_t msr = take_msr(in);
	uint64_t value;

	if (command == READ) {
		read_msr(vp, msr);
		return;
	}
	if (command == WRITE) {
		value = take(in, 8);
	} else if (command == PLACE) {
		value = take(in, 2) << PAGE_SHIFT;
		value |= take(in, 1);
	} else {
		value = take(in, 2);
		value <<= take(in, 1) % 64;
	}
	write_msr(vp, msr, value);
}

static void run(struct input *in)
{
	uint64_t first = take(in, 1), value;
	enum command command = (enum command)(first % 16 % COMMANDS);
	unsigned int vp = first / 16 % HV_FAKE_VPS;

	switch (command) {
	case READ:
	case WRITE:
	case PLACE:
	case VALUE:
		run_msr(command, vp, in);
		break;
	case CALL:
		value = take(in, 8);
		call(vp, value, take(in, 8));
		break;
	case TIME:
		pass_time(in);
		break;
	case KICK:
		kick(vp);
		break;
	case POST:
	case SIGNAL:
		run_host(command, vp, in);
		break;
	case CONSUME:
		consume(vp, take(in, 1) % HV_SINT_COUNT);
		break;
	case SCRIBBLE:
		value = take(in, 4);
		scribble(value % OUTPUT, (uint8_t)take(in, 1));
		break;
	case APIC:
		value = take(in, 1);
		set_apic(vp, (uint8_t)value, take(in, 1) & 1);
		break;
	case PORT:
		write_port(vp, in);
		break;
	case RESET:
	case COMMANDS:
		reset();
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {.data = data, .left = size};
	uint32_t off = HV_FEATURE_BIT(HV_FEATURE_EXTENDED_CALLS) | (uint32_t)take(&in, 4);

	if (!fake.hv)
		create();
	memset(kvm_fake.cpus, 0, sizeof(kvm_fake.cpus));
	fake.hv->features = HV_FEATURES_ALL & ~off;
	fake.hv->hypercalls.features = fake.hv->features;
	now = 1000;
	hv_fake_time(&fake, now);
	for (int i = 0; in.left && i < COMMANDS_MAX; i++)
		run(&in);
	reset();
	return 0;
}
