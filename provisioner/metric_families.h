/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of all metrics: what they are called, what they mean, and their labels. For metrics.c.
 */
#ifndef ORDINAL_METRIC_FAMILIES_H
#define ORDINAL_METRIC_FAMILIES_H

#include "metrics.h"

#define METRIC_LABELS_MAX  3
#define METRIC_BUCKETS_MAX 13

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric_buckets {
	size_t count;
	double bounds[METRIC_BUCKETS_MAX];
};

struct metric_family {
	const char *name, *help;
	enum metric_type type;
	const char *labels[METRIC_LABELS_MAX];
	const struct metric_buckets *buckets; /* of a histogram, else NULL */
};

extern const struct metric_family metric_families[METRIC_COUNT];

#endif
