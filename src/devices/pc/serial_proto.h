// SPDX-License-Identifier: MIT
/*
 * Registers of the 16550A UART (National Semiconductor PC16550D data sheet, section 8).
 */
#pragma once

#include <stdint.h>

#define SERIAL_COM1_PORT 0x3f8
#define SERIAL_PORTS     8

/* Offsets from the base port. */
#define SERIAL_RBR 0 /* read: receiver buffer */
#define SERIAL_THR 0 /* write: transmitter holding */
#define SERIAL_DLL 0 /* with LCR_DLAB: divisor, low byte */
#define SERIAL_IER 1
#define SERIAL_DLM 1 /* with LCR_DLAB: divisor, high byte */
#define SERIAL_IIR 2 /* read */
#define SERIAL_FCR 2 /* write */
#define SERIAL_LCR 3
#define SERIAL_MCR 4
#define SERIAL_LSR 5
#define SERIAL_MSR 6
#define SERIAL_SCR 7

#define IER_ERBFI 0x01 /* received data, and character time-out */
#define IER_ETBEI 0x02 /* transmitter holding register empty */
#define IER_ELSI  0x04 /* receiver line status */
#define IER_EDSSI 0x08 /* modem status */
#define IER_MASK  0x0f

#define IIR_NONE  0x01 /* no interrupt pending */
#define IIR_MSI   0x00
#define IIR_THRI  0x02
#define IIR_RDA   0x04
#define IIR_RLS   0x06
#define IIR_CTI   0x0c /* character time-out: data below the trigger level */
#define IIR_FIFOS 0xc0

#define FCR_ENABLE        0x01
#define FCR_CLEAR_RX      0x02
#define FCR_CLEAR_TX      0x04
#define FCR_TRIGGER_SHIFT 6

#define LCR_DLAB 0x80

#define MCR_DTR  0x01
#define MCR_RTS  0x02
#define MCR_OUT1 0x04
#define MCR_OUT2 0x08
#define MCR_LOOP 0x10
#define MCR_MASK 0x1f

#define LSR_DR     0x01
#define LSR_OE     0x02
#define LSR_PE     0x04
#define LSR_FE     0x08
#define LSR_BI     0x10
#define LSR_THRE   0x20
#define LSR_TEMT   0x40
#define LSR_FIFOER 0x80

#define MSR_DCTS 0x01
#define MSR_DDSR 0x02
#define MSR_TERI 0x04
#define MSR_DDCD 0x08
#define MSR_CTS  0x10
#define MSR_DSR  0x20
#define MSR_RI   0x40
#define MSR_DCD  0x80

#define SERIAL_FIFO_SIZE 16
