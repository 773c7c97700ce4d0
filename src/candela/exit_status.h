// SPDX-License-Identifier: MIT
/*
 * What the process' exit status says about a VM's end. Fixed: scripts depend on it.
 */
#pragma once

enum exit_status {
	STATUS_POWER_OFF = 0,     /* the guest switched itself off */
	STATUS_INTERNAL = 1,      /* candela failed */
	STATUS_USAGE = 2,         /* bad command line, configuration or file */
	STATUS_HOST = 3,          /* this host cannot run it */
	STATUS_GUEST_RESET = 32,  /* the guest asked for a reset, and on-reset is "exit" */
	STATUS_GUEST_CRASH = 33,  /* triple fault, KVM internal error, crash MSRs */
	STATUS_GUEST_PANIC = 34,  /* the guest's kernel panicked and said so */
	STATUS_TIMEOUT = 36,      /* --timeout or a watchdog */
	STATUS_SIGNAL_BASE = 128, /* ended by a signal: this plus its number */
};
