/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ordinal's own pods: where they are looked for, and what runs in them. They are known by their
 * command, not by labels, which everybody chooses.
 */
#ifndef ORDINAL_KUBECTL_WORKLOADS_H
#define ORDINAL_KUBECTL_WORKLOADS_H

#include "rest_client.h"

#define WORKLOADS_PROVISIONER "ordinal-provisioner"
#define WORKLOADS_DRIVER      "ordinal-csi"

/* All of PLURAL of PREFIX ("/api/v1") in NAMESPACE; NULL: in those that deploy/ uses. Caller puts.
 */
int workloads_list(const struct kube_api *api, const char *namespace, const char *prefix,
	const char *plural, struct json_object **ret_items, struct error *err);

/* "namespace NAMESPACE", or those of deploy/, for messages. Caller frees. */
char *workloads_where(const char *namespace);

/* The container of POD that runs PROGRAM, or NULL. Borrowed. */
struct json_object *workloads_container(struct json_object *pod, const char *program);

/* Whether one runs in it. */
bool workloads_is_ours(struct json_object *pod);

/* The value of --FLAG of CONTAINER, which may be NULL: "" for a bare one, NULL where it is not
 * given. Borrowed. */
const char *workloads_flag(struct json_object *container, const char *flag);

/* The name of the driver that runs in POD, or NULL. */
const char *workloads_driver(struct json_object *pod);

/* Whether the provisioner in POD is one of several, of which one leads. */
bool workloads_elects(struct json_object *pod);

#endif
