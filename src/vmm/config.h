// SPDX-License-Identifier: MIT
/*
 * The configuration of one VM, as plain structs: what the machine and its devices are given.
 *
 * Which keys, options, ranges and defaults there are is said once, in config_table.c; the functions
 * here and in config_cli.h work from that table. A later feature adds a member here and a row
 * there.
 *
 * Ownership: every pointer inside a struct vm_config belongs to it and dies with config_finish().
 * Readers get it const. Threads: filled by one thread, read-only for all once the VM is built.
 *
 * Paths are usable from the working directory: one that a file gave relative to itself has the
 * file's directory in front, one from the command line is as it was typed.
 */
#pragma once

#include <stdio.h>

#include "vmm/boot.h"
#include "vmm/error.h"
#include "vmm/mem.h"

#define CONFIG_NAME_MAX          64
#define CONFIG_AFFINITY_MAX      2048
#define CONFIG_NODES_MAX         128
#define CONFIG_MEMORY_BUFFER_MAX 2000u
#define CONFIG_MEMORY_WEIGHT_MAX 10000u
#define CONFIG_FILE_MAX          MiB(1) /* a larger file is not a configuration */

enum config_cpu_group {
	CONFIG_CPU_GROUP_AUTO, /* where a weight, a limit or a reserve needs one */
	CONFIG_CPU_GROUP_ALWAYS,
};

enum config_node_memory {
	CONFIG_NODE_MEMORY_PREFER,
	CONFIG_NODE_MEMORY_BIND,
	CONFIG_NODE_MEMORY_ANY,
};

struct config_cpus {
	uint32_t count;
	uint32_t weight, limit, reserve; /* of each VP; vmm/cpu_share.h */
	const char *affinity;            /* NULL: any processor; vmm/cpu_place.h reads it */
	const char *nodes;               /* likewise */
	enum config_node_memory node_memory;
	enum config_cpu_group group;
};

struct config_memory {
	uint64_t startup; /* bytes, a multiple of the page size */
	uint64_t minimum; /* 0: as startup. config_memory_minimum() */
	uint64_t maximum; /* 0: as startup. config_memory_maximum() */
	uint32_t buffer;  /* percent of what the guest has committed */
	uint32_t weight;
	uint64_t grace_ns;
	enum mem_huge huge_pages;
	bool prefault;
};

static inline uint64_t config_memory_minimum(const struct config_memory *memory)
{
	return memory->minimum ? memory->minimum : memory->startup;
}

static inline uint64_t config_memory_maximum(const struct config_memory *memory)
{
	return memory->maximum ? memory->maximum : memory->startup;
}

enum config_serial_kind {
	CONFIG_SERIAL_STDIO,
	CONFIG_SERIAL_NULL,
	CONFIG_SERIAL_PTY,
	CONFIG_SERIAL_FILE,
	CONFIG_SERIAL_UNIX,
};

struct config_serial {
	enum config_serial_kind kind;
	const char *path; /* of file and unix; else NULL */
};

enum config_control_kind {
	CONFIG_CONTROL_AUTO, /* NAME.sock in the directory where subcommands look for it */
	CONFIG_CONTROL_NONE,
	CONFIG_CONTROL_PATH,
};

struct config_control {
	enum config_control_kind kind;
	const char *path; /* of CONFIG_CONTROL_PATH; else NULL */
};

#define CONFIG_UINT_UNSET UINT32_MAX /* nobody gave a number, and there is no default */

#define CONFIG_DISK_CONTROLLERS 4u
#define CONFIG_DISK_LUNS        64u

enum config_disk_type { CONFIG_DISK_DISK, CONFIG_DISK_DVD };

enum config_disk_format {
	CONFIG_DISK_FORMAT_AUTO,
	CONFIG_DISK_FORMAT_RAW,
	CONFIG_DISK_FORMAT_VHD,
	CONFIG_DISK_FORMAT_VHDX,
};

enum config_disk_cache {
	CONFIG_DISK_CACHE_NONE,
	CONFIG_DISK_CACHE_WRITEBACK,
	CONFIG_DISK_CACHE_UNSAFE,
};

enum config_disk_on_error { CONFIG_DISK_ERROR_REPORT, CONFIG_DISK_ERROR_PAUSE };

struct config_disk {
	const char *path;
	enum config_disk_type type;
	enum config_disk_format format;
	enum config_disk_cache cache;
	enum config_disk_on_error on_error;
	bool read_only; /* of a dvd it does not matter */
	bool ephemeral;
	uint32_t sector_size;                /* CONFIG_UINT_UNSET: what the image says */
	uint32_t iops, iops_burst;           /* 0: no limit; a tenth of iops */
	uint64_t bandwidth, bandwidth_burst; /* bytes a second; likewise */
	uint32_t controller;
	uint32_t lun; /* CONFIG_UINT_UNSET: see config_disk_lun() */
};

#define CONFIG_NETS         8u
#define CONFIG_NET_QUEUES   16u
#define CONFIG_NET_FORWARDS 64u

enum config_net_mode {
	CONFIG_NET_USER,
	CONFIG_NET_TAP,
	CONFIG_NET_SOCKET,
	CONFIG_NET_NULL,
	CONFIG_NET_NONE, /* keeps a number free */
};

enum config_net_link { CONFIG_NET_LINK_UP, CONFIG_NET_LINK_DOWN };

struct config_net_fd {
	uint32_t fd;
};

struct config_net_forward {
	const char *text; /* vmm/net_plan.h reads it */
};

/* Texts are NULL where nobody gave them; vmm/net_plan.h knows what is meant by them. */
struct config_net {
	enum config_net_mode mode;
	const char *name; /* of a TAP device */
	const struct config_net_fd *fds;
	size_t fd_count;
	const char *path;
	const char *mac;
	uint32_t mtu, queues; /* CONFIG_UINT_UNSET: as the other end has it */
	enum config_net_link link;
	const struct config_net_forward *forwards;
	size_t forward_count;
	bool restricted, ipv4, ipv6;
	const char *network, *host, *dns, *dhcp_start;
	const char *network6, *host6, *dns6;
	const char *hostname, *domain;
	uint64_t tx_bandwidth, tx_bandwidth_burst, rx_bandwidth, rx_bandwidth_burst; /* 0: none */
	uint32_t tx_packets, tx_packets_burst, rx_packets, rx_packets_burst;
	const char *pcap;
	uint32_t pcap_snap;
};

enum config_rtc { CONFIG_RTC_UTC, CONFIG_RTC_LOCAL };
enum config_on_reset { CONFIG_RESET_REBOOT, CONFIG_RESET_EXIT };
enum config_on_panic { CONFIG_PANIC_EXIT, CONFIG_PANIC_IGNORE };
enum config_identity { CONFIG_IDENTITY_MICROSOFT, CONFIG_IDENTITY_NONE };
enum config_engine { CONFIG_ENGINE_AUTO, CONFIG_ENGINE_KERNEL, CONFIG_ENGINE_USER };

/* In the order of hyperv.vmbus-version's words. */
enum config_vmbus_version {
	CONFIG_VMBUS_AUTO,
	CONFIG_VMBUS_0_13,
	CONFIG_VMBUS_1_1,
	CONFIG_VMBUS_2_4,
	CONFIG_VMBUS_3_0,
	CONFIG_VMBUS_4_0,
	CONFIG_VMBUS_4_1,
	CONFIG_VMBUS_5_0,
	CONFIG_VMBUS_5_1,
	CONFIG_VMBUS_5_2,
	CONFIG_VMBUS_5_3,
	CONFIG_VMBUS_6_0,
};

enum config_switch { CONFIG_SWITCH_AUTO, CONFIG_SWITCH_ON, CONFIG_SWITCH_OFF };

/* One for each feature of the interface, under its name (hv-enlight/hv_features.h). */
struct config_hyperv_features {
	enum config_switch runtime;
	enum config_switch reference_time;
	enum config_switch frequencies;
	enum config_switch synic;
	enum config_switch stimers;
	enum config_switch direct_stimers;
	enum config_switch apic;
	enum config_switch reset;
	enum config_switch idle;
	enum config_switch crash;
	enum config_switch relaxed;
	enum config_switch spinlocks;
	enum config_switch ipi;
	enum config_switch tlb_flush;
	enum config_switch vp_registers;
	enum config_switch xmm_input;
	enum config_switch extended_calls;
	enum config_switch sint_polling;
	enum config_switch no_auto_eoi;
	enum config_switch eoi_assist;
};

struct config_hyperv {
	enum config_identity identity;
	enum config_engine engine;
	struct config_hyperv_features features;
	uint32_t spin_retries; /* 0: guests never report a spin */
	bool test_device;
	bool vmbus;
	enum config_vmbus_version vmbus_version; /* the highest that is agreed to */
};

/* Integration services; each needs the VMBus, and is not there without it. */
struct config_services {
	bool shutdown;
	bool heartbeat;
	bool time_sync;
	bool key_values;
	bool snapshots;
};

/* What the process of a VM gives up once it is set up. */
enum config_sandbox {
	CONFIG_SANDBOX_AUTO,
	CONFIG_SANDBOX_OFF,
	CONFIG_SANDBOX_LOG,
	CONFIG_SANDBOX_ON
};

struct config_sandbox_path {
	const char *path;
};

struct vm_config {
	const char *name; /* NULL: nobody named it yet, see config_default_name() */
	struct config_cpus cpus;
	struct config_memory memory;
	struct boot_config boot;
	struct config_serial serial;
	uint64_t scrollback; /* bytes of serial output that are kept */
	const struct config_disk *disks;
	size_t disk_count;
	const struct config_net *nets;
	size_t net_count;
	struct config_hyperv hyperv;
	struct config_services services;
	const char *vsock; /* path of the socket for hvsocket; NULL: none */
	enum config_rtc rtc;
	enum config_on_reset on_reset;
	enum config_on_panic on_panic;
	bool debug_exit; /* isa-debug-exit at LAYOUT_PORT_DEBUGEXIT */
	bool pvpanic;
	uint64_t timeout_ns;   /* 0: none */
	const char *result;    /* NULL: none */
	const char *event_log; /* NULL: none */
	struct config_control control;
	enum config_sandbox sandbox;
	const struct config_sandbox_path *sandbox_paths; /* what devices added later may open */
	size_t sandbox_path_count;
};

/* All defaults; what has none is NULL or empty. Never fails, allocates nothing. */
void config_init(struct vm_config *config);

/* Frees what the configuration owns and leaves it empty; may be called again. NULL is fine. */
void config_finish(struct vm_config *config);

/*
 * Reads the JSON file at @path ("-": standard input) over what @config holds, and names the VM
 * after the file when nothing else has. On failure (-EINVAL for what is in the file, else what the
 * system said) the text begins with the path, and @config holds part of the file: finish it.
 */
int config_load_file(struct vm_config *config, const char *path, struct error *err) must_check;

/*
 * Names a VM that has no name yet: after the configuration file @path, or "vm-PID" when @path is
 * NULL. -ENOMEM.
 */
int config_default_name(struct vm_config *config, const char *path) must_check;

/*
 * What one key alone cannot tell: keys that must be given, and keys that must fit each other.
 * Whether files exist is not looked at. -EINVAL with text.
 */
int config_check(const struct vm_config *config, struct error *err) must_check;

/*
 * The LUN of disk @index: the one it was given, or the first of its controller that is not given to
 * another. CONFIG_UINT_UNSET, and config_check() says so: there is none.
 */
uint32_t config_disk_lun(const struct vm_config *config, size_t index);

/*
 * Writes the whole configuration, defaults included, as JSON that loads back to the same one from
 * any directory (paths are written absolute). -EINVAL when a value cannot be said in JSON because
 * it is not UTF-8; -EIO when @out fails.
 */
int config_print(const struct vm_config *config, FILE *out, struct error *err) must_check;

/* Writes the JSON Schema of the file; docs/vm.schema.json is this. */
int config_print_schema(FILE *out, struct error *err) must_check;
