// SPDX-License-Identifier: MIT
/*
 * Opening KVM and building a VM on it. Used by one thread while the machine is built; doorbells may
 * be added and removed later from the loop's thread.
 */
#include "vmm/kvm.h"

#include <errno.h>
#include <asm/kvm_para.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm/cpuid.h"
#include "vmm/layout.h"

#define KVM_PATH "/dev/kvm"

static int open_device(struct kvm *kvm, struct error *err)
{
	kvm->fd = open(KVM_PATH, O_RDWR | O_CLOEXEC);
	if (kvm->fd >= 0)
		return 0;
	switch (errno) {
	case ENOENT:
	case ENXIO:
	case ENODEV:
		return error_set(err, -ENOENT,
				 KVM_PATH ": missing: load kvm_intel or kvm_amd, and enable "
					  "virtualization in the firmware (or nested "
					  "virtualization in the outer hypervisor)");
	case EACCES:
	case EPERM:
		return error_set(err, -EACCES,
				 KVM_PATH ": no permission: join the group that owns it (usually "
					  "\"kvm\") or run as root");
	default:
		return error_errno(err, -errno, KVM_PATH);
	}
}

/* KVM's own paravirtual leaf. Linux Documentation/virt/kvm/x86/cpuid.rst */
static bool has_pv_eoi(struct kvm *kvm)
{
	struct cpuid_table table;

	table.header.nent = CPUID_ENTRIES_MAX;
	if (ioctl(kvm->fd, KVM_GET_SUPPORTED_CPUID, &table.header) < 0)
		return false;
	for (uint32_t i = 0; i < table.header.nent; i++)
		if (table.entries[i].function == KVM_CPUID_FEATURES)
			return table.entries[i].eax & 1u << KVM_FEATURE_PV_EOI;
	return false;
}

/* A module's parameter; false also where there is none. */
static bool is_off(const char *path)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	char c = 0;

	if (fd < 0)
		return false;
	(void)!read(fd, &c, 1);
	close(fd);
	return c == 'N' || c == '0';
}

int kvm_probe(struct kvm *kvm, struct error *err)
{
	int r;

	*kvm = (struct kvm){.fd = -1, .vm_fd = -1};
	r = open_device(kvm, err);
	if (r < 0)
		return r;
	r = ioctl(kvm->fd, KVM_GET_API_VERSION, 0);
	if (r != KVM_API_VERSION) {
		kvm_close(kvm);
		return error_set(err, -ENOTSUP, KVM_PATH ": API version %d, expected %d", r,
				 KVM_API_VERSION);
	}
	for (size_t i = 0; i < KVM_CAP_COUNT; i++)
		kvm->caps[i] = ioctl(kvm->fd, KVM_CHECK_EXTENSION, kvm_cap_table[i].cap);
	r = ioctl(kvm->fd, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);
	kvm->max_vcpus = r > 0 ? (unsigned int)r : 4;
	r = ioctl(kvm->fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	kvm->run_size = r > 0 ? (size_t)r : 0;
	kvm->pv_eoi = has_pv_eoi(kvm);
	kvm->eoi_exits = is_off("/sys/module/kvm_intel/parameters/enable_apicv") ||
			 is_off("/sys/module/kvm_amd/parameters/avic");
	return 0;
}

int kvm_open(struct kvm *kvm, struct error *err)
{
	int r = kvm_probe(kvm, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < KVM_CAP_COUNT; i++) {
		const struct kvm_cap_row *row = &kvm_cap_table[i];

		if (!row->required || kvm_has(kvm, (enum kvm_cap_id)i))
			continue;
		kvm_close(kvm);
		return error_set(err, -ENOTSUP,
				 KVM_PATH ": capability missing: %s (%s); a newer kernel is needed",
				 row->name, row->without);
	}
	return 0;
}

static int create_irqchips(struct kvm *kvm, struct error *err)
{
	struct kvm_pit_config pit = {.flags = KVM_PIT_SPEAKER_DUMMY};

	if (ioctl(kvm->vm_fd, KVM_CREATE_IRQCHIP, 0) < 0)
		return error_errno(err, -errno, "KVM_CREATE_IRQCHIP");
	if (kvm_has(kvm, KVM_HAS_PIT2)) {
		if (ioctl(kvm->vm_fd, KVM_CREATE_PIT2, &pit) < 0)
			return error_errno(err, -errno, "KVM_CREATE_PIT2");
		kvm->has_pit = true;
	}
	return 0;
}

/* 32-bit APIC ids in MSIs and the LAPIC state, and no broadcast meaning for id 255. */
static int enable_x2apic(struct kvm *kvm, struct error *err)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_X2APIC_API,
		.args = {KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK},
	};

	if (!kvm_has(kvm, KVM_HAS_X2APIC_API))
		return 0;
	if (ioctl(kvm->vm_fd, KVM_ENABLE_CAP, &cap) < 0)
		return error_errno(err, -errno, "KVM_CAP_X2APIC_API");
	return 0;
}

int kvm_create_vm(struct kvm *kvm, struct error *err)
{
	uint64_t identity = LAYOUT_KVM_IDENTITY;
	int r;

	/* Creating a VM takes long enough on some kernels to be interrupted by a signal. */
	do {
		kvm->vm_fd = ioctl(kvm->fd, KVM_CREATE_VM, 0);
	} while (kvm->vm_fd < 0 && errno == EINTR);
	if (kvm->vm_fd < 0)
		return error_errno(err, -errno, "KVM_CREATE_VM");
	/* Only VT-x without unrestricted guests needs these two, and others may not know them. */
	(void)ioctl(kvm->vm_fd, KVM_SET_TSS_ADDR, (unsigned long)LAYOUT_KVM_TSS);
	(void)ioctl(kvm->vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity);
	r = enable_x2apic(kvm, err);
	return r < 0 ? r : create_irqchips(kvm, err);
}

int kvm_add_memory(struct kvm *kvm, unsigned int number, const struct mem_region *region,
		   struct error *err)
{
	struct kvm_userspace_memory_region slot = {
		.slot = number,
		.guest_phys_addr = region->gpa,
		.memory_size = region->len,
		.userspace_addr = (uintptr_t)region->host,
	};

	if (ioctl(kvm->vm_fd, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
		return error_errno(err, -errno, "KVM refuses %llu MiB of memory at 0x%llx",
				   (unsigned long long)region->len >> 20,
				   (unsigned long long)region->gpa);
	return 0;
}

int kvm_remove_memory(struct kvm *kvm, unsigned int number)
{
	struct kvm_userspace_memory_region slot = {.slot = number};

	return ioctl(kvm->vm_fd, KVM_SET_USER_MEMORY_REGION, &slot) < 0 ? -errno : 0;
}

int kvm_map_memory(struct kvm *kvm, const struct mem *mem, struct error *err)
{
	size_t count;
	const struct mem_region *regions = mem_regions(mem, &count);
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++)
		r = kvm_add_memory(kvm, (unsigned int)i, &regions[i], err);
	return r;
}

void kvm_close(struct kvm *kvm)
{
	if (kvm->vm_fd >= 0)
		close(kvm->vm_fd);
	if (kvm->fd >= 0)
		close(kvm->fd);
	kvm->fd = kvm->vm_fd = -1;
}

static int doorbell(struct kvm *kvm, enum doorbell_bus bus, uint64_t addr, unsigned int len,
		    const uint64_t *match, int fd, unsigned int flags)
{
	struct kvm_ioeventfd io = {.addr = addr, .len = len, .fd = fd, .flags = flags};

	if (bus == DOORBELL_PORT)
		io.flags |= KVM_IOEVENTFD_FLAG_PIO;
	if (match) {
		io.datamatch = *match;
		io.flags |= KVM_IOEVENTFD_FLAG_DATAMATCH;
	}
	return ioctl(kvm->vm_fd, KVM_IOEVENTFD, &io) < 0 ? -errno : 0;
}

int kvm_doorbell_add(struct kvm *kvm, enum doorbell_bus bus, uint64_t addr, unsigned int len,
		     const uint64_t *match, int fd)
{
	return doorbell(kvm, bus, addr, len, match, fd, 0);
}

int kvm_doorbell_remove(struct kvm *kvm, enum doorbell_bus bus, uint64_t addr, unsigned int len,
			const uint64_t *match, int fd)
{
	return doorbell(kvm, bus, addr, len, match, fd, KVM_IOEVENTFD_FLAG_DEASSIGN);
}
