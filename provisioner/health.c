/* SPDX-License-Identifier: Apache-2.0 */
#include "health.h"

#include <time.h>

#define PROBE_AGE_MS 5000 /* how old an answer of the driver may be */

struct health {
	struct csi_driver driver;
	int64_t probed_ms; /* all touched by the endpoint's thread alone; 0: not yet */
	int probe_result;
	struct error probe_error;
	struct health_check live[4], ready[1];
	struct http_endpoint *endpoint;
};

static int64_t monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int check_driver(void *context, struct error *err)
{
	struct health *health = context;
	int64_t now = monotonic_ms();

	/* A driver that hangs holds the endpoint up for seconds: not with each request. */
	if (!health->probed_ms || now - health->probed_ms > PROBE_AGE_MS) {
		health->probe_result =
			health->driver.probe(health->driver.self, &health->probe_error);
		health->probed_ms = monotonic_ms();
	}
	if (health->probe_result < 0)
		*err = health->probe_error;
	return health->probe_result;
}

int health_new(struct manager *manager, const struct csi_driver *driver, struct metrics *metrics,
	const char *address, const char *metrics_path, struct health **ret_health,
	struct error *err)
{
	_cleanup_free_ struct health *health = calloc(1, sizeof(*health));
	struct http_endpoint_options options = {
		.address = address, .metrics = metrics, .metrics_path = metrics_path};

	if (!health)
		abort();
	health->driver = *driver;
	health->live[0] = (struct health_check){"loops", manager_check_loops, manager};
	health->live[1] = (struct health_check){"watches", manager_check_watches, manager};
	health->live[2] = (struct health_check){"driver", check_driver, health};
	health->live[3] = (struct health_check){"leader-election", manager_check_lease, manager};
	health->ready[0] = (struct health_check){"caches", manager_check_synced, manager};
	options.live = health->live;
	options.live_count = ARRAY_SIZE(health->live);
	options.ready = health->ready;
	options.ready_count = ARRAY_SIZE(health->ready);
	if (http_endpoint_new(&options, &health->endpoint, err) < 0)
		return -1;
	*ret_health = take_ptr(health);
	return 0;
}

void health_free(struct health *health)
{
	http_endpoint_free(health->endpoint);
	free(health);
}
