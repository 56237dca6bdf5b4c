/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to the Kubernetes API server: authentication, TLS, and answers as JSON or as errors in
 * the server's own words. Connections are kept and used again. How many requests are under way at
 * once follows what the server can take (limiter.h).
 */
#ifndef ORDINAL_REST_CLIENT_H
#define ORDINAL_REST_CLIENT_H

#include <curl/curl.h>
#include <json-c/json.h>

#include "json_reader.h"
#include "kube_config.h"
#include "limiter.h"

struct rest_client;

struct rest_request {
	const char *method;       /* "GET", "POST", "PATCH", "DELETE" */
	const char *path;         /* from the server's root, with its query */
	const char *content_type; /* of BODY; NULL: application/json */
	struct json_object *body; /* or NULL; borrowed */
	bool low_priority;        /* waits while others want to start */
	int timeout_ms;           /* of the whole call; 0: the usual 30 s for each attempt */
	const char *header;       /* one more, "Name: value"; NULL: none */
	bool metadata_only;       /* the metadata of the object will do as the answer to BODY */
};

/* How the controllers reach the API server: a table, so that tests can answer in its place. */
struct kube_api {
	/* On success *RET_BODY, if RET_BODY is not NULL, is the caller's; NULL where the answer has
	 * none (204). On failure *ERR has the
	 * kind of the HTTP status; ERROR_UNAVAILABLE or ERROR_TIMEOUT where no answer came, so that
	 * what was asked for may have happened or not; ERROR_TOO_MANY_REQUESTS where the server did
	 * not want it, also when asked again. ERROR_NOT_FOUND is only what the API server itself
	 * said of an object. Any thread may call. */
	int (*call)(void *self, const struct rest_request *request, struct json_object **ret_body,
		struct error *err);
	void *self;
};

/* CONFIG must outlive the client. curl_global_init() has been called. Caller frees. */
struct rest_client *rest_client_new(const struct kube_config *config);

/* No request may be under way. */
void rest_client_free(struct rest_client *client);
DEFINE_CLEANUP(struct rest_client *, rest_client_free);

/* The table for CLIENT, which must outlive it. */
struct kube_api rest_client_api(struct rest_client *client);

/* Told of each request of the table, and of each list: METHOD, the HTTP STATUS (0: no answer came)
 * and how long it took. On the thread that made it. Before the first request; FN may be NULL. */
typedef void rest_client_observer(void *context, const char *method, int status, double seconds);
void rest_client_observe(struct rest_client *client, rest_client_observer *fn, void *context);

/* What the limit on requests under way is. Any thread may ask. */
struct limiter_state rest_client_limits(struct rest_client *client);

/* Close connections that were not used for IDLE_MS. Called now and then, by any thread. */
void rest_client_trim(struct rest_client *client, int64_t idle_ms);

/* What comes back to one transfer. Used directly only by the reflector, which runs its transfers
 * together in one thread. */
struct rest_response {
	struct json_reader reader;
	struct json_object *json; /* the whole body, once it is there */
	bool ended;               /* no more is read: the body is there, or is not JSON */
	size_t bytes, max_bytes;
	const char *method;    /* for the observer; NULL: it is not told */
	unsigned credentials;  /* which of them it was sent with */
	long status;           /* once it ended; 0: no answer */
	int64_t retry_after_s; /* what the server then asked for, 0 to 60 */
	char detail[CURL_ERROR_SIZE];
};

void rest_response_init(struct rest_response *response, size_t max_bytes);
void rest_response_done(struct rest_response *response);

/* Take in LENGTH bytes of the body; what is not JSON is ignored. -1 beyond max_bytes. */
int rest_response_feed(struct rest_response *response, const char *bytes, size_t length);

/* Set HANDLE up for a GET of PATH, with its body going to RESPONSE. */
int rest_client_prepare(struct rest_client *client, CURL *handle, const char *path,
	struct rest_response *response, struct error *err);

/* 0 if the transfer that ended with CODE was answered with success, else its error. Fills in
 * RESPONSE's status and what follows. A 401 makes the client get its credentials anew. */
int rest_client_result(struct rest_client *client, CURL *handle, CURLcode code,
	struct rest_response *response, struct error *err);

#endif
