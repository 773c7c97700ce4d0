// SPDX-License-Identifier: MIT
/*
 * Fuzzes what reads a configuration: a JSON file or, when the input begins with '-', a command line
 * (an argument a line). Beyond not crashing:
 *
 *   - what is refused has a message, and json-c never refuses what json_scan() has accepted;
 *   - what is accepted prints, loads back, and prints the same again.
 *
 * No file is opened: lines that are not options are left out.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/config_cli.h"
#include "vmm/config_json.h"
#include "vmm/config_table.h"

#define MAX_ARGS 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool truth, const char *what, const char *detail)
{
	if (truth)
		return;
	fprintf(stderr, "%s: %s\n", what, detail);
	abort();
}

/* NULL when JSON cannot hold the configuration. */
static char *print(const struct vm_config *config)
{
	struct error err = {.text = ""};
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int r;

	require(out, "open_memstream", "no memory");
	r = config_print(config, out, &err);
	fclose(out);
	if (r == 0)
		return text;
	free(text);
	require(strstr(err.text, "not UTF-8") != NULL, "cannot print", err.text);
	return NULL;
}

static void check_fixpoint(const struct vm_config *config)
{
	struct error err = {.text = ""};
	struct vm_config again;
	char *first, *second;

	first = print(config);
	if (!first)
		return;
	config_init(&again);
	require(config_json_load(&config_vm_table, &again, first, strlen(first), "/elsewhere",
				 &err) == 0,
		"printed, but not loaded", err.text);
	second = print(&again);
	require(second && strcmp(first, second) == 0, "printed differently", first);
	config_finish(&again);
	free(first);
	free(second);
}

static int read_json(struct vm_config *config, const uint8_t *data, size_t size, struct error *err)
{
	int r = config_json_load(&config_vm_table, config, (const char *)data, size, "/dir", err);

	require(strncmp(err->text, "json-c", 6) != 0, "scanned, but not parsed", err->text);
	return r;
}

static int read_arguments(struct vm_config *config, const uint8_t *data, size_t size,
			  struct error *err)
{
	static const char *const verbs[] = {"run", "check", "test"};
	char *copy = strndup((const char *)data, size), *verb = strdup(verbs[size % 3]);
	char *argv[MAX_ARGS + 2] = {verb}, *rest = copy, *line;
	struct config_cli_result result;
	int r, argc = 1;

	while (argc <= MAX_ARGS && (line = strsep(&rest, "\n"))) {
		if (line[0] == '-' && line[1] && strcmp(line, "--") != 0)
			argv[argc++] = line;
	}
	r = config_parse_args(config, argc, argv, &result, err);
	free(copy);
	free(verb);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = {.text = ""};
	struct vm_config config;
	int r;

	config_init(&config);
	if (size > 0 && data[0] == '-')
		r = read_arguments(&config, data, size, &err);
	else
		r = read_json(&config, data, size, &err);
	require((r == 0) == (err.text[0] == '\0'), "a failure needs a message, and only it",
		err.text);
	if (r == 0) {
		check_fixpoint(&config);
		r = config_check(&config, &err);
		require((r == 0) == (err.text[0] == '\0'), "a check needs a message", err.text);
	}
	config_finish(&config);
	return 0;
}
