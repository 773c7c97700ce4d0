// SPDX-License-Identifier: MIT
/*
 * Reservations: PERSISTENT RESERVE IN and OUT (SPC-4 5.13, 6.15, 6.16), and RESERVE and RELEASE
 * (SPC-2). State is the unit's and in memory only: it goes when the machine does, and the unit says
 * so.
 */
#include "devices/scsi_internal.h"

#define STATUS_SIZE 48u /* of a registrant in READ FULL STATUS, with its transport id */
#define IN_SIZE     (8u + SCSI_NEXUS_MAX * STATUS_SIZE)
#define SPEC_I_PT   0x08u
#define ALL_TG_PT   0x04u
#define APTPL       0x01u

static bool all_registrants(uint8_t type)
{
	return type == SCSI_PR_WRITE_EXCLUSIVE_AR || type == SCSI_PR_EXCLUSIVE_ACCESS_AR;
}

static bool for_registrants(uint8_t type)
{
	return type >= SCSI_PR_WRITE_EXCLUSIVE_RO;
}

static bool known_type(uint8_t type)
{
	return type == SCSI_PR_WRITE_EXCLUSIVE || type == SCSI_PR_EXCLUSIVE_ACCESS ||
	       (type >= SCSI_PR_WRITE_EXCLUSIVE_RO && type <= SCSI_PR_EXCLUSIVE_ACCESS_AR);
}

static bool holds(const struct scsi_device *device, const struct scsi_nexus *nexus)
{
	const struct scsi_reservations *r = &device->reservations;

	if (!r->type || !nexus->registered)
		return false;
	return all_registrants(r->type) || nexus == &device->nexus[r->holder];
}

bool scsi_conflict(struct scsi_device *device, struct scsi_request *req)
{
	const struct scsi_reservations *r = &device->reservations;
	const struct scsi_nexus *nexus;
	bool conflict = false;

	if (r->legacy < 0 && !r->type)
		return false;
	nexus = scsi_nexus(device, req->nexus);
	if (r->legacy >= 0)
		conflict = nexus != &device->nexus[r->legacy];
	else if (!holds(device, nexus) && !(for_registrants(r->type) && nexus->registered))
		conflict = req->command->access == SCSI_ACCESS_WRITE ||
			   r->type == SCSI_PR_EXCLUSIVE_ACCESS ||
			   r->type == SCSI_PR_EXCLUSIVE_ACCESS_RO ||
			   r->type == SCSI_PR_EXCLUSIVE_ACCESS_AR;
	if (conflict)
		scsi_finish(req, SCSI_RESERVATION_CONFLICT);
	return conflict;
}

/* --- RESERVE and RELEASE. -------------------------------------------------------------------- */

static bool any_registered(const struct scsi_device *device)
{
	for (unsigned int i = 0; i < SCSI_NEXUS_MAX; i++)
		if (device->nexus[i].registered)
			return true;
	return false;
}

void scsi_reserve(struct scsi_device *device, struct scsi_request *req)
{
	struct scsi_reservations *r = &device->reservations;
	int me = (int)(scsi_nexus(device, req->nexus) - device->nexus);

	/* Extents and third parties are of a time long gone. */
	if (req->cdb[1] & 0x11) {
		scsi_invalid_byte(req, true, 1);
		return;
	}
	if (any_registered(device) || (r->legacy >= 0 && r->legacy != me)) {
		scsi_finish(req, SCSI_RESERVATION_CONFLICT);
		return;
	}
	r->legacy = me;
	scsi_good(req);
}

void scsi_release(struct scsi_device *device, struct scsi_request *req)
{
	struct scsi_reservations *r = &device->reservations;
	int me = (int)(scsi_nexus(device, req->nexus) - device->nexus);

	if (any_registered(device)) {
		scsi_finish(req, SCSI_RESERVATION_CONFLICT);
		return;
	}
	if (r->legacy == me)
		r->legacy = -1;
	scsi_good(req);
}

/* --- PERSISTENT RESERVE IN. ------------------------------------------------------------------ */

static size_t read_keys(const struct scsi_device *device, uint8_t *data)
{
	size_t len = 8;

	for (unsigned int i = 0; i < SCSI_NEXUS_MAX; i++) {
		if (!device->nexus[i].registered)
			continue;
		put_be64(data + len, device->nexus[i].key);
		len += 8;
	}
	return len;
}

static size_t read_reservation(const struct scsi_device *device, uint8_t *data)
{
	const struct scsi_reservations *r = &device->reservations;

	if (!r->type)
		return 8;
	if (!all_registrants(r->type))
		put_be64(data + 8, device->nexus[r->holder].key);
	data[8 + 13] = r->type;
	return 8 + 16;
}

static size_t read_full_status(const struct scsi_device *device, uint8_t *data)
{
	size_t len = 8;

	for (unsigned int i = 0; i < SCSI_NEXUS_MAX; i++) {
		const struct scsi_nexus *nexus = &device->nexus[i];
		uint8_t *p = data + len;

		if (!nexus->registered)
			continue;
		put_be64(p, nexus->key);
		if (holds(device, nexus)) {
			p[12] = 1;
			p[13] = device->reservations.type;
		}
		put_be16(p + 18, 1); /* our port */
		put_be32(p + 20, 24);
		/* Who: as on a parallel bus, for want of a protocol of our own. */
		p[24] = 1;
		put_be16(p + 26, (uint16_t)i);
		put_be16(p + 30, 1);
		len += STATUS_SIZE;
	}
	return len;
}

void scsi_persistent_in(struct scsi_device *device, struct scsi_request *req)
{
	static const uint8_t capabilities[8] = {0, 8, 0, 0x80, 0xea, 0x01, 0, 0};
	uint16_t allocation = be16_at(req->cdb + 7);
	uint8_t data[IN_SIZE] = {0};
	size_t len;

	switch (req->command->service) {
	case SCSI_PR_REPORT_CAPABILITIES:
		scsi_reply(req, capabilities, sizeof(capabilities), allocation);
		return;
	case SCSI_PR_READ_KEYS:
		len = read_keys(device, data);
		break;
	case SCSI_PR_READ_RESERVATION:
		len = read_reservation(device, data);
		break;
	default:
		len = read_full_status(device, data);
	}
	put_be32(data, device->reservations.generation);
	put_be32(data + 4, (uint32_t)(len - 8));
	scsi_reply(req, data, len, allocation);
}

/* --- PERSISTENT RESERVE OUT. ----------------------------------------------------------------- */

struct order {
	struct scsi_nexus *me;
	uint64_t key, service_key;
	uint8_t type;
};

/* Tells registrants other than @me. */
static void tell(struct scsi_device *device, const struct scsi_nexus *me, enum scsi_attention what)
{
	for (unsigned int i = 0; i < SCSI_NEXUS_MAX; i++)
		if (device->nexus[i].registered && &device->nexus[i] != me)
			device->nexus[i].attentions |= 1u << what;
}

static void drop_reservation(struct scsi_device *device, const struct scsi_nexus *me)
{
	struct scsi_reservations *r = &device->reservations;

	if (for_registrants(r->type))
		tell(device, me, SCSI_ATTENTION_RELEASED);
	r->type = 0;
}

static void unregister(struct scsi_device *device, struct scsi_nexus *nexus)
{
	bool held = holds(device, nexus);

	nexus->registered = false;
	nexus->key = 0;
	if (held && (!all_registrants(device->reservations.type) || !any_registered(device)))
		drop_reservation(device, nexus);
}

static bool do_register(struct scsi_device *device, const struct order *o)
{
	if (o->service_key) {
		o->me->registered = true;
		o->me->key = o->service_key;
	} else if (o->me->registered) {
		unregister(device, o->me);
	}
	device->reservations.generation++;
	return true;
}

static bool do_reserve(struct scsi_device *device, const struct order *o)
{
	struct scsi_reservations *r = &device->reservations;

	if (r->type)
		return holds(device, o->me) && r->type == o->type;
	r->type = o->type;
	r->holder = (uint8_t)(o->me - device->nexus);
	return true;
}

static bool do_clear(struct scsi_device *device, const struct order *o)
{
	tell(device, o->me, SCSI_ATTENTION_PREEMPTED);
	device->reservations.type = 0;
	device->reservations.generation++;
	for (unsigned int i = 0; i < SCSI_NEXUS_MAX; i++) {
		device->nexus[i].registered = false;
		device->nexus[i].key = 0;
	}
	return true;
}

/* Removes the others with a key, or with any. False: there are none. */
static bool evict(struct scsi_device *device, const struct order *o, bool any)
{
	bool found = false;

	for (unsigned int i = 0; i < SCSI_NEXUS_MAX; i++) {
		struct scsi_nexus *n = &device->nexus[i];

		if (!n->registered || (!any && n->key != o->service_key))
			continue;
		found = true;
		if (n == o->me)
			continue;
		n->registered = false;
		n->key = 0;
		n->attentions |= 1u << SCSI_ATTENTION_UNREGISTERED;
	}
	return found;
}

/* What others have in flight is not called back: it has been handed to the disk. */
static bool do_preempt(struct scsi_device *device, const struct order *o)
{
	struct scsi_reservations *r = &device->reservations;
	bool takes, all = r->type && all_registrants(r->type);

	takes = r->type && (all ? !o->service_key : device->nexus[r->holder].key == o->service_key);
	if (!evict(device, o, takes && all))
		return false;
	r->generation++;
	if (!takes)
		return true;
	if (for_registrants(r->type) && r->type != o->type)
		tell(device, o->me, SCSI_ATTENTION_RELEASED);
	r->type = o->type;
	r->holder = (uint8_t)(o->me - device->nexus);
	return true;
}

/* False: it has been refused. */
static bool read_order(struct scsi_device *device, struct scsi_request *req, struct order *o)
{
	uint8_t list[SCSI_PR_PARAMETER_LIST_SIZE];

	if (be32_at(req->cdb + 5) != sizeof(list)) {
		scsi_check(req, SCSI_ILLEGAL_REQUEST, SCSI_ASC_PARAMETER_LIST_LENGTH_ERROR);
		return false;
	}
	if (!scsi_parameters(req, 0, list, sizeof(list)))
		return false;
	/* For other initiators, for other ports, and for after the power was off: not here. */
	if (list[20] & (SPEC_I_PT | ALL_TG_PT | APTPL)) {
		scsi_invalid_byte(req, false, 20);
		return false;
	}
	o->me = scsi_nexus(device, req->nexus);
	o->key = be64_at(list);
	o->service_key = be64_at(list + 8);
	o->type = req->cdb[2] & 0xf;
	return true;
}

static void release(struct scsi_device *device, struct scsi_request *req, const struct order *o)
{
	if (holds(device, o->me)) {
		if (device->reservations.type != o->type || req->cdb[2] >> 4) {
			scsi_check(req, SCSI_ILLEGAL_REQUEST,
				   SCSI_ASC_INVALID_RELEASE_OF_RESERVATION);
			return;
		}
		drop_reservation(device, o->me);
	}
	scsi_good(req);
}

void scsi_persistent_out(struct scsi_device *device, struct scsi_request *req)
{
	uint8_t service = req->command->service;
	struct order o;
	bool ok, typed;

	if (!read_order(device, req, &o))
		return;
	req->transferred = SCSI_PR_PARAMETER_LIST_SIZE;
	if (device->reservations.legacy >= 0) {
		scsi_finish(req, SCSI_RESERVATION_CONFLICT);
		return;
	}
	/* Who has no key, or another one, may register at most. */
	if (service != SCSI_PR_REGISTER_AND_IGNORE &&
	    (o.me->registered || service == SCSI_PR_REGISTER ? o.key != o.me->key : true)) {
		scsi_finish(req, SCSI_RESERVATION_CONFLICT);
		return;
	}
	typed = service == SCSI_PR_RESERVE || service == SCSI_PR_PREEMPT ||
		service == SCSI_PR_PREEMPT_AND_ABORT;
	if (typed && (req->cdb[2] >> 4 || !known_type(o.type))) {
		scsi_invalid_byte(req, true, 2);
		return;
	}
	switch (service) {
	case SCSI_PR_RELEASE:
		release(device, req, &o);
		return;
	case SCSI_PR_RESERVE:
		ok = do_reserve(device, &o);
		break;
	case SCSI_PR_CLEAR:
		ok = do_clear(device, &o);
		break;
	case SCSI_PR_PREEMPT:
	case SCSI_PR_PREEMPT_AND_ABORT:
		if (!o.service_key && !all_registrants(device->reservations.type)) {
			scsi_invalid_byte(req, false, 8);
			return;
		}
		ok = do_preempt(device, &o);
		break;
	default:
		ok = do_register(device, &o);
	}
	scsi_finish(req, ok ? SCSI_GOOD : SCSI_RESERVATION_CONFLICT);
}
