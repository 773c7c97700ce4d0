// SPDX-License-Identifier: MIT
/*
 * Registers and commands of the PC's 8042 keyboard controller, and the two ports beside it.
 */
#pragma once

#include <stdint.h>

#define I8042_PORT_DATA    0x60
#define I8042_PORT_SYSB    0x61 /* system control port B */
#define I8042_PORT_COMMAND 0x64 /* read: status */
#define I8042_PORT_SYSA    0x92 /* system control port A */

#define I8042_STATUS_OBF     0x01 /* a byte waits at the data port */
#define I8042_STATUS_IBF     0x02 /* the last write has not been taken yet */
#define I8042_STATUS_SYS     0x04 /* follows I8042_CTR_SYS */
#define I8042_STATUS_CMD     0x08 /* the last write was a command */
#define I8042_STATUS_KEYLOCK 0x10 /* the key switch is open: not inhibited */
#define I8042_STATUS_AUX     0x20 /* the waiting byte is the second port's */
#define I8042_STATUS_TIMEOUT 0x40 /* the device did not answer */

/* The command byte, RAM byte 0. */
#define I8042_CTR_KBD_INT     0x01
#define I8042_CTR_AUX_INT     0x02
#define I8042_CTR_SYS         0x04
#define I8042_CTR_KBD_DISABLE 0x10
#define I8042_CTR_AUX_DISABLE 0x20
#define I8042_CTR_TRANSLATE   0x40

#define I8042_RAM_SIZE 32

#define I8042_CMD_READ_RAM       0x20 /* ... 0x3f */
#define I8042_CMD_WRITE_RAM      0x60 /* ... 0x7f */
#define I8042_CMD_TEST_PASSWORD  0xa4
#define I8042_CMD_AUX_DISABLE    0xa7
#define I8042_CMD_AUX_ENABLE     0xa8
#define I8042_CMD_AUX_TEST       0xa9
#define I8042_CMD_SELF_TEST      0xaa
#define I8042_CMD_KBD_TEST       0xab
#define I8042_CMD_KBD_DISABLE    0xad
#define I8042_CMD_KBD_ENABLE     0xae
#define I8042_CMD_READ_INPUT     0xc0
#define I8042_CMD_READ_OUTPUT    0xd0
#define I8042_CMD_WRITE_OUTPUT   0xd1
#define I8042_CMD_WRITE_KBD_OBUF 0xd2
#define I8042_CMD_WRITE_AUX_OBUF 0xd3
#define I8042_CMD_WRITE_AUX      0xd4
#define I8042_CMD_A20_OFF        0xdd
#define I8042_CMD_A20_ON         0xdf
#define I8042_CMD_READ_TEST      0xe0
#define I8042_CMD_PULSE          0xf0 /* ... 0xff: a clear bit pulses that output low */

#define I8042_SELF_TEST_OK   0x55
#define I8042_PORT_TEST_OK   0x00
#define I8042_PORT_CLOCK_LOW 0x01 /* no such port: its clock line never rises */
#define I8042_NO_PASSWORD    0xf1
#define I8042_RESEND         0xfe /* what the controller reports for a silent device */

#define I8042_INPUT_UNLOCKED 0x80

/* The output port; bit 0 is the CPU's reset line, active low. */
#define I8042_OUT_NOT_RESET 0x01
#define I8042_OUT_A20       0x02
#define I8042_OUT_KBD_OBF   0x10
#define I8042_OUT_AUX_OBF   0x20

#define I8042_SYSA_RESET 0x01 /* fast reset, on the rising edge */
#define I8042_SYSA_A20   0x02

#define I8042_SYSB_GATE    0x01 /* timer 2's gate */
#define I8042_SYSB_SPEAKER 0x02
#define I8042_SYSB_REFRESH 0x10 /* toggles with memory refresh */
#define I8042_SYSB_TIMER2  0x20 /* timer 2's output */
#define I8042_SYSB_WRITE   0x0f
