/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `ordinal-csi --probe`: asks the driver that serves a socket whether it is ready, for kubelet's
 * liveness probe.
 */
#ifndef ORDINAL_PROBE_H
#define ORDINAL_PROBE_H

#include "error.h"

/* Ask the driver that serves the socket at PATH. ERROR_UNAVAILABLE when nobody does or it is not
 * ready, ERROR_TIMEOUT when there is no answer within 3 s. */
int probe_driver(const char *path, struct error *err);

#endif
