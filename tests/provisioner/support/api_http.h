/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 on one connection of the tests' API server: requests in, answers and chunks out. A
 * connection belongs to one thread.
 */
#ifndef ORDINAL_TESTS_API_HTTP_H
#define ORDINAL_TESTS_API_HTTP_H

#include "api_server.h"

#define API_HTTP_MAX ((size_t)4 * 1024 * 1024)

struct api_http {
	int fd;
	char *buffer; /* the request, with a NUL behind its head and its body */
	size_t size, used;
	size_t taken; /* of it, by the request before */
	char *method, *path, *query, *body;
	char authorization[512], content_type[128], token[128];
};

void api_http_done(struct api_http *http);

/* Read the next request; whether one came. */
bool api_http_read(struct api_http *http);

/* The value of KEY in the query, decoded, "" where it is not there. Caller frees. */
char *api_http_parameter(const struct api_http *http, const char *key);

/* Send an answer; whether all of it went. FAULT is what is to be wrong with it, if anything. */
bool api_http_answer(
	struct api_http *http, const struct api_answer *answer, enum api_fault_kind fault);

/* The head of a stream, its pieces, and its end. */
bool api_http_begin(struct api_http *http);
bool api_http_chunk(struct api_http *http, const char *bytes, size_t length);
bool api_http_end(struct api_http *http);

/* The beginning of a chunk: only the first half of its bytes. */
bool api_http_half(struct api_http *http, const char *bytes, size_t length);

/* Whether the client is still there. */
bool api_http_is_open(const struct api_http *http);

#endif
