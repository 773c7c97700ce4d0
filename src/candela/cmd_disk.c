// SPDX-License-Identifier: MIT
/*
 * candela disk: makes, shows, verifies and changes disk images. This file picks the verb.
 */
#include "candela/cmd_disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "candela/commands.h"
#include "candela/exit_status.h"
#include "vmm/log.h"

#define COMMON_HELP                                                                                \
	"      --format FORMAT  raw, vhd or vhdx; otherwise the name's ending says it, and\n"      \
	"                       all but .vhd and .vhdx are raw\n"                                  \
	"  -h, --help           print this text\n"

#define TARGET_HELP                                                                                \
	"      --subformat KIND    fixed: all space is in the file from the beginning;\n"          \
	"                          dynamic: blocks are added when they are written\n"              \
	"                          (default); differencing: as --parent\n"                         \
	"      --block-size SIZE   of a dynamic image: 1M to 256M of a VHDX (default 32M),\n"      \
	"                          512K to 256M of a VHD (default 2M)\n"                           \
	"      --sector-size SIZE  logical sectors of a VHDX: 512 (default) or 4096\n"             \
	"      --force             replace FILE when it exists, unless somebody uses it\n"

struct verb {
	const char *name;
	enum disk_verb bit;
	int (*run)(const struct disk_args *args);
	unsigned int min_words, max_words;
	const char *about; /* one line */
	const char *help;
};

static const struct verb verbs[] = {
	{
		"create",
		DISK_CREATE,
		cmd_disk_create,
		1,
		2,
		"make a new image",
		"Usage: candela disk create [OPTION]... FILE SIZE\n"
		"       candela disk create [OPTION]... --parent PARENT FILE [SIZE]\n"
		"\n"
		"Makes a new disk image of SIZE (512M, 10G, 2T). It reads as zero. With a parent,\n"
		"it reads as the parent does, and holds only what is written to it; the parent\n"
		"must not be written to any more.\n"
		"\n"
		"      --parent PARENT     an image of the same format\n" TARGET_HELP COMMON_HELP
		"\n"
		"Exit status: 0 done; 1 it could not be written; 2 bad usage, or FILE exists.\n",
	},
	{
		"info",
		DISK_INFO,
		cmd_disk_info,
		1,
		1,
		"show what an image is",
		"Usage: candela disk info [OPTION]... FILE\n"
		"\n"
		"Shows the format of an image, its sizes, and its parents.\n"
		"\n"
		"      --json           print one JSON object\n" COMMON_HELP "\n"
		"Exit status: 0; 1 it could not be read; 2 bad usage, or no such image.\n",
	},
	{
		"check",
		DISK_CHECK,
		cmd_disk_check,
		1,
		1,
		"verify an image",
		"Usage: candela disk check [OPTION]... FILE\n"
		"\n"
		"Verifies all there is to verify of an image, and changes nothing. What is found\n"
		"is an error (data are or will be wrong), a leak (space that belongs to nothing,\n"
		"which compacting gets back) or a notice (harmless).\n"
		"\n"
		"      --json           print one JSON object\n" COMMON_HELP "\n"
		"Exit status: 0 no errors; 1 damaged; 2 bad usage, or it cannot be checked.\n",
	},
	{
		"convert",
		DISK_CONVERT,
		cmd_disk_convert,
		2,
		2,
		"copy an image to another format",
		"Usage: candela disk convert [OPTION]... SOURCE TARGET\n"
		"\n"
		"Copies an image, with all its parents, into a new one. What is zero takes no\n"
		"space in TARGET, which has its name only once it is complete.\n"
		"\n"
		"      --source-format FORMAT\n"
		"                          format of SOURCE\n" TARGET_HELP COMMON_HELP "\n"
		"Exit status: 0 done; 1 it could not be read or written; 2 bad usage, no such\n"
		"image, or TARGET exists; 128 + N signal N.\n",
	},
	{
		"resize",
		DISK_RESIZE,
		cmd_disk_resize,
		2,
		2,
		"make a disk longer or shorter",
		"Usage: candela disk resize [OPTION]... FILE [+|-]SIZE\n"
		"\n"
		"Gives a disk that nobody uses another size, or makes it longer (+) or\n"
		"shorter (-) by SIZE. Partitions and file systems inside are the guest's\n"
		"business.\n"
		"\n"
		"      --shrink         cut off what is behind the new end\n" COMMON_HELP "\n"
		"Exit status: 0 done; 1 it could not be written; 2 bad usage, or it cannot be\n"
		"done.\n",
	},
	{
		"compact",
		DISK_COMPACT,
		cmd_disk_compact,
		1,
		1,
		"give unused space back to the host",
		"Usage: candela disk compact [OPTION]... FILE\n"
		"\n"
		"Makes the file of an image that nobody uses as small as it can be: what holds\n"
		"only zeroes is given up. Trim the guest's file systems before (fstrim).\n"
		"\n" COMMON_HELP "\n"
		"Exit status: 0 done; 1 it could not be written; 2 bad usage, or no such image;\n"
		"128 + N signal N.\n",
	},
};

static void usage(FILE *out)
{
	fprintf(out, "Usage: candela disk VERB [ARGUMENT]...\n\nVerbs:\n");
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		fprintf(out, "  %-10s %s\n", verbs[i].name, verbs[i].about);
	fprintf(out, "\nAn image that somebody uses is not touched.\n"
		     "\"candela disk VERB --help\" says more about one of them.\n");
}

static int run(const struct verb *verb, int argc, char **argv)
{
	struct disk_args args;
	struct error err;

	if (disk_args_parse(&args, verb->bit, argc, argv, &err)) {
		log_error("disk %s: %s", verb->name, err.text);
		return STATUS_USAGE;
	}
	if (args.help) {
		fputs(verb->help, stdout);
		return EXIT_SUCCESS;
	}
	if (args.word_count < verb->min_words || args.word_count > verb->max_words) {
		log_error("disk %s: expected %s (see candela disk %s --help)", verb->name,
			  verb->bit == DISK_CONVERT  ? "SOURCE and TARGET"
			  : verb->bit == DISK_CREATE ? "FILE and SIZE"
			  : verb->bit == DISK_RESIZE ? "FILE and SIZE"
						     : "one FILE",
			  verb->name);
		return STATUS_USAGE;
	}
	return verb->run(&args);
}

int cmd_disk(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
		usage(stdout);
		return EXIT_SUCCESS;
	}
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strcmp(name, verbs[i].name) == 0)
			return run(&verbs[i], argc - 1, argv + 1);
	if (*name)
		log_error("disk: unknown verb \"%s\"", name);
	usage(stderr);
	return STATUS_USAGE;
}
