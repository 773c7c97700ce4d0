// SPDX-License-Identifier: MIT
/*
 * The life of a SCSI unit and of its commands: the way in through a table, the answer, and work
 * that takes several requests to the disk. State belongs to the unit's loop.
 */
#include "devices/scsi.h"

#include <stdlib.h>

#include "devices/scsi_internal.h"

/* Time in the cheapest unit there is; who reads the counters knows what it is worth. */
static uint64_t ticks(void)
{
	return __builtin_ia32_rdtsc();
}

/* --- Answers. -------------------------------------------------------------------------------- */

static void count(struct scsi_device *device, const struct scsi_request *req)
{
	unsigned int kind = req->command ? req->command->kind : SCSI_KIND_OTHER;
	struct scsi_counters *c = &device->counters;

	counter_add(&c->requests[kind], 1);
	counter_add(&c->ticks[kind], ticks() - req->started);
	if (req->status != SCSI_GOOD)
		counter_add(&c->errors[kind], 1);
	else if (kind == SCSI_KIND_READ)
		counter_add(&c->read_bytes, req->transferred);
	else if (kind == SCSI_KIND_WRITE)
		counter_add(&c->write_bytes, req->transferred);
}

/* Gives the buffer to those who wait, one after the other; never from inside itself. */
static void scratch_pass_on(struct scsi_device *device)
{
	if (device->scratch_passing)
		return;
	device->scratch_passing = true;
	while (!device->scratch_owner && device->waiting) {
		struct scsi_request *req = device->waiting;

		device->waiting = req->next;
		if (!device->waiting)
			device->waiting_end = &device->waiting;
		device->scratch_owner = req;
		scsi_steps(req, req->step);
	}
	device->scratch_passing = false;
}

void scsi_finish(struct scsi_request *req, uint8_t status)
{
	struct scsi_device *device = req->device;
	bool owner;

	req->status = status;
	if (status != SCSI_GOOD)
		req->transferred = 0;
	/* A unit that is not there. */
	if (!device) {
		req->done(req);
		return;
	}
	count(device, req);
	device->in_flight--;
	owner = device->scratch_owner == req;
	if (owner)
		device->scratch_owner = NULL;
	req->done(req);
	if (owner)
		scratch_pass_on(device);
}

void scsi_check(struct scsi_request *req, uint8_t key, uint16_t asc)
{
	scsi_sense_fill(req->sense, key, asc);
	req->sense_len = SCSI_SENSE_SIZE;
	scsi_finish(req, SCSI_CHECK_CONDITION);
}

void scsi_invalid_field(struct scsi_request *req)
{
	scsi_check(req, SCSI_ILLEGAL_REQUEST, SCSI_ASC_INVALID_FIELD_IN_CDB);
}

void scsi_invalid_byte(struct scsi_request *req, bool in_cdb, uint16_t byte)
{
	scsi_sense_fill(req->sense, SCSI_ILLEGAL_REQUEST,
			in_cdb ? SCSI_ASC_INVALID_FIELD_IN_CDB
			       : SCSI_ASC_INVALID_FIELD_IN_PARAMETERS);
	/* Sense-key specific: valid, command or data, the byte. */
	req->sense[15] = in_cdb ? 0xc0 : 0x80;
	put_be16(req->sense + 16, byte);
	req->sense_len = SCSI_SENSE_SIZE;
	scsi_finish(req, SCSI_CHECK_CONDITION);
}

void scsi_finish_result(struct scsi_request *req, int result)
{
	bool reading = req->block.op == BLOCK_READ;

	/* -EINVAL is the guest's doing. */
	if (result && result != -EINVAL && req->device->failed)
		req->device->failed(req->device->failed_ctx, reading, result);
	switch (-result) {
	case 0:
		scsi_good(req);
		break;
	case ENOSPC:
	case EDQUOT:
		scsi_check(req, SCSI_DATA_PROTECT, SCSI_ASC_SPACE_ALLOCATION_FAILED);
		break;
	case EROFS:
	case EPERM:
	case EACCES:
		scsi_check(req, SCSI_DATA_PROTECT, SCSI_ASC_WRITE_PROTECTED);
		break;
	case EINVAL:
		scsi_invalid_field(req);
		break;
	case ENOMEM:
	case EAGAIN:
		scsi_check(req, SCSI_ABORTED_COMMAND, SCSI_ASC_INSUFFICIENT_RESOURCES);
		break;
	case EIO:
	case EBADMSG:
		scsi_check(req, SCSI_MEDIUM_ERROR,
			   reading ? SCSI_ASC_UNRECOVERED_READ_ERROR : SCSI_ASC_WRITE_ERROR);
		break;
	default:
		scsi_check(req, SCSI_HARDWARE_ERROR, SCSI_ASC_INTERNAL_TARGET_FAILURE);
	}
}

/* --- Buffers. -------------------------------------------------------------------------------- */

void scsi_reply(struct scsi_request *req, const void *data, size_t len, size_t allocation)
{
	const uint8_t *from = data;
	size_t left = min_of(len, allocation);

	left = min_of(left, (size_t)req->len);
	if (left && req->direction != SCSI_FROM_DEVICE) {
		scsi_invalid_field(req);
		return;
	}
	req->transferred = (uint32_t)left;
	for (unsigned int i = 0; left; i++) {
		size_t n = min_of(left, req->iov[i].iov_len);

		memcpy(req->iov[i].iov_base, from, n);
		from += n;
		left -= n;
	}
	scsi_good(req);
}

bool scsi_parameters(struct scsi_request *req, uint64_t offset, void *buf, size_t len)
{
	uint8_t *to = buf;

	if (req->direction != SCSI_TO_DEVICE || !range_within(offset, len, req->len)) {
		scsi_check(req, SCSI_ILLEGAL_REQUEST, SCSI_ASC_PARAMETER_LIST_LENGTH_ERROR);
		return false;
	}
	for (unsigned int i = 0; len; i++) {
		size_t have = req->iov[i].iov_len, n;

		if (offset >= have) {
			offset -= have;
			continue;
		}
		n = min_of(len, have - offset);
		memcpy(to, (const uint8_t *)req->iov[i].iov_base + offset, n);
		to += n;
		len -= n;
		offset = 0;
	}
	return true;
}

void scsi_trim(struct scsi_request *req, uint32_t len)
{
	uint32_t left = len;
	unsigned int i = 0;

	if (len >= req->len)
		return;
	for (; left; i++) {
		if (req->iov[i].iov_len > left)
			req->iov[i].iov_len = left;
		left -= (uint32_t)req->iov[i].iov_len;
	}
	req->iov_count = i;
	req->len = len;
}

/* --- Work in steps. -------------------------------------------------------------------------- */

static void run_steps(struct scsi_request *req, int result)
{
	for (;;) {
		req->stepping = true;
		req->stepped = false;
		if (req->aborted) {
			scsi_finish(req, SCSI_TASK_ABORTED);
			return;
		}
		if (!req->step(req, result))
			return;
		req->stepping = false;
		if (!req->stepped)
			return;
		result = req->result;
	}
}

static void step_done(struct block_request *block, int result)
{
	struct scsi_request *req = container_of(block, struct scsi_request, block);

	/* From inside scsi_issue(): run_steps() goes on, so that the stack does not grow. */
	if (req->stepping) {
		req->stepped = true;
		req->result = result;
		return;
	}
	run_steps(req, result);
}

void scsi_steps(struct scsi_request *req, bool (*step)(struct scsi_request *req, int result))
{
	req->step = step;
	run_steps(req, 0);
}

void scsi_issue(struct scsi_request *req)
{
	req->block.done = step_done;
	block_submit(req->device->block, &req->block);
}

void scsi_steps_scratch(struct scsi_request *req, bool (*step)(struct scsi_request *req, int res))
{
	struct scsi_device *device = req->device;

	req->step = step;
	if (device->scratch_owner) {
		req->next = NULL;
		*device->waiting_end = req;
		device->waiting_end = &req->next;
		return;
	}
	device->scratch_owner = req;
	scsi_steps(req, step);
}

void scsi_abort(struct scsi_request *req)
{
	req->aborted = true;
}

/* --- The way in. ----------------------------------------------------------------------------- */

static const struct scsi_command *find(const struct scsi_device *device, const uint8_t *cdb,
				       bool *ret_opcode)
{
	unsigned int i = device->first[cdb[0]];

	*ret_opcode = i != 0;
	if (!i)
		return NULL;
	for (i--; i < device->command_count && device->commands[i].opcode == cdb[0]; i++) {
		const struct scsi_command *c = &device->commands[i];

		if (c->service == SCSI_NO_SERVICE ||
		    c->service == (cdb[1] & SCSI_SERVICE_ACTION_MASK))
			return c;
	}
	return NULL;
}

/* A disk that has grown, or shrunk. */
static void notice_size(struct scsi_device *device)
{
	uint64_t size = device->block ? device->block->info.size : 0;

	if (size == device->size || device->type != SCSI_TYPE_DISK)
		return;
	device->size = size;
	scsi_attention(device, SCSI_ATTENTION_CAPACITY);
}

void scsi_submit(struct scsi_device *device, struct scsi_request *req)
{
	bool known;

	req->device = device;
	req->sense_len = 0;
	req->transferred = 0;
	req->aborted = false;
	req->stepping = false;
	req->block.fua = false;
	req->block.unmap = false;
	req->block.iov = NULL;
	req->block.iov_count = 0;
	req->started = ticks();
	device->in_flight++;
	notice_size(device);
	req->command = find(device, req->cdb, &known);
	if (!req->command) {
		if (known)
			scsi_invalid_byte(req, true, 1);
		else
			scsi_check(req, SCSI_ILLEGAL_REQUEST, SCSI_ASC_INVALID_OPERATION_CODE);
		return;
	}
	if (!req->command->unattended && scsi_attend(device, req))
		return;
	if (req->command->access != SCSI_ACCESS_ALWAYS && scsi_conflict(device, req))
		return;
	if (req->command->medium && !device->block) {
		scsi_check(req, SCSI_NOT_READY, scsi_no_medium(device));
		return;
	}
	req->command->run(device, req);
}

void scsi_test_unit_ready(struct scsi_device *device, struct scsi_request *req)
{
	(void)device;
	scsi_good(req);
}

struct scsi_nexus *scsi_nexus(struct scsi_device *device, uint64_t id)
{
	struct scsi_nexus *unused = NULL;

	for (unsigned int i = 0; i < SCSI_NEXUS_MAX; i++) {
		struct scsi_nexus *n = &device->nexus[i];

		if (n->used && n->id == id)
			return n;
		if (!n->used && !unused)
			unused = n;
	}
	/* More initiators than anybody has: they share, but for registrations. */
	if (!unused)
		return &device->nexus[SCSI_NEXUS_MAX - 1];
	unused->used = true;
	unused->id = id;
	unused->attentions = device->attentions;
	return unused;
}

void scsi_forget(struct scsi_device *device, uint64_t nexus)
{
	for (unsigned int i = 0; i < SCSI_NEXUS_MAX; i++) {
		struct scsi_nexus *n = &device->nexus[i];

		if (!n->used || n->id != nexus)
			continue;
		if (device->reservations.legacy == (int)i)
			device->reservations.legacy = -1;
		n->attentions = 0;
		n->sense_kept = false;
		device->locked = false;
		device->write_cache = device->type == SCSI_TYPE_DISK;
	}
}

/* --- Life. ----------------------------------------------------------------------------------- */

static void hash_name(const char *name, uint8_t ret[16])
{
	unsigned __int128 h = (unsigned __int128)0x6c62272e07bb0142 << 64 | 0x62b821756295c58d;
	const unsigned __int128 prime = (unsigned __int128)1 << 88 | 0x13b;

	/* FNV-1a. */
	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * prime;
	for (unsigned int i = 0; i < 16; i++)
		ret[i] = (uint8_t)(h >> (120 - 8 * i));
}

static int identify(struct scsi_device *device, const struct scsi_config *config, struct error *err)
{
	static const uint8_t zero[16];
	const struct block *block = config->block;

	if (memcmp(config->id, zero, 16) != 0)
		memcpy(device->id, config->id, 16);
	else if (block && memcmp(block->info.id, zero, 16) != 0)
		memcpy(device->id, block->info.id, 16);
	else
		hash_name(block && block->name ? block->name : "", device->id);
	if (!config->serial) {
		static const char hex[] = "0123456789abcdef";

		for (unsigned int i = 0; i < 32; i++)
			device->serial[i] = hex[device->id[i / 2] >> (i % 2 ? 0 : 4) & 0xf];
		return 0;
	}
	for (const char *c = config->serial; *c; c++)
		if (*c < 0x20 || *c > 0x7e || c - config->serial >= (ptrdiff_t)SCSI_SERIAL_MAX)
			return error_set(err, -EINVAL,
					 "serial number \"%.40s\": give at most %u printable "
					 "ASCII characters",
					 config->serial, SCSI_SERIAL_MAX);
	memcpy(device->serial, config->serial, strlen(config->serial));
	return 0;
}

int scsi_create(const struct scsi_config *config, uint8_t type, const struct scsi_command *commands,
		unsigned int rows, struct error *err, struct scsi_device **ret)
{
	struct scsi_device *device = calloc(1, sizeof(*device));
	int r;

	if (!device)
		return error_set(err, -ENOMEM, "SCSI unit: out of memory");
	device->commands = commands;
	device->command_count = rows;
	for (unsigned int i = rows; i-- > 0;)
		device->first[commands[i].opcode] = (uint8_t)(i + 1);
	device->type = type;
	device->block = config->block;
	device->failed = config->failed;
	device->failed_ctx = config->ctx;
	device->write_cache = type == SCSI_TYPE_DISK;
	device->reservations.legacy = -1;
	device->waiting_end = &device->waiting;
	if (device->block)
		device->size = device->block->info.size;
	r = identify(device, config, err);
	/* Aligned for direct I/O; its pages exist once they are used. */
	if (!r && posix_memalign((void **)&device->scratch, PAGE_SIZE, SCSI_SCRATCH)) {
		device->scratch = NULL;
		r = error_set(err, -ENOMEM, "SCSI unit: out of memory");
	}
	if (r) {
		scsi_destroy(device);
		return r;
	}
	*ret = device;
	return 0;
}

void scsi_destroy(struct scsi_device *device)
{
	if (!device)
		return;
	free(device->scratch);
	free(device);
}

void scsi_appeared(struct scsi_device *device)
{
	scsi_attention(device, SCSI_ATTENTION_APPEARED);
}

const struct scsi_counters *scsi_counters(const struct scsi_device *device)
{
	return &device->counters;
}

struct block *scsi_block(const struct scsi_device *device)
{
	return device->block;
}
