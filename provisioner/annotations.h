/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The annotations of one claim. The caches do without them, for the memory: they are read from the
 * API server when the first one is asked for.
 */
#ifndef ORDINAL_ANNOTATIONS_H
#define ORDINAL_ANNOTATIONS_H

#include "rest_client.h"
#include "objects.h"

struct annotations {
	const struct kube_api *api;
	const struct claim *claim;
	struct json_object *json; /* the claim; NULL: not read yet */
};

/* API and CLAIM are borrowed until annotations_done(). For one thread. */
void annotations_init(
	struct annotations *annotations, const struct kube_api *api, const struct claim *claim);
void annotations_done(struct annotations *annotations);

/* The value of KEY, borrowed from ANNOTATIONS, or NULL where there is none.
 * ERROR_FAILED_PRECONDITION where the claim is gone. */
int annotations_get(struct annotations *annotations, const char *key, const char **ret_value,
	struct error *err);

#endif
