/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver whose calls are counted and timed, under the names that csi-lib-utils gave these
 * figures.
 */
#ifndef ORDINAL_MEASURED_DRIVER_H
#define ORDINAL_MEASURED_DRIVER_H

#include "csi_client.h"
#include "metrics.h"

struct measured_driver {
	struct csi_driver driver;
	struct metrics *metrics;
};

/* The table of MEASURED, which, with what it holds, must outlive it. */
struct csi_driver measured_driver_table(struct measured_driver *measured);

#endif
