// SPDX-License-Identifier: MIT
/* See synic_fake.h. */
#include "synic_fake.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS  4096u
#define PROBES       64u
#define MESSAGES_MAX 256u
#define FLAG_WORDS   (SYNIC_FAKE_FLAGS / 64)

struct connection {
	uint32_t id;
	bool used;
	synic_message_handler *handler;
	void *ctx;
	int eventfd;
};

struct vp {
	_Atomic uint64_t flags[SYNIC_FAKE_SINTS][FLAG_WORDS];
	_Atomic uint64_t interrupts;
	int eventfd;
	unsigned int waiting; /* messages */
	bool starved;         /* one was refused */
};

struct hv {
	unsigned int vp_count;
	_Atomic bool no_flags_page;
	void (*room)(void *ctx, unsigned int vp);
	void *room_ctx;

	pthread_mutex_t lock; /* of what follows, and of @waiting and @starved */
	pthread_cond_t arrived;
	unsigned int depth;
	struct synic_fake_message messages[MESSAGES_MAX]; /* by number, modulo the size */
	unsigned int first, end;
	struct connection connections[CONNECTIONS]; /* where the id's hash says, or soon after */
	unsigned int connection_count;

	struct vp vps[];
};

/* --- The host's. --------------------------------------------------------------------------- */

static bool exists(const struct hv *hv, unsigned int vp, unsigned int sint)
{
	return vp < hv->vp_count && sint < SYNIC_FAKE_SINTS;
}

int synic_post_message(struct hv *hv, unsigned int vp, unsigned int sint, uint32_t type,
		       const void *payload, size_t len)
{
	struct synic_fake_message *m;
	int r = 0;

	if (!exists(hv, vp, sint) || len > sizeof(m->payload))
		return -EINVAL;
	pthread_mutex_lock(&hv->lock);
	if (hv->vps[vp].waiting >= hv->depth || hv->end - hv->first == MESSAGES_MAX) {
		hv->vps[vp].starved = true;
		r = -EAGAIN;
	} else {
		m = &hv->messages[hv->end++ % MESSAGES_MAX];
		*m = (struct synic_fake_message){.vp = vp, .sint = sint, .type = type, .len = len};
		memcpy(m->payload, payload, len);
		hv->vps[vp].waiting++;
		pthread_cond_signal(&hv->arrived);
	}
	pthread_mutex_unlock(&hv->lock);
	return r;
}

static void signal_eventfd(int fd)
{
	const uint64_t one = 1;
	ssize_t r = write(fd, &one, sizeof(one));

	assert(r == sizeof(one));
}

int synic_signal_event(struct hv *hv, unsigned int vp, unsigned int sint, unsigned int flag)
{
	const uint64_t bit = UINT64_C(1) << flag % 64;

	if (!exists(hv, vp, sint) || flag >= SYNIC_FAKE_FLAGS)
		return -EINVAL;
	if (atomic_load(&hv->no_flags_page))
		return -ENODEV;
	if (atomic_fetch_or(&hv->vps[vp].flags[sint][flag / 64], bit) & bit)
		return 0;
	return synic_raise(hv, vp, sint);
}

int synic_raise(struct hv *hv, unsigned int vp, unsigned int sint)
{
	if (!exists(hv, vp, sint))
		return -EINVAL;
	atomic_fetch_add(&hv->vps[vp].interrupts, 1);
	signal_eventfd(hv->vps[vp].eventfd);
	return 0;
}

void synic_set_room_callback(struct hv *hv, void (*room)(void *ctx, unsigned int vp), void *ctx)
{
	pthread_mutex_lock(&hv->lock);
	hv->room = room;
	hv->room_ctx = ctx;
	pthread_mutex_unlock(&hv->lock);
}

/* With the lock held. The place of @id, or of the first free one; NULL: neither. */
static struct connection *find(struct hv *hv, uint32_t id, bool used)
{
	const uint32_t hash = id * 2654435761u;

	for (unsigned int i = 0; i < PROBES; i++) {
		struct connection *c = &hv->connections[((hash >> 20) + i) % CONNECTIONS];

		if (used ? c->used && c->id == id : !c->used)
			return c;
	}
	return NULL;
}

static int open_connection(struct hv *hv, const struct connection *connection)
{
	struct connection *c;
	int r = 0;

	if (connection->id >> 24)
		return -EINVAL;
	pthread_mutex_lock(&hv->lock);
	c = find(hv, connection->id, false);
	if (find(hv, connection->id, true))
		r = -EEXIST;
	else if (!c)
		r = -ENOSPC;
	if (r == 0) {
		*c = *connection;
		hv->connection_count++;
	}
	pthread_mutex_unlock(&hv->lock);
	return r;
}

int synic_open_message(struct hv *hv, uint32_t id, synic_message_handler *handler, void *ctx)
{
	const struct connection connection = {
		.id = id, .used = true, .handler = handler, .ctx = ctx, .eventfd = -1};

	return open_connection(hv, &connection);
}

int synic_open_event(struct hv *hv, uint32_t id, int eventfd)
{
	const struct connection connection = {.id = id, .used = true, .eventfd = eventfd};

	return open_connection(hv, &connection);
}

void synic_close(struct hv *hv, uint32_t id)
{
	struct connection *c;

	pthread_mutex_lock(&hv->lock);
	c = find(hv, id, true);
	if (c) {
		c->used = false;
		hv->connection_count--;
	}
	pthread_mutex_unlock(&hv->lock);
}

/* --- The guest's. -------------------------------------------------------------------------- */

/* Handlers run with the lock held: after synic_close() none does. They call nothing of ours. */
enum hv_status synic_fake_post(struct hv *hv, uint32_t id, uint32_t type, const void *payload,
			       size_t len)
{
	enum hv_status status = HV_STATUS_INVALID_CONNECTION_ID;
	struct connection *c;

	pthread_mutex_lock(&hv->lock);
	c = find(hv, id, true);
	if (c && c->handler)
		status = c->handler(c->ctx, type, payload, len);
	pthread_mutex_unlock(&hv->lock);
	return status;
}

enum hv_status synic_fake_signal(struct hv *hv, uint32_t id)
{
	enum hv_status status = HV_STATUS_INVALID_CONNECTION_ID;
	struct connection *c;

	pthread_mutex_lock(&hv->lock);
	c = find(hv, id, true);
	if (c && !c->handler) {
		signal_eventfd(c->eventfd);
		status = HV_STATUS_SUCCESS;
	}
	pthread_mutex_unlock(&hv->lock);
	return status;
}

static struct timespec after_ms(unsigned int ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += (long)(ms % 1000) * 1000000;
	if (t.tv_nsec >= (long)NSEC_PER_SEC) {
		t.tv_nsec -= (long)NSEC_PER_SEC;
		t.tv_sec++;
	}
	return t;
}

bool synic_fake_take(struct hv *hv, struct synic_fake_message *ret, unsigned int ms)
{
	const struct timespec until = after_ms(ms);
	bool starved = false, found;
	int r = 0;

	pthread_mutex_lock(&hv->lock);
	while (hv->first == hv->end && ms && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&hv->arrived, &hv->lock, &until);
	found = hv->first != hv->end;
	if (found) {
		struct vp *vp;

		*ret = hv->messages[hv->first++ % MESSAGES_MAX];
		vp = &hv->vps[ret->vp];
		vp->waiting--;
		starved = vp->starved && vp->waiting < hv->depth;
		if (starved)
			vp->starved = false;
	}
	if (starved && hv->room)
		hv->room(hv->room_ctx, ret->vp);
	pthread_mutex_unlock(&hv->lock);
	return found;
}

bool synic_fake_test_and_clear(struct hv *hv, unsigned int vp, unsigned int sint, unsigned int flag)
{
	const uint64_t bit = UINT64_C(1) << flag % 64;

	return atomic_fetch_and(&hv->vps[vp].flags[sint][flag / 64], ~bit) & bit;
}

bool synic_fake_wait(struct hv *hv, unsigned int vp, unsigned int ms)
{
	struct pollfd pfd = {.fd = hv->vps[vp].eventfd, .events = POLLIN};
	uint64_t value;

	if (read(pfd.fd, &value, sizeof(value)) == sizeof(value))
		return true;
	if (ms == 0 || poll(&pfd, 1, (int)ms) <= 0)
		return false;
	return read(pfd.fd, &value, sizeof(value)) == sizeof(value);
}

uint64_t synic_fake_interrupts(const struct hv *hv, unsigned int vp)
{
	return atomic_load(&hv->vps[vp].interrupts);
}

/* --- Its making. --------------------------------------------------------------------------- */

struct hv *synic_fake_create(unsigned int vps, unsigned int depth)
{
	struct hv *hv = calloc(1, sizeof(*hv) + vps * sizeof(hv->vps[0]));
	pthread_condattr_t attr;

	assert(hv && depth <= MESSAGES_MAX);
	hv->vp_count = vps;
	hv->depth = depth;
	pthread_mutex_init(&hv->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&hv->arrived, &attr);
	pthread_condattr_destroy(&attr);
	for (unsigned int i = 0; i < vps; i++) {
		hv->vps[i].eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		assert(hv->vps[i].eventfd >= 0);
	}
	return hv;
}

void synic_fake_destroy(struct hv *hv)
{
	assert(hv->connection_count == 0);
	for (unsigned int i = 0; i < hv->vp_count; i++)
		close(hv->vps[i].eventfd);
	pthread_cond_destroy(&hv->arrived);
	pthread_mutex_destroy(&hv->lock);
	free(hv);
}

void synic_fake_set_depth(struct hv *hv, unsigned int depth)
{
	bool room;

	assert(depth <= MESSAGES_MAX);
	pthread_mutex_lock(&hv->lock);
	hv->depth = depth;
	for (unsigned int i = 0; i < hv->vp_count; i++) {
		room = hv->vps[i].starved && hv->vps[i].waiting < depth;
		if (room)
			hv->vps[i].starved = false;
		if (room && hv->room)
			hv->room(hv->room_ctx, i);
	}
	pthread_mutex_unlock(&hv->lock);
}

void synic_fake_set_flags_page(struct hv *hv, bool there)
{
	atomic_store(&hv->no_flags_page, !there);
}

unsigned int synic_fake_connections(struct hv *hv)
{
	unsigned int n;

	pthread_mutex_lock(&hv->lock);
	n = hv->connection_count;
	pthread_mutex_unlock(&hv->lock);
	return n;
}
