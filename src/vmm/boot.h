// SPDX-License-Identifier: MIT
/*
 * Boot loaders: from kernel files to a filled guest memory and the registers of VP 0.
 *
 * The files are opened once (boot_open) and may be loaded any number of times, so that a reboot in
 * place works after the process has given up its right to open files. What is loaded where is
 * decided in vmm/layout.h. Files are untrusted: a truncated, foreign or oversized one ends in one
 * line that names it.
 *
 * Which protocol is used follows from the file:
 *   bzImage ("HdrS")     64-bit Linux boot protocol. The payload is unpacked by the host (LZ4,
 *                        zstd, gzip, xz, LZMA, as built) and the kernel inside entered directly;
 *                        with another compression its own decompressor is. Unpacked by the host it
 *                        runs where it was linked: no KASLR.
 *   multiboot-1 header   32-bit protected mode (multiboot 0.6.96, section 3); the header's
 *                        addresses or the ELF program headers say what is loaded where
 *   ELF with a PVH note  32-bit protected mode (Xen's x86/HVM direct boot ABI)
 *   other x86-64 ELF     long mode at e_entry with RDI = hvm_start_info and RSP = 0: the guest
 *                        brings its own stack. Loaded at its physical addresses, never relocated.
 *
 * A kernel may lie at LAYOUT_HIGH_RAM or above, or where boot data leaves room below that.
 */
#pragma once

#include <linux/kvm.h>

#include "vmm/error.h"
#include "vmm/mem.h"

struct boot_module {
	const char *path;
	const char *cmdline; /* NULL: none */
};

/* What the user asked for; strings belong to the caller, who may free them after boot_open(). */
struct boot_config {
	const char *kernel;
	const char *initrd; /* NULL: none; PVH and multiboot get it as first module */
	const char
		*cmdline; /* NULL: empty; multiboot kernels see the path of the kernel before it */
	const struct boot_module *modules; /* not for Linux bzImages */
	size_t module_count;
};

enum boot_protocol { BOOT_LINUX, BOOT_LINUX_SELF_UNPACK, BOOT_MULTIBOOT, BOOT_PVH, BOOT_ELF64 };

/* How VP 0 starts. All other registers are zero; interrupts are off; segments are flat. */
struct boot_entry {
	enum boot_protocol protocol;
	bool long_mode; /* with an identity map; else 32-bit protected mode, paging off */
	uint64_t rip;
	uint64_t rsp;
	uint64_t rax, rbx, rsi, rdi;
};

struct boot_image;

/*
 * Opens and recognises the files, and checks all that can be checked without guest memory: a kernel
 * that is damaged, of another machine or of an unknown kind is refused here. -errno with text.
 */
int boot_open(const struct boot_config *config, struct error *err,
	      struct boot_image **ret) must_check;
void boot_close(struct boot_image *image);

/*
 * Fills @mem; @rsdp is the GPA of the RSDP for the protocols that hand it over. The memory is
 * expected to be zero (fresh, or after mem_release_all()): what is zero in a kernel is not written.
 * Unpacking uses up to three more threads, which end before this returns; where threads may not be
 * started it does without. Fails with text when the VM has too little memory, when a file has been
 * shortened since boot_open(), or when the payload turns out to be damaged.
 */
int boot_load(struct boot_image *image, struct mem *mem, uint64_t rsdp, struct error *err,
	      struct boot_entry *ret) must_check;

/* "linux", "linux-self-unpack", "multiboot", "pvh", "elf64" */
const char *boot_protocol_name(enum boot_protocol protocol);

/*
 * Turns an entry into register state: writes the boot GDT and, for long mode, identity page tables
 * into @mem, and sets @regs and @sregs, which hold the vCPU's reset state on entry. The tables use
 * 2 MiB pages and cover the first 4 GiB and all RAM, but not more than 30 GiB: they lie in
 * LAYOUT_PAGE_TABLES, and every protocol expects the guest to make its own soon. -EFAULT when the
 * boot areas are not RAM, which mem_create()'s minimum rules out.
 */
int boot_set_regs(const struct boot_entry *entry, struct mem *mem, struct kvm_regs *regs,
		  struct kvm_sregs *sregs) must_check;
