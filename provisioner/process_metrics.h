/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process_* metrics that every Prometheus client has, and ours of the build, from /proc.
 */
#ifndef ORDINAL_PROCESS_METRICS_H
#define ORDINAL_PROCESS_METRICS_H

#include "metrics.h"

/* Have them read at each scrape of METRICS. */
void process_metrics_register(struct metrics *metrics);

#endif
