/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP endpoint for operators: metrics, health checks, and whatever pages are added to its
 * routes. GET and HEAD only, unless a route says otherwise, one request a connection, few
 * connections, and little time for each: anybody on the network may come. All requests are answered
 * by one thread, one after the other; those of slow routes, of which few may wait, by another one.
 */
#ifndef ORDINAL_HTTP_ENDPOINT_H
#define ORDINAL_HTTP_ENDPOINT_H

#include <stdbool.h>

#include "cleanup.h"
#include "error.h"
#include "metrics.h"

struct http_endpoint;

/* What a handler answers. */
struct http_reply {
	FILE *body;
	unsigned status;          /* 200, unless it is set */
	const char *content_type; /* static memory; text/plain, unless it is set */
	/* More headers: name, value, name, ... NULL. Borrowed for the endpoint's life. */
	const char *const *headers;
	/* In place of BODY, where it is set: borrowed until RELEASE was called. That happens on the
	 * endpoint's thread, or while the endpoint is freed. */
	const char *shared;
	size_t shared_size;
	void (*release)(void *release_context);
	void *release_context;
};

/* What is asked for; borrowed for the call. */
struct http_request;

/* The value of "?KEY=value", "" for a mere "?KEY", NULL where there is none. Borrowed. */
const char *http_endpoint_query(const struct http_request *request, const char *key);

/* The header NAME, in whatever case, or NULL. Borrowed. */
const char *http_endpoint_header(const struct http_request *request, const char *name);

/* Whether its method is DELETE. */
bool http_endpoint_deletes(const struct http_request *request);

/* A page. The handler is called on the endpoint's thread and must not wait for anything; that of a
 * slow page is called on another thread, may wait, and shares no memory in its reply. The endpoint
 * ends no sooner than it. */
struct http_route {
	const char *path; /* "/name", the whole of it */
	void (*handler)(
		void *context, const struct http_request *request, struct http_reply *reply);
	void *context;
	bool slow;
	bool deletes; /* DELETE is let through, too, without a body */
};

/* One thing that has to be so. Asked on the endpoint's thread: it must not wait for anything. 0,
 * or -1 with the reason. */
struct health_check {
	const char *name;
	int (*check)(void *context, struct error *err);
	void *context;
};

/* All is borrowed for the endpoint's life. */
struct http_endpoint_options {
	const char *address;      /* "HOST:PORT", "[IPv6]:PORT", or ":PORT" for all addresses */
	struct metrics *metrics;  /* or NULL */
	const char *metrics_path; /* NULL: /metrics */
	/* Served below /healthz and below /readyz: all of them there, and each at /healthz/NAME.
	 * 200 if they are so, else 500 with "NAME: reason" a line; ?verbose lists all. */
	const struct health_check *live, *ready;
	size_t live_count, ready_count;
	const struct http_route *routes;
	size_t route_count;
	int timeout_ms; /* for a whole connection; 0: 10 s */
};

/* Listen and serve, from a thread of its own, until it is freed. ERROR_INVALID for an address that
 * is none, else the errno's kind. Caller frees. */
int http_endpoint_new(const struct http_endpoint_options *options,
	struct http_endpoint **ret_endpoint, struct error *err);
void http_endpoint_free(struct http_endpoint *endpoint);
DEFINE_CLEANUP(struct http_endpoint *, http_endpoint_free);

/* The port that it listens on. */
int http_endpoint_port(const struct http_endpoint *endpoint);

#endif
