// SPDX-License-Identifier: MIT
/*
 * Lets go of code that has set up the process. See startup_code.h; dl_iterate_phdr(3), madvise(2).
 */
#include "candela/startup_code.h"

#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A debugger's breakpoints are in the very pages that would be read again without them. */
static bool is_traced(void)
{
	char text[4096];
	const char *at = NULL;
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n > 0) {
		text[n] = 0;
		at = strstr(text, "TracerPid:\t");
	}
	if (fd >= 0)
		close(fd);
	return at && at[strlen("TracerPid:\t")] != '0';
}

static int release_object(struct dl_phdr_info *info, size_t size, void *ctx)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		const uintptr_t start = (info->dlpi_addr + segment->p_vaddr) & -page;
		const uintptr_t end = info->dlpi_addr + segment->p_vaddr + segment->p_filesz;

		/*
		 * Only of a segment that nobody could write to is the file a copy. What this
		 * saves is memory: where it cannot be saved, nothing is lost.
		 */
		if (segment->p_type == PT_LOAD && !(segment->p_flags & PF_W))
			(void)madvise((void *)start, (end - start + page - 1) & -page,
				      MADV_DONTNEED);
	}
	return 0;
}

void startup_code_release(void)
{
	if (!is_traced())
		(void)dl_iterate_phdr(release_object, NULL);
}
