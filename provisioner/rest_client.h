/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to the Kubernetes API server: authentication, TLS, and answers as JSON or as errors in
 * the server's own words. Connections are kept and used again.
 */
#ifndef ORDINAL_REST_CLIENT_H
#define ORDINAL_REST_CLIENT_H

#include <curl/curl.h>
#include <json-c/json.h>

#include "json_reader.h"
#include "kube_config.h"

struct rest_client;

struct rest_request {
	const char *method;       /* "GET", "POST", "PATCH", "DELETE" */
	const char *path;         /* from the server's root, with its query */
	const char *content_type; /* of BODY; NULL: application/json */
	struct json_object *body; /* or NULL; borrowed */
	bool low_priority;        /* waits while others want to start */
	int timeout_ms;           /* of the whole call; 0: the usual 30 s for each attempt */
};

/* How the controllers reach the API server: a table, so that tests can answer in its place. */
struct kube_api {
	/* On success *RET_BODY, if RET_BODY is not NULL, is the caller's. On failure *ERR has the
	 * kind of the HTTP status; ERROR_UNAVAILABLE or ERROR_TIMEOUT where no answer came, so that
	 * what was asked for may have happened or not. ERROR_NOT_FOUND is only what the API server
	 * itself said of an object. Any thread may call. */
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

/* What comes back to one transfer. Used directly only by the reflector, which runs its transfers
 * together in one thread. */
struct rest_response {
	struct json_reader reader;
	struct json_object *json; /* the whole body, once it is there */
	bool ended;               /* no more is read: the body is there, or is not JSON */
	size_t bytes, max_bytes;
	char detail[CURL_ERROR_SIZE];
};

void rest_response_init(struct rest_response *response, size_t max_bytes);
void rest_response_done(struct rest_response *response);

/* Take in LENGTH bytes of the body; what is not JSON is ignored. -1 beyond max_bytes. */
int rest_response_feed(struct rest_response *response, const char *bytes, size_t length);

/* Set HANDLE up for a GET of PATH, with its body going to RESPONSE. */
int rest_client_prepare(struct rest_client *client, CURL *handle, const char *path,
	struct rest_response *response, struct error *err);

/* 0 if the transfer that ended with CODE was answered with success, else its error. A 401 makes
 * the client read its token again. */
int rest_client_result(struct rest_client *client, CURL *handle, CURLcode code,
	const struct rest_response *response, struct error *err);

#endif
