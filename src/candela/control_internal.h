// SPDX-License-Identifier: MIT
/*
 * The inside of the control socket's server, for the control_*.c files of the server alone. Owner:
 * the loop's thread.
 */
#pragma once

#include "candela/control.h"

struct client {
	struct client *prev, *next;
	struct control *control;
	struct loop_fd lfd;
	struct loop_timer again; /* armed while there is more to read in a later pass */
	bool subscribed;
	bool input_ended; /* it sends no more */
	bool deaf;        /* it takes no more: answers are thrown away */
	bool last;        /* what waits is the last that it gets */
	bool hung_up;     /* it has closed its end altogether */
	bool closing;
	unsigned int calls; /* not answered yet */
	unsigned int lines; /* that it may still have looked at in this turn */
	control_take *take; /* NULL, or who gets the connection once all is sent */
	void *take_arg;

	char *in;
	size_t in_len, in_size;
	char *out;
	size_t out_start, out_end, out_size;
};

struct control_call {
	struct control_call *prev, *next;
	struct control *control;
	struct client *client; /* NULL: it is gone */
	bool has_id;
	bool waits;             /* for the end */
	struct json_object *id; /* owned */
};

struct control {
	struct control_config config;
	struct loop_fd listener;
	struct loop_timer accept_again;
	struct client clients;     /* sentinel of the list */
	struct control_call calls; /* likewise: those not answered yet */
	unsigned int client_count;
};

static inline bool client_is_idle(const struct client *c)
{
	return c->out_start == c->out_end;
}

/* control.c: the end of a client. Its memory stays until the loop has let go of it. */
void client_close(struct client *c);

/* control_output.c: as much of what waits as it takes. */
void client_flush(struct client *c);
/* Takes over @line; NULL: there was no memory for it. Who cannot be told everything is let go. */
void client_send(struct client *c, char *line);
