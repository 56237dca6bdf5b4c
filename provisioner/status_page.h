/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /status, a page that shows StatefulSets by their ordinals, and /status.json, of which it is made:
 * routes of the HTTP endpoint. The JSON is made at most once a second, and shared by all who ask
 * for it meanwhile; at most two of them exist at a time, whoever reads however slowly.
 */
#ifndef ORDINAL_STATUS_PAGE_H
#define ORDINAL_STATUS_PAGE_H

#include "http_endpoint.h"
#include "manager.h"
#include "status_notes.h"

struct status_page;

#define STATUS_PAGE_NOTES 1024 /* notes that are worth keeping for it */

/* All is borrowed until it is freed. INSTANCE says which provisioner this is. Caller frees, when
 * the endpoint is gone. */
struct status_page *status_page_new(
	struct manager *manager, struct status_notes *notes, const char *instance);
void status_page_free(struct status_page *page);
DEFINE_CLEANUP(struct status_page *, status_page_free);

/* What it serves. Borrowed. */
const struct http_route *status_page_routes(const struct status_page *page, size_t *ret_count);

#endif
