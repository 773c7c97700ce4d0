// SPDX-License-Identifier: MIT
/* Runs one kernel file through the boot loaders and checks what must hold afterwards. */
#include "fuzz_boot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/boot.h"
#include "vmm/layout.h"

/* Kept from input to input: making them costs more than a load. */
static struct mem *memory;
static int kernel_fd, initrd_fd;
static char kernel_path[64], initrd_path[64];

static _Noreturn void die(const char *what, const struct error *err)
{
	fprintf(stderr, "%s: %s\n", what, err->text);
	abort();
}

static int make_file(char *path, size_t len)
{
	int fd = memfd_create("input", 0);

	snprintf(path, len, "/proc/self/fd/%d", fd);
	return fd;
}

static void init(void)
{
	struct mem_config config = {.size = FUZZ_BOOT_MEMORY};
	struct error err = {0};

	if (mem_create(&config, &err, &memory) < 0)
		die("memory", &err);
	kernel_fd = make_file(kernel_path, sizeof(kernel_path));
	initrd_fd = make_file(initrd_path, sizeof(initrd_path));
	if (write(initrd_fd, "initrd", 6) != 6)
		abort();
}

/* A failure is one line about the file that failed. */
static void check_error(const struct error *err)
{
	if (strncmp(err->text, "/proc/self/fd/", 14) != 0 || strchr(err->text, '\n'))
		die("error without its file", err);
}

/* The ACPI tables are written by others, before or after. */
static void check_reserved(void)
{
	static const uint8_t zero[PAGE_SIZE];
	uint64_t gpa = 0xa0000;

	for (; gpa < LAYOUT_HIGH_RAM; gpa += sizeof(zero))
		if (memcmp(mem_map(memory, gpa, sizeof(zero)), zero, sizeof(zero)) != 0)
			abort();
}

static void check_entry(const struct boot_entry *entry)
{
	struct kvm_regs regs;
	struct kvm_sregs sregs = {0};

	if (!mem_is_ram(memory, entry->rip, 1) || boot_protocol_name(entry->protocol)[0] == 0)
		abort();
	if (!entry->long_mode && entry->rip > UINT32_MAX)
		abort();
	if (boot_set_regs(entry, memory, &regs, &sregs) < 0)
		abort();
}

/* A bzImage refuses modules: then the same again without. */
static void open_and_load(bool with_module)
{
	struct boot_module module = {.path = initrd_path, .cmdline = "module"};
	struct boot_config config = {.kernel = kernel_path,
				     .initrd = initrd_path,
				     .cmdline = "a command line",
				     .modules = &module,
				     .module_count = with_module};
	struct boot_image *image;
	struct boot_entry entry;
	struct error err = {0};

	if (boot_open(&config, &err, &image) < 0) {
		check_error(&err);
		if (with_module && strstr(err.text, "no modules"))
			open_and_load(false);
		return;
	}
	if (boot_load(image, memory, 0xe0000, &err, &entry) == 0)
		check_entry(&entry);
	else
		check_error(&err);
	check_reserved();
	boot_close(image);
	if (mem_release_all(memory) < 0)
		abort();
}

void fuzz_boot_run(const uint8_t *data, size_t len)
{
	if (!memory)
		init();
	if (ftruncate(kernel_fd, 0) < 0 || pwrite(kernel_fd, data, len, 0) != (ssize_t)len)
		abort();
	open_and_load(true);
}
