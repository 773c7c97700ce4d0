// SPDX-License-Identifier: MIT
/*
 * Entering the sandbox: no new privileges, no capabilities, Landlock, and last the filter of system
 * calls, which would forbid the others.
 */
#include "candela/sandbox.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "candela/landlock.h"
#include "candela/sandbox_filter.h"
#include "candela/sandbox_trap.h"

struct sandbox {
	enum sandbox_mode mode;
	int landlock; /* -1: the kernel has none, or it is only to log */
	bool keep_net_admin;
	struct sandbox_trap *trap;                  /* NULL: it is only to log */
	struct sock_filter *logging[SANDBOX_KINDS]; /* SANDBOX_LOG: the filters that only log */
};

bool sandbox_is_built(void)
{
	return sandbox_filters[0].count > 0;
}

/* --- Making one. --------------------------------------------------------------------------- */

static int check_host(struct error *err)
{
	const uint32_t action = SECCOMP_RET_TRAP;

	if (!sandbox_is_built())
		return error_set(err, -ENOTSUP,
				 "sandbox: this candela was built without libseccomp: build it "
				 "with that (Debian: libseccomp-dev), or --sandbox=off");
	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) < 0)
		return error_set(err, -ENOTSUP,
				 "sandbox: the host's kernel has no filters of system calls "
				 "(CONFIG_SECCOMP_FILTER): --sandbox=off does without");
	return 0;
}

int sandbox_allow(struct sandbox *s, const struct sandbox_place *place, struct error *err)
{
	int r = s->landlock < 0 ? 0 : landlock_allow(s->landlock, place->path, place->uses, err);

	if (r < 0)
		error_prefix(err, "sandbox");
	return r;
}

static int add_places(struct sandbox *s, const struct sandbox_config *config, struct error *err)
{
	int r = s->landlock = landlock_open();

	if (r == -ENOTSUP)
		return 0;
	if (r < 0)
		return error_errno(err, r, "sandbox: Landlock");
	r = 0;
	for (size_t i = 0; i < config->place_count && r == 0; i++) {
		const struct sandbox_place *place = &config->places[i];

		r = sandbox_allow(s, place, err);
		if (r == -ENOENT && place->optional)
			r = 0;
	}
	return r;
}

/* The same filters, with another answer. */
static int copy_filters(struct sandbox *s)
{
	for (unsigned int kind = 0; kind < SANDBOX_KINDS; kind++) {
		const struct sandbox_filter *filter = &sandbox_filters[kind];
		struct sock_filter *rows = calloc(filter->count, sizeof(*rows));

		if (!rows)
			return -ENOMEM;
		s->logging[kind] = rows;
		memcpy(rows, filter->rows, filter->count * sizeof(*rows));
		for (unsigned int i = 0; i < filter->count; i++)
			if (rows[i].code == (BPF_RET | BPF_K) && rows[i].k == SECCOMP_RET_TRAP)
				rows[i].k = SECCOMP_RET_LOG;
	}
	return 0;
}

int sandbox_create(const struct sandbox_config *config, struct error *err, struct sandbox **ret)
{
	struct sandbox *s;
	int r = check_host(err);

	if (r < 0)
		return r;
	s = calloc(1, sizeof(*s));
	if (!s)
		return error_set(err, -ENOMEM, "out of memory");
	s->mode = config->mode;
	s->landlock = -1;
	s->keep_net_admin = config->keep_net_admin;
	if (config->mode == SANDBOX_LOG) {
		r = copy_filters(s);
		if (r < 0)
			error_set(err, r, "out of memory");
	} else {
		r = add_places(s, config, err);
		if (r == 0)
			r = sandbox_trap_create(config, err, &s->trap);
	}
	if (r < 0) {
		sandbox_destroy(s);
		return r;
	}
	*ret = s;
	return 0;
}

enum sandbox_mode sandbox_mode(const struct sandbox *s)
{
	return s->mode;
}

bool sandbox_has_landlock(const struct sandbox *s)
{
	return s->landlock >= 0;
}

void sandbox_destroy(struct sandbox *s)
{
	if (!s)
		return;
	sandbox_trap_destroy(s->trap);
	if (s->landlock >= 0)
		close(s->landlock);
	for (unsigned int kind = 0; kind < SANDBOX_KINDS; kind++)
		free(s->logging[kind]);
	free(s);
}

/* --- Entering it. -------------------------------------------------------------------------- */

/*
 * Somebody with user ID 0 keeps that, and of the rest only what lets them reach files as before:
 * the result, and sockets' names, may be in a directory of another user's.
 */
static int drop_capabilities(const struct sandbox *s)
{
	const uint32_t keep =
		1u << CAP_DAC_OVERRIDE | (s->keep_net_admin ? 1u << CAP_NET_ADMIN : 0);
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	data[0].effective &= keep;
	data[0].permitted &= keep;
	data[1].effective = data[1].permitted = 0;
	data[0].inheritable = data[1].inheritable = 0;
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

/*
 * All but the filter. A thread that was made by one that has entered has it already: once more does
 * no harm, and nobody needs to know which came first.
 */
static int enter_common(const struct sandbox *s)
{
	int r = 0;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	if (s->mode == SANDBOX_ON)
		r = drop_capabilities(s);
	if (r == 0 && s->landlock >= 0)
		r = landlock_enter(s->landlock);
	return r;
}

int sandbox_enter(const struct sandbox *s, enum sandbox_kind kind)
{
	const struct sandbox_filter *filter = &sandbox_filters[kind];
	struct sock_fprog program = {
		.len = filter->count,
		/* The kernel only reads it; its structure is older than const. */
		.filter = s->logging[kind] ? s->logging[kind]
					   : (struct sock_filter *)(uintptr_t)filter->rows,
	};
	int r = enter_common(s);

	if (r < 0)
		return r;
	if (s->trap)
		sandbox_trap_enter(kind);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		return -errno;
	return 0;
}
