/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTP server on loopback that answers by a script: each request by the first step that
 * matches it and is not used up. It speaks just enough HTTP/1.1 to be wrong in every way that a
 * test wants.
 */
#ifndef ORDINAL_TESTS_HTTP_SERVER_H
#define ORDINAL_TESTS_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>

enum http_end {
	HTTP_KEEP,    /* a whole answer with its length; the connection is kept */
	HTTP_CHUNKED, /* a whole answer in chunks; the connection is kept */
	HTTP_CUT,     /* the connection ends in the middle of the chunks */
	HTTP_HOLD,    /* more chunks may come: the connection stays as it is until the end */
	HTTP_ENDLESS, /* the body is repeated for ever */
	HTTP_REFUSE,  /* the connection ends without any answer */
	HTTP_SILENT,  /* no answer, and the connection stays as it is until the end */
};

struct http_step {
	const char *match;   /* is contained in "METHOD path" */
	int status;          /* 0: 200 */
	const char *headers; /* more of them, each with \r\n at its end; or NULL */
	const char *body;    /* ' stands for " */
	enum http_end end;
	size_t piece; /* bytes at a time; 0: all at once */
	bool repeat;
};

struct http_server;

/* STEPS must outlive the server. Caller stops. */
struct http_server *http_server_start(const struct http_step *steps, size_t count);

/* The same on ::1. Aborts where the machine has no such address. */
struct http_server *http_server_start_ipv6(const struct http_step *steps, size_t count);
void http_server_stop(struct http_server *server);

/* "http://127.0.0.1:port" or "http://[::1]:port". Borrowed. */
const char *http_server_url(const struct http_server *server);

/* Wait until COUNT requests came, for at most 20 seconds; whether they did. */
bool http_server_wait(struct http_server *server, size_t count);

/* Request INDEX with all its headers and its body, "" where it has not come. Borrowed. */
const char *http_server_seen(struct http_server *server, size_t index);

size_t http_server_requests(struct http_server *server);
size_t http_server_connections(struct http_server *server);

/* Accept no connections, and end those that are there; or accept them again. */
void http_server_pause(struct http_server *server, bool pause);

#endif
