// SPDX-License-Identifier: MIT
/*
 * Rounds: something that every queue has to do on its own loop, and something that is done when all
 * have. Queues that are not open take part too. Owner: who starts a round; each part is its
 * queue's loop's.
 */
#include <assert.h>

#include "devices/netvsp_internal.h"

static void run_part(struct loop_task *task)
{
	struct netvsp_round_part *part = container_of(task, struct netvsp_round_part, task);

	part->round->run(part->round, part->queue);
}

static void run_done(struct loop_task *task)
{
	struct netvsp_round *round = container_of(task, struct netvsp_round, task);

	round->busy = false;
	round->done(round);
}

void netvsp_round_init(struct netvsp_round *round, struct netvsp *netvsp, struct loop *loop)
{
	round->netvsp = netvsp;
	round->loop = loop;
	round->task.run = run_done;
	for (unsigned int i = 0; i < netvsp->queue_count; i++) {
		round->parts[i].round = round;
		round->parts[i].queue = &netvsp->queues[i];
		round->parts[i].task.run = run_part;
	}
}

void netvsp_round_start(struct netvsp_round *round,
			void (*run)(struct netvsp_round *round, struct netvsp_queue *queue),
			void (*done)(struct netvsp_round *round))
{
	const unsigned int count = round->netvsp->queue_count;

	assert(!round->busy);
	round->busy = true;
	round->run = run;
	round->done = done;
	atomic_store(&round->left, count);
	for (unsigned int i = 0; i < count; i++)
		loop_post(round->netvsp->queues[i].loop, &round->parts[i].task);
}

void netvsp_round_done(struct netvsp_round *round)
{
	if (atomic_fetch_sub(&round->left, 1) == 1)
		loop_post(round->loop, &round->task);
}

static void settle(struct netvsp_round *round, unsigned int index)
{
	if (!round->parts[index].waiting)
		return;
	round->parts[index].waiting = false;
	netvsp_round_done(round);
}

void netvsp_rounds_settle(struct netvsp_queue *queue)
{
	struct netvsp *netvsp = queue->netvsp;

	if (netvsp_tx_idle(queue) || !queue->paused)
		settle(&netvsp->pause, queue->index);
	if (!queue->tx || !queue->tx->in_sections)
		settle(&netvsp->send.round, queue->index);
}
