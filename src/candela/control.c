// SPDX-License-Identifier: MIT
/*
 * The control socket's server. Descriptors are non-blocking and watched by the loop; a client that
 * sends without end gets its turn once a pass, like everybody.
 */
#include "candela/control_internal.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/json_build.h"
#include "vmm/log.h"

/* What is read of one client in one pass, and how many of its requests are looked at. */
#define READ_BUDGET CONTROL_LINE_MAX
#define LINE_BUDGET 16
/* Room for input at first; it grows to what one line needs. */
#define INPUT_FIRST KiB(1)
#define INPUT_MAX   (CONTROL_LINE_MAX + 1)
/* After a failed accept (no descriptors left, say), so that it does not spin. */
#define ACCEPT_RETRY_NS (200 * NSEC_PER_MSEC)
#define ACCEPT_BATCH    16

/* --- The end of a client. ------------------------------------------------------------------- */

static void client_free(struct client *c)
{
	c->prev->next = c->next;
	c->next->prev = c->prev;
	c->control->client_count--;
	if (c->take)
		c->take(c->take_arg, -1, NULL, 0);
	if (c->lfd.fd >= 0)
		close(c->lfd.fd);
	free(c->in);
	free(c->out);
	free(c);
}

static void on_closed(struct loop_fd *lfd)
{
	client_free(container_of(lfd, struct client, lfd));
}

/* Its memory stays until the loop has let go of it, so lists of clients can be walked meanwhile. */
void client_close(struct client *c)
{
	struct control_call *calls = &c->control->calls;

	if (c->closing)
		return;
	c->closing = true;
	loop_timer_cancel(c->control->config.loop, &c->again);
	for (struct control_call *call = calls->next; call != calls; call = call->next)
		if (call->client == c)
			call->client = NULL;
	shutdown(c->lfd.fd, SHUT_RDWR);
	loop_fd_close(&c->lfd, on_closed);
}

static void on_let_go(struct loop_fd *lfd)
{
	struct client *c = container_of(lfd, struct client, lfd);
	control_take *take = c->take;
	int fd = lfd->fd;

	c->take = NULL;
	lfd->fd = -1;
	take(c->take_arg, fd, c->in, c->in_len);
	client_free(c);
}

/* It has its answer: the connection is another's from now on. */
static void let_go(struct client *c)
{
	c->closing = true;
	loop_timer_cancel(c->control->config.loop, &c->again);
	loop_fd_close(&c->lfd, on_let_go);
}

/* Is there anything that it could still get? */
static void close_if_done(struct client *c)
{
	const bool expects = !c->deaf && (c->calls || c->subscribed);

	if (client_is_idle(c) && !c->take && (c->last || (c->input_ended && !expects)))
		client_close(c);
}

/* --- Calls. --------------------------------------------------------------------------------- */

static struct control_call *call_new(struct client *c, const struct control_request *request)
{
	struct control_call *call = calloc(1, sizeof(*call));
	struct control_call *calls = &c->control->calls;

	if (!call)
		return NULL;
	call->control = c->control;
	call->client = c;
	call->has_id = request->has_id;
	call->id = json_object_get(request->id);
	call->next = calls;
	call->prev = calls->prev;
	call->prev->next = call;
	calls->prev = call;
	c->calls++;
	return call;
}

static void call_free(struct control_call *call)
{
	call->prev->next = call->next;
	call->next->prev = call->prev;
	json_object_put(call->id);
	free(call);
}

/* Sends the answer, if there is still somebody to get it, and frees the call. */
static void call_answer(struct control_call *call, char *line)
{
	struct client *c = call->client;
	const bool wanted = c && call->has_id;

	if (c)
		c->calls--;
	call_free(call);
	if (!wanted) {
		free(line);
		return;
	}
	client_send(c, line);
	close_if_done(c);
}

void control_reply(struct control_call *call, struct json_object *result)
{
	if (result)
		call_answer(call, control_result_line(call->id, result));
	else
		control_refuse(call, CONTROL_INTERNAL, "out of memory");
}

bool control_hand_over(struct control_call *call, struct json_object *result, control_take *take,
		       void *arg)
{
	struct client *c = call->client;

	assert(result);
	if (c && (c->calls > 1 || c->subscribed || c->take))
		return false;
	if (c) {
		c->take = take;
		c->take_arg = arg;
		/* Not from in here: the request may be one of several in its buffer. */
		loop_timer_set(c->control->config.loop, &c->again, loop_now());
	} else {
		take(arg, -1, NULL, 0);
	}
	control_reply(call, result);
	return true;
}

void control_refuse(struct control_call *call, enum control_code code, const char *text)
{
	call_answer(call, control_error_line(call->id, code, text));
}

static void run_subscribe(void *ctx, struct control_call *call, struct json_object *params)
{
	call->client->subscribed = true;
	control_reply(call, json_object_new_object());
}

static void run_wait(void *ctx, struct control_call *call, struct json_object *params)
{
	call->waits = true;
}

static const struct control_method own_methods[] = {
	{.name = "subscribe", .run = run_subscribe},
	{.name = "wait", .run = run_wait},
};

static const struct control_method *find(const struct control_method *methods, size_t count,
					 const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(methods[i].name, name) == 0)
			return &methods[i];
	return NULL;
}

/* What is wrong with the request, or the method that it is for. */
static int choose(const struct client *c, const struct control_request *request,
		  const struct control_method **ret, struct control_error *error)
{
	const struct control_config *config = &c->control->config;
	const struct control_method *method =
		find(config->methods, config->method_count, request->method);

	if (!method)
		method = find(own_methods, ARRAY_SIZE(own_methods), request->method);
	*ret = method;
	if (!method) {
		*error = (struct control_error){CONTROL_NO_METHOD, "no such method"};
		return -EINVAL;
	}
	if (c->calls >= CONTROL_CALLS_MAX) {
		*error = (struct control_error){CONTROL_REFUSED, "too many requests at once"};
		return -EBUSY;
	}
	if (method->any_params)
		return 0;
	return control_check_params(request->params, method->params, error);
}

static void note_request(const struct client *c, const char *method)
{
	const struct control_config *config = &c->control->config;
	struct ucred peer = {.uid = (uid_t)-1};
	socklen_t len = sizeof(peer);

	if (!config->requested)
		return;
	/* Without it nobody is known, which the event shows. */
	if (getsockopt(c->lfd.fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		errno = 0;
	config->requested(config->ctx, method, peer.pid, peer.uid);
}

static void serve_line(struct client *c, const char *line, size_t len)
{
	const struct control_method *method;
	struct control_request request;
	struct control_error error;
	struct control_call *call;
	/* What is no request at all has no id, and is answered all the same. */
	bool parsed = control_request_parse(line, len, &request, &error) == 0;

	if (!parsed || choose(c, &request, &method, &error) < 0) {
		if (!parsed || request.has_id)
			client_send(c, control_error_line(request.id, error.code, error.text));
		control_request_finish(&request);
		return;
	}
	call = call_new(c, &request);
	if (call && method->changes)
		note_request(c, method->name);
	if (call)
		method->run(c->control->config.ctx, call, request.params);
	else
		client_close(c);
	control_request_finish(&request);
}

/* --- Input. --------------------------------------------------------------------------------- */

static bool is_blank(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r')
			return false;
	return true;
}

static bool may_read(const struct client *c)
{
	return !c->closing && !c->last && !c->take && c->lines &&
	       c->out_end - c->out_start < CONTROL_OUTPUT_HIGH;
}

/* The complete lines that are there, as long as the client may be listened to. */
static void serve_lines(struct client *c)
{
	size_t start = 0;
	char *end;

	if (!c->in_len)
		return;
	while (may_read(c) && (end = memchr(c->in + start, '\n', c->in_len - start))) {
		const size_t len = (size_t)(end - c->in) - start;

		if (!is_blank(c->in + start, len)) {
			c->lines--;
			serve_line(c, c->in + start, len);
		}
		start += len + 1;
	}
	if (c->closing)
		return;
	memmove(c->in, c->in + start, c->in_len - start);
	c->in_len -= start;
}

static void refuse_line(struct client *c)
{
	c->last = true;
	client_send(c, control_error_line(NULL, CONTROL_INVALID_REQUEST,
					  "a line of more than 65536 bytes"));
}

static bool grow_input(struct client *c)
{
	const size_t size = c->in_size ? min_of(2 * c->in_size, (size_t)INPUT_MAX) : INPUT_FIRST;
	char *grown = realloc(c->in, size);

	if (!grown)
		return false;
	c->in = grown;
	c->in_size = size;
	return true;
}

/* Reads once: the number of bytes, or 0 when there are none now. */
static size_t read_some(struct client *c)
{
	ssize_t n;

	if (c->in_len == c->in_size && !grow_input(c)) {
		client_close(c);
		return 0;
	}
	n = recv(c->lfd.fd, c->in + c->in_len, c->in_size - c->in_len, MSG_DONTWAIT);
	if (n > 0) {
		c->in_len += (size_t)n;
		return (size_t)n;
	}
	if (n == 0)
		c->input_ended = true;
	else if (errno != EAGAIN && errno != EINTR)
		client_close(c);
	return 0;
}

/* One turn of a client: out with what waits, then what it asks for. */
static void client_turn(struct client *c)
{
	size_t budget = READ_BUDGET, n = 1;

	c->lines = LINE_BUDGET;
	client_flush(c);
	if (c->take && !c->closing) {
		if (client_is_idle(c))
			let_go(c);
		return;
	}
	/* Lines may have been left while it did not read. */
	if (may_read(c))
		serve_lines(c);
	while (may_read(c) && !c->input_ended && n && budget) {
		n = read_some(c);
		budget -= min_of(n, budget);
		if (n)
			serve_lines(c);
		if (!c->closing && !c->last && c->in_len == INPUT_MAX &&
		    !memchr(c->in, '\n', c->in_len))
			refuse_line(c);
	}
	if (c->closing || c->take)
		return;
	/* What was left for the next turn; what waits for the client to read comes with POLLOUT. */
	if (!c->lines || (n && !c->input_ended && may_read(c)))
		loop_timer_set(c->control->config.loop, &c->again, loop_now());
	else if (c->hung_up)
		client_close(c);
	else
		close_if_done(c);
}

static void on_again(struct loop_timer *timer)
{
	client_turn(container_of(timer, struct client, again));
}

static void on_ready(struct loop_fd *lfd, uint32_t revents)
{
	struct client *c = container_of(lfd, struct client, lfd);

	/* What it sent before it closed is still done. */
	if (revents & (POLLHUP | POLLERR))
		c->hung_up = true;
	client_turn(c);
}

/* --- New clients. --------------------------------------------------------------------------- */

static void turn_away(int fd, const char *text)
{
	char *line = control_error_line(NULL, CONTROL_REFUSED, text);

	/* A courtesy: it is not worth waiting for, nor does its failure matter. */
	if (line && send(fd, line, strlen(line), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		errno = 0;
	free(line);
	close(fd);
}

static void client_new(struct control *control, int fd)
{
	struct client *c;

	if (control->client_count >= CONTROL_CLIENTS_MAX) {
		turn_away(fd, "too many clients");
		return;
	}
	c = calloc(1, sizeof(*c));
	if (!c || loop_fd_add(control->config.loop, &c->lfd, fd, POLLIN | POLLOUT | POLLRDHUP,
			      on_ready) < 0) {
		free(c);
		turn_away(fd, "out of memory");
		return;
	}
	c->control = control;
	c->again.fired = on_again;
	c->next = &control->clients;
	c->prev = control->clients.prev;
	c->prev->next = c;
	control->clients.prev = c;
	control->client_count++;
}

static void accept_some(struct control *control)
{
	int fd = 0;

	for (int i = 0; i < ACCEPT_BATCH; i++) {
		fd = accept4(control->config.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0 && errno == EAGAIN)
			return;
		if (fd < 0)
			break;
		client_new(control, fd);
	}
	loop_timer_set(control->config.loop, &control->accept_again,
		       loop_now() + (fd < 0 ? ACCEPT_RETRY_NS : 0));
}

static void on_connection(struct loop_fd *lfd, uint32_t revents)
{
	accept_some(container_of(lfd, struct control, listener));
}

static void on_accept_again(struct loop_timer *timer)
{
	accept_some(container_of(timer, struct control, accept_again));
}

/* --- The whole. ----------------------------------------------------------------------------- */

int control_create(const struct control_config *config, struct error *err, struct control **ret)
{
	struct control *control = calloc(1, sizeof(*control));

	if (!control)
		return error_set(err, -ENOMEM, "out of memory");
	control->config = *config;
	control->clients.prev = control->clients.next = &control->clients;
	control->calls.prev = control->calls.next = &control->calls;
	control->accept_again.fired = on_accept_again;
	if (loop_fd_add(config->loop, &control->listener, config->fd, POLLIN, on_connection) < 0) {
		free(control);
		return error_set(err, -EBUSY, "the event loop takes no more descriptors");
	}
	*ret = control;
	return 0;
}

void control_event(struct control *control, struct json_object *params)
{
	struct client *end = &control->clients;
	char *line = params ? control_notification_line("event", params) : NULL;

	for (struct client *c = end->next; line && c != end; c = c->next)
		if (c->subscribed && !c->closing)
			client_send(c, strdup(line));
	free(line);
}

/* Waits until somebody can take more, or the time is over. */
static bool wait_for_room(struct control *control, uint64_t deadline)
{
	struct pollfd fds[CONTROL_CLIENTS_MAX];
	struct client *end = &control->clients;
	uint64_t now = loop_now();
	nfds_t count = 0;

	for (struct client *c = end->next; c != end; c = c->next)
		if (!c->closing && !client_is_idle(c) && count < ARRAY_SIZE(fds))
			fds[count++] = (struct pollfd){.fd = c->lfd.fd, .events = POLLOUT};
	if (count == 0 || now >= deadline)
		return false;
	return poll(fds, count, (int)((deadline - now) / NSEC_PER_MSEC) + 1) > 0;
}

void control_end(struct control *control, struct json_object *result)
{
	const uint64_t deadline = loop_now() + CONTROL_END_NS;
	struct control_call *calls = &control->calls, *call, *next;
	struct client *end = &control->clients;

	for (call = calls->next; call != calls; call = next) {
		next = call->next;
		if (call->waits)
			control_reply(call, json_object_get(result));
	}
	json_object_put(result);
	do {
		for (struct client *c = end->next; c != end; c = c->next)
			client_flush(c);
	} while (wait_for_room(control, deadline));
}

void control_destroy(struct control *control)
{
	if (!control)
		return;
	while (control->calls.next != &control->calls)
		call_free(control->calls.next);
	while (control->clients.next != &control->clients)
		client_free(control->clients.next);
	free(control);
}

unsigned int control_client_count(const struct control *control)
{
	return control->client_count;
}
