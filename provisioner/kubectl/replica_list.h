/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which replicas StatefulSets have, with the pod, claim and volume of each: those that a set asks
 * for, and those of which only data are left. No I/O but what ordinals_resolve() asks.
 */
#ifndef ORDINAL_KUBECTL_REPLICA_LIST_H
#define ORDINAL_KUBECTL_REPLICA_LIST_H

#include <json-c/json.h>

#include "cleanup.h"
#include "ordinals.h"

enum replica_state {
	REPLICA_READY,       /* its pod is ready, on its volume */
	REPLICA_NOT_READY,   /* it has a volume, and its pod is not ready */
	REPLICA_NO_POD,      /* the same without a pod */
	REPLICA_KEPT,        /* the set has fewer replicas now, or is gone; its claim is bound */
	REPLICA_RELEASED,    /* there is no claim any more, but a PersistentVolume with its data */
	REPLICA_MISSING,     /* there should be a claim, and is none */
	REPLICA_PENDING,     /* the claim waits for a volume */
	REPLICA_LOST,        /* the claim's volume is gone */
	REPLICA_TERMINATING, /* the claim is being deleted */
};

struct replica {
	const char *namespace, *set, *template; /* borrowed, as is the JSON */
	int64_t ordinal;
	char *claim_name;
	const char *pod_name;                     /* NULL: there is none */
	struct json_object *pod, *claim, *volume; /* NULL: there is none */
	enum replica_state state;
};

struct replica_list {
	struct replica *items; /* by namespace, set, template and ordinal */
	size_t count, room;
};

/* Arrays of what the API server has, any JSON; they must outlive the list. */
struct replica_sources {
	struct json_object *sets, *pods, *claims, *volumes;
};

/* ORDINALS tells whose the claims are that no set asks for by name. Fails only if it does. *LIST
 * is zeroed. The caller is done with it in any case. */
int replica_list_fill(struct replica_list *list, const struct replica_sources *sources,
	struct ordinals *ordinals, struct error *err);
void replica_list_done(struct replica_list *list);

/* "Ready", "NoPod" and so on. Static memory. */
const char *replica_list_state(enum replica_state state);

#endif
