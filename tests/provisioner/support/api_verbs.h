/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kube-apiserver does for each verb: preconditions, conflicts, finalizers, status. The server
 * calls it for requests, and tests directly through kubectl.h.
 */
#ifndef ORDINAL_TESTS_API_VERBS_H
#define ORDINAL_TESTS_API_VERBS_H

#include "api_objects.h"

enum api_verb {
	API_GET,
	API_CREATE,
	API_UPDATE,
	API_PATCH_MERGE,
	API_PATCH_STRATEGIC,
	API_DELETE,
};

struct api_call {
	enum api_verb verb;
	struct api_path path;
	struct json_object *body; /* or NULL; borrowed */
	bool raw; /* spec and status are written together, and namespaces are made */
};

/* Do it. Any thread may call. */
struct api_answer api_verbs_call(struct api_objects *objects, const struct api_call *call);

#endif
