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

/* Serve on ADDRESS. All but the strings is borrowed until health_free(). Fails where the address
 * cannot be listened on. Caller frees. */
int health_new(struct manager *manager, const struct csi_driver *driver, struct metrics *metrics,
	const char *address, const char *metrics_path, struct health **ret_health,
	struct error *err);
/* The port that it is served on. */
int health_port(const struct health *health);

void health_free(struct health *health);
DEFINE_CLEANUP(struct health *, health_free);

#endif
