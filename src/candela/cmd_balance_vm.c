// SPDX-License-Identifier: MIT
/* The balancer's connection to one VM. See cmd_balance_vm.h. */
#include "candela/cmd_balance_vm.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "candela/control_rpc.h"
#include "candela/show.h"
#include "vmm/json_build.h"
#include "vmm/json_scan.h"

static void vm_ready(struct loop_fd *lfd, uint32_t revents);

/* --- The connection. ------------------------------------------------------------------------- */

static int connect_to(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int r, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	memcpy(addr.sun_path, path, strlen(path) + 1);
	/* A socket of this family connects at once or not at all. */
	if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	r = -errno;
	close(fd);
	return r;
}

int balance_vm_create(struct loop *loop, const char *name, const char *path,
		      const struct balance_vm_ops *ops, void *ctx, struct balance_vm **ret)
{
	struct balance_vm *vm = calloc(1, sizeof(*vm));
	int r;

	if (!vm)
		return -ENOMEM;
	snprintf(vm->name, sizeof(vm->name), "%s", name);
	vm->loop = loop;
	vm->ops = ops;
	vm->ctx = ctx;
	vm->has_method = true;
	vm->fd = connect_to(path);
	r = vm->fd < 0 ? vm->fd : loop_fd_add(loop, &vm->lfd, vm->fd, POLLIN, vm_ready);
	if (r < 0) {
		balance_vm_destroy(vm);
		return r;
	}
	*ret = vm;
	return 0;
}

void balance_vm_destroy(struct balance_vm *vm)
{
	if (!vm)
		return;
	if (vm->fd >= 0)
		close(vm->fd);
	free(vm);
}

static void vm_closed(struct loop_fd *lfd)
{
	struct balance_vm *vm = container_of(lfd, struct balance_vm, lfd);

	vm->ops->closed(vm, vm->ctx);
}

void balance_vm_close(struct balance_vm *vm)
{
	if (vm->closing)
		return;
	vm->closing = true;
	loop_fd_close(&vm->lfd, vm_closed);
}

/* --- Questions and orders. ------------------------------------------------------------------ */

/* The id, or 0. A VM that has no room for two short lines is not worth waiting for. */
static int send_request(struct balance_vm *vm, const char *method, struct json_object *params)
{
	const int id = vm->last_id < INT32_MAX ? vm->last_id + 1 : 1;
	char *line = control_request_line(id, method, params);
	size_t len;
	ssize_t n;

	if (!line)
		return 0;
	len = strlen(line);
	n = send(vm->fd, line, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	free(line);
	if (n != (ssize_t)len) {
		balance_vm_close(vm);
		return 0;
	}
	return vm->last_id = id;
}

bool balance_vm_ask(struct balance_vm *vm)
{
	if (vm->closing || vm->ask_id || !vm->has_method)
		return false;
	vm->ask_ns = loop_now();
	vm->ask_id = send_request(vm, "memory", NULL);
	return vm->ask_id != 0;
}

bool balance_vm_order(struct balance_vm *vm, uint64_t bytes, const char *reason)
{
	struct json_object *params;
	int r;

	if (vm->closing || vm->order_id)
		return false;
	params = json_object_new_object();
	if (!params)
		return false;
	r = json_put_integer(params, "bytes", bytes);
	if (r == 0)
		r = json_put_string(params, "reason", reason);
	if (r < 0) {
		json_object_put(params);
		return false;
	}
	vm->order_id = send_request(vm, "memory.target", params);
	if (!vm->order_id)
		return false;
	vm->ordered = vm->sample.vm.target = bytes;
	return true;
}

/* --- Answers. ------------------------------------------------------------------------------- */

static void take_sample(struct balance_vm *vm, struct json_object *message)
{
	struct json_object *result;

	vm->ask_id = 0;
	if (json_object_object_get_ex(message, "result", &result)) {
		if (balance_sample_parse(result, &vm->sample) == 0) {
			vm->has_sample = true;
			/* An answer from before the order came through. */
			if (vm->order_id)
				vm->sample.vm.target = vm->ordered;
			vm->sample_ns = vm->ask_ns;
		}
	} else if (json_object_object_get_ex(message, "error", &result) &&
		   json_object_is_type(result, json_type_object)) {
		struct json_object *code;

		if (json_object_object_get_ex(result, "code", &code) &&
		    json_object_get_int(code) == CONTROL_NO_METHOD)
			vm->has_method = false;
	}
	vm->ops->answered(vm, vm->ctx);
}

static void take_order_answer(struct balance_vm *vm, struct json_object *message)
{
	struct json_object *error, *result;
	uint64_t taken = 0;

	vm->order_id = 0;
	if (json_object_object_get_ex(message, "result", &result))
		taken = show_number(result, "target");
	if (json_object_object_get_ex(message, "error", &error) &&
	    json_object_is_type(error, json_type_object))
		vm->ops->refused(vm, show_text(error, "message"), vm->ctx);
	vm->ops->ordered(vm, taken, vm->ctx);
}

/* What is no answer to what we said is not looked at further. -EPROTO: it is no JSON object. */
static int take_line(struct balance_vm *vm, const char *line, size_t len)
{
	struct json_tokener *tok;
	struct json_object *message, *id = NULL;
	int number;

	if (json_scan(line, len, NULL) < 0)
		return -EPROTO;
	tok = json_tokener_new_ex(JSON_SCAN_MAX_DEPTH + 2);
	if (!tok)
		return -ENOMEM;
	message = json_tokener_parse_ex(tok, line, (int)len);
	json_tokener_free(tok);
	if (!json_object_is_type(message, json_type_object)) {
		json_object_put(message);
		return -EPROTO;
	}
	number = json_object_object_get_ex(message, "id", &id) ? json_object_get_int(id) : 0;
	if (number && number == vm->ask_id)
		take_sample(vm, message);
	else if (number && number == vm->order_id)
		take_order_answer(vm, message);
	json_object_put(message);
	return 0;
}

/* Takes whole lines out of the buffer. */
static int take_lines(struct balance_vm *vm)
{
	size_t start = 0;
	char *end;
	int r = 0;

	while (r == 0 && !vm->closing && (end = memchr(vm->buf + start, '\n', vm->len - start))) {
		r = take_line(vm, vm->buf + start, (size_t)(end - vm->buf) - start);
		start = (size_t)(end - vm->buf) + 1;
	}
	vm->len -= start;
	memmove(vm->buf, vm->buf + start, vm->len);
	return vm->len == sizeof(vm->buf) ? -EMSGSIZE : r;
}

/* Nothing that is asked has a longer answer: who says more at once is not listened to. */
#define BABBLE_MAX (4 * BALANCE_LINE_MAX)

static void vm_ready(struct loop_fd *lfd, uint32_t revents)
{
	struct balance_vm *vm = container_of(lfd, struct balance_vm, lfd);
	size_t sum = 0;

	while (!vm->closing) {
		const ssize_t n =
			recv(vm->fd, vm->buf + vm->len, sizeof(vm->buf) - vm->len, MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0 || (sum += (size_t)n) > BABBLE_MAX) {
			balance_vm_close(vm);
			return;
		}
		vm->len += (size_t)n;
		if (take_lines(vm) < 0)
			balance_vm_close(vm);
	}
}
