/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An API server on 127.0.0.1 that keeps what kube-apiserver promises, and fails wherever a test
 * wants. Objects are kept in struct api_objects, apart from it: it may be stopped and started.
 */
#ifndef ORDINAL_TESTS_API_SERVER_H
#define ORDINAL_TESTS_API_SERVER_H

#include "api_objects.h"

enum api_fault_kind {
	API_FAULT_NONE,
	/* Answers: of these, what was asked for was not done; where they come after it was
	 * applied, it was. */
	API_FAULT_TOO_MANY, /* 429; value: Retry-After in seconds, 0: not said */
	API_FAULT_ERROR,    /* value: 500, 502 (a proxy's page), 503, 504 or any other status */
	API_FAULT_CONFLICT, /* 409 */
	API_FAULT_UNAUTHORIZED,
	API_FAULT_PROXY_404,  /* 404 without a Status */
	API_FAULT_EXPIRED,    /* 410; for an event: the ERROR event that says so */
	API_FAULT_CUT,        /* the connection ends without an answer; for an event: before it */
	API_FAULT_CUT_INSIDE, /* the connection ends in the middle of the answer, or the event */
	API_FAULT_GARBAGE,    /* an answer, or a line, that is no JSON */
	API_FAULT_TRUNCATED,  /* half the JSON, in an answer that is whole to HTTP */
	/* Then it goes on: */
	API_FAULT_STALL, /* value: milliseconds; 0: until api_server_release() */
	/* For events only: */
	API_FAULT_DUPLICATE, /* it comes twice */
	API_FAULT_SWAP,      /* the next one, if it is there and of another object, comes first */
	API_FAULT_END,       /* the watch ends before it as it should */
	API_FAULT_SILENT,    /* no more is sent, and the connection stays */
};

struct api_fault {
	enum api_fault_kind kind;
	int value;
};

/* A request, as those see it who decide about faults. All is borrowed until they return. */
struct api_request {
	size_t sequence;    /* from 0, over all of this server's requests */
	size_t nth;         /* how many of the same method and path came before */
	const char *method; /* "GET" */
	const char *path;   /* without the query */
	const char *query;  /* "" if none */
	const char *body;   /* "" if none */
	const char *plural; /* of the resource, or "" */
	bool watch;
	size_t event;       /* of a watch: which event is about to be sent, from 1; else 0 */
	const char *change; /* "ADDED" and so on, for an event */
	const char *token;  /* what X-Ordinal-Token says, "" if it is not there */
};

struct api_server_options {
	/* Asked before each request is applied, and after that, before it is answered; for watches
	 * before they begin, and before each event with APPLIED. May be NULL. No lock is held: it
	 * may take its time, and it may kill whoever asked. Runs on the connection's thread. */
	struct api_fault (*decide)(void *context, const struct api_request *request, bool applied);
	/* What is behind the server's proxy, of nodes and pods, and what tokenreviews and
	 * subjectaccessreviews are answered with; NULL: nothing. With the same context, on the
	 * connection's thread. */
	struct api_answer (*proxy)(void *context, const struct api_request *request);
	void *context;
	int bookmark_ms;       /* how long a watch waits with news in a bookmark; 0: 100 */
	bool expired_as_event; /* a watch of an expired version: 200 and an ERROR event, not 410 */
};

struct api_server;

/* OBJECTS must outlive it. OPTIONS may be NULL. Caller stops. */
struct api_server *api_server_start(
	struct api_objects *objects, const struct api_server_options *options);
void api_server_stop(struct api_server *server);
DEFINE_CLEANUP(struct api_server *, api_server_stop);

/* "http://127.0.0.1:port". Borrowed. */
const char *api_server_url(const struct api_server *server);

/* Write a kubeconfig for this server to FOLDER/NAME, whose path is returned. Caller frees. */
char *api_server_kubeconfig(const struct api_server *server, const char *folder, const char *name);

/* Refuse connections and end those that are there; or accept them again, at the same port. */
void api_server_pause(struct api_server *server, bool pause);

/* Let all that stall go on. */
void api_server_release(struct api_server *server);

/* From now on requests need this bearer token, else 401; NULL: none. */
void api_server_set_token(struct api_server *server, const char *token);

/* How many requests came: of METHOD ("WATCH" for watches; NULL: any) for the resource PLURAL (NULL:
 * any). */
size_t api_server_count(struct api_server *server, const char *method, const char *plural);

/* Request INDEX as "METHOD path?query", "" where it has not come; the HTTP status that it was
 * answered with, 0 where it was not (yet). Caller frees. */
char *api_server_seen(struct api_server *server, size_t index, int *ret_code);

/* All of them, a line each, as "METHOD path?query STATUS". Caller frees. */
char *api_server_log(struct api_server *server);

/* Whether there is a watch of the resource PLURAL on which all was sent that there is to send. */
bool api_server_caught_up(struct api_server *server, const char *plural);

size_t api_server_connections(struct api_server *server);

#endif
