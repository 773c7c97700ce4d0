// SPDX-License-Identifier: MIT
/*
 * Where the parent of a differencing VHD is looked for, also when the image lies about it.
 */
#include "vhd_images.h"

#include "devices/block/vhd_image.h"

static char path[VHD_PATH_MAX];
static struct vhd_layout layout;

static void make(const char *parent, const char *absolute)
{
	static const uint8_t id[16] = {1};
	struct vhd_create_options options = {.type = VHD_DIFFERENCING,
					     .size = MiB(1),
					     .parent_path = parent,
					     .parent_absolute = absolute,
					     .parent_id = id};

	ck_assert_msg(vhd_create(&vhd_fake.file, &options, &vhd_err) == 0, "%s", vhd_err.text);
	ck_assert_int_eq(vhd_read_layout(&vhd_fake.file, &vhd_err, &layout), 0);
}

static void is(unsigned int n, const char *expected)
{
	bool found = vhd_parent_path(&vhd_fake.file, &layout, n, path);

	ck_assert_msg(found == (expected != NULL), "%u: %s", n, found ? path : "none");
	if (expected)
		ck_assert_str_eq(path, expected);
}

START_TEST(paths)
{
	make("../base/p.vhd", "/images/base/p.vhd");
	is(0, "dir/./../base/p.vhd");
	is(1, "/images/base/p.vhd");
	is(2, "dir/p.vhd");
	is(3, NULL);
	vhd_parent_name(&vhd_fake.file, &layout, path);
	ck_assert_str_eq(path, "p.vhd");
}
END_TEST

START_TEST(names)
{
	make("gr\xc3\xbc\xc3\x9f\xe2\x82\xac\xf0\x9f\x98\x80.vhd", NULL);
	is(0, "dir/./gr\xc3\xbc\xc3\x9f\xe2\x82\xac\xf0\x9f\x98\x80.vhd");
	is(1, "dir/gr\xc3\xbc\xc3\x9f\xe2\x82\xac\xf0\x9f\x98\x80.vhd");
	is(2, NULL);
}
END_TEST

START_TEST(no_directory)
{
	make("p.vhd", NULL);
	vhd_fake.file.name = "image";
	is(0, "./p.vhd");
	is(1, "p.vhd");
}
END_TEST

/* As Windows writes them, and as nobody should. */
START_TEST(foreign)
{
	struct vhd_locator *locators;
	uint16_t *text;

	make("p.vhd", "/a/p.vhd");
	locators = layout.header.parent_locators;
	text = (uint16_t *)(void *)(vhd_fake.data + be64toh(locators[1].data_offset));
	memcpy(text, u"C:\\images\\p.vhd", 32);
	is(1, "dir/p.vhd"); /* the absolute one is not one here */
	is(2, NULL);
	locators[0].data_length = htobe32(UINT32_MAX);
	is(0, "dir/p.vhd");
	locators[0].data_length = htobe32(4);
	locators[0].data_offset = htobe64(UINT64_MAX - 1);
	is(0, "dir/p.vhd");
	locators[0].platform_code = htobe32(VHD_PLATFORM_MACX);
	is(0, "dir/p.vhd");
	/* A name that is a path, to somewhere else. */
	memset(layout.header.parent_unicode_name, 0, 512);
	for (unsigned int i = 0; i < 9; i++)
		layout.header.parent_unicode_name[i] = htobe16((uint16_t) "..\\..\\x.y"[i]);
	is(0, "dir/x.y");
	/* Half a pair, and no end. */
	memset(layout.header.parent_unicode_name, 0xd8, 512);
	is(0, path);
	memset(layout.header.parent_unicode_name, 0, 512);
	is(0, NULL);
}
END_TEST

START_TEST(too_long)
{
	char name[2000];
	struct vhd_create_options options = {.type = VHD_DIFFERENCING,
					     .size = MiB(1),
					     .parent_path = name,
					     .parent_id = (const uint8_t[16]){1}};

	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	ck_assert_int_lt(vhd_create(&vhd_fake.file, &options, &vhd_err), 0);
	strcpy(name, "not \xff UTF-8");
	ck_assert_int_eq(vhd_create(&vhd_fake.file, &options, &vhd_err), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vhd_parent");
	TCase *t = tcase_create("vhd_parent");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, vhd_setup, vhd_teardown);
	tcase_add_test(t, paths);
	tcase_add_test(t, names);
	tcase_add_test(t, no_directory);
	tcase_add_test(t, foreign);
	tcase_add_test(t, too_long);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
