// SPDX-License-Identifier: MIT
/*
 * Facts about this host that stand in files: /proc, /sys and /dev.
 *
 * Reading is bounded and tolerant. A file that is absent, unreadable or not understood leaves its
 * fact unknown; nothing here fails. Nothing is judged either: what a missing feature costs is said
 * where the facts are shown (src/candela/host_report.c).
 *
 * No state; any thread.
 */
#pragma once

#include "vmm/base.h"

enum host_answer { HOST_UNKNOWN, HOST_NO, HOST_YES };

/* The processor's extension for running VMs, by the flags that the kernel shows. */
enum host_virt { HOST_VIRT_UNKNOWN, HOST_VIRT_NONE, HOST_VIRT_VMX, HOST_VIRT_SVM };

enum host_access { HOST_ACCESS_MISSING, HOST_ACCESS_DENIED, HOST_ACCESS_OK };

struct host_number {
	bool known;
	uint64_t value;
};

struct host_huge_pool {
	struct host_number total; /* pages; unknown: no pages of this size */
	struct host_number free;
};

#define HOST_WORD_MAX 32
#define HOST_TEXT_MAX 128

/* Texts are printable ASCII; an empty one is unknown. */
struct host {
	char kernel[HOST_TEXT_MAX]; /* its release */

	char cpu_vendor[HOST_WORD_MAX];
	char cpu_model[HOST_TEXT_MAX];
	struct host_number cpus;       /* online */
	struct host_number numa_nodes; /* online */
	enum host_answer hypervisor;   /* this host is itself a VM */
	enum host_virt virt;

	/*
	 * What KVM makes of the processor: its module's parameter says so, or else the processor's
	 * flag. All are HOST_NO with HOST_VIRT_NONE.
	 */
	enum host_answer nested_paging; /* EPT, NPT */
	enum host_answer tagged_tlb;    /* VPID, flush by ASID */
	enum host_answer real_mode;     /* unrestricted guest; SVM always */
	enum host_answer virtual_apic;  /* APICv, AVIC */
	enum host_answer nested;        /* guests may run VMs */

	char kvm_modules[HOST_TEXT_MAX]; /* words: "kvm_intel" */
	struct host_number halt_poll_ns;

	enum host_answer tsc_invariant; /* constant rate, and never stops */
	char clocksource[HOST_WORD_MAX];

	struct host_number memory_total, memory_available; /* bytes */
	char thp[HOST_WORD_MAX];                           /* the word chosen: "madvise" */
	char thp_shmem[HOST_WORD_MAX];                     /* the same for shared memory */
	struct host_huge_pool huge_2m, huge_1g;

	struct host_number io_uring_disabled; /* the sysctl; unknown: a kernel without it */
	enum host_answer seccomp;
	char cgroup2[HOST_TEXT_MAX];             /* where it is mounted; empty: nowhere usual */
	char cgroup2_controllers[HOST_TEXT_MAX]; /* words */
	enum host_access tun, vhost_net;
};

/* Reads everything. @root stands in front of each path: "" for this host, a directory in tests. */
void host_read(struct host *host, const char *root);

/* Whether @word is one of @words, which have blanks between them. */
bool host_has_word(const char *words, const char *word);
