/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the HTTP endpoint answers of this program's health: /healthz with what a restart may mend
 * (a loop that is stuck, a watch that does not come back, a driver that does not answer), /readyz
 * with what it has to have before it can work.
 */
#ifndef ORDINAL_HEALTH_H
#define ORDINAL_HEALTH_H

#include "http_endpoint.h"
#include "manager.h"

struct health;

/* Where it is served, and what is served beside it. All but the strings is borrowed until
 * health_free(). */
struct health_options {
	const char *address, *metrics_path;
	struct metrics *metrics;
	const struct http_route *routes; /* more pages */
	size_t route_count;
};

/* MANAGER and DRIVER are borrowed until health_free(). Fails where the address cannot be listened
 * on. Caller frees. */
int health_new(struct manager *manager, const struct csi_driver *driver,
	const struct health_options *where, struct health **ret_health, struct error *err);
/* The port that it is served on. */
int health_port(const struct health *health);

void health_free(struct health *health);
DEFINE_CLEANUP(struct health *, health_free);

#endif
