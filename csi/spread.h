/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of the several bases that a class names gets a volume. One that is there is never made
 * again elsewhere, and its data are not left behind: only new ones go where the class' list says
 * now, so that the list can grow.
 */
#ifndef ORDINAL_SPREAD_H
#define ORDINAL_SPREAD_H

#include "creation.h"
#include "volumes.h"

/* Choose from LOCATIONS the one for the volume of REQUEST: where it is, whole or half; else where
 * the newest data are that it would take up; else the one that locations_choose() says. CREATION is
 * the request's, still without a base. Where there is but one it is not asked. ERROR_UNAVAILABLE
 * when one that has to be asked cannot be. Any thread may call that holds the volume's name. */
int spread_find(struct volumes *volumes, const struct locations *locations,
	const struct creation *creation, const struct volume_request *request,
	struct location *ret_location, struct error *err);

/* The bytes that are free at every one of LOCATIONS, of which there is at least one. */
int spread_capacity(const struct backend *backend, const struct locations *locations,
	int64_t *ret_bytes, struct error *err);

#endif
