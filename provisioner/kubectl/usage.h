/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much of each claim's volume is used, as kubelet measured it: its stats summary, reached
 * through the API server's proxy of the node.
 */
#ifndef ORDINAL_KUBECTL_USAGE_H
#define ORDINAL_KUBECTL_USAGE_H

#include <stdint.h>

#include "cleanup.h"
#include "rest_client.h"

struct usage;

/* Caller frees. */
struct usage *usage_new(void);
void usage_free(struct usage *usage);
DEFINE_CLEANUP(struct usage *, usage_free);

/* Add what SUMMARY, any JSON, says of claims' volumes. */
void usage_add(struct usage *usage, struct json_object *summary);

/* Ask kubelet of NODE, and add what it says. */
int usage_ask(struct usage *usage, const struct kube_api *api, const char *node, struct error *err);

/* Bytes of the claim's volume that are used; -1: not known. */
int64_t usage_of(const struct usage *usage, const char *namespace, const char *claim);

#endif
