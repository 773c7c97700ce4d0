// SPDX-License-Identifier: MIT
/*
 * candela disk check. Main thread.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "candela/cmd_disk.h"
#include "candela/exit_status.h"
#include "vmm/json_build.h"
#include "vmm/log.h"

struct findings {
	const char *path;
	struct json_object *list; /* NULL: text */
	bool out_of_memory;
	uint64_t errors, leaks, notices, leaked_bytes;
};

static void add_finding(struct findings *f, const char *kind, const char *text)
{
	struct json_object *finding;

	if (!f->list) {
		printf("%s: %s: %s\n", f->path, kind, text);
		return;
	}
	finding = json_object_new_object();
	if (!finding || json_put_string(finding, "kind", kind) ||
	    json_put_string(finding, "text", text)) {
		json_object_put(finding);
		f->out_of_memory = true;
	} else if (json_append(f->list, finding)) {
		f->out_of_memory = true;
	}
}

static void vhdx_found(void *ctx, enum vhdx_finding_kind kind, const char *text)
{
	static const char *const kinds[] = {
		[VHDX_ERROR] = "error",
		[VHDX_LEAK] = "leak",
		[VHDX_NOTICE] = "notice",
	};

	add_finding(ctx, kinds[kind], text);
}

static void vhd_found(void *ctx, enum vhd_finding_kind kind, const char *text)
{
	static const char *const kinds[] = {
		[VHD_ERROR] = "error",
		[VHD_LEAK] = "leak",
		[VHD_NOTICE] = "notice",
	};

	add_finding(ctx, kinds[kind], text);
}

static int check_image(struct findings *f, struct file *file, enum block_format format,
		       struct error *err)
{
	const struct vhdx_check_options vhdx_options = {.found = vhdx_found, .ctx = f};
	const struct vhd_check_options vhd_options = {.found = vhd_found, .ctx = f};
	struct vhdx_check_result vhdx = {0};
	struct vhd_check_result vhd = {0};
	int r = 0;

	if (format == BLOCK_FORMAT_VHDX)
		r = vhdx_check(file, &vhdx_options, err, &vhdx);
	else if (format == BLOCK_FORMAT_VHD)
		r = vhd_check(file, &vhd_options, err, &vhd);
	f->errors = vhdx.errors + vhd.errors;
	f->leaks = vhdx.leaks + vhd.leaks;
	f->notices = vhdx.notices + vhd.notices;
	f->leaked_bytes = vhdx.leaked_bytes + vhd.leaked_bytes;
	if (r == 0 && f->out_of_memory)
		r = error_set(err, -ENOMEM, "out of memory");
	return r;
}

static int show_findings(const struct disk_args *args, const struct findings *f,
			 enum block_format format, struct error *err)
{
	struct disk_facts facts = {0};

	if (!args->json) {
		printf("%s: %llu errors, %llu leaks (%llu bytes), %llu notices\n", f->path,
		       (unsigned long long)f->errors, (unsigned long long)f->leaks,
		       (unsigned long long)f->leaked_bytes, (unsigned long long)f->notices);
		return fflush(stdout) ? error_set(err, -EIO, "cannot write to standard output") : 0;
	}
	disk_add_text(&facts, "path", "", f->path);
	disk_add_text(&facts, "format", "", disk_format_name(format));
	disk_add_number(&facts, "errors", "", f->errors);
	disk_add_number(&facts, "leaks", "", f->leaks);
	disk_add_number(&facts, "leaked-bytes", "", f->leaked_bytes);
	disk_add_number(&facts, "notices", "", f->notices);
	return disk_print_facts(&facts, true, f->list, err);
}

int cmd_disk_check(const struct disk_args *args)
{
	struct findings f = {.path = args->words[0]};
	enum block_format format;
	struct error err;
	struct file *file;
	int r;

	if (args->json) {
		f.list = json_object_new_array();
		if (!f.list) {
			log_error("out of memory");
			return STATUS_INTERNAL;
		}
	}
	r = disk_open_file(args->words[0], args->format, true, &err, &file, &format);
	if (r == 0) {
		r = check_image(&f, file, format, &err);
		file_destroy(file);
	}
	if (r == 0)
		r = show_findings(args, &f, format, &err);
	json_object_put(f.list);
	/* 1 says that the image is damaged, and nothing else. */
	if (r) {
		log_error("%s", err.text);
		return STATUS_USAGE;
	}
	return f.errors ? STATUS_INTERNAL : EXIT_SUCCESS;
}
