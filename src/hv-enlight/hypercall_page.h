/* SPDX-License-Identifier: MIT */
/*
 * The ports that the user engine's hypercall page writes to, and its code (hypercall_page.S). They
 * are ours alone: a PC has nothing there, and nothing answers unless the page is enabled.
 */
#pragma once

#define HV_PORT_CALL64 0xea
#define HV_PORT_CALL32 0xeb
#define HV_PORT_SIGNAL 0xec

#define HV_PORT_FIRST HV_PORT_CALL64
#define HV_PORT_COUNT 3

/* In EAX after a signal that failed: this plus the status. */
#define HV_SIGNAL_FAILED 0x80000000u

#ifndef __ASSEMBLER__
#include <stdint.h>

extern const uint8_t hv_hypercall_code[], hv_hypercall_code_end[];
#endif
