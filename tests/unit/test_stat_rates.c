// SPDX-License-Identifier: MIT
/* Rates of counters: differences over time, and what may be wrong with either. */
#include <check.h>
#include <stdlib.h>

#include "candela/stat_rates.h"
#include "vmm/base.h"

#define EPSILON 1e-6

static struct json_object *rates(const char *before, const char *now)
{
	struct json_object *b = before ? json_tokener_parse(before) : NULL;
	struct json_object *n = json_tokener_parse(now), *sample = NULL;

	ck_assert(!before || b);
	ck_assert_ptr_nonnull(n);
	ck_assert_int_eq(stat_rates("vm", b, n, &sample), 0);
	json_object_put(b);
	json_object_put(n);
	return sample;
}

/* A member by its path, "/exits/port/rate". */
static struct json_object *at(struct json_object *o, const char *path)
{
	struct json_object *value = NULL;

	ck_assert_msg(json_pointer_get(o, path, &value) == 0, "%s: not in %s", path,
		      json_object_to_json_string(o));
	return value;
}

static bool has(struct json_object *o, const char *path)
{
	return json_pointer_get(o, path, NULL) == 0;
}

static double real(struct json_object *o, const char *path)
{
	struct json_object *value = at(o, path);

	ck_assert_msg(value, "%s is null", path);
	return json_object_get_double(value);
}

START_TEST(since_start)
{
	struct json_object *o =
		rates(NULL, "{\"pid\":1,\"time_ns\":99000000000,\"uptime_ns\":2000000000,"
			    "\"tsc_hz\":2000000000,\"exits\":{\"port\":400,\"msr\":0},"
			    "\"exit_ticks\":{\"port\":800000,\"msr\":0}}");

	ck_assert_str_eq(json_object_get_string(at(o, "/name")), "vm");
	ck_assert(!json_object_get_boolean(at(o, "/restarted")));
	ck_assert_uint_eq(json_object_get_uint64(at(o, "/elapsed_ns")), 2000000000);
	ck_assert_uint_eq(json_object_get_uint64(at(o, "/exits/port/count")), 400);
	ck_assert_double_eq_tol(real(o, "/exits/port/rate"), 200, EPSILON);
	ck_assert_double_eq_tol(real(o, "/exits/port/mean_ns"), 1000, EPSILON);
	/* What never happened has no mean cost. */
	ck_assert_double_eq_tol(real(o, "/exits/msr/rate"), 0, EPSILON);
	ck_assert_ptr_null(at(o, "/exits/msr/mean_ns"));
	ck_assert_double_eq_tol(real(o, "/cpu/exits"), 0.02, EPSILON);
	json_object_put(o);
}
END_TEST

#define CPU_AND_CALLS(time, process, guest, calls, ns, deferred)                                   \
	"{\"pid\":1,\"time_ns\":" time ",\"uptime_ns\":" time ",\"cpu\":{\"process_ns\":" process  \
	",\"vps_ns\":" process ",\"guest_ns\":" guest "},\"hyperv\":{\"counters\":{"               \
	"\"hypercalls.other\":" calls ",\"hypercall_ns.other\":" ns                                \
	",\"synthetic_interrupts\":" calls ",\"messages_deferred\":" deferred                      \
	",\"timer_deferred\":" deferred "}}}"

START_TEST(difference)
{
	struct json_object *o =
		rates(CPU_AND_CALLS("1000000000", "500000000", "100000000", "10", "1000", "1"),
		      CPU_AND_CALLS("3000000000", "1500000000", "900000000", "30", "9000", "3"));

	ck_assert_double_eq_tol(real(o, "/cpu/process"), 50, EPSILON);
	ck_assert_double_eq_tol(real(o, "/cpu/vps"), 50, EPSILON);
	ck_assert_double_eq_tol(real(o, "/cpu/guest"), 40, EPSILON);
	ck_assert_double_eq_tol(real(o, "/cpu/hypervisor"), 10, EPSILON);
	ck_assert_double_eq_tol(real(o, "/hypercalls/other/rate"), 10, EPSILON);
	ck_assert_double_eq_tol(real(o, "/hypercalls/other/mean_ns"), 400, EPSILON);
	ck_assert_double_eq_tol(real(o, "/interrupts/delivered/rate"), 10, EPSILON);
	ck_assert_double_eq_tol(real(o, "/interrupts/deferred/rate"), 2, EPSILON);
	ck_assert_double_eq_tol(real(o, "/interrupts/coalesced/rate"), 0, EPSILON);
	json_object_put(o);
}
END_TEST

START_TEST(guest_ahead)
{
	struct json_object *o =
		rates(CPU_AND_CALLS("1000000000", "10", "0", "0", "0", "0"),
		      CPU_AND_CALLS("2000000000", "9000000", "10000000", "0", "0", "0"));

	ck_assert_double_eq_tol(real(o, "/cpu/hypervisor"), 0, EPSILON);
	json_object_put(o);
}
END_TEST

#define VM(pid, time, uptime, exits)                                                               \
	"{\"pid\":" pid ",\"time_ns\":" time ",\"uptime_ns\":" uptime                              \
	",\"exits\":{\"port\":" exits "}}"

START_TEST(started_again)
{
	/* Counters are ahead of the old VM's already, which only the process tells. */
	struct json_object *o = rates(VM("1", "5000000000", "4000000000", "100"),
				      VM("2", "7000000000", "1000000000", "150"));

	ck_assert(json_object_get_boolean(at(o, "/restarted")));
	ck_assert_uint_eq(json_object_get_uint64(at(o, "/elapsed_ns")), 1000000000);
	ck_assert_double_eq_tol(real(o, "/exits/port/rate"), 150, EPSILON);
	json_object_put(o);
	/* The same process number, on a host that was started again. */
	o = rates(VM("1", "5000000000", "4000000000", "100"),
		  VM("1", "2000000000", "1000000000", "7"));
	ck_assert(json_object_get_boolean(at(o, "/restarted")));
	ck_assert_double_eq_tol(real(o, "/exits/port/rate"), 7, EPSILON);
	json_object_put(o);
}
END_TEST

START_TEST(backwards)
{
	struct json_object *o = rates(VM("1", "1000000000", "1000000000", "100"),
				      VM("1", "3000000000", "3000000000", "40"));

	ck_assert(!json_object_get_boolean(at(o, "/restarted")));
	ck_assert_uint_eq(json_object_get_uint64(at(o, "/exits/port/count")), 40);
	ck_assert_double_eq_tol(real(o, "/exits/port/rate"), 20, EPSILON);
	json_object_put(o);
}
END_TEST

START_TEST(no_time)
{
	struct json_object *o = rates(VM("1", "5", "5", "1"), VM("1", "5", "5", "3"));

	ck_assert_uint_eq(json_object_get_uint64(at(o, "/exits/port/count")), 2);
	ck_assert_ptr_null(at(o, "/exits/port/rate"));
	json_object_put(o);
	/* Not started yet. */
	o = rates(NULL, "{\"exits\":{\"port\":0},\"cpu\":{\"process_ns\":5}}");
	ck_assert_ptr_null(at(o, "/exits/port/rate"));
	ck_assert_ptr_null(at(o, "/cpu/process"));
	json_object_put(o);
}
END_TEST

START_TEST(missing)
{
	struct json_object *o = rates(NULL, "{}");

	ck_assert_uint_eq(json_object_get_uint64(at(o, "/elapsed_ns")), 0);
	ck_assert(!has(o, "/hypercalls") && !has(o, "/disks") && !has(o, "/cpu/process"));
	json_object_put(o);
	/* What is not of the kind that it should be counts as missing, too. */
	o = rates("{\"exits\":[],\"disks\":{},\"cpu\":null,\"hyperv\":7}",
		  "{\"exits\":{\"port\":\"x\",\"msr\":null,\"kick\":4},\"exit_ticks\":3,"
		  "\"disks\":[null,5,{\"counters\":[]}],\"hyperv\":{\"counters\":[]},"
		  "\"channels\":\"x\"}");
	ck_assert(!has(o, "/exits/port") && !has(o, "/exits/msr") && !has(o, "/channels"));
	ck_assert_uint_eq(json_object_get_uint64(at(o, "/exits/kick/count")), 4);
	ck_assert_uint_eq(json_object_array_length(at(o, "/disks")), 3);
	json_object_put(o);
}
END_TEST

#define DISK(lun, path, reads, ticks)                                                              \
	"{\"controller\":0,\"lun\":" lun ",\"path\":\"" path "\",\"counters\":{\"reads\":" reads   \
	",\"ticks\":{\"reads\":" ticks "}}}"

#define CHANNEL(device, wakes)                                                                     \
	"{\"device\":\"" device "\",\"index\":0,\"counters\":{\"wakes\":" wakes "}}"

START_TEST(devices)
{
	static const char before[] = "{\"time_ns\":0,\"disks\":[" DISK("0", "a", "5", "0") "," DISK(
		"1", "b", "7", "100") "],\"channels\":[" CHANNEL("storage", "3") "]}";
	static const char now[] = "{\"time_ns\":1000000000,\"tsc_hz\":1000000000,\"disks\":[" DISK(
		"1", "b", "9",
		"500") "," DISK("0", "c", "6",
				"0") "],"
				     "\"channels\":[" CHANNEL("storage", "8") "," CHANNEL("network",
											  "1") "]}";
	struct json_object *o = rates(before, now);

	/* Found by where it is, not by its place in the array. */
	ck_assert_double_eq_tol(real(o, "/disks/0/reads/rate"), 2, EPSILON);
	ck_assert_double_eq_tol(real(o, "/disks/0/reads/mean_ns"), 200, EPSILON);
	/* Another disk in the same place is not the one that was there. */
	ck_assert_double_eq_tol(real(o, "/disks/1/reads/rate"), 6, EPSILON);
	ck_assert_str_eq(json_object_get_string(at(o, "/disks/1/path")), "c");
	ck_assert_double_eq_tol(real(o, "/channels/0/wakes/rate"), 5, EPSILON);
	ck_assert_double_eq_tol(real(o, "/channels/1/wakes/rate"), 1, EPSILON);
	json_object_put(o);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stat_rates");
	TCase *tc = tcase_create("stat_rates");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tc);
	tcase_add_test(tc, since_start);
	tcase_add_test(tc, difference);
	tcase_add_test(tc, guest_ahead);
	tcase_add_test(tc, started_again);
	tcase_add_test(tc, backwards);
	tcase_add_test(tc, no_time);
	tcase_add_test(tc, missing);
	tcase_add_test(tc, devices);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
