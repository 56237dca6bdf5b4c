/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An API server from a script: each request is answered by the first step that matches it and is
 * not used up, and written down. What no step matches fails, and is written down as well.
 */
#ifndef ORDINAL_TESTS_FAKE_API_H
#define ORDINAL_TESTS_FAKE_API_H

#include <pthread.h>

#include "rest_client.h"

struct api_step {
	const char *match;    /* "METHOD path", whole, or up to a * at its end */
	enum error_kind kind; /* the failure, or ERROR_NONE for an answer */
	const char *text;     /* of the failure; or the answer's JSON, with ' for " */
	bool repeat;          /* not used up */
};

#define FAKE_API_MAX 64

struct fake_api {
	pthread_mutex_t lock; /* guards all below */
	const struct api_step *steps;
	size_t step_count;
	bool used[FAKE_API_MAX];
	char *seen[FAKE_API_MAX]; /* "METHOD path body", further ones are only counted */
	size_t seen_count;
	char *last;   /* as in seen, of the last of all */
	bool holding; /* no request is answered until this ends */
	pthread_cond_t released;
};

/* STEPS, of which there are at most FAKE_API_MAX, must outlive it. */
void fake_api_init(struct fake_api *fake, const struct api_step *steps, size_t count);
void fake_api_done(struct fake_api *fake);

struct kube_api fake_api_table(struct fake_api *fake);

/* What request INDEX was, or "" where there were fewer. Borrowed. Not while requests are made. */
const char *fake_api_seen(struct fake_api *fake, size_t index);

/* How many requests were made so far. Any thread may ask. */
size_t fake_api_count(struct fake_api *fake);

/* Make all requests wait, or let them go on. */
void fake_api_hold(struct fake_api *fake, bool hold);

#endif
