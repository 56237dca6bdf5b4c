/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /archives, a route of the HTTP endpoint: GET lists what our own driver kept of deleted volumes,
 * DELETE with ?id= deletes one of them, and its data. Who asks comes with a token of the cluster,
 * as X-Ordinal-Token (the API server's proxy takes Authorization for itself) or as a bearer token,
 * and has to be allowed as much for persistentvolumes. Each answer but 204 is JSON; one that is no
 * success says why as {"message": ...}.
 */
#ifndef ORDINAL_ARCHIVES_PAGE_H
#define ORDINAL_ARCHIVES_PAGE_H

#include "csi_client.h"
#include "http_endpoint.h"
#include "lease.h"
#include "lease_guard.h"
#include "rest_client.h"

struct archives_page;

/* What API, DRIVER and LEASE (NULL: nobody else does this work) stand for is borrowed until it is
 * freed. Caller frees, when the endpoint is gone. */
struct archives_page *archives_page_new(
	const struct kube_api *api, const struct csi_driver *driver, const struct lease *lease);
void archives_page_free(struct archives_page *page);
DEFINE_CLEANUP(struct archives_page *, archives_page_free);

/* What it serves. Borrowed. */
const struct http_route *archives_page_route(const struct archives_page *page);

#endif
