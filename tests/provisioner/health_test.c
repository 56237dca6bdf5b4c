/* SPDX-License-Identifier: Apache-2.0 */
#include "health.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lease.h"
#include "http_talk.h"
#include "testing.h"
#include "world.h"

/* A driver whose probe a test answers, or holds. */
struct prober {
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t changed;
	bool sick, holding, hangs;
};

static int probe(void *self, struct error *err)
{
	struct prober *prober = self;
	bool sick;

	pthread_mutex_lock(&prober->lock);
	prober->hangs = prober->holding;
	while (prober->holding)
		pthread_cond_wait(&prober->changed, &prober->lock);
	prober->hangs = false;
	sick = prober->sick;
	pthread_mutex_unlock(&prober->lock);
	return sick ? error_set(err, ERROR_UNAVAILABLE, "no back end") : 0;
}

static void set_prober(struct prober *prober, bool sick, bool holding)
{
	pthread_mutex_lock(&prober->lock);
	prober->sick = sick;
	prober->holding = holding;
	pthread_cond_broadcast(&prober->changed);
	pthread_mutex_unlock(&prober->lock);
}

struct fixture {
	struct prober prober;
	struct kube_config config;
	struct rest_client *client;
	struct metrics *metrics;
	struct options options;
	struct csi_driver driver;
	struct manager *manager;
	struct health *health;
	const char *page, *wanted;
};

/* A manager that is not started: nothing was listed. */
static void begin(struct fixture *fixture)
{
	struct error err = {0};

	*fixture = (struct fixture){.options = {.workers = 1,
					    .retry_interval_start_ms = 1,
					    .retry_interval_max_ms = 1,
					    .volume_name_prefix = "pvc"}};
	pthread_mutex_init(&fixture->prober.lock, NULL);
	pthread_cond_init(&fixture->prober.changed, NULL);
	fixture->config.server = (char *)"http://127.0.0.1:1";
	fixture->client = rest_client_new(&fixture->config);
	fixture->metrics = metrics_new();
	fixture->driver = (struct csi_driver){
		.probe = probe, .self = &fixture->prober, .info = {.name = "d.example.com"}};
	fixture->manager = manager_new(fixture->client, &fixture->driver,
		&(struct manager_options){.options = &fixture->options,
			.component = "tester",
			.holder = "tester",
			.namespace = "ns",
			.journal = "journal",
			.metrics = fixture->metrics});
	if (health_new(fixture->manager, &fixture->driver,
		    &(struct health_options){.address = "127.0.0.1:0", .metrics = fixture->metrics},
		    &fixture->health, &err) < 0)
		fail_msg("%s", err.text);
}

static void end(struct fixture *fixture)
{
	health_free(fixture->health);
	manager_free(fixture->manager);
	metrics_free(fixture->metrics);
	rest_client_free(fixture->client);
	pthread_cond_destroy(&fixture->prober.changed);
	pthread_mutex_destroy(&fixture->prober.lock);
}

/* The whole answer to a GET of PAGE. Caller frees. */
static char *get(struct fixture *fixture, const char *page)
{
	char line[64];

	snprintf(line, sizeof(line), "GET %s", page);
	return http_talk(health_port(fixture->health), line, "Connection: close\r\n");
}

static bool says(void *context)
{
	struct fixture *fixture = context;
	_cleanup_free_ char *answer = get(fixture, fixture->page);

	return strstr(answer, fixture->wanted) != NULL;
}

static bool comes_to_say(struct fixture *fixture, const char *page, const char *wanted)
{
	fixture->page = page;
	fixture->wanted = wanted;
	return wait_until(says, fixture);
}

/* The driver's state is told soon after it changed, both ways. */
static void test_driver(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	assert_true(comes_to_say(&fixture, "/healthz", " 200 "));
	set_prober(&fixture.prober, true, false);
	assert_true(comes_to_say(&fixture, "/healthz", "driver: no back end"));
	set_prober(&fixture.prober, false, false);
	assert_true(comes_to_say(&fixture, "/healthz/driver", " 200 "));
	end(&fixture);
}

static bool hangs(void *context)
{
	struct prober *prober = context;
	bool is_so;

	pthread_mutex_lock(&prober->lock);
	is_so = prober->hangs;
	pthread_mutex_unlock(&prober->lock);
	return is_so;
}

/* While a probe hangs all else is served. */
static void test_driver_hangs(void **state)
{
	_cleanup_free_ char *healthy = NULL, *metrics = NULL;
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	assert_true(comes_to_say(&fixture, "/healthz", " 200 "));
	set_prober(&fixture.prober, false, true);
	assert_true(comes_to_say(&fixture, "/healthz", " 200 "));
	assert_true(wait_until(hangs, &fixture.prober));
	healthy = get(&fixture, "/healthz");
	assert_non_null(strstr(healthy, " 200 "));
	metrics = get(&fixture, "/metrics");
	assert_non_null(strstr(metrics, "ordinal_journal_entries 0\n"));
	set_prober(&fixture.prober, false, false);
	end(&fixture);
}

/* What the gauges say of a manager that has not begun, and that it is not ready. */
static void test_not_started(void **state)
{
	static const char *const lines[] = {
		"ordinal_reflector_synced{resource=\"persistentvolumeclaims\"} 0\n",
		"ordinal_store_objects{resource=\"persistentvolumes\"} 0\n",
		"ordinal_reflector_watches_total{resource=\"storageclasses\"} 0\n",
		"ordinal_journal_entries 0\n"};
	_cleanup_free_ char *ready = NULL, *metrics = NULL;
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	ready = get(&fixture, "/readyz");
	assert_non_null(strstr(ready, " 500 "));
	assert_non_null(strstr(ready, "caches: persistentvolumeclaims were not listed yet"));
	metrics = get(&fixture, "/metrics");
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		assert_case(lines[i], strstr(metrics, lines[i]));
	end(&fixture);
}

static void test_address_in_use(void **state)
{
	struct health *second = NULL;
	struct error err = {0};
	struct fixture fixture;
	char address[32];

	(void)state;
	begin(&fixture);
	snprintf(address, sizeof(address), "127.0.0.1:%d", health_port(fixture.health));
	assert_int_equal(
		health_new(fixture.manager, &fixture.driver,
			&(struct health_options){.address = address, .metrics = fixture.metrics},
			&second, &err),
		-1);
	assert_null(second);
	assert_true(err.kind != ERROR_NONE);
	end(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_driver),
		cmocka_unit_test(test_driver_hangs),
		cmocka_unit_test(test_not_started),
		cmocka_unit_test(test_address_in_use),
	};

	signal(SIGPIPE, SIG_IGN);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
