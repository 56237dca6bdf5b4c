/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One watch of the tests' API server: changes as lines of JSON, with all that can go wrong on the
 * way. Runs on the connection's thread.
 */
#ifndef ORDINAL_TESTS_API_WATCH_H
#define ORDINAL_TESTS_API_WATCH_H

#include "api_http.h"

/* What the watch needs of the server that it runs in. */
struct api_watch_host {
	struct api_objects *objects;
	const struct api_server_options *options;
	bool (*is_stopping)(void *server);
	void (*stall)(void *server, int ms);
	void *server;
	/* All up to VERSION was sent on this connection. */
	void (*progress)(void *connection, const struct api_resource *resource, uint64_t version);
	void *connection;
};

/* Serve the watch that was asked for; whether the connection is kept. The HTTP status goes to
 * *RET_CODE as soon as it is known. REQUEST changes on the way. */
bool api_watch_serve(const struct api_watch_host *host, struct api_http *http,
	const struct api_selector *selector, struct api_request *request, int *ret_code);

#endif
