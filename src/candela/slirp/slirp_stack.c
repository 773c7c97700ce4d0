// SPDX-License-Identifier: MIT
/* libslirp, the descriptors that it waits for, its timers, and the socket to the NIC. */
#include "candela/slirp/slirp_stack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <slirp/libslirp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#include "devices/net/net_frame.h"

#define POLLS_MAX 4096 /* descriptors; the process may have fewer */
#define BATCH     64   /* frames that are taken before the connections have their turn again */
#define MTU_MAX   65520u

struct timer {
	struct timer *next;
	SlirpTimerId id;
	void *ctx;
	int64_t expiry_ms; /* -1: not set */
};

struct slirp_stack {
	struct slirp_config config;
	Slirp *slirp;
	struct timer *timers;
	struct pollfd polls[POLLS_MAX]; /* the first is the socket */
	unsigned int poll_count;
	bool closed; /* the socket's other end is gone */
	uint8_t frame[sizeof(struct virtio_net_hdr_v1) + NET_FRAME_MAX];
};

/* --- What libslirp asks for. ---------------------------------------------------------------- */

static int64_t get_clock(void *ctx)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * (int64_t)NSEC_PER_SEC + ts.tv_nsec;
}

static int64_t now_ms(void)
{
	return get_clock(NULL) / (int64_t)NSEC_PER_MSEC;
}

/* Waits when the guest does not take what is sent: then connections are not read either. */
static ssize_t send_packet(const void *buf, size_t len, void *ctx)
{
	struct slirp_stack *stack = ctx;
	struct virtio_net_hdr_v1 header = {0};
	struct iovec iov[] = {
		{&header, sizeof(header)},
		{(void *)(uintptr_t)buf, len},
	};
	const struct msghdr message = {.msg_iov = iov, .msg_iovlen = ARRAY_SIZE(iov)};
	ssize_t n;

	do {
		n = sendmsg(stack->config.fd, &message, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		stack->closed = true;
	return (ssize_t)len;
}

/* What a guest does wrong is its own business: there would be no end to it. */
static void guest_error(const char *text, void *ctx)
{
}

static void *timer_new(SlirpTimerId id, void *timer_ctx, void *ctx)
{
	struct slirp_stack *stack = ctx;
	struct timer *timer = calloc(1, sizeof(*timer));

	if (!timer)
		abort(); /* libslirp expects one */
	*timer = (struct timer){.next = stack->timers, .id = id, .ctx = timer_ctx, .expiry_ms = -1};
	stack->timers = timer;
	return timer;
}

static void timer_free(void *opaque, void *ctx)
{
	struct slirp_stack *stack = ctx;
	struct timer **p = &stack->timers;

	while (*p && *p != opaque)
		p = &(*p)->next;
	if (*p)
		*p = (*p)->next;
	free(opaque);
}

static void timer_mod(void *opaque, int64_t expiry_ms, void *ctx)
{
	struct timer *timer = opaque;

	timer->expiry_ms = expiry_ms;
}

static void ignore_fd(int fd, void *ctx)
{
}

static void notify(void *ctx)
{
}

static const SlirpCb callbacks = {
	.send_packet = send_packet,
	.guest_error = guest_error,
	.clock_get_ns = get_clock,
	.timer_free = timer_free,
	.timer_mod = timer_mod,
	.register_poll_fd = ignore_fd,
	.unregister_poll_fd = ignore_fd,
	.notify = notify,
	.timer_new_opaque = timer_new,
};

/* --- Waiting. ------------------------------------------------------------------------------- */

struct event_row {
	int slirp;
	short poll;
};

static const struct event_row event_rows[] = {
	{SLIRP_POLL_IN, POLLIN},   {SLIRP_POLL_OUT, POLLOUT}, {SLIRP_POLL_PRI, POLLPRI},
	{SLIRP_POLL_ERR, POLLERR}, {SLIRP_POLL_HUP, POLLHUP},
};

static int add_poll(int fd, int events, void *ctx)
{
	struct slirp_stack *stack = ctx;
	struct pollfd *p;

	/* Those beyond have no turn until others are gone. */
	if (stack->poll_count == POLLS_MAX)
		return -1;
	p = &stack->polls[stack->poll_count];
	*p = (struct pollfd){.fd = fd};
	for (size_t i = 0; i < ARRAY_SIZE(event_rows); i++)
		if (events & event_rows[i].slirp)
			p->events |= event_rows[i].poll;
	return (int)stack->poll_count++;
}

static int get_events(int index, void *ctx)
{
	const struct slirp_stack *stack = ctx;
	int events = 0;

	for (size_t i = 0; index >= 0 && i < ARRAY_SIZE(event_rows); i++)
		if (stack->polls[index].revents & event_rows[i].poll)
			events |= event_rows[i].slirp;
	return events;
}

static uint32_t until_first_timer(const struct slirp_stack *stack)
{
	const int64_t now = now_ms();
	uint32_t timeout = UINT32_MAX;

	for (const struct timer *t = stack->timers; t; t = t->next)
		if (t->expiry_ms >= 0)
			timeout = min_of(timeout, (uint32_t)max_of(t->expiry_ms - now, 0ll));
	return timeout;
}

static void run_timers(struct slirp_stack *stack)
{
	const int64_t now = now_ms();
	struct timer *next;

	for (struct timer *t = stack->timers; t; t = next) {
		next = t->next;
		if (t->expiry_ms < 0 || t->expiry_ms > now)
			continue;
		t->expiry_ms = -1;
		slirp_handle_timer(stack->slirp, t->id, t->ctx);
	}
}

/* --- Frames from the guest. ----------------------------------------------------------------- */

static void take_frame(struct slirp_stack *stack, size_t len)
{
	uint8_t *frame = stack->frame + sizeof(struct virtio_net_hdr_v1);
	struct virtio_net_hdr_v1 header;

	if (len < sizeof(header))
		return;
	len -= sizeof(header);
	memcpy(&header, stack->frame, sizeof(header));
	if (net_frame_check(&header, frame, len, (uint32_t)len) < 0)
		return;
	net_frame_finish(&header, frame, (uint32_t)len);
	slirp_input(stack->slirp, frame, (int)len);
}

static void take_frames(struct slirp_stack *stack)
{
	for (unsigned int i = 0; i < BATCH && !stack->closed; i++) {
		ssize_t n =
			recv(stack->config.fd, stack->frame, sizeof(stack->frame), MSG_DONTWAIT);

		if (n > 0)
			take_frame(stack, (size_t)n);
		else if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		else
			stack->closed = true;
	}
}

int slirp_stack_run(struct slirp_stack *stack)
{
	while (!stack->closed) {
		uint32_t timeout = until_first_timer(stack);
		int r;

		stack->polls[0] = (struct pollfd){.fd = stack->config.fd, .events = POLLIN};
		stack->poll_count = 1;
		slirp_pollfds_fill(stack->slirp, &timeout, add_poll, stack);
		r = poll(stack->polls, stack->poll_count, timeout > INT32_MAX ? -1 : (int)timeout);
		if (r < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		slirp_pollfds_poll(stack->slirp, r < 0, get_events, stack);
		run_timers(stack);
		if (r > 0 && stack->polls[0].revents)
			take_frames(stack);
	}
	return 0;
}

/* --- Life. ---------------------------------------------------------------------------------- */

static int add_forward(struct slirp_stack *stack, const struct net_forward *f, struct error *err)
{
	const struct sockaddr_in host = {
		.sin_family = AF_INET, .sin_addr = f->host, .sin_port = htons(f->host_port)};
	const struct sockaddr_in6 host6 = {
		.sin6_family = AF_INET6, .sin6_addr = f->host6, .sin6_port = htons(f->host_port)};
	/* Its own addresses are libslirp's to find out. */
	const struct sockaddr_in guest = {.sin_family = AF_INET, .sin_port = htons(f->guest_port)};
	const struct sockaddr_in6 guest6 = {.sin6_family = AF_INET6,
					    .sin6_port = htons(f->guest_port)};
	const int flags = (f->udp ? SLIRP_HOSTFWD_UDP : 0) | (f->ipv6 ? SLIRP_HOSTFWD_V6ONLY : 0);
	char text[INET6_ADDRSTRLEN] = "";
	int r;

	if (f->ipv6)
		r = slirp_add_hostxfwd(stack->slirp, (const struct sockaddr *)&host6, sizeof(host6),
				       (const struct sockaddr *)&guest6, sizeof(guest6), flags);
	else
		r = slirp_add_hostxfwd(stack->slirp, (const struct sockaddr *)&host, sizeof(host),
				       (const struct sockaddr *)&guest, sizeof(guest), flags);
	if (r == 0)
		return 0;
	r = errno ? -errno : -EINVAL;
	inet_ntop(f->ipv6 ? AF_INET6 : AF_INET,
		  f->ipv6 ? (const void *)&f->host6 : (const void *)&f->host, text, sizeof(text));
	return error_errno(err, r, "cannot forward %s port %u of %s", f->udp ? "UDP" : "TCP",
			   f->host_port, text);
}

int slirp_stack_create(const struct slirp_config *config, struct error *err,
		       struct slirp_stack **ret)
{
	struct slirp_stack *stack = calloc(1, sizeof(*stack));
	const struct net_plan *plan = &config->plan;
	const SlirpConfig cfg = {
		.version = 4,
		.restricted = config->restricted,
		.in_enabled = config->ipv4,
		.vnetwork = plan->network,
		.vnetmask = plan->mask,
		.vhost = plan->host,
		.in6_enabled = config->ipv6,
		.vprefix_addr6 = plan->network6,
		.vprefix_len = (uint8_t)plan->prefix6,
		.vhost6 = plan->host6,
		.vhostname = config->hostname,
		.vdomainname = config->domain,
		.vdhcp_start = plan->dhcp,
		.vnameserver = plan->dns,
		.vnameserver6 = plan->dns6,
		.if_mtu = min_of(config->mtu, MTU_MAX),
		.if_mru = min_of(config->mtu, MTU_MAX),
	};
	int r = 0;

	if (!stack)
		return error_set(err, -ENOMEM, "out of memory");
	stack->config = *config;
	stack->slirp = slirp_new(&cfg, &callbacks, stack);
	if (!stack->slirp)
		r = error_set(err, -EINVAL, "libslirp %s refuses the settings",
			      slirp_version_string());
	for (unsigned int i = 0; i < config->forward_count && r == 0; i++)
		r = add_forward(stack, &config->forwards[i], err);
	if (r < 0) {
		slirp_stack_destroy(stack);
		return r;
	}
	*ret = stack;
	return 0;
}

void slirp_stack_destroy(struct slirp_stack *stack)
{
	if (!stack)
		return;
	if (stack->slirp)
		slirp_cleanup(stack->slirp);
	while (stack->timers)
		timer_free(stack->timers, stack);
	free(stack);
}
