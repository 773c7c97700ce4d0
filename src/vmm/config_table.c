// SPDX-License-Identifier: MIT
/*
 * Every setting there is, one row each. Constant data; any thread. Rows stand in the order in which
 * the help text and the printed configuration show them.
 */
#include "vmm/config_table.h"

#include "vmm/config.h"
#include "vmm/config_cli.h"
#include "vmm/cpu_share.h"
#include "vmm/layout.h"

#define VM struct vm_config

static const char *const huge_page_names[] = {
	[MEM_HUGE_NONE] = "none",
	[MEM_HUGE_TRANSPARENT] = "transparent",
	[MEM_HUGE_2M] = "2M",
	[MEM_HUGE_1G] = "1G",
	NULL,
};

static const char *const node_memory_names[] = {
	[CONFIG_NODE_MEMORY_PREFER] = "prefer",
	[CONFIG_NODE_MEMORY_BIND] = "bind",
	[CONFIG_NODE_MEMORY_ANY] = "any",
	NULL,
};

static const char *const cpu_group_names[] = {
	[CONFIG_CPU_GROUP_AUTO] = "auto",
	[CONFIG_CPU_GROUP_ALWAYS] = "always",
	NULL,
};

static const char *const rtc_names[] = {
	[CONFIG_RTC_UTC] = "utc",
	[CONFIG_RTC_LOCAL] = "local",
	NULL,
};

static const char *const on_reset_names[] = {
	[CONFIG_RESET_REBOOT] = "reboot",
	[CONFIG_RESET_EXIT] = "exit",
	NULL,
};

static const char *const on_panic_names[] = {
	[CONFIG_PANIC_EXIT] = "exit",
	[CONFIG_PANIC_IGNORE] = "ignore",
	NULL,
};

static const char *const sandbox_names[] = {
	[CONFIG_SANDBOX_AUTO] = "auto",
	[CONFIG_SANDBOX_OFF] = "off",
	[CONFIG_SANDBOX_LOG] = "log",
	[CONFIG_SANDBOX_ON] = "on",
	NULL,
};

static const char *const identity_names[] = {
	[CONFIG_IDENTITY_MICROSOFT] = "microsoft",
	[CONFIG_IDENTITY_NONE] = "none",
	NULL,
};

static const char *const switch_names[] = {"auto", "on", "off", NULL};

/* A feature of the Hyper-V interface: on where it is served, unless said otherwise. */
#define HYPERV_SWITCH(name, member, help_)                                                         \
	{                                                                                          \
		.key = "hyperv." name, CONFIG_AT_ENUM(VM, hyperv.features.member, config_switch),  \
		.names = switch_names, .preset = "auto", .metavar = "SWITCH", .help = help_,       \
		.group = CONFIG_GROUP_HYPERV,                                                      \
	}

/* A setting of all virtual processors. */
#define CPUS(type, name, ...)                                                                      \
	{                                                                                          \
		.key = "cpus." #name, CONFIG_AT_##type(VM, cpus.name),                             \
		.group = CONFIG_GROUP_MACHINE, __VA_ARGS__,                                        \
	}

#define SERVICE(name, member, help_)                                                               \
	{                                                                                          \
		.key = "services." name, CONFIG_AT_BOOL(VM, services.member), .preset = "true",    \
		.help = help_, .group = CONFIG_GROUP_HYPERV,                                       \
	}

static const char *const engine_names[] = {
	[CONFIG_ENGINE_AUTO] = "auto",
	[CONFIG_ENGINE_KERNEL] = "kernel",
	[CONFIG_ENGINE_USER] = "user",
	NULL,
};

static const char *const vmbus_version_names[] = {
	[CONFIG_VMBUS_AUTO] = "auto",
	[CONFIG_VMBUS_0_13] = "0.13",
	[CONFIG_VMBUS_1_1] = "1.1",
	[CONFIG_VMBUS_2_4] = "2.4",
	[CONFIG_VMBUS_3_0] = "3.0",
	[CONFIG_VMBUS_4_0] = "4.0",
	[CONFIG_VMBUS_4_1] = "4.1",
	[CONFIG_VMBUS_5_0] = "5.0",
	[CONFIG_VMBUS_5_1] = "5.1",
	[CONFIG_VMBUS_5_2] = "5.2",
	[CONFIG_VMBUS_5_3] = "5.3",
	[CONFIG_VMBUS_6_0] = "6.0",
	NULL,
};

static const struct config_row vm_rows[] = {
	{
		/* Editors find the schema of a file by this key. */
		.key = "$schema",
		.kind = CONFIG_IGNORED,
		.help = "where the schema of this file is, for editors; not looked at",
	},

	/* The machine. */
	{
		/* Names end up in file names, and as arguments: no leading dot or dash. */
		.key = "name",
		CONFIG_AT_STRING(VM, name),
		.min = 1,
		.max = CONFIG_NAME_MAX,
		.chars = "A-Za-z0-9._-",
		.first = "A-Za-z0-9_",
		.unset = "the file's base name, else vm-PID",
		.option = "name",
		.metavar = "NAME",
		.help = "what the VM is called",
		.group = CONFIG_GROUP_MACHINE,
	},
	{
		.key = "cpus.count",
		CONFIG_AT_UINT(VM, cpus.count),
		.min = 1,
		.max = 1024,
		.preset = "1",
		.option = "cpus",
		.metavar = "N",
		.help = "number of virtual processors",
		.group = CONFIG_GROUP_MACHINE,
	},
	CPUS(UINT, weight, .min = 1, .max = CPU_WEIGHT_MAX, .preset = "100", .metavar = "N",
	     .help = "share of each virtual processor when the host's are short, beside those "
		     "of other VMs"),
	CPUS(UINT, reserve, .max = CPU_PERCENT_MAX, .preset = "0", .metavar = "PERCENT",
	     .help = "of a processor of the host, that each virtual one gets at least; the VM does "
		     "not start where that is not left"),
	CPUS(UINT, limit, .min = 1, .max = CPU_PERCENT_MAX, .preset = "100", .metavar = "PERCENT",
	     .help = "of a processor of the host, that each virtual one gets at most"),
	CPUS(STRING, affinity, .min = 1, .max = CONFIG_AFFINITY_MAX, .chars = "0-9,:-",
	     .unset = "all", .metavar = "LIST[:LIST]...",
	     .help = "processors of the host that the virtual ones run on: one list such as 0-3,8 "
		     "for all, or one for each"),
	CPUS(STRING, nodes, .min = 1, .max = CONFIG_NODES_MAX, .chars = "0-9a-z,-", .unset = "any",
	     .metavar = "LIST",
	     .help = "NUMA nodes of the host that the VM runs on and has its memory from; auto is "
		     "one that has room for it"),
	{
		.key = "cpus.node-memory",
		CONFIG_AT_ENUM(VM, cpus.node_memory, config_node_memory),
		.names = node_memory_names,
		.preset = "prefer",
		.metavar = "HOW",
		.help = "how strictly memory is taken from cpus.nodes",
		.group = CONFIG_GROUP_MACHINE,
	},
	{
		.key = "cpus.group",
		CONFIG_AT_ENUM(VM, cpus.group, config_cpu_group),
		.names = cpu_group_names,
		.preset = "auto",
		.metavar = "WHEN",
		.help = "when virtual processors have control groups: auto is where weight, "
			"reserve or limit need them",
		.group = CONFIG_GROUP_MACHINE,
	},
	{
		.key = "memory.startup",
		CONFIG_AT_SIZE(VM, memory.startup),
		.min = MiB(16),
		.max = GiB(64 * 1024),
		.step = PAGE_SIZE,
		.preset = "512M",
		.option = "memory",
		.letter = 'm',
		.metavar = "SIZE",
		.help = "memory that the guest starts with",
		.group = CONFIG_GROUP_MACHINE,
	},
	{
		.key = "memory.minimum",
		CONFIG_AT_SIZE(VM, memory.minimum),
		.min = MiB(16),
		.max = GiB(64 * 1024),
		.step = MiB(2),
		.unset = "memory.startup",
		.metavar = "SIZE",
		.help = "memory below which the guest is never brought",
		.group = CONFIG_GROUP_MACHINE,
	},
	{
		.key = "memory.maximum",
		CONFIG_AT_SIZE(VM, memory.maximum),
		.min = MiB(16),
		.max = GiB(64 * 1024),
		.step = MiB(2),
		.unset = "memory.startup",
		.metavar = "SIZE",
		.help = "memory above which the guest never gets more",
		.group = CONFIG_GROUP_MACHINE,
	},
	{
		.key = "memory.buffer",
		CONFIG_AT_UINT(VM, memory.buffer),
		.min = 0,
		.max = CONFIG_MEMORY_BUFFER_MAX,
		.preset = "20",
		.metavar = "PERCENT",
		.help = "memory beyond what the guest has committed, in percent of that",
		.group = CONFIG_GROUP_MACHINE,
	},
	{
		.key = "memory.weight",
		CONFIG_AT_UINT(VM, memory.weight),
		.min = 0,
		.max = CONFIG_MEMORY_WEIGHT_MAX,
		.preset = "5000",
		.metavar = "N",
		.help = "its share, beside other VMs, when memory is short",
		.group = CONFIG_GROUP_MACHINE,
	},
	{
		.key = "memory.grace",
		CONFIG_AT_DURATION(VM, memory.grace_ns),
		.max = 24ull * 3600 * NSEC_PER_SEC,
		.preset = "50s",
		.metavar = "TIME",
		.help = "after the guest's balloon driver has started, its memory stays as it is "
			"for so long; some Windows crash otherwise",
		.group = CONFIG_GROUP_MACHINE,
	},
	{
		.key = "memory.huge-pages",
		CONFIG_AT_ENUM(VM, memory.huge_pages, mem_huge),
		.names = huge_page_names,
		.preset = "transparent",
		.option = "huge-pages",
		.metavar = "KIND",
		.help = "pages of the host behind the guest's memory; 2M and 1G come from the pool "
			"that the host has set aside",
		.group = CONFIG_GROUP_MACHINE,
	},
	{
		.key = "memory.prefault",
		CONFIG_AT_BOOL(VM, memory.prefault),
		.preset = "false",
		.option = "prefault",
		.help = "take all memory from the host at start, not at first touch",
		.group = CONFIG_GROUP_MACHINE,
	},

	/* What it boots. */
	{
		.key = "boot.kernel",
		CONFIG_AT_PATH(VM, boot.kernel),
		.required = true,
		.option = "kernel",
		.metavar = "FILE",
		.help = "kernel to start: a bzImage, or an ELF file",
		.group = CONFIG_GROUP_BOOT,
	},
	{
		.key = "boot.initrd",
		CONFIG_AT_PATH(VM, boot.initrd),
		.option = "initrd",
		.metavar = "FILE",
		.help = "initial RAM disk",
		.group = CONFIG_GROUP_BOOT,
	},
	{
		.key = "boot.cmdline",
		CONFIG_AT_STRING(VM, boot.cmdline),
		.max = LAYOUT_CMDLINE_MAX - 1,
		.option = "append",
		.alias = "cmdline",
		.metavar = "TEXT",
		.help = "the kernel's command line, whole: it replaces what the file says",
		.group = CONFIG_GROUP_BOOT,
	},
	{
		.key = "boot.modules",
		CONFIG_AT_ARRAY(VM, boot.modules, boot.module_count, const struct boot_module),
		.items = &config_module_table,
		.max = 32,
		.option = "module",
		.metavar = "\"FILE [ARGS]\"",
		.help = "a further file for kernels that take modules (multiboot, PVH)",
		.group = CONFIG_GROUP_BOOT,
	},

	/* Devices. */
	{
		.key = "disks",
		CONFIG_AT_ARRAY(VM, disks, disk_count, const struct config_disk),
		.items = &config_disk_table,
		.max = CONFIG_DISK_CONTROLLERS * CONFIG_DISK_LUNS,
		.option = "disk",
		.metavar = "FILE[,KEY=VALUE]...",
		.help = "a disk image: raw, VHD or VHDX, or a block device; keys are those of the "
			"file: read-only, ephemeral, cache=unsafe, type=dvd, ...",
		.group = CONFIG_GROUP_DEVICES,
	},
	{
		.key = "networks",
		CONFIG_AT_ARRAY(VM, nets, net_count, const struct config_net),
		.items = &config_net_table,
		.max = CONFIG_NETS,
		.option = "net",
		.metavar = "MODE[,KEY=VALUE]...",
		.help = "a network interface: user, tap,name=IF, socket,path=FILE or null; keys "
			"are those of the file: forward=tcp:2222:22, mac, mtu, pcap=FILE, ...",
		.group = CONFIG_GROUP_DEVICES,
	},
	{
		.key = "serial",
		CONFIG_AT_SERIAL(VM, serial),
		.preset = "stdio",
		.option = "serial",
		.metavar = "WHERE",
		.help = "where the serial console goes; on a terminal, Ctrl-A x ends the VM and "
			"Ctrl-A h tells more",
		.group = CONFIG_GROUP_DEVICES,
	},
	{
		.key = "scrollback",
		CONFIG_AT_SIZE(VM, scrollback),
		.min = KiB(4),
		.max = MiB(16),
		.step = KiB(4),
		.preset = "64K",
		.option = "scrollback",
		.metavar = "SIZE",
		.help = "latest output of the serial console that is kept for \"candela console\"",
		.group = CONFIG_GROUP_DEVICES,
	},
	{
		.key = "vsock",
		CONFIG_AT_PATH(VM, vsock),
		.option = "vsock",
		.metavar = "PATH",
		.help = "Unix socket through which programs of the host connect to ports "
			"(AF_VSOCK) of the guest; what the guest connects to is PATH_PORT",
		.group = CONFIG_GROUP_DEVICES,
	},
	{
		.key = "rtc",
		CONFIG_AT_ENUM(VM, rtc, config_rtc),
		.names = rtc_names,
		.preset = "utc",
		.option = "rtc",
		.metavar = "TIME",
		.help = "time that the clock chip shows",
		.group = CONFIG_GROUP_DEVICES,
	},
	{
		.key = "pvpanic",
		CONFIG_AT_BOOL(VM, pvpanic),
		.preset = "true",
		.option = "pvpanic",
		.help = "device by which a guest reports that its kernel panicked",
		.group = CONFIG_GROUP_DEVICES,
	},
	{
		.key = "debug-exit",
		CONFIG_AT_BOOL(VM, debug_exit),
		.preset = "false",
		.option = "debug-exit",
		.help = "device by which a test guest ends the VM (isa-debug-exit, port 0xf4)",
		.group = CONFIG_GROUP_DEVICES,
	},

	/* The Hyper-V face. */
	{
		.key = "hyperv.identity",
		CONFIG_AT_ENUM(VM, hyperv.identity, config_identity),
		.names = identity_names,
		.preset = "microsoft",
		.option = "hyperv-identity",
		.metavar = "WHO",
		.help = "hypervisor that the guest sees",
		.group = CONFIG_GROUP_HYPERV,
	},
	{
		.key = "hyperv.engine",
		CONFIG_AT_ENUM(VM, hyperv.engine, config_engine),
		.names = engine_names,
		.preset = "auto",
		.option = "hyperv-engine",
		.metavar = "WHICH",
		.help = "what serves hypercalls and synthetic MSRs: the host's KVM or candela "
			"itself; auto takes KVM's where the host has it",
		.group = CONFIG_GROUP_HYPERV,
	},
	{
		.key = "hyperv.spin-retries",
		CONFIG_AT_UINT(VM, hyperv.spin_retries),
		.max = UINT32_MAX - 1,
		.preset = "4095",
		.metavar = "N",
		.help = "spins after which a guest reports a long wait; 0 is never",
		.group = CONFIG_GROUP_HYPERV,
	},
	{
		.key = "hyperv.test-device",
		CONFIG_AT_BOOL(VM, hyperv.test_device),
		.preset = "false",
		.option = "hyperv-test-device",
		.help = "device for testing the synthetic interrupt controller (port 0x3000)",
		.group = CONFIG_GROUP_HYPERV,
	},
	{
		.key = "hyperv.vmbus",
		CONFIG_AT_BOOL(VM, hyperv.vmbus),
		.preset = "true",
		.option = "vmbus",
		.help = "the bus that storage, network and other synthetic devices are on",
		.group = CONFIG_GROUP_HYPERV,
	},
	{
		.key = "hyperv.vmbus-version",
		CONFIG_AT_ENUM(VM, hyperv.vmbus_version, config_vmbus_version),
		.names = vmbus_version_names,
		.preset = "auto",
		.metavar = "VERSION",
		.help = "highest version of its protocol that is agreed to, for testing guests",
		.group = CONFIG_GROUP_HYPERV,
	},
	HYPERV_SWITCH("runtime", runtime, "run time of virtual processors"),
	HYPERV_SWITCH("reference-time", reference_time, "reference counter and reference TSC page"),
	HYPERV_SWITCH("frequencies", frequencies, "frequencies of the TSC and the APIC timer"),
	HYPERV_SWITCH("synic", synic, "synthetic interrupt controller: messages and events"),
	HYPERV_SWITCH("stimers", stimers, "synthetic timers"),
	HYPERV_SWITCH("direct-stimers", direct_stimers,
		      "synthetic timers that interrupt without a message"),
	HYPERV_SWITCH("apic", apic, "EOI, ICR, TPR and the VP assist page as MSRs"),
	HYPERV_SWITCH("reset", reset, "reset by MSR"),
	HYPERV_SWITCH("idle", idle, "idle by MSR (off unless asked for)"),
	HYPERV_SWITCH("crash", crash,
		      "crash reports by MSR; some Windows skip their dump when it is there"),
	HYPERV_SWITCH("relaxed", relaxed, "tells guests to relax their watchdogs"),
	HYPERV_SWITCH("spinlocks", spinlocks, "guests report long spins"),
	HYPERV_SWITCH("ipi", ipi, "interrupts to many processors in one hypercall"),
	HYPERV_SWITCH("tlb-flush", tlb_flush, "TLB flushes by hypercall"),
	HYPERV_SWITCH("vp-registers", vp_registers, "registers by hypercall"),
	HYPERV_SWITCH("xmm-input", xmm_input, "hypercall input in XMM registers"),
	HYPERV_SWITCH("extended-calls", extended_calls,
		      "extended hypercalls: pages given back without a balloon"),
	HYPERV_SWITCH("sint-polling", sint_polling, "synthetic interrupts that guests poll for"),
	HYPERV_SWITCH("no-auto-eoi", no_auto_eoi, "asks guests not to use AutoEOI"),
	HYPERV_SWITCH("eoi-assist", eoi_assist, "tells guests when an EOI is not needed"),

	/* Integration services. */
	SERVICE("shutdown", shutdown, "\"candela stop\" asks the guest to shut down"),
	SERVICE("heartbeat", heartbeat, "the guest's kernel is asked whether it is alive"),
	SERVICE("time-sync", time_sync, "the guest is told the host's time"),
	SERVICE("key-values", key_values, "the guest and the host exchange named values"),
	SERVICE("snapshots", snapshots, "the guest's file systems can be frozen for a copy"),

	/* How it ends. */
	{
		.key = "on-reset",
		CONFIG_AT_ENUM(VM, on_reset, config_on_reset),
		.names = on_reset_names,
		.preset = "reboot",
		.option = "on-reset",
		.metavar = "WHAT",
		.help = "what a reset by the guest does",
		.group = CONFIG_GROUP_END,
	},
	{
		.key = "on-panic",
		CONFIG_AT_ENUM(VM, on_panic, config_on_panic),
		.names = on_panic_names,
		.preset = "exit",
		.option = "on-panic",
		.metavar = "WHAT",
		.help = "what a reported panic of the guest's kernel does",
		.group = CONFIG_GROUP_END,
	},
	{
		.key = "timeout",
		CONFIG_AT_DURATION(VM, timeout_ns),
		.max = 365ull * 24 * 3600 * NSEC_PER_SEC,
		.preset = "0",
		.option = "timeout",
		.metavar = "TIME",
		.help = "end the VM after this long; 0 is never",
		.group = CONFIG_GROUP_END,
	},
	{
		.key = "result",
		CONFIG_AT_PATH(VM, result),
		.option = "result",
		.metavar = "FILE",
		.help = "file to which the outcome is written, as one JSON object",
		.group = CONFIG_GROUP_END,
	},
	{
		.key = "event-log",
		CONFIG_AT_PATH(VM, event_log),
		.option = "event-log",
		.metavar = "FILE",
		.help = "file to which everything that happens to the VM is appended, a JSON "
			"object a line",
		.group = CONFIG_GROUP_END,
	},
	{
		.key = "control",
		CONFIG_AT_CONTROL(VM, control),
		.preset = "auto",
		.option = "control",
		.metavar = "WHERE",
		.help = "socket through which the VM is watched and controlled: auto, none, or a "
			"path; auto is NAME.sock where \"candela list\" looks",
		.group = CONFIG_GROUP_END,
	},

	/* What its process may do. */
	{
		.key = "sandbox",
		CONFIG_AT_ENUM(VM, sandbox, config_sandbox),
		.names = sandbox_names,
		.preset = "auto",
		.option = "sandbox",
		.metavar = "MODE",
		.help = "what the VM's process gives up once it is set up: on confines it, log has "
			"the kernel log what that would forbid, off leaves it as it is; auto is on "
			"where candela and the host can",
		.group = CONFIG_GROUP_SANDBOX,
	},
	{
		.key = "sandbox-paths",
		CONFIG_AT_ARRAY(VM, sandbox_paths, sandbox_path_count,
				const struct config_sandbox_path),
		.items = &config_sandbox_path_table,
		.max = 64,
		.option = "sandbox-path",
		.metavar = "PATH",
		.help = "a directory, or a file, that devices added while the VM runs may use in "
			"spite of the sandbox: disk images, sockets, /dev/net/tun",
		.group = CONFIG_GROUP_SANDBOX,
	},
};

const struct config_table config_vm_table = {
	.rows = vm_rows,
	.row_count = ARRAY_SIZE(vm_rows),
	.size = sizeof(struct vm_config),
};
