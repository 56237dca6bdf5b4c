/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "names.h"
#include "process_metrics.h"
#include "testing.h"

#define _cleanup_metrics_ _cleanup_(metrics_freep)

/* All that is scraped. Caller frees. */
static char *scrape(struct metrics *metrics)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	metrics_write(metrics, out);
	fclose(out);
	return text;
}

static void assert_scrape(struct metrics *metrics, const char *wanted)
{
	_cleanup_free_ char *text = scrape(metrics);

	assert_string_equal(text, wanted);
}

static void test_counter(void **state)
{
	_cleanup_metrics_ struct metrics *metrics = metrics_new();

	(void)state;
	assert_scrape(metrics, "");
	metrics_add(metrics, METRIC_DELETE_TOTAL, 1, "fast");
	metrics_add(metrics, METRIC_DELETE_TOTAL, 2, "slow");
	metrics_add(metrics, METRIC_DELETE_TOTAL, 1, "fast");
	metrics_add(metrics, METRIC_EVENTS_SENT, 1e15);
	assert_scrape(metrics, "# HELP controller_persistentvolume_delete_total "
			       "Volumes that were deleted.\n"
			       "# TYPE controller_persistentvolume_delete_total counter\n"
			       "controller_persistentvolume_delete_total{class=\"fast\"} 2\n"
			       "controller_persistentvolume_delete_total{class=\"slow\"} 2\n"
			       "# HELP ordinal_events_sent_total "
			       "Writes of Kubernetes events that succeeded.\n"
			       "# TYPE ordinal_events_sent_total counter\n"
			       "ordinal_events_sent_total 1e+15\n");
}

/* The same bytes in other labels are another series. */
static void test_labels(void **state)
{
	_cleanup_metrics_ struct metrics *metrics = metrics_new();
	_cleanup_free_ char *text = NULL;

	(void)state;
	metrics_add(metrics, METRIC_PROVISION_TOTAL, 1, "ab", "c");
	metrics_add(metrics, METRIC_PROVISION_TOTAL, 2, "a", "bc");
	metrics_add(metrics, METRIC_PROVISION_TOTAL, 3, "abc", NULL);
	metrics_add(metrics, METRIC_PROVISION_TOTAL, 4, "", "abc");
	text = scrape(metrics);
	assert_non_null(strstr(text, "{class=\"ab\",source=\"c\"} 1\n"));
	assert_non_null(strstr(text, "{class=\"a\",source=\"bc\"} 2\n"));
	assert_non_null(strstr(text, "{class=\"abc\",source=\"\"} 3\n"));
	assert_non_null(strstr(text, "{class=\"\",source=\"abc\"} 4\n"));
}

/* Whatever a label holds, a line stays a line and a value a value. */
static void test_hostile_labels(void **state)
{
	_cleanup_metrics_ struct metrics *metrics = metrics_new();
	_cleanup_free_ char *text = NULL;
	char endless[3000];

	(void)state;
	memset(endless, 'x', sizeof(endless) - 1);
	endless[sizeof(endless) - 1] = '\0';
	metrics_add(metrics, METRIC_DELETE_TOTAL, 1, "a\"} 7\nb\\ \xff\x7f");
	metrics_add(metrics, METRIC_DELETE_TOTAL, 1, endless);
	text = scrape(metrics);
	assert_non_null(strstr(text, "{class=\"a\\\"} 7?b\\\\ ??\"} 1\n"));
	assert_true(strlen(text) < 600);
}

static void test_histogram(void **state)
{
	_cleanup_metrics_ struct metrics *metrics = metrics_new();
	_cleanup_free_ char *text = NULL;

	(void)state;
	metrics_observe(metrics, METRIC_CSI_SECONDS, .1, "d", "/m", "OK");
	metrics_observe(metrics, METRIC_CSI_SECONDS, .125, "d", "/m", "OK");
	metrics_observe(metrics, METRIC_CSI_SECONDS, 601, "d", "/m", "OK");
	metrics_observe(metrics, METRIC_CSI_SECONDS, 0, "d", "/m", "Internal");
	text = scrape(metrics);
#define OF "csi_sidecar_operations_seconds"
#define BUCKET(le, value)                                                                          \
	OF "_bucket{driver_name=\"d\",method_name=\"/m\",grpc_status_code=\"OK\",le=\"" le "\"} "  \
	   "" value "\n"
#define LABELS "{driver_name=\"d\",method_name=\"/m\",grpc_status_code=\"OK\"} "
	assert_non_null(strstr(text, "# TYPE " OF " histogram\n" BUCKET("0.1", "1") BUCKET(
					     "0.25", "2") BUCKET("0.5", "2") BUCKET("1", "2")));
	assert_non_null(strstr(text, BUCKET("300", "2") BUCKET("600", "2") BUCKET("+Inf", "3") OF
		"_sum" LABELS "601.225\n" OF "_count" LABELS "3\n"));
	assert_non_null(strstr(text, "grpc_status_code=\"Internal\",le=\"0.1\"} 1\n"));
}

static void test_small_bounds(void **state)
{
	_cleanup_metrics_ struct metrics *metrics = metrics_new();
	_cleanup_free_ char *text = NULL;

	(void)state;
	metrics_observe(metrics, METRIC_WORKQUEUE_WORK_SECONDS, 5e-8, "q");
	text = scrape(metrics);
	assert_non_null(strstr(text, "{name=\"q\",le=\"1e-08\"} 0\n"));
	assert_non_null(strstr(text, "{name=\"q\",le=\"1e-07\"} 1\n"));
}

/* More classes than a family has series: they are counted all the same, together. */
static void test_bounded(void **state)
{
	_cleanup_metrics_ struct metrics *metrics = metrics_new();
	_cleanup_free_ char *text = NULL;
	size_t lines = 0;

	(void)state;
	for (int i = 0; i < 5000; i++) {
		char class[32];

		snprintf(class, sizeof(class), "class-%d", i);
		metrics_add(metrics, METRIC_DELETE_TOTAL, 1, class);
		metrics_observe(metrics, METRIC_PROVISION_SECONDS, 1, class, "");
	}
	metrics_add(metrics, METRIC_DELETE_TOTAL, 1, "class-7");
	text = scrape(metrics);
	assert_non_null(strstr(text, "{class=\"class-999\"} 1\n"));
	assert_null(strstr(text, "{class=\"class-1000\"}"));
	assert_non_null(strstr(text, "{class=\"class-7\"} 2\n"));
	assert_non_null(strstr(text, "delete_total{class=\"other\"} 4000\n"));
	assert_non_null(strstr(text, "_count{class=\"other\",source=\"other\"} 4000\n"));
	for (const char *at = text; (at = strchr(at, '\n')); at++)
		lines++;
	assert_int_equal(lines, 2 + 1001 + 2 + 1001 * 14);
}

struct thing {
	struct metrics *metrics;
	double value;
};

/* What is asked may count itself. */
static double read_thing(void *context)
{
	struct thing *thing = context;

	metrics_add(thing->metrics, METRIC_WORKQUEUE_DEPTH, 1, "asked");
	return thing->value;
}

static void test_gauges(void **state)
{
	_cleanup_metrics_ struct metrics *metrics = metrics_new();
	struct thing a = {metrics, 1.5}, b = {metrics, -1};
	_cleanup_free_ char *text = NULL, *after = NULL;

	(void)state;
	metrics_gauge(metrics, METRIC_STORE_OBJECTS, read_thing, &a, "claims");
	metrics_gauge(metrics, METRIC_STORE_OBJECTS, read_thing, &b, "volumes");
	metrics_gauge(metrics, METRIC_JOURNAL_ENTRIES, read_thing, &a);
	text = scrape(metrics);
	assert_non_null(strstr(text, "# TYPE ordinal_store_objects gauge\n"
				     "ordinal_store_objects{resource=\"claims\"} 1.5\n"
				     "ordinal_store_objects{resource=\"volumes\"} -1\n"));
	assert_non_null(strstr(text, "ordinal_journal_entries 1.5\n"));
	metrics_forget(metrics, &a);
	metrics_gauge(metrics, METRIC_STORE_OBJECTS, read_thing, &b, "nodes");
	metrics_add(metrics, METRIC_WORKQUEUE_DEPTH, -3, "asked");
	after = scrape(metrics);
	assert_null(strstr(after, "claims"));
	assert_null(strstr(after, "journal"));
	assert_non_null(strstr(after, "{resource=\"volumes\"} -1\n"
				      "ordinal_store_objects{resource=\"nodes\"} -1\n"));
	assert_non_null(strstr(after, "{name=\"asked\"} 0\n"));
}

static void test_none(void **state)
{
	struct metrics *none = NULL;

	(void)state;
	metrics_add(none, METRIC_DELETE_TOTAL, 1, "a");
	metrics_observe(none, METRIC_DELETE_SECONDS, 1, "a");
	metrics_gauge(none, METRIC_STORE_OBJECTS, read_thing, NULL, "a");
	metrics_forget(none, NULL);
	metrics_free(none);
	assert_scrape(none, "");
}

/* The value of the series NAME, which must be there. */
static double value_of(const char *text, const char *name)
{
	_cleanup_free_ char *line = NULL;
	const char *at;

	assert_true(asprintf(&line, "\n%s ", name) > 0);
	at = strstr(text, line);
	if (!at)
		fail_msg("no %s in:\n%s", name, text);
	return strtod(at + strlen(line), NULL);
}

static void test_process(void **state)
{
	_cleanup_metrics_ struct metrics *metrics = metrics_new();
	_cleanup_free_ char *text = NULL, *more = NULL;
	_cleanup_close_ int fd = -1;
	double now = (double)time(NULL), start;

	(void)state;
	process_metrics_register(metrics);
	text = scrape(metrics);
	assert_non_null(strstr(text, "ordinal_build_info{version=\"" ORDINAL_VERSION "\"} 1\n"));
	assert_true(value_of(text, "process_resident_memory_bytes") > 100000);
	assert_true(value_of(text, "process_cpu_seconds_total") > 0);
	assert_true(value_of(text, "process_max_fds") >= value_of(text, "process_open_fds"));
	start = value_of(text, "process_start_time_seconds");
	assert_true(start > now - 3600 && start < now + 2);
	fd = dup(STDERR_FILENO);
	more = scrape(metrics);
	assert_true(value_of(more, "process_open_fds") == value_of(text, "process_open_fds") + 1);
}

static void test_grpc_codes(void **state)
{
	(void)state;
	assert_string_equal(metrics_grpc_code(0), "OK");
	assert_string_equal(metrics_grpc_code(3), "InvalidArgument");
	assert_string_equal(metrics_grpc_code(16), "Unauthenticated");
	assert_string_equal(metrics_grpc_code(17), "Unknown");
	assert_string_equal(metrics_grpc_code(-1), "Unknown");
}

static void *count_a_lot(void *context)
{
	for (int i = 0; i < 2000; i++) {
		char class[16];

		snprintf(class, sizeof(class), "%d", i % 50);
		metrics_add(context, METRIC_EVENTS_SENT, 1);
		metrics_observe(context, METRIC_DELETE_SECONDS, i, class);
	}
	return NULL;
}

static void test_threads(void **state)
{
	_cleanup_metrics_ struct metrics *metrics = metrics_new();
	_cleanup_free_ char *text = NULL;
	pthread_t threads[4];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count_a_lot, metrics), 0);
	for (int i = 0; i < 20; i++) {
		struct thing thing = {metrics, i};

		metrics_gauge(metrics, METRIC_LEADER, read_thing, &thing, "l");
		free(scrape(metrics));
		metrics_forget(metrics, &thing);
	}
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	text = scrape(metrics);
	assert_true(value_of(text, "ordinal_events_sent_total") == 8000);
	assert_non_null(strstr(text, "_count{class=\"49\"} 160\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counter),
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_hostile_labels),
		cmocka_unit_test(test_histogram),
		cmocka_unit_test(test_small_bounds),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_gauges),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_process),
		cmocka_unit_test(test_grpc_codes),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
