// SPDX-License-Identifier: MIT
/*
 * The sandbox of a machine: which files it still needs once it runs, and when its threads enter.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "candela/landlock.h"
#include "candela/machine_internal.h"
#include "candela/result.h"
#include "candela/sandbox.h"

#define TUN_PATH "/dev/net/tun"

/* --- Places. -------------------------------------------------------------------------------- */

struct places {
	struct sandbox_place *places;
	char **directories; /* each place's path, where it was made up here */
	size_t count;
};

static void add(struct places *p, const char *path, uint32_t uses, bool optional)
{
	p->places[p->count++] =
		(struct sandbox_place){.path = path, .uses = uses, .optional = optional};
}

/* The directory that @path is in. Whoever uses it later says so if it is not there. */
static int add_directory(struct places *p, const char *path, uint32_t uses)
{
	const char *slash = strrchr(path, '/');
	char *directory;

	if (!slash)
		directory = strdup(".");
	else
		directory = slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
	if (!directory)
		return -ENOMEM;
	p->directories[p->count] = directory;
	add(p, directory, uses, true);
	return 0;
}

/* Names of sockets are removed in the end; a cable's is made whenever its other end goes. */
static int add_sockets(struct places *p, const struct machine *m)
{
	const struct vm_config *config = m->config;
	const char *control = machine_control_path(m);
	int r = control ? add_directory(p, control, LANDLOCK_REMOVE) : 0;

	if (r == 0 && config->serial.kind == CONFIG_SERIAL_UNIX)
		r = add_directory(p, config->serial.path, LANDLOCK_REMOVE);
	if (r == 0 && config->vsock)
		r = add_directory(p, config->vsock, LANDLOCK_REMOVE);
	for (size_t i = 0; i < config->net_count && r == 0; i++)
		if (config->nets[i].mode == CONFIG_NET_SOCKET)
			r = add_directory(p, config->nets[i].path,
					  LANDLOCK_READ | LANDLOCK_WRITE | LANDLOCK_CREATE |
						  LANDLOCK_SOCKETS | LANDLOCK_REMOVE);
	return r;
}

static int add_all(struct places *p, const struct machine *m)
{
	const struct vm_config *config = m->config;
	int r = add_sockets(p, m);

	if (r == 0 && config->result)
		r = add_directory(p, config->result,
				  LANDLOCK_WRITE | LANDLOCK_CREATE | LANDLOCK_REMOVE);
	/* It may be moved away, and is then made anew. */
	if (r == 0 && config->event_log)
		r = add_directory(p, config->event_log, LANDLOCK_WRITE | LANDLOCK_CREATE);
	for (size_t i = 0; i < config->sandbox_path_count; i++)
		add(p, config->sandbox_paths[i].path,
		    LANDLOCK_READ | LANDLOCK_WRITE | LANDLOCK_CREATE | LANDLOCK_SOCKETS |
			    LANDLOCK_REMOVE | LANDLOCK_DEVICES,
		    false);
	/* What a block device can do stands there. */
	if (config->sandbox_path_count)
		add(p, "/sys", LANDLOCK_READ, true);
	return r;
}

static int find_places(struct places *p, const struct machine *m)
{
	/* Control, serial, vsock, the result, the event log, and /sys. */
	const size_t most = 6 + m->config->net_count + m->config->sandbox_path_count;

	p->places = calloc(most, sizeof(*p->places));
	p->directories = calloc(most, sizeof(*p->directories));
	return p->places && p->directories ? add_all(p, m) : -ENOMEM;
}

static void free_places(struct places *p)
{
	for (size_t i = 0; p->directories && i < p->count; i++)
		free(p->directories[i]);
	free(p->directories);
	free(p->places);
}

/* --- Making it. ----------------------------------------------------------------------------- */

static bool adds_tap(const struct vm_config *config)
{
	for (size_t i = 0; i < config->sandbox_path_count; i++)
		if (strcmp(config->sandbox_paths[i].path, TUN_PATH) == 0)
			return true;
	return false;
}

static int create(struct machine *m, enum sandbox_mode mode, struct error *err)
{
	struct sandbox_config config = {
		.mode = mode,
		.keep_net_admin = adds_tap(m->config),
		.result = m->config->result,
	};
	struct places places = {0};
	char *before = NULL, *after = NULL;
	int r = find_places(&places, m);

	if (r == 0 && m->config->result)
		r = result_split(m->config, machine_end_name(MACHINE_FAILED), STATUS_INTERNAL,
				 &before, &after);
	if (r == 0) {
		config.places = places.places;
		config.place_count = places.count;
		config.result_before = before;
		config.result_after = after;
		r = sandbox_create(&config, err, &m->sandbox);
	} else {
		error_set(err, r, "out of memory");
	}
	free_places(&places);
	free(before);
	free(after);
	return r;
}

int machine_create_sandbox(struct machine *m, struct error *err)
{
	int r;

	switch (m->config->sandbox) {
	case CONFIG_SANDBOX_OFF:
		return 0;
	case CONFIG_SANDBOX_LOG:
		return create(m, SANDBOX_LOG, err);
	case CONFIG_SANDBOX_ON:
		return create(m, SANDBOX_ON, err);
	case CONFIG_SANDBOX_AUTO:
		break;
	}
	if (!sandbox_is_built())
		return 0;
	r = create(m, SANDBOX_ON, err);
	if (r != -ENOTSUP)
		return r;
	log_line(LOG_WARNING, "%s", err->text);
	return 0;
}

/* --- Entering it. --------------------------------------------------------------------------- */

int machine_enter_sandbox(struct machine *m, struct error *err)
{
	int r;

	if (!m->sandbox)
		return 0;
	r = machine_cpu_places(m, err);
	if (r < 0)
		return r;
	r = sandbox_enter(m->sandbox, SANDBOX_MAIN);
	return r < 0 ? error_errno(err, r, "sandbox: cannot enter it") : 0;
}

int machine_enter_sandbox_vcpu(void *machine)
{
	struct machine *m = machine;

	return m->sandbox ? sandbox_enter(m->sandbox, SANDBOX_VCPU) : 0;
}

int machine_enter_sandbox_io(void *machine)
{
	struct machine *m = machine;

	return m->sandbox ? sandbox_enter(m->sandbox, SANDBOX_IO) : 0;
}

/* --- What cannot be done in it. ------------------------------------------------------------- */

bool machine_is_confined(const struct machine *m)
{
	return m->sandbox && sandbox_mode(m->sandbox) == SANDBOX_ON;
}

void machine_explain_sandbox(const struct machine *m, int r, struct error *err)
{
	size_t len = strlen(err->text);

	if (r != -EACCES || !m->sandbox || !sandbox_has_landlock(m->sandbox))
		return;
	snprintf(err->text + len, sizeof(err->text) - len,
		 "; the sandbox lets a VM that runs open only what it was started with "
		 "--sandbox-path (sandbox-paths) for");
}
