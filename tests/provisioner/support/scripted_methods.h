/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scripted driver's inside: what it does for each method, and how it answers by a rule.
 */
#ifndef ORDINAL_TESTS_SCRIPTED_METHODS_H
#define ORDINAL_TESTS_SCRIPTED_METHODS_H

#include <pthread.h>

#include "csi.pb-c.h"
#include "rpc_server.h" /* the driver's own */
#include "scripted_driver.h"
#include "scripted_volumes.h"

/* One call while it is handled. */
struct scripted_call {
	struct scripted_driver *driver;
	const char *method;
	const struct scripted_rule *rule; /* or NULL */
	struct rpc_reply *reply;
	struct error *err;
};

struct scripted_method {
	const char *path;
	const ProtobufCMessageDescriptor *request;
	int (*act)(struct scripted_call *call, const ProtobufCMessage *message);
};

/* Ends with an entry without a path. */
extern const struct scripted_method scripted_methods[];
#define SCRIPTED_METHODS_MAX 12

/* What the server hands on with a call: the method that it is of. */
struct scripted_served {
	struct scripted_driver *driver;
	const struct scripted_method *method;
	struct rpc_method table[2];
	int count; /* of calls; the driver's lock */
};

#define SCRIPTED_RULES_MAX 16

struct scripted_driver {
	struct scripted_options options;
	struct rpc_server *server;
	struct scripted_served served[SCRIPTED_METHODS_MAX];
	struct rpc_service services[SCRIPTED_METHODS_MAX + 1];

	pthread_mutex_t lock; /* guards all below */
	struct scripted_volumes volumes;
	const struct scripted_rule *rules;
	size_t rule_count;
	int seen[SCRIPTED_RULES_MAX]; /* calls that each rule's method had since it was set */
	char *asked;
};

/* Write a line about CALL. */
void scripted_methods_log(
	const struct scripted_call *call, const char *subject, const char *result);

#endif
