/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The figures that are read at each scrape: how caches, watches, journal and lease are.
 */
#ifndef ORDINAL_GAUGES_H
#define ORDINAL_GAUGES_H

#include "controller.h"
#include "lease.h"
#include "metrics.h"
#include "reflector.h"

struct gauges;

/* All but METRICS is borrowed until gauges_free(); LEASE may be NULL, LEASE_NAME is its label. The
 * resources are those that the reflector has now. */
struct gauges *gauges_new(struct metrics *metrics, const struct controller *controller,
	struct reflector *reflector, const struct lease *lease, const char *lease_name);

/* They are read no more after this. Before METRICS goes. */
void gauges_free(struct gauges *gauges);
DEFINE_CLEANUP(struct gauges *, gauges_free);

#endif
