// SPDX-License-Identifier: MIT
/*
 * The JSON Schema: what it says of each type, checked as text that a person could have written.
 */
#include <check.h>
#include <stdlib.h>

#include "config_sample.h"
#include "vmm/config_json.h"
#include "vmm/json_scan.h"

static char *schema_of(const struct config_table *table)
{
	char *text = NULL, *to, *from;
	struct error err;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	ck_assert_int_eq(config_json_schema(table, "T", out, &err), 0);
	fclose(out);
	ck_assert_msg(json_scan(text, len, &err) == 0, "%s", err.text);
	/* Without blanks, comparisons are readable; no string here depends on them. */
	for (to = from = text; *from; from++) {
		if (*from != ' ' && *from != '\n')
			*to++ = *from;
	}
	*to = '\0';
	return text;
}

static const char *const parts[] = {
	"{\"$schema\":\"http://json-schema.org/draft-07/schema#\",\"title\":\"T\","
	"\"type\":\"object\","
	"\"additionalProperties\":false,\"properties\":{\"name\":{",
	"\"name\":{\"description\":\"aname\",\"type\":\"string\","
	"\"pattern\":\"^[A-Za-z0-9_][A-Za-z0-9._-]{0,7}$\"}",
	"\"note\":{\"description\":\"anytext\",\"type\":\"string\",\"maxLength\":16}",
	"\"place\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"path\":{",
	"\"path\":{\"description\":\"x\",\"type\":\"string\",\"minLength\":1,\"maxLength\":4095}",
	"\"count\":{\"description\":\"x\",\"type\":\"integer\",\"minimum\":2,\"maximum\":40,"
	"\"default\":3}",
	"\"deep\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"size\":{"
	"\"description\":\"x\",\"anyOf\":[{\"type\":\"integer\",\"minimum\":4096,"
	"\"maximum\":1048576,"
	"\"multipleOf\":4096},{\"type\":\"string\",\"pattern\":\"^[0-9]+([KMGTkmgt](iB)?)?$\"}],"
	"\"default\":\"8K\"}}}",
	"\"wait\":{\"description\":\"x\",\"anyOf\":[{\"type\":\"integer\",\"minimum\":0,"
	"\"maximum\":3600},{\"type\":\"string\",\"pattern\":\"^[0-9]+(ms|s|m|h|d)?$\"}],"
	"\"default\":\"2s\"}",
	"\"color\":{\"description\":\"x\",\"type\":\"string\",\"enum\":[\"red\",\"green\","
	"\"blue\"],"
	"\"default\":\"blue\"}",
	"\"fast\":{\"description\":\"x\",\"type\":\"boolean\",\"default\":true}",
	"\"serial\":{\"description\":\"x\",\"type\":\"string\","
	"\"pattern\":\"^stdio$|^null$|^pty$|^file:[^\\\\x00]|^unix:[^\\\\x00]\","
	"\"default\":\"null\"}",
	"\"extra\":{\"description\":\"x\",\"type\":\"string\"}",
	"\"disks\":{\"description\":\"x\",\"type\":\"array\",\"maxItems\":4,\"items\":{"
	"\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"path\":{",
	"\"tag\":{\"description\":\"d\",\"type\":\"array\",\"maxItems\":3,\"items\":{"
	"\"type\":\"string\",\"maxLength\":8}}},\"required\":[\"path\"]}}",
};

START_TEST(contents)
{
	char *text = schema_of(&sample_table);

	ck_assert_msg(strstr(text, parts[_i]) != NULL, "no %s\nin %s", parts[_i], text);
	free(text);
}
END_TEST

START_TEST(absent)
{
	char *text = schema_of(&sample_table);

	/* Options that are not in the file. */
	ck_assert_ptr_null(strstr(text, "noise"));
	/* Nothing is required of the sample as a whole. */
	ck_assert_ptr_null(strstr(text, "\"required\":[\"place\""));
	free(text);
}
END_TEST

/* A required value makes the objects around it required. */
START_TEST(required)
{
	char *text = schema_of(&config_vm_table);

	ck_assert_ptr_nonnull(strstr(text, "\"required\":[\"kernel\"]"));
	ck_assert_ptr_nonnull(strstr(text, "\"required\":[\"boot\"]"));
	free(text);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config_schema");
	TCase *t = tcase_create("config_schema");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, contents, 0, ARRAY_SIZE(parts));
	tcase_add_test(t, absent);
	tcase_add_test(t, required);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
