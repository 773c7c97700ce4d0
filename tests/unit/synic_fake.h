// SPDX-License-Identifier: MIT
/*
 * hv-enlight/synic.h without a hypervisor: what a guest in process posts and signals, and what it
 * is sent. Any thread.
 */
#pragma once

#include "hv-enlight/synic.h"

#define SYNIC_FAKE_SINTS 16u
#define SYNIC_FAKE_FLAGS 2048u

/* @vps VPs, each with room for @depth messages that were not taken. */
struct hv *synic_fake_create(unsigned int vps, unsigned int depth);
/* All connections must have been closed. */
void synic_fake_destroy(struct hv *hv);

/* From now on; more are taken as there are, less is for what comes. */
void synic_fake_set_depth(struct hv *hv, unsigned int depth);
/* As while the guest has no page for event flags. */
void synic_fake_set_flags_page(struct hv *hv, bool there);
/* Connections that are open. */
unsigned int synic_fake_connections(struct hv *hv);

/* --- The guest's. -------------------------------------------------------------------------- */

enum hv_status synic_fake_post(struct hv *hv, uint32_t id, uint32_t type, const void *payload,
			       size_t len);
enum hv_status synic_fake_signal(struct hv *hv, uint32_t id);

struct synic_fake_message {
	unsigned int vp, sint;
	uint32_t type;
	size_t len;
	uint8_t payload[HV_MESSAGE_PAYLOAD_SIZE];
};

/* The oldest message of all VPs; false when none came for so long. */
bool synic_fake_take(struct hv *hv, struct synic_fake_message *ret, unsigned int ms);

bool synic_fake_test_and_clear(struct hv *hv, unsigned int vp, unsigned int sint,
			       unsigned int flag);
/* Waits until VP @vp was interrupted (for an event) since the last time; false: it was not. */
bool synic_fake_wait(struct hv *hv, unsigned int vp, unsigned int ms);
/* How often it was. */
uint64_t synic_fake_interrupts(const struct hv *hv, unsigned int vp);
