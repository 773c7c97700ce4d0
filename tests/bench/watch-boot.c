// SPDX-License-Identifier: MIT
/*
 * Starts a VMM and watches it: when which text appears in its output, and then what its memory and
 * KVM's counters are. Prints one JSON object. A program of its own rather than a script, because
 * starting an interpreter takes longer than what is measured, on an emulated host above all.
 *
 * One thread. Every wait ends at the limit.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MARKS_MAX  8
#define OUTPUT_MAX (1u << 20)
#define KVM_STATS  "/sys/kernel/debug/kvm"

static const char usage_text[] =
	"Usage: watch-boot [OPTION]... COMMAND [ARGUMENT]...\n"
	"Run COMMAND (a VMM), read its standard output until all marks were seen, measure,\n"
	"and kill it. Prints one JSON object; times are in seconds from just before the exec.\n"
	"\n"
	"  --mark NAME=TEXT  TEXT's first appearance in the output (up to 8, in this order)\n"
	"  --value NAME=TEXT the number behind TEXT in the output (one)\n"
	"  --memory MIB      the guest's memory, to tell it from the VMM's own in smaps\n"
	"  --settle MS       wait so long after the last mark before measuring (default 0)\n"
	"  --idle MS         count KVM's exits for so long after measuring\n"
	"  --name TEXT       goes into the object as \"name\"\n"
	"  --case TEXT       goes into the object as \"case\"\n"
	"  --limit SECONDS   give up then (default 120)\n"
	"\n"
	"Exit status: 0 all marks were seen, 1 not, 2 bad usage.\n";

struct mark {
	const char *name, *text;
	double at; /* 0: not seen */
};

/* KiB. */
struct memory {
	uint64_t rss, pss, anonymous; /* all mappings but the guest's RAM */
	uint64_t guest_rss;
	bool known;
};

struct watch {
	const char *name, *case_name;
	struct mark marks[MARKS_MAX];
	size_t mark_count;
	struct mark value;
	uint64_t memory_mib;
	int settle_ms, idle_ms, limit_s;

	pid_t pid;
	int out;
	double start;
	char output[OUTPUT_MAX + 1];
	size_t len;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void sleep_ms(int ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		continue;
}

/* --- The VMM. ------------------------------------------------------------------------------ */

static int start(struct watch *w, char **command)
{
	int pipe_fds[2];

	if (pipe2(pipe_fds, O_CLOEXEC) < 0) {
		perror("pipe");
		return -1;
	}
	w->start = now();
	w->pid = vfork();
	if (w->pid == 0) {
		dup2(pipe_fds[1], STDOUT_FILENO);
		execvp(command[0], command);
		_exit(127);
	}
	if (w->pid < 0) {
		perror("vfork");
		return -1;
	}
	close(pipe_fds[1]);
	w->out = pipe_fds[0];
	return 0;
}

/* Notes the marks that are there by now, in their order. True: all of them. */
static bool look_for_marks(struct watch *w, double at)
{
	for (size_t i = 0; i < w->mark_count; i++) {
		if (w->marks[i].at > 0)
			continue;
		if (!memmem(w->output, w->len, w->marks[i].text, strlen(w->marks[i].text)))
			return false;
		w->marks[i].at = at - w->start;
	}
	return true;
}

static bool watch_output(struct watch *w)
{
	double limit = w->start + w->limit_s;

	for (;;) {
		struct pollfd poll_fd = {.fd = w->out, .events = POLLIN};
		double at = now();
		ssize_t n;

		if (at >= limit || poll(&poll_fd, 1, (int)((limit - at) * 1000) + 1) <= 0)
			return false;
		at = now();
		n = read(w->out, w->output + w->len, OUTPUT_MAX - w->len);
		if (n <= 0)
			return false;
		w->len += (size_t)n;
		w->output[w->len] = '\0';
		if (look_for_marks(w, at))
			return true;
	}
}

/* --- Its memory. --------------------------------------------------------------------------- */

static void add_field(struct memory *m, bool guest, const char *line)
{
	unsigned long long kib;

	if (sscanf(line, "Rss: %llu", &kib) == 1)
		*(guest ? &m->guest_rss : &m->rss) += kib;
	else if (!guest && sscanf(line, "Pss: %llu", &kib) == 1)
		m->pss += kib;
	else if (!guest && sscanf(line, "Anonymous: %llu", &kib) == 1)
		m->anonymous += kib;
}

/* The first line of a mapping in smaps. */
struct mapping {
	unsigned long long from, to, inode;
	char perms[8];
};

static bool parse_mapping(const char *line, struct mapping *m)
{
	m->inode = 0;
	return sscanf(line, "%llx-%llx %7s %*x %*s %llu", &m->from, &m->to, m->perms, &m->inode) >=
	       3;
}

/*
 * Guest RAM is what lies in the file behind the largest shared mapping (candela, which may have put
 * other pages in between), or a private mapping of just its size (QEMU).
 */
static bool is_guest_ram(const struct watch *w, const struct mapping *m, uint64_t inode)
{
	return m->perms[3] == 's' ? m->inode == inode : m->to - m->from == w->memory_mib << 20;
}

static uint64_t largest_shared(FILE *file)
{
	unsigned long long inode = 0, largest = 1u << 20;
	struct mapping m;
	char line[512];

	while (fgets(line, sizeof(line), file)) {
		if (!parse_mapping(line, &m) || m.perms[3] != 's' || m.to - m.from < largest)
			continue;
		largest = m.to - m.from;
		inode = m.inode;
	}
	rewind(file);
	return inode;
}

static void read_memory(const struct watch *w, struct memory *memory)
{
	char path[64], line[512];
	struct mapping m;
	bool guest = false;
	uint64_t inode;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/smaps", (int)w->pid);
	file = fopen(path, "re");
	if (!file)
		return;
	inode = largest_shared(file);
	while (fgets(line, sizeof(line), file)) {
		if (parse_mapping(line, &m))
			guest = is_guest_ram(w, &m, inode);
		else
			add_field(memory, guest, line);
	}
	fclose(file);
	memory->known = memory->rss > 0;
}

static unsigned int count_threads(const struct watch *w)
{
	unsigned int count = 0;
	struct dirent *entry;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)w->pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		count += isdigit(entry->d_name[0]) ? 1 : 0;
	if (dir)
		closedir(dir);
	return count;
}

/* --- KVM's counters. ----------------------------------------------------------------------- */

/* The directory of the VM in debugfs: named PID-FD. */
static int open_stats(const struct watch *w)
{
	struct dirent *entry;
	char prefix[16];
	int fd = -1;
	DIR *dir = opendir(KVM_STATS);

	snprintf(prefix, sizeof(prefix), "%d-", (int)w->pid);
	while (dir && fd < 0 && (entry = readdir(dir)))
		if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0)
			fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir)
		closedir(dir);
	return fd;
}

static uint64_t read_stat(int dir, const char *name)
{
	char text[32] = "";
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	return strtoull(text, NULL, 10);
}

static void print_stats(int dir)
{
	static const char *const names[] = {
		"exits",     "io_exits",     "mmio_exits",       "halt_exits",
		"irq_exits", "signal_exits", "irq_injections",   "pf_fixed",
		"pf_taken",  "hypercalls",   "irq_window_exits", "request_irq_exits",
	};

	printf(", \"kvm\": {");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		printf("%s\"%s\": %llu", i ? ", " : "", names[i],
		       (unsigned long long)read_stat(dir, names[i]));
	printf("}");
}

/* --- The report. --------------------------------------------------------------------------- */

static void print_marks(const struct watch *w)
{
	printf("{\"case\": \"%s\", \"name\": \"%s\", \"marks\": {", w->case_name, w->name);
	for (size_t i = 0; i < w->mark_count; i++) {
		printf("%s\"%s\": ", i ? ", " : "", w->marks[i].name);
		if (w->marks[i].at > 0)
			printf("%.6f", w->marks[i].at);
		else
			printf("null");
	}
	printf("}");
}

/* The output may have NULs in it; behind it stands one. */
static void print_value(const struct watch *w)
{
	const char *text = w->value.text;
	const char *at = text ? memmem(w->output, w->len, text, strlen(text)) : NULL;

	if (at)
		printf(", \"%s\": %g", w->value.name, strtod(at + strlen(text), NULL));
}

static void measure(const struct watch *w)
{
	struct memory m = {0};
	uint64_t before;
	int stats = open_stats(w);

	if (stats >= 0)
		print_stats(stats);
	sleep_ms(w->settle_ms);
	read_memory(w, &m);
	if (m.known)
		printf(", \"memory_kib\": {\"rss\": %llu, \"pss\": %llu, \"anonymous\": %llu, "
		       "\"guest_rss\": %llu}, \"threads\": %u",
		       (unsigned long long)m.rss, (unsigned long long)m.pss,
		       (unsigned long long)m.anonymous, (unsigned long long)m.guest_rss,
		       count_threads(w));
	if (stats >= 0 && w->idle_ms) {
		before = read_stat(stats, "exits");
		sleep_ms(w->idle_ms);
		printf(", \"idle_exits_per_s\": %.1f",
		       (double)(read_stat(stats, "exits") - before) * 1000 / w->idle_ms);
	}
	if (stats >= 0)
		close(stats);
}

static void print_end(const struct rusage *usage)
{
	printf(", \"cpu\": %.3f, \"max_rss_kib\": %ld}\n",
	       (double)usage->ru_utime.tv_sec + (double)usage->ru_utime.tv_usec / 1e6 +
		       (double)usage->ru_stime.tv_sec + (double)usage->ru_stime.tv_usec / 1e6,
	       usage->ru_maxrss);
}

/* --- Options. ------------------------------------------------------------------------------ */

static bool set_mark(struct mark *mark, char *text)
{
	char *equals = strchr(text, '=');

	if (!equals || !equals[1])
		return false;
	*equals = '\0';
	*mark = (struct mark){.name = text, .text = equals + 1};
	return true;
}

static bool set_option(struct watch *w, const char *name, char *value)
{
	if (strcmp(name, "--mark") == 0)
		return w->mark_count < MARKS_MAX && set_mark(&w->marks[w->mark_count++], value);
	if (strcmp(name, "--value") == 0)
		return set_mark(&w->value, value);
	if (strcmp(name, "--memory") == 0)
		w->memory_mib = strtoull(value, NULL, 10);
	else if (strcmp(name, "--settle") == 0)
		w->settle_ms = atoi(value);
	else if (strcmp(name, "--idle") == 0)
		w->idle_ms = atoi(value);
	else if (strcmp(name, "--name") == 0)
		w->name = value;
	else if (strcmp(name, "--case") == 0)
		w->case_name = value;
	else if (strcmp(name, "--limit") == 0)
		w->limit_s = atoi(value);
	else
		return false;
	return true;
}

int main(int argc, char **argv)
{
	static struct watch w = {.name = "", .case_name = "", .limit_s = 120};
	struct rusage usage = {0};
	bool seen;
	int i = 1;

	for (; i + 1 < argc && argv[i][0] == '-'; i += 2)
		if (!set_option(&w, argv[i], argv[i + 1]))
			break;
	if (i >= argc || argv[i][0] == '-' || !w.mark_count) {
		fputs(usage_text, stderr);
		return 2;
	}
	if (start(&w, &argv[i]) < 0)
		return 1;
	seen = watch_output(&w);
	print_marks(&w);
	print_value(&w);
	if (seen)
		measure(&w);
	kill(w.pid, SIGKILL);
	wait4(w.pid, NULL, 0, &usage);
	print_end(&usage);
	if (!seen)
		fprintf(stderr,
			"watch-boot: %s ended or gave no mark; the end of its output:\n%s\n",
			w.name, w.output + (w.len > 2000 ? w.len - 2000 : 0));
	return seen ? 0 : 1;
}
