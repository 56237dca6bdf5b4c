/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The archives of deleted volumes, as the provisioners of our drivers tell of them: GET and DELETE
 * of /archives at their HTTP endpoint, reached through the API server's proxy of their pods. Where
 * each node has a provisioner, each knows those of its node.
 */
#ifndef ORDINAL_KUBECTL_ARCHIVES_H
#define ORDINAL_KUBECTL_ARCHIVES_H

#include <stdint.h>

#include "cleanup.h"
#include "rest_client.h"

struct archive {
	const char *id;
	const char *volume, *created, *namespace, *set, *template, *path; /* NULL: not told */
	int64_t ordinal, size;                                            /* -1: not told */
	bool ready;
	const char *pod_namespace, *pod, *node; /* of the provisioner that has it */
	int port;                               /* where that is asked */
};

struct archives {
	struct archive *items; /* oldest first; what they point to is in the sources */
	size_t count, room;
	struct json_object *pods, *leases, *sources;
};

/* Where they are asked for, and with what. */
struct archives_access {
	const struct kube_api *api;
	const char *namespace; /* of the provisioners; NULL: those that deploy/ uses */
	const char *token;     /* for them; NULL: none */
};

/* Fill LIST, which is zeroed, from all provisioners that may have archives. A part of them is no
 * answer: this fails where one that runs does not answer. The caller is done with it in any case.
 */
int archives_fetch(struct archives *list, const struct archives_access *access, struct error *err);
void archives_done(struct archives *list);

/* The one called ID, or NULL with ERROR_NOT_FOUND. Borrowed. */
const struct archive *archives_find(const struct archives *list, const char *id, struct error *err);

/* Delete it, and its data. */
int archives_delete(
	const struct archive *archive, const struct archives_access *access, struct error *err);

/* For tests: add the archives in ANSWER, which is taken, of the provisioner in POD. */
void archives_add(struct archives *list, struct json_object *answer, struct json_object *pod);

#endif
