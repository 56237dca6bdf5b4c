/* SPDX-License-Identifier: Apache-2.0 */
#include "health.h"

#include <pthread.h>

struct health {
	struct csi_driver driver;
	struct health_check live[4], ready[1];
	struct http_endpoint *endpoint;
	pthread_t prober;
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t changed;
	bool asked, stopped;
	struct error answer; /* of the last probe; without a kind while all is well */
};

/* A probe may take seconds, and the endpoint must not wait: whoever asks is told of the probe that
 * was made when it was last asked, and has the next one made. */
static int check_driver(void *context, struct error *err)
{
	struct health *health = context;
	struct error answer;

	pthread_mutex_lock(&health->lock);
	answer = health->answer;
	health->asked = true;
	pthread_cond_signal(&health->changed);
	pthread_mutex_unlock(&health->lock);
	if (!answer.kind)
		return 0;
	*err = answer;
	return -1;
}

static void *probe(void *context)
{
	struct health *health = context;

	pthread_mutex_lock(&health->lock);
	while (!health->stopped) {
		struct error answer = {0};

		if (!health->asked) {
			pthread_cond_wait(&health->changed, &health->lock);
			continue;
		}
		health->asked = false;
		pthread_mutex_unlock(&health->lock);
		if (health->driver.probe(health->driver.self, &answer) == 0)
			answer = (struct error){0};
		pthread_mutex_lock(&health->lock);
		health->answer = answer;
	}
	pthread_mutex_unlock(&health->lock);
	return NULL;
}

static void start_prober(struct health *health)
{
	pthread_mutex_init(&health->lock, NULL);
	pthread_cond_init(&health->changed, NULL);
	health->asked = true;
	if (pthread_create(&health->prober, NULL, probe, health))
		abort();
}

static void stop_prober(struct health *health)
{
	pthread_mutex_lock(&health->lock);
	health->stopped = true;
	pthread_cond_signal(&health->changed);
	pthread_mutex_unlock(&health->lock);
	pthread_join(health->prober, NULL);
	pthread_cond_destroy(&health->changed);
	pthread_mutex_destroy(&health->lock);
}

int health_new(struct manager *manager, const struct csi_driver *driver,
	const struct health_options *where, struct health **ret_health, struct error *err)
{
	_cleanup_free_ struct health *health = calloc(1, sizeof(*health));
	struct http_endpoint_options options = {.address = where->address,
		.metrics = where->metrics,
		.metrics_path = where->metrics_path,
		.routes = where->routes,
		.route_count = where->route_count};

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
	start_prober(health);
	if (http_endpoint_new(&options, &health->endpoint, err) < 0) {
		stop_prober(health);
		return -1;
	}
	*ret_health = take_ptr(health);
	return 0;
}

int health_port(const struct health *health)
{
	return http_endpoint_port(health->endpoint);
}

void health_free(struct health *health)
{
	http_endpoint_free(health->endpoint);
	stop_prober(health);
	free(health);
}
