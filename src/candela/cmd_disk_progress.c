// SPDX-License-Identifier: MIT
/*
 * How far long work is, for somebody who watches, and ending it early. Main thread; a signal only
 * sets a flag and stops the loop.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "candela/cmd_disk.h"

#define STEP_NS (NSEC_PER_SEC / 5)

static volatile sig_atomic_t interrupted;
static struct loop *_Atomic interrupted_loop;

void disk_progress_begin(struct disk_progress *progress, const char *what)
{
	*progress = (struct disk_progress){
		.what = what, .terminal = isatty(STDERR_FILENO), .begin_ns = loop_now()};
}

void disk_progress_step(struct disk_progress *progress, uint64_t done, uint64_t total)
{
	uint64_t now;

	if (!progress->terminal)
		return;
	now = loop_now();
	/* Work that is soon over needs no line. */
	if (now - progress->begin_ns < 2 * STEP_NS || now - progress->last_ns < STEP_NS)
		return;
	progress->last_ns = now;
	progress->shown = true;
	fprintf(stderr, "\r%s: %u %%, %.1f of %.1f GiB", progress->what,
		(unsigned int)((double)done * 100 / (double)max_of(total, (uint64_t)1)),
		(double)done / (double)GiB(1), (double)total / (double)GiB(1));
	fflush(stderr);
}

void disk_progress_end(struct disk_progress *progress)
{
	if (progress->shown)
		fprintf(stderr, "\r\033[K");
}

static void on_signal(int number)
{
	struct loop *loop = atomic_load(&interrupted_loop);

	interrupted = number;
	if (loop)
		loop_stop(loop);
}

static void handle(void (*handler)(int number))
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {.sa_handler = handler}, old;

	/* Whoever started us may have had a signal ignored, as nohup does. */
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaction(numbers[i], &action, NULL);
}

void disk_interrupt_begin(struct loop *loop)
{
	interrupted = 0;
	atomic_store(&interrupted_loop, loop);
	handle(on_signal);
}

int disk_interrupted(void)
{
	return interrupted;
}

void disk_interrupt_end(void)
{
	handle(SIG_DFL);
	atomic_store(&interrupted_loop, NULL);
}
