/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /status.json: what status_sets collected, as JSON. Every text is one that a browser, too, may be
 * given: UTF-8, with <, > and & escaped. provisioner/README.md has its members.
 */
#ifndef ORDINAL_STATUS_JSON_H
#define ORDINAL_STATUS_JSON_H

#include "status_sets.h"

/* Beside the sets. Borrowed. */
struct status_facts {
	const struct controller *controller;
	struct status_notes *notes; /* or NULL */
	const char *instance;       /* which provisioner this is */
	bool synced, working;
	int64_t now;     /* in seconds since 1970 */
	size_t size_max; /* bytes, after which claims and volumes are left out, and it says so */
};

/* Write it to OUT, a buffer in memory. */
void status_json_write(const struct status_sets *sets, const struct status_facts *facts, FILE *out);

#endif
