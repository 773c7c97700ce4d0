// SPDX-License-Identifier: MIT
/*
 * Reading facts about the host from files. Formats: proc(5), and in the kernel's documentation
 * admin-guide/mm/{transhuge,hugetlbpage}.rst, admin-guide/cgroup-v2.rst. /proc/cpuinfo has a block
 * of "key : value" lines for each processor; the first block is read.
 */
#include "vmm/host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX    16384 /* the first processor's block takes 4 KiB */
#define MODULES_MAX 65536 /* entries looked at in /sys/module */
#define CPUS_MAX    (1u << 20)
#define THP_DIR     "/sys/kernel/mm/transparent_hugepage"

/* A piece of text inside a buffer. */
struct span {
	const char *start;
	size_t len;
};

/* --- Files. ------------------------------------------------------------------------------- */

static bool make_path(char path[PATH_MAX], const char *root, const char *name)
{
	int len = snprintf(path, PATH_MAX, "%s%s", root, name);

	return len > 0 && len < PATH_MAX;
}

/* The first size - 1 bytes of a file, as a string. False when there is no such file to read. */
static bool read_file(const char *root, const char *name, char *buf, size_t size)
{
	char path[PATH_MAX];
	size_t len = 0;
	ssize_t n = -1;
	int fd;

	buf[0] = '\0';
	if (!make_path(path, root, name))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return false;
	while (len < size - 1) {
		n = read(fd, buf + len, size - 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	close(fd);
	if (n < 0)
		return false;
	buf[len] = '\0';
	return true;
}

/* Copies text for people: without blanks at its ends, other bytes than printable ASCII as '?'. */
static void copy_text(char *to, size_t size, struct span from)
{
	size_t len = 0;

	while (from.len && (unsigned char)from.start[0] <= ' ') {
		from.start++;
		from.len--;
	}
	while (from.len && (unsigned char)from.start[from.len - 1] <= ' ')
		from.len--;
	for (; len < from.len && len < size - 1; len++) {
		char c = from.start[len];

		to[len] = '?';
		if (c >= ' ' && c <= '~')
			to[len] = c;
	}
	to[len] = '\0';
}

static void read_text(const char *root, const char *name, char *to, size_t size)
{
	char buf[FILE_MAX];

	if (read_file(root, name, buf, sizeof(buf)))
		copy_text(to, size, (struct span){buf, strlen(buf)});
}

static struct host_number parse_number(const char *text)
{
	struct host_number number = {0};
	char *end;

	if (*text < '0' || *text > '9')
		return number;
	errno = 0;
	number.value = strtoull(text, &end, 10);
	number.known = errno == 0;
	return number;
}

static struct host_number read_number(const char *root, const char *name)
{
	char buf[64];

	return read_file(root, name, buf, sizeof(buf)) ? parse_number(buf)
						       : (struct host_number){0};
}

/* A boolean parameter of a module: "Y", "N" or a number. */
static enum host_answer read_flag(const char *root, const char *name)
{
	char buf[16];

	if (!read_file(root, name, buf, sizeof(buf)))
		return HOST_UNKNOWN;
	if (buf[0] == 'Y' || (buf[0] >= '1' && buf[0] <= '9'))
		return HOST_YES;
	return buf[0] == 'N' || buf[0] == '0' ? HOST_NO : HOST_UNKNOWN;
}

/* The chosen one of several words: "always [madvise] never". */
static void read_choice(const char *root, const char *name, char *to, size_t size)
{
	char buf[256];
	const char *open, *close;

	if (!read_file(root, name, buf, sizeof(buf)))
		return;
	open = strchr(buf, '[');
	close = open ? strchr(open, ']') : NULL;
	if (close)
		copy_text(to, size, (struct span){open + 1, (size_t)(close - open - 1)});
}

/* One number of a list; false when there is none, or one that is too large. */
static bool list_number(const char **p, uint64_t *ret)
{
	uint64_t number = 0;

	if (**p < '0' || **p > '9')
		return false;
	for (; **p >= '0' && **p <= '9' && number < CPUS_MAX; (*p)++)
		number = number * 10 + (uint64_t)(**p - '0');
	*ret = number;
	return number < CPUS_MAX;
}

/* How many numbers are in a list: "0-3,8". */
static struct host_number read_list_length(const char *root, const char *name)
{
	const struct host_number unknown = {0};
	char buf[4096];
	const char *p = buf;
	uint64_t first, last, count = 0;

	if (!read_file(root, name, buf, sizeof(buf)))
		return unknown;
	do {
		if (!list_number(&p, &first))
			return unknown;
		last = first;
		if (*p == '-') {
			p++;
			if (!list_number(&p, &last) || last < first)
				return unknown;
		}
		count += last - first + 1;
	} while (*p++ == ',');
	return (struct host_number){.known = true, .value = count};
}

static enum host_access try_device(const char *root, const char *name)
{
	char path[PATH_MAX];
	int fd;

	if (!make_path(path, root, name))
		return HOST_ACCESS_MISSING;
	fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return errno == EACCES || errno == EPERM ? HOST_ACCESS_DENIED : HOST_ACCESS_MISSING;
	close(fd);
	return HOST_ACCESS_OK;
}

/* --- "key : value" lines. ------------------------------------------------------------------- */

/* The value of the first line with that key; start is NULL when there is none. */
static struct span find_value(const char *text, const char *key)
{
	size_t key_len = strlen(key);

	while (text) {
		const char *line = text;
		const char *end = strchrnul(line, '\n');

		text = *end ? end + 1 : NULL;
		if (strncmp(line, key, key_len) != 0)
			continue;
		line += key_len;
		line += strspn(line, " \t");
		if (*line == ':')
			return (struct span){line + 1, (size_t)(end - line - 1)};
	}
	return (struct span){0};
}

static bool has_word(struct span words, const char *word)
{
	size_t len = strlen(word), i = 0;

	while (i < words.len) {
		size_t start = i;

		while (i < words.len && (unsigned char)words.start[i] > ' ')
			i++;
		if (i - start == len && memcmp(words.start + start, word, len) == 0)
			return true;
		i++;
	}
	return false;
}

bool host_has_word(const char *words, const char *word)
{
	return has_word((struct span){words, strlen(words)}, word);
}

static struct host_number find_kib(const char *text, const char *key)
{
	struct span value = find_value(text, key);
	struct host_number number = {0};

	if (value.start)
		number = parse_number(value.start + strspn(value.start, " \t"));
	if (number.value > UINT64_MAX / 1024)
		number.known = false;
	number.value *= 1024;
	return number;
}

/* --- The processor, and what KVM makes of it. ----------------------------------------------- */

struct cpu_flags {
	struct span flags, vmx; /* kernels before 5.8 have no line for vmx */
};

/* A feature as the flags and the modules' parameters of the two vendors name it. */
struct feature {
	const char *vmx_flag, *vmx_parameter;
	const char *svm_flag, *svm_parameter;
};

static enum host_answer flag_answer(const struct cpu_flags *cpu, enum host_virt virt,
				    const char *flag)
{
	if (!flag)
		return HOST_UNKNOWN;
	if (has_word(cpu->flags, flag) || has_word(cpu->vmx, flag))
		return HOST_YES;
	return virt == HOST_VIRT_VMX && !cpu->vmx.start ? HOST_UNKNOWN : HOST_NO;
}

static enum host_answer feature_answer(const char *root, const struct cpu_flags *cpu,
				       enum host_virt virt, const struct feature *f)
{
	bool vmx = virt == HOST_VIRT_VMX;
	const char *parameter = vmx ? f->vmx_parameter : f->svm_parameter;
	enum host_answer answer = HOST_UNKNOWN;
	char name[128];

	if (virt != HOST_VIRT_VMX && virt != HOST_VIRT_SVM)
		return virt == HOST_VIRT_NONE ? HOST_NO : HOST_UNKNOWN;
	if (parameter) {
		snprintf(name, sizeof(name), "/sys/module/%s/parameters/%s",
			 vmx ? "kvm_intel" : "kvm_amd", parameter);
		answer = read_flag(root, name);
	}
	if (answer == HOST_UNKNOWN)
		answer = flag_answer(cpu, virt, vmx ? f->vmx_flag : f->svm_flag);
	return answer;
}

static void read_features(struct host *host, const char *root, const struct cpu_flags *cpu)
{
	static const struct feature nested_paging = {"ept", "ept", "npt", "npt"};
	static const struct feature tagged_tlb = {"vpid", "vpid", "flushbyasid", NULL};
	static const struct feature real_mode = {"unrestricted_guest", "unrestricted_guest", "svm",
						 NULL};
	static const struct feature virtual_apic = {"apicv", "enable_apicv", "avic", "avic"};
	static const struct feature nested = {NULL, "nested", NULL, "nested"};

	host->nested_paging = feature_answer(root, cpu, host->virt, &nested_paging);
	host->tagged_tlb = feature_answer(root, cpu, host->virt, &tagged_tlb);
	host->real_mode = feature_answer(root, cpu, host->virt, &real_mode);
	host->virtual_apic = feature_answer(root, cpu, host->virt, &virtual_apic);
	host->nested = feature_answer(root, cpu, host->virt, &nested);
}

static enum host_answer answer(bool yes)
{
	return yes ? HOST_YES : HOST_NO;
}

static enum host_virt find_virt(struct span flags)
{
	if (has_word(flags, "vmx"))
		return HOST_VIRT_VMX;
	return has_word(flags, "svm") ? HOST_VIRT_SVM : HOST_VIRT_NONE;
}

static void read_cpu(struct host *host, const char *root)
{
	char text[FILE_MAX];
	struct cpu_flags cpu = {0};
	char *block_end;

	host->cpus = read_list_length(root, "/sys/devices/system/cpu/online");
	host->numa_nodes = read_list_length(root, "/sys/devices/system/node/online");
	if (read_file(root, "/proc/cpuinfo", text, sizeof(text))) {
		block_end = strstr(text, "\n\n");
		if (block_end)
			*block_end = '\0';
		copy_text(host->cpu_vendor, sizeof(host->cpu_vendor),
			  find_value(text, "vendor_id"));
		copy_text(host->cpu_model, sizeof(host->cpu_model), find_value(text, "model name"));
		cpu.flags = find_value(text, "flags");
		cpu.vmx = find_value(text, "vmx flags");
	}
	if (cpu.flags.start) {
		host->hypervisor = answer(has_word(cpu.flags, "hypervisor"));
		host->tsc_invariant = answer(has_word(cpu.flags, "constant_tsc") &&
					     has_word(cpu.flags, "nonstop_tsc"));
		host->virt = find_virt(cpu.flags);
	}
	read_features(host, root, &cpu);
}

static int compare_words(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* The modules beside "kvm" itself: kvm_intel, kvm_amd, or one that tells of another kind of KVM. */
static void read_modules(struct host *host, const char *root)
{
	char names[4][HOST_WORD_MAX];
	char path[PATH_MAX];
	struct dirent *entry;
	size_t count = 0, used = 0;
	DIR *dir;

	dir = make_path(path, root, "/sys/module") ? opendir(path) : NULL;
	if (!dir)
		return;
	for (size_t i = 0; i < MODULES_MAX && count < ARRAY_SIZE(names); i++) {
		size_t len;

		entry = readdir(dir);
		if (!entry)
			break;
		len = strlen(entry->d_name);
		if (strncmp(entry->d_name, "kvm_", 4) == 0 && len < sizeof(names[0]))
			memcpy(names[count++], entry->d_name, len + 1);
	}
	closedir(dir);
	qsort(names, count, sizeof(names[0]), compare_words);
	for (size_t i = 0; i < count && used < sizeof(host->kvm_modules); i++)
		used += (size_t)snprintf(host->kvm_modules + used, sizeof(host->kvm_modules) - used,
					 "%s%s", i ? " " : "", names[i]);
}

/* --- The rest. ------------------------------------------------------------------------------ */

static struct host_huge_pool read_pool(const char *root, const char *size)
{
	struct host_huge_pool pool;
	char name[128];

	snprintf(name, sizeof(name), "/sys/kernel/mm/hugepages/hugepages-%s/nr_hugepages", size);
	pool.total = read_number(root, name);
	snprintf(name, sizeof(name), "/sys/kernel/mm/hugepages/hugepages-%s/free_hugepages", size);
	pool.free = read_number(root, name);
	return pool;
}

static void read_memory(struct host *host, const char *root)
{
	char text[FILE_MAX];

	if (read_file(root, "/proc/meminfo", text, sizeof(text))) {
		host->memory_total = find_kib(text, "MemTotal");
		host->memory_available = find_kib(text, "MemAvailable");
	}
	read_choice(root, THP_DIR "/enabled", host->thp, sizeof(host->thp));
	read_choice(root, THP_DIR "/shmem_enabled", host->thp_shmem, sizeof(host->thp_shmem));
	host->huge_2m = read_pool(root, "2048kB");
	host->huge_1g = read_pool(root, "1048576kB");
}

/* The two places where systems mount it: alone, or beside version 1. */
static void read_cgroup2(struct host *host, const char *root)
{
	static const char *const places[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		char name[64], text[1024];

		snprintf(name, sizeof(name), "%s/cgroup.controllers", places[i]);
		if (!read_file(root, name, text, sizeof(text)))
			continue;
		copy_text(host->cgroup2, sizeof(host->cgroup2),
			  (struct span){places[i], strlen(places[i])});
		copy_text(host->cgroup2_controllers, sizeof(host->cgroup2_controllers),
			  (struct span){text, strlen(text)});
		return;
	}
}

static void read_kernel(struct host *host, const char *root)
{
	char text[256];

	read_text(root, "/proc/sys/kernel/osrelease", host->kernel, sizeof(host->kernel));
	host->io_uring_disabled = read_number(root, "/proc/sys/kernel/io_uring_disabled");
	if (read_file(root, "/proc/sys/kernel/seccomp/actions_avail", text, sizeof(text)))
		host->seccomp = HOST_YES;
	else if (host->kernel[0])
		host->seccomp = HOST_NO; /* the other sysctls are there */
}

void host_read(struct host *host, const char *root)
{
	*host = (struct host){0};
	read_kernel(host, root);
	read_cpu(host, root);
	read_modules(host, root);
	host->halt_poll_ns = read_number(root, "/sys/module/kvm/parameters/halt_poll_ns");
	read_text(root, "/sys/devices/system/clocksource/clocksource0/current_clocksource",
		  host->clocksource, sizeof(host->clocksource));
	read_memory(host, root);
	read_cgroup2(host, root);
	host->tun = try_device(root, "/dev/net/tun");
	host->vhost_net = try_device(root, "/dev/vhost-net");
}
