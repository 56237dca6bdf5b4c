/* SPDX-License-Identifier: Apache-2.0 */
#include "health.h"

struct health {
	struct csi_driver driver;
	struct health_check live[4], ready[1];
	struct http_endpoint *endpoint;
};

static int check_driver(void *context, struct error *err)
{
	const struct csi_driver *driver = context;

	return driver->probe(driver->self, err);
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
	health->live[2] = (struct health_check){"driver", check_driver, &health->driver};
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
