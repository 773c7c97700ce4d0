// SPDX-License-Identifier: MIT
/*
 * The key-value service: a queue of operations, of which one is with the guest. Owner: the bus'
 * loop.
 *
 * Values are read by enumerating: Linux answers a GET with the value's first bytes cut off.
 */
#include "devices/ic/kvp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/ic/ic.h"
#include "devices/ic/ic_text.h"

/* Linux gives its daemon 30 seconds, then says itself that there is no answer. */
#define TIMEOUT_NS (40 * NSEC_PER_SEC)

/* When the guest is asked about itself again while it starts: doubled each time, up to the end. */
#define REFRESH_FIRST_NS (4 * NSEC_PER_SEC)
#define REFRESH_LAST_NS  (64 * NSEC_PER_SEC)
/* What is older is asked for again when somebody looks. */
#define FRESH_NS (5 * NSEC_PER_SEC)

struct operation {
	struct operation *next;
	uint8_t operation; /* KVP_OP_* */
	uint8_t pool;
	uint32_t index;          /* of what is enumerated */
	char *key;               /* of what is deleted; of what is set, @host has it */
	struct ic_kvp_list list; /* enumerated so far */
	ic_kvp_done *done;
	void *ctx;
};

struct ic_kvp {
	struct ic ic;
	struct loop *loop;
	struct operation *first, **last; /* the first is with the guest if @asked */
	unsigned int waiting;
	bool asked;
	struct ic_kvp_list host;  /* items to give */
	struct ic_kvp_list guest; /* what it said of itself */
	bool refreshing;
	uint64_t refreshed_ns;
	struct loop_timer refresh;
	uint64_t refresh_ns; /* until the next */
	struct hv_kvp_msg message;
};

static void next(struct ic_kvp *k);

/* --- The queue. ------------------------------------------------------------------------------ */

static int enqueue(struct ic_kvp *k, uint8_t code, uint8_t pool, const char *key, ic_kvp_done *done,
		   void *ctx)
{
	struct operation *op;

	if (k->waiting >= IC_KVP_QUEUE_MAX)
		return -EBUSY;
	op = calloc(1, sizeof(*op));
	if (!op)
		return -ENOMEM;
	*op = (struct operation){.operation = code, .pool = pool, .done = done, .ctx = ctx};
	if (key) {
		op->key = strdup(key);
		if (!op->key) {
			free(op);
			return -ENOMEM;
		}
	}
	*k->last = op;
	k->last = &op->next;
	k->waiting++;
	return 0;
}

/* The first is over. It is off the queue before its owner is told, who may ask for more. */
static void finish_first(struct ic_kvp *k, int result)
{
	struct operation *op = k->first;

	k->first = op->next;
	if (!k->first)
		k->last = &k->first;
	k->waiting--;
	k->asked = false;
	op->done(op->ctx, result, op->operation == KVP_OP_ENUMERATE ? &op->list : NULL);
	ic_kvp_list_clear(&op->list);
	free(op->key);
	free(op);
}

void ic_kvp_cancel(struct ic_kvp *k)
{
	/* Not those that are asked for from inside. */
	for (unsigned int n = k->waiting; n > 0 && k->first; n--)
		finish_first(k, -ENOTCONN);
}

/* --- To the guest. --------------------------------------------------------------------------- */

static void ask(struct ic_kvp *k)
{
	/* Something that nobody waits for any more may be with the guest still: then later. */
	k->asked = ic_ask(&k->ic, &k->message, sizeof(k->message), TIMEOUT_NS) == 0;
}

/* False: there is nothing to ask. */
static bool compose(struct ic_kvp *k, const struct operation *op)
{
	struct hv_kvp_msg *m = &k->message;
	const struct ic_kvp_item *item;

	memset(m, 0, sizeof(*m));
	m->kvp_hdr.operation = op->operation;
	m->kvp_hdr.pool = op->pool;
	switch (op->operation) {
	case KVP_OP_SET:
		item = ic_kvp_list_find(&k->host, op->pool, op->key);
		if (!item)
			return false;
		ic_kvp_encode(item->key, item->value, &m->body.kvp_set);
		break;
	case KVP_OP_DELETE:
		m->body.kvp_delete.key_size = (uint32_t)ic_text_encode(
			op->key, m->body.kvp_delete.key, sizeof(m->body.kvp_delete.key));
		break;
	default:
		m->body.kvp_enum_data.index = op->index;
	}
	return true;
}

static void on_given(void *ctx, int result, const struct ic_kvp_list *list)
{
	/* What the guest does not take now it gets when it comes back. */
}

/* Items that the guest has not got, when nothing else is to be done. */
static bool give_item(struct ic_kvp *k)
{
	for (size_t i = 0; i < k->host.count; i++) {
		struct ic_kvp_item *item = &k->host.items[i];

		if (!item->dirty)
			continue;
		item->dirty = false;
		return enqueue(k, KVP_OP_SET, item->pool, item->key, on_given, k) == 0;
	}
	return false;
}

static void next(struct ic_kvp *k)
{
	while (ic_is_up(&k->ic) && !k->asked && (k->first || give_item(k))) {
		if (!compose(k, k->first)) {
			finish_first(k, 0); /* it was deleted again meanwhile */
			continue;
		}
		ask(k);
		if (!k->asked)
			return;
	}
}

/* --- What the guest says of itself. ---------------------------------------------------------- */

static void on_refreshed(void *ctx, int result, const struct ic_kvp_list *list)
{
	struct ic_kvp *k = ctx;

	k->refreshing = false;
	k->refreshed_ns = loop_now();
	if (result < 0)
		return;
	ic_kvp_list_clear(&k->guest);
	for (size_t i = 0; i < list->count; i++)
		(void)!ic_kvp_list_set(&k->guest, list->items[i].pool, list->items[i].key,
				       list->items[i].value);
}

static void refresh(struct ic_kvp *k)
{
	if (k->refreshing || !ic_is_up(&k->ic))
		return;
	k->refreshing = enqueue(k, KVP_OP_ENUMERATE, KVP_POOL_AUTO, NULL, on_refreshed, k) == 0;
	next(k);
}

static void on_refresh(struct loop_timer *timer)
{
	struct ic_kvp *k = container_of(timer, struct ic_kvp, refresh);

	refresh(k);
	k->refresh_ns *= 2;
	if (k->refresh_ns <= REFRESH_LAST_NS)
		loop_timer_set(k->loop, timer, loop_now() + k->refresh_ns);
}

const struct ic_kvp_list *ic_kvp_guest(struct ic_kvp *k)
{
	if (loop_now() - k->refreshed_ns > FRESH_NS)
		refresh(k);
	return &k->guest;
}

/* --- From the guest. ------------------------------------------------------------------------- */

static void on_up(void *ctx)
{
	struct ic_kvp *k = ctx;

	for (size_t i = 0; i < k->host.count; i++)
		k->host.items[i].dirty = true;
	k->refresh_ns = REFRESH_FIRST_NS;
	loop_timer_set(k->loop, &k->refresh, loop_now() + k->refresh_ns);
	refresh(k);
}

static void on_down(void *ctx)
{
	struct ic_kvp *k = ctx;

	loop_timer_cancel(k->loop, &k->refresh);
	ic_kvp_cancel(k);
	ic_kvp_list_clear(&k->guest);
}

/* True: the next is to be asked for. */
static bool take_item(struct operation *op, const void *body, uint32_t len)
{
	char key[IC_KVP_KEY_MAX], value[IC_KVP_VALUE_MAX];
	struct hv_kvp_msg_enumerate answer = {0};
	const size_t head = sizeof(struct hv_kvp_hdr);

	if (len < head + sizeof(answer))
		return false;
	memcpy(&answer, (const uint8_t *)body + head, sizeof(answer));
	if (ic_kvp_decode(&answer.data, key, value) &&
	    ic_kvp_list_set(&op->list, op->pool, key, value) < 0)
		return false;
	return ++op->index < IC_KVP_ITEMS_MAX;
}

static int result_of(const struct operation *op, uint32_t status)
{
	if (status == HV_S_OK)
		return 0;
	/* The end of a list; a key that is not there to be deleted. */
	if (op->operation != KVP_OP_SET && (status == HV_S_CONT || status == HV_GUID_NOTFOUND))
		return 0;
	return -EREMOTEIO;
}

static void on_answer(void *ctx, uint32_t status, const void *body, uint32_t len)
{
	struct ic_kvp *k = ctx;
	struct operation *op = k->asked ? k->first : NULL;

	if (op && op->operation == KVP_OP_ENUMERATE && status == HV_S_OK &&
	    take_item(op, body, len))
		k->asked = false; /* and it goes on with the next index */
	else if (op)
		finish_first(k, result_of(op, status));
	next(k);
}

static void on_late(void *ctx)
{
	struct ic_kvp *k = ctx;

	if (k->asked)
		finish_first(k, -ETIMEDOUT);
	next(k);
}

static const uint32_t versions[] = {IC_VERSION(3, 0), IC_VERSION(4, 0), IC_VERSION(5, 0)};

static const struct ic_service service = {
	.name = "key-value",
	/* {a9a0f4e7-5a45-4d96-b827-8a841e8c03e6} */
	.class_id = {{0xe7, 0xf4, 0xa0, 0xa9, 0x45, 0x5a, 0x96, 0x4d, 0xb8, 0x27, 0x8a, 0x84, 0x1e,
		      0x8c, 0x03, 0xe6}},
	/* {242ff919-07db-4180-9c2e-b86cb68c8c55} */
	.instance_id = {{0x19, 0xf9, 0x2f, 0x24, 0xdb, 0x07, 0x80, 0x41, 0x9c, 0x2e, 0xb8, 0x6c,
			 0xb6, 0x8c, 0x8c, 0x55}},
	.type = ICMSGTYPE_KVPEXCHANGE,
	.versions = versions,
	.version_count = ARRAY_SIZE(versions),
	.body_max = sizeof(struct hv_kvp_msg),
	.up = on_up,
	.down = on_down,
	.answer = on_answer,
	.late = on_late,
};

/* --- What is asked for. ---------------------------------------------------------------------- */

/* What is queued is done, or the guest has no way to do it now. */
static int submit(struct ic_kvp *k, uint8_t code, uint8_t pool, const char *key, ic_kvp_done *done,
		  void *ctx)
{
	int r;

	if (!ic_is_up(&k->ic)) {
		done(ctx, -ENOTCONN, NULL);
		return 0;
	}
	r = enqueue(k, code, pool, key, done, ctx);
	if (r == 0)
		next(k);
	return r;
}

int ic_kvp_set(struct ic_kvp *k, const char *key, const char *value, ic_kvp_done *done, void *ctx)
{
	int r;

	if (!ic_kvp_is_valid(key, value))
		return -EINVAL;
	if (k->waiting >= IC_KVP_QUEUE_MAX)
		return -EBUSY;
	r = ic_kvp_list_set(&k->host, KVP_POOL_EXTERNAL, key, value);
	return r < 0 ? r : submit(k, KVP_OP_SET, KVP_POOL_EXTERNAL, key, done, ctx);
}

int ic_kvp_delete(struct ic_kvp *k, const char *key, ic_kvp_done *done, void *ctx)
{
	int r;

	if (k->waiting >= IC_KVP_QUEUE_MAX)
		return -EBUSY;
	r = ic_kvp_list_delete(&k->host, KVP_POOL_EXTERNAL, key);
	return r < 0 ? r : submit(k, KVP_OP_DELETE, KVP_POOL_EXTERNAL, key, done, ctx);
}

int ic_kvp_enumerate(struct ic_kvp *k, uint8_t pool, ic_kvp_done *done, void *ctx)
{
	return submit(k, KVP_OP_ENUMERATE, pool, NULL, done, ctx);
}

const struct ic_kvp_list *ic_kvp_items(const struct ic_kvp *k)
{
	return &k->host;
}

bool ic_kvp_is_up(const struct ic_kvp *k)
{
	return ic_is_up(&k->ic);
}

const struct ic_counters *ic_kvp_counters(const struct ic_kvp *k)
{
	return &k->ic.counters;
}

/* --- Life. ----------------------------------------------------------------------------------- */

int ic_kvp_create(struct vmbus *bus, struct loop *loop, const char *vm, struct error *err,
		  struct ic_kvp **ret)
{
	struct ic_kvp *k = calloc(1, sizeof(*k));
	int r;

	if (!k)
		return error_set(err, -ENOMEM, "key-value service: out of memory");
	k->loop = loop;
	k->last = &k->first;
	k->refresh.fired = on_refresh;
	r = ic_kvp_list_set(&k->host, KVP_POOL_AUTO_EXTERNAL, "VirtualMachineName", vm);
	if (r < 0)
		error_set(err, r, "key-value service: out of memory");
	else
		r = ic_init(&k->ic, bus, loop, &service, k, err);
	if (r < 0) {
		ic_kvp_destroy(k);
		return r;
	}
	*ret = k;
	return 0;
}

void ic_kvp_destroy(struct ic_kvp *k)
{
	if (!k)
		return;
	ic_kvp_cancel(k);
	ic_finish(&k->ic);
	ic_kvp_list_clear(&k->host);
	ic_kvp_list_clear(&k->guest);
	free(k);
}
