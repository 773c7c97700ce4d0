// SPDX-License-Identifier: MIT
/*
 * The shape of a configuration table, and the tables there are.
 *
 * A row describes one value: its JSON key, its type and limits, its default, its option, its help.
 * From rows come the command line (config_cli.c), the JSON reader (config_json.c), the effective
 * configuration and the JSON Schema (config_print.c) and the help text; none of them knows a key.
 *
 * To add a setting, add a member to config.h and a row to config_table.c, then renew the schema:
 * `candela check --print-schema > docs/vm.schema.json`. To add an array of objects, give the row a
 * table of its own as `items`. To add a type, add a kind here and a row to the table of types in
 * config_value.c.
 *
 * Everything is constant: any thread.
 */
#pragma once

#include "vmm/base.h"

/* What a value is. Behind each stands the member's type in the struct; CONFIG_AT_* check it. */
enum config_kind {
	CONFIG_BOOL,     /* bool */
	CONFIG_UINT,     /* uint32_t, from min to max; CONFIG_UINT_UNSET when none is given */
	CONFIG_SIZE,     /* uint64_t bytes, from min to max, a multiple of step: "512M"; 0: none */
	CONFIG_DURATION, /* uint64_t nanoseconds, from min to max: "90s" */
	CONFIG_ENUM,     /* an enum: the index of the word in names */
	CONFIG_STRING,   /* const char *, from min to max bytes, of chars when given */
	CONFIG_PATH,     /* const char *, never empty */
	CONFIG_SERIAL,   /* struct config_serial */
	CONFIG_CONTROL,  /* struct config_control */
	CONFIG_COUNT,    /* uint32_t: how often the option was given */
	CONFIG_IGNORED,  /* nothing: any string is accepted and forgotten */
	CONFIG_ARRAY,    /* a pointer to items and a size_t count; at most max items */
	CONFIG_ASSIGN,   /* nothing: the option whose value is KEY=VALUE */
};

/* Under which heading of the help text a row stands. */
enum config_group {
	CONFIG_GROUP_MACHINE,
	CONFIG_GROUP_BOOT,
	CONFIG_GROUP_DEVICES,
	CONFIG_GROUP_HYPERV,
	CONFIG_GROUP_END,
	CONFIG_GROUP_SANDBOX,
	CONFIG_GROUP_PROGRAM,
	CONFIG_GROUP_COUNT,
};

/* The subcommands that take these options. */
enum config_verb {
	CONFIG_VERB_RUN = 1 << 0,
	CONFIG_VERB_CHECK = 1 << 1,
	CONFIG_VERB_TEST = 1 << 2,
};

struct config_row {
	/*
	 * The path inside its own table: "cpus.count". NULL: not in JSON, on the command line only;
	 * and the one row of a CONFIG_ITEM_VALUE table has none.
	 */
	const char *key;

	enum config_kind kind;
	size_t offset;       /* of the member */
	size_t count_offset; /* arrays: of the size_t that counts the items */

	uint64_t min, max, step;  /* see enum config_kind; step 0 is 1 */
	const char *const *names; /* enums: NULL-terminated */
	const char *chars;        /* strings: the characters, as inside a regular expression's [] */
	const char *first;        /* strings: those allowed as first character; NULL: chars */
	const struct config_table *items;

	bool required; /* strings, paths, arrays: must be given (checked by config_check()) */

	const char *preset; /* the default, as text; not for strings and paths: theirs is NULL */
	const char *unset;  /* what happens without a value, for the help text */

	const char *option; /* long option without dashes; NULL: reached by --set only */
	const char *alias;  /* a second name of it */
	char letter;        /* short option */
	const char *metavar;
	const char *help;
	enum config_group group;
	unsigned int verbs; /* enum config_verb; 0: all */
};

/* How one item of an array is written in an option's value. */
enum config_item_syntax {
	CONFIG_ITEM_KEYS,  /* [MAIN][,KEY=VALUE]...: MAIN is of the first row; ",," is a comma */
	CONFIG_ITEM_WORDS, /* MAIN [REST]: the first row's value to the first blank, the second's */
	CONFIG_ITEM_VALUE, /* items are no objects but values of the only row, which has no key */
};

struct config_table {
	const struct config_row *rows;
	size_t row_count;
	size_t size; /* of the struct */
	enum config_item_syntax syntax;
};

/* Every key of a VM; base: struct vm_config. */
extern const struct config_table config_vm_table;
/* An item of its "disks"; base: struct config_disk. */
extern const struct config_table config_disk_table;
/* An item of its "networks"; base: struct config_net. */
extern const struct config_table config_net_table;
/* Those of others. */
extern const struct config_table config_module_table, config_sandbox_path_table;
/* What only a command line says; base: struct config_cli_result. Its rows own no memory. */
extern const struct config_table config_cli_table;

/* The offset of a member, provided that it has the right type. */
#define CONFIG_FIELD(s, m, type)                                                                   \
	(offsetof(s, m) +                                                                          \
	 0 * sizeof(char[__builtin_types_compatible_p(__typeof__(((s *)0)->m), type) ? 1 : -1]))

/* These fill .kind and .offset of a row for member @m of @s. */
#define CONFIG_AT_BOOL(s, m)     .kind = CONFIG_BOOL, .offset = CONFIG_FIELD(s, m, bool)
#define CONFIG_AT_UINT(s, m)     .kind = CONFIG_UINT, .offset = CONFIG_FIELD(s, m, uint32_t)
#define CONFIG_AT_SIZE(s, m)     .kind = CONFIG_SIZE, .offset = CONFIG_FIELD(s, m, uint64_t)
#define CONFIG_AT_DURATION(s, m) .kind = CONFIG_DURATION, .offset = CONFIG_FIELD(s, m, uint64_t)
#define CONFIG_AT_STRING(s, m)   .kind = CONFIG_STRING, .offset = CONFIG_FIELD(s, m, const char *)
#define CONFIG_AT_PATH(s, m)     .kind = CONFIG_PATH, .offset = CONFIG_FIELD(s, m, const char *)
#define CONFIG_AT_SERIAL(s, m)                                                                     \
	.kind = CONFIG_SERIAL, .offset = CONFIG_FIELD(s, m, struct config_serial)
#define CONFIG_AT_CONTROL(s, m)                                                                    \
	.kind = CONFIG_CONTROL, .offset = CONFIG_FIELD(s, m, struct config_control)
#define CONFIG_AT_COUNT(s, m)   .kind = CONFIG_COUNT, .offset = CONFIG_FIELD(s, m, uint32_t)
#define CONFIG_AT_ENUM(s, m, e) .kind = CONFIG_ENUM, .offset = CONFIG_FIELD(s, m, enum e)
#define CONFIG_AT_ARRAY(s, m, n, item)                                                             \
	.kind = CONFIG_ARRAY, .offset = CONFIG_FIELD(s, m, item *),                                \
	.count_offset = CONFIG_FIELD(s, n, size_t)
