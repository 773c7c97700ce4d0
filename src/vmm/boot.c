// SPDX-License-Identifier: MIT
/*
 * Opening boot files, recognising the kernel, and handing over to its loader. An image belongs to
 * its opener and is not changed by loading.
 */
#include "vmm/boot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/boot_internal.h"

/* In this order: a multiboot header counts for more than the ELF file around it. */
static const struct boot_loader *const loaders[] = {
	&boot_linux_loader,
	&boot_multiboot_loader,
	&boot_pvh_loader,
};

static int copy_string(const char *text, struct error *err, char **ret)
{
	char *copy = strdup(text);

	if (!copy)
		return error_set(err, -ENOMEM, "out of memory");
	*ret = copy;
	return 0;
}

static int open_module(struct boot_image *image, const char *path, const char *cmdline,
		       struct error *err)
{
	struct boot_image_module *m = &image->modules[image->module_count];
	int r;

	if (image->module_count == BOOT_MODULES_MAX)
		return error_set(err, -E2BIG, "%s: more than %d modules", path, BOOT_MODULES_MAX);
	r = boot_file_open(&m->file, path, err);
	if (r < 0)
		return r;
	image->module_count++;
	return cmdline ? copy_string(cmdline, err, &m->cmdline) : 0;
}

static int open_files(struct boot_image *image, const struct boot_config *config, struct error *err)
{
	int r = copy_string(config->cmdline ? config->cmdline : "", err, &image->cmdline);

	if (r == 0)
		r = boot_file_open(&image->kernel, config->kernel, err);
	if (r == 0 && config->initrd) {
		image->has_initrd = true;
		r = open_module(image, config->initrd, NULL, err);
	}
	for (size_t i = 0; r == 0 && i < config->module_count; i++)
		r = open_module(image, config->modules[i].path, config->modules[i].cmdline, err);
	return r;
}

static int probe(struct boot_image *image, void *head, size_t head_len, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(loaders); i++) {
		int r = loaders[i]->probe(image, head, head_len, err);

		if (r < 0)
			return r;
		if (r > 0) {
			image->loader = loaders[i];
			return 0;
		}
	}
	return error_set(err, -ENOEXEC,
			 "%s: not a kernel: neither a Linux bzImage nor a multiboot or ELF file",
			 image->kernel.path);
}

static int recognise(struct boot_image *image, struct error *err)
{
	size_t len = min_of(image->kernel.size, BOOT_HEAD_MAX);
	void *head = malloc(len);
	int r;

	if (!head)
		return error_set(err, -ENOMEM, "out of memory");
	r = boot_file_read(&image->kernel, 0, head, len, err);
	if (r == 0)
		r = probe(image, head, len, err);
	free(head);
	return r;
}

int boot_open(const struct boot_config *config, struct error *err, struct boot_image **ret)
{
	struct boot_image *image = calloc(1, sizeof(*image));
	int r;

	if (!image)
		return error_set(err, -ENOMEM, "out of memory");
	r = open_files(image, config, err);
	if (r == 0)
		r = recognise(image, err);
	if (r < 0) {
		boot_close(image);
		return r;
	}
	*ret = image;
	return 0;
}

void boot_close(struct boot_image *image)
{
	if (!image)
		return;
	boot_file_close(&image->kernel);
	free(image->cmdline);
	for (size_t i = 0; i < image->module_count; i++) {
		boot_file_close(&image->modules[i].file);
		free(image->modules[i].cmdline);
	}
	free(image);
}

int boot_load(struct boot_image *image, struct mem *mem, uint64_t rsdp, struct error *err,
	      struct boot_entry *ret)
{
	return image->loader->load(image, mem, rsdp, err, ret);
}

const char *boot_protocol_name(enum boot_protocol protocol)
{
	static const char *const names[] = {
		[BOOT_LINUX] = "linux",         [BOOT_LINUX_SELF_UNPACK] = "linux-self-unpack",
		[BOOT_MULTIBOOT] = "multiboot", [BOOT_PVH] = "pvh",
		[BOOT_ELF64] = "elf64",
	};

	return names[protocol];
}
