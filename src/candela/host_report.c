// SPDX-License-Identifier: MIT
/*
 * The rows of `candela host`. Keys are stable: programs read them. Costs name what to do where
 * there is something that a user can do.
 */
#include "candela/host_report.h"

#include <string.h>

#include "hv-enlight/hv.h"

static struct report_value answer(enum host_answer a)
{
	return a == HOST_UNKNOWN ? report_unknown() : report_yes_no(a == HOST_YES);
}

static struct report_value count(struct host_number number, const char *unit)
{
	return number.known ? report_count(number.value, unit) : report_unknown();
}

/* A number whose 0 says that nobody knows. */
static struct report_value count_or_unknown(uint64_t number, const char *unit)
{
	return number ? report_count(number, unit) : report_unknown();
}

static struct report_value bytes(struct host_number number)
{
	return number.known ? report_bytes(number.value) : report_unknown();
}

/* The cost of a feature that is known not to be there. */
static const char *unless(enum host_answer a, const char *cost)
{
	return a == HOST_NO ? cost : NULL;
}

static void report_kvm(struct report *r, const struct host *host, const struct host_probe *probe)
{
	static const char *const states[] = {
		[HOST_KVM_OK] = "ok",
		[HOST_KVM_MISSING] = "missing",
		[HOST_KVM_NO_PERMISSION] = "denied",
		[HOST_KVM_INCAPABLE] = "incapable",
		[HOST_KVM_BROKEN] = "broken",
	};
	struct report_value state = report_string(states[probe->kvm_state]);

	report_group(r, "kvm", "KVM");
	if (probe->kvm_state == HOST_KVM_OK)
		report_row(r, "device", "/dev/kvm", state, NULL);
	else
		report_fatal(r, "device", "/dev/kvm", state, probe->kvm_error.text);
	report_row(r, "api_version", "API version",
		   count_or_unknown((uint64_t)probe->api_version, NULL), NULL);
	report_row(r, "modules", "modules", report_words(host->kvm_modules), NULL);
	report_row(r, "max_vcpus", "VPs of a VM, at most",
		   count_or_unknown(probe->kvm.max_vcpus, NULL), NULL);
	report_row(r, "recommended_vcpus", "VPs of a VM, recommended",
		   count_or_unknown(probe->usual_vcpus, NULL), NULL);
	report_row(r, "halt_poll_ns", "polling before a halt", count(host->halt_poll_ns, "ns"),
		   NULL);
	report_row(r, "nested", "nested virtualization", answer(host->nested),
		   host->virt == HOST_VIRT_NONE
			   ? NULL
			   : unless(host->nested, "guests cannot run VMs themselves"));
}

static void report_capabilities(struct report *r, const struct host_probe *probe)
{
	if (!probe->kvm_opened)
		return;
	report_group(r, "capabilities", "KVM's capabilities");
	for (size_t i = 0; i < KVM_CAP_COUNT; i++) {
		const struct kvm_cap_row *row = &kvm_cap_table[i];
		int level = probe->kvm.caps[i];

		if (level > 0)
			report_row(r, row->name, row->name, report_level((uint64_t)level), NULL);
		else if (row->required)
			report_fatal(r, row->name, row->name, report_level(0), row->without);
		else
			report_row(r, row->name, row->name, report_level(0), row->without);
	}
}

struct feature_text {
	const char *key;
	size_t offset; /* of the answer in struct host */
	const char *vmx_label, *svm_label;
	const char *cost;
};

static const struct feature_text features[] = {
	{"nested_paging", offsetof(struct host, nested_paging), "nested paging (EPT)",
	 "nested paging (NPT)", "each change of a guest's page tables exits"},
	{"tagged_tlb", offsetof(struct host, tagged_tlb), "tagged TLB (VPID)",
	 "tagged TLB (flush by ASID)", "exits and flushes empty more of the TLB than they must"},
	{"real_mode", offsetof(struct host, real_mode), "real mode (unrestricted)", "real mode",
	 "real-mode code is emulated: firmware and boot loaders are slow"},
	{"virtual_apic", offsetof(struct host, virtual_apic), "virtual APIC (APICv)",
	 "virtual APIC (AVIC)",
	 "interrupts to running VPs, and their APIC's registers, cost exits"},
};

static const char *virt_cost(const struct host *host, const struct host_probe *probe)
{
	if (host->virt != HOST_VIRT_NONE)
		return NULL;
	if (probe->kvm_state == HOST_KVM_MISSING)
		return "KVM needs it: enable it in the firmware, or nested virtualization in the "
		       "outer hypervisor";
	return probe->kvm_opened ? "this KVM runs guests' kernels by software" : NULL;
}

static void report_cpu(struct report *r, const struct host *host, const struct host_probe *probe)
{
	static const char *const names[] = {
		[HOST_VIRT_UNKNOWN] = NULL,
		[HOST_VIRT_NONE] = "none",
		[HOST_VIRT_VMX] = "VT-x",
		[HOST_VIRT_SVM] = "SVM",
	};

	report_group(r, "cpu", "Processor");
	report_row(r, "vendor", "vendor", report_string(host->cpu_vendor), NULL);
	report_row(r, "model", "model", report_string(host->cpu_model), NULL);
	report_row(r, "online", "processors online", count(host->cpus, NULL), NULL);
	report_row(r, "numa_nodes", "NUMA nodes", count(host->numa_nodes, NULL), NULL);
	report_row(r, "hypervisor", "is itself in a VM", answer(host->hypervisor), NULL);
	report_row(r, "virtualization", "virtualization", report_string(names[host->virt]),
		   virt_cost(host, probe));
	if (host->virt != HOST_VIRT_VMX && host->virt != HOST_VIRT_SVM)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		const struct feature_text *f = &features[i];
		enum host_answer a;

		memcpy(&a, (const char *)host + f->offset, sizeof(a));
		report_row(r, f->key, host->virt == HOST_VIRT_VMX ? f->vmx_label : f->svm_label,
			   answer(a), unless(a, f->cost));
	}
}

static void report_clock(struct report *r, const struct host *host, const struct host_probe *probe)
{
	const char *drift = "the TSC may change its rate or stop: guests' clocks can drift";
	const char *exits = NULL;

	if (host->clocksource[0] && strcmp(host->clocksource, "tsc") != 0)
		exits = "this host does not trust its TSC: KVM offers guests no reference TSC "
			"page, reading their clock exits";
	report_group(r, "clock", "Clock");
	report_row(r, "invariant_tsc", "invariant TSC", answer(host->tsc_invariant),
		   unless(host->tsc_invariant, drift));
	report_row(r, "tsc_khz", "TSC rate", count_or_unknown(probe->tsc_khz, "kHz"), NULL);
	report_row(r, "clocksource", "clock source", report_string(host->clocksource), exits);
}

/* A pool that is there, but empty. */
static const char *pool_cost(const struct host_huge_pool *pool, const char *cost)
{
	return pool->total.known && pool->total.value == 0 ? cost : NULL;
}

static void report_memory(struct report *r, const struct host *host, const struct host_probe *probe)
{
	const char *no_huge = "--huge-pages=transparent has no effect; allow user namespaces, or "
			      "as root: echo advise > "
			      "/sys/kernel/mm/transparent_hugepage/shmem_enabled";

	report_group(r, "memory", "Memory");
	report_row(r, "total_bytes", "total", bytes(host->memory_total), NULL);
	report_row(r, "available_bytes", "available", bytes(host->memory_available), NULL);
	report_row(r, "transparent_huge_pages", "transparent huge pages", report_string(host->thp),
		   NULL);
	report_row(r, "transparent_huge_pages_shmem", "the same for shared memory",
		   report_string(host->thp_shmem), NULL);
	report_row(r, "transparent_huge_pages_ram", "the same for guest RAM",
		   report_yes_no(probe->ram_huge), probe->ram_huge ? NULL : no_huge);
	report_row(r, "huge_2m_total", "2 MiB pages reserved", count(host->huge_2m.total, NULL),
		   pool_cost(&host->huge_2m, "no --huge-pages=2M; as root: sysctl "
					     "vm.nr_hugepages=COUNT"));
	report_row(r, "huge_2m_free", "2 MiB pages free", count(host->huge_2m.free, NULL), NULL);
	report_row(r, "huge_1g_total", "1 GiB pages reserved", count(host->huge_1g.total, NULL),
		   pool_cost(&host->huge_1g, "no --huge-pages=1G; boot with hugepagesz=1G "
					     "hugepages=COUNT"));
	report_row(r, "huge_1g_free", "1 GiB pages free", count(host->huge_1g.free, NULL), NULL);
}

static void report_access(struct report *r, const char *key, const char *label,
			  enum host_access access, const char *missing, const char *denied)
{
	static const char *const names[] = {
		[HOST_ACCESS_MISSING] = "missing",
		[HOST_ACCESS_DENIED] = "denied",
		[HOST_ACCESS_OK] = "ok",
	};
	const char *cost = NULL;

	if (access != HOST_ACCESS_OK)
		cost = access == HOST_ACCESS_MISSING ? missing : denied;
	report_row(r, key, label, report_string(names[access]), cost);
}

/* What the controllers that are missing would do. */
static const char *cgroup2_cost(const struct host *host)
{
	bool cpu, memory;

	if (!host->cgroup2[0])
		return NULL; /* said already */
	cpu = host_has_word(host->cgroup2_controllers, "cpu");
	memory = host_has_word(host->cgroup2_controllers, "memory");
	if (!cpu && !memory)
		return "without cpu and memory, VMs' limits have nothing to act on";
	if (!cpu)
		return "without cpu, VMs' CPU shares and limits have nothing to act on";
	return memory ? NULL : "without memory, VMs' memory limits have nothing to act on";
}

static void report_system(struct report *r, const struct host *host, const struct host_probe *probe)
{
	report_group(r, "system", "Operating system");
	report_row(r, "kernel", "kernel", report_string(host->kernel), NULL);
	if (probe->io_uring)
		report_row(r, "io_uring", "io_uring", report_yes_no(true), NULL);
	else
		report_fatal(r, "io_uring", "io_uring", report_yes_no(false),
			     probe->io_uring_error.text);
	report_row(r, "io_uring_disabled", "kernel.io_uring_disabled",
		   count(host->io_uring_disabled, NULL), NULL);
	report_row(r, "io_uring_restrictions", "io_uring restrictions",
		   probe->io_uring ? report_yes_no(probe->io_uring_restricted) : report_unknown(),
		   probe->io_uring && !probe->io_uring_restricted
			   ? "a VM's rings take operations that candela never asks for"
			   : NULL);
	report_row(r, "seccomp", "seccomp filters", answer(host->seccomp),
		   unless(host->seccomp, "a VM's process keeps all system calls"));
	report_row(r, "landlock_abi", "Landlock, version",
		   report_level((uint64_t)probe->landlock_abi),
		   probe->landlock_abi ? NULL : "a VM's process keeps the user's access to files");
	report_row(r, "cgroup2", "cgroup v2", report_string(host->cgroup2),
		   host->cgroup2[0] ? NULL : "CPU and memory limits of VMs have nothing to act on");
	report_row(r, "cgroup2_controllers", "cgroup v2, controllers",
		   host->cgroup2[0] ? report_words(host->cgroup2_controllers) : report_unknown(),
		   cgroup2_cost(host));
	report_row(r, "cpu_groups", "CPU weights, reserves, limits",
		   report_yes_no(probe->cpu_groups),
		   probe->cpu_groups ? NULL : probe->cpu_groups_error.text);
	report_access(r, "tun", "/dev/net/tun", host->tun, "no TAP networks; as root: modprobe tun",
		      "no TAP networks");
	report_access(r, "vhost_net", "/dev/vhost-net (not needed)", host->vhost_net, NULL, NULL);
}

/* The names of the features that KVM's own Hyper-V interface has, or has not. */
static void feature_names(char *buf, size_t size, const struct host_probe *probe, bool there)
{
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < host_hv_feature_count && used < size; i++)
		if (host_hv_has(probe, &host_hv_features[i]) == there)
			used += (size_t)snprintf(buf + used, size - used, "%s%s", used ? " " : "",
						 host_hv_features[i].name);
}

static void report_hyperv(struct report *r, const struct host_probe *probe)
{
	char there[1024], absent[1024];

	if (!probe->kvm_opened)
		return;
	feature_names(there, sizeof(there), probe, true);
	feature_names(absent, sizeof(absent), probe, false);
	report_group(r, "hyperv", "KVM's own Hyper-V interface");
	report_row(r, "in_kernel", "in this kernel",
		   report_yes_no(kvm_has(&probe->kvm, KVM_HAS_HYPERV)), NULL);
	report_row(r, "features", "features",
		   probe->hv_leaves ? report_words(there) : report_unknown(), NULL);
	report_row(r, "features_absent", "features it lacks",
		   probe->hv_leaves ? report_words(absent) : report_unknown(), NULL);
}

/* The configuration's names of the features @which. */
static void names_of(char *buf, size_t size, uint32_t which)
{
	size_t used = 0;

	buf[0] = '\0';
	for (unsigned int f = 0; f < HV_FEATURE_COUNT && used < size; f++)
		if (which & HV_FEATURE_BIT(f))
			used += (size_t)snprintf(buf + used, size - used, "%s%s", used ? " " : "",
						 hv_feature_table[f].name);
}

static void report_engine(struct report *r, const struct host_probe *probe,
			  enum hv_engine_choice engine, const char *name)
{
	uint32_t serves = hv_engine_serves(engine, &probe->kvm, probe->hv, probe->hv_leaves);
	char key[32], label[48], words[512];

	snprintf(key, sizeof(key), "%s_usable", name);
	snprintf(label, sizeof(label), "engine \"%s\" can be used", name);
	report_row(r, key, label, report_yes_no(serves), NULL);
	names_of(words, sizeof(words), serves);
	snprintf(key, sizeof(key), "%s_serves", name);
	snprintf(label, sizeof(label), "engine \"%s\" serves", name);
	report_row(r, key, label, report_words(words), NULL);
	names_of(words, sizeof(words), HV_FEATURES_ALL & ~serves);
	snprintf(key, sizeof(key), "%s_lacks", name);
	snprintf(label, sizeof(label), "engine \"%s\" lacks", name);
	report_row(r, key, label, report_words(words), NULL);
}

static void report_engines(struct report *r, const struct host_probe *probe)
{
	if (!probe->kvm_opened)
		return;
	report_group(r, "engines", "Hyper-V features by engine (hyperv.engine)");
	/* Why not is said with the capabilities above. */
	report_engine(r, probe, HV_ENGINE_KERNEL, "kernel");
	report_engine(r, probe, HV_ENGINE_USER, "user");
}

static void report_conclusion(struct report *r, const struct host *host,
			      const struct host_probe *probe)
{
	static const char *const engines[] = {
		[HOST_ENGINE_NONE] = "none",
		[HOST_ENGINE_USER] = "user",
		[HOST_ENGINE_KERNEL] = "kernel",
	};
	const struct error *obstacle = host_obstacle(probe);
	struct report_value engine = report_unknown(), suspected = report_unknown();
	const char *engine_cost = NULL, *software_cost = NULL;

	if (probe->kvm_opened) {
		engine = report_string(engines[host_engine(&probe->kvm)]);
		suspected = report_yes_no(host_software_kvm(host, probe));
		if (host_engine(&probe->kvm) == HOST_ENGINE_NONE)
			engine_cost = "guests see no Hyper-V interface";
		if (suspected.number)
			software_cost = "/dev/kvm works, but the processor shows neither vmx nor "
					"svm: stock Linux kernels may not boot here, freestanding "
					"guests do";
	}
	report_group(r, "conclusion", "Conclusion");
	if (obstacle)
		report_fatal(r, "runs_vms", "can run VMs", report_yes_no(false), obstacle->text);
	else
		report_row(r, "runs_vms", "can run VMs", report_yes_no(true), NULL);
	report_row(r, "engine", "Hyper-V engine (auto)", engine, engine_cost);
	report_row(r, "software_kvm", "software KVM suspected", suspected, software_cost);
}

void host_report(struct report *r, const struct host *host, const struct host_probe *probe)
{
	report_kvm(r, host, probe);
	report_capabilities(r, probe);
	report_hyperv(r, probe);
	report_engines(r, probe);
	report_cpu(r, host, probe);
	report_clock(r, host, probe);
	report_memory(r, host, probe);
	report_system(r, host, probe);
	report_conclusion(r, host, probe);
}
