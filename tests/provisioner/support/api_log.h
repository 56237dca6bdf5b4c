/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The requests that the tests' API server got, in their order. Any thread may call.
 */
#ifndef ORDINAL_TESTS_API_LOG_H
#define ORDINAL_TESTS_API_LOG_H

#include "api_server.h"

struct api_log_entry {
	char *line;         /* "METHOD path?query" */
	const char *plural; /* of the resource, or "" */
	char method[16];    /* "WATCH" for watches */
	int code;           /* of the answer; 0: none yet */
};

struct api_log {
	pthread_mutex_t lock; /* guards all below */
	struct api_log_entry *entries;
	size_t count, room;
	struct lh_table *paths; /* "METHOD path" -> how often it came */
};

void api_log_init(struct api_log *log);
void api_log_done(struct api_log *log);

/* Write the request down, and number it. Its plural must be constant. */
void api_log_add(struct api_log *log, struct api_request *request);

/* Request SEQUENCE was answered with CODE. */
void api_log_answered(struct api_log *log, size_t sequence, int code);

/* As api_server.h says. */
size_t api_log_count(struct api_log *log, const char *method, const char *plural);
char *api_log_line(struct api_log *log, size_t index, int *ret_code);
char *api_log_text(struct api_log *log);

#endif
