/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Consistent lists of a namespace's StatefulSets, shared by all who need one at the same time: at
 * most one is under way for a namespace, and it begins at least 50 ms after the one before.
 */
#ifndef ORDINAL_SET_LISTS_H
#define ORDINAL_SET_LISTS_H

#include "rest_client.h"
#include "store.h"

struct set_lists;
struct set_list;

/* API must outlive it. Caller frees, when all lists were put. */
struct set_lists *set_lists_new(const struct kube_api *api);
void set_lists_free(struct set_lists *lists);

/* A list of NAMESPACE that began after SINCE_NS (CLOCK_MONOTONIC), and not many seconds ago: one
 * that is there, one that others wait for, or a new one. Fails with the error of the list. Any
 * thread may call. Caller puts. */
int set_lists_get(struct set_lists *lists, const char *namespace, int64_t since_ns,
	struct set_list **ret_list, struct error *err);
void set_list_put(struct set_lists *lists, struct set_list *list);

/* The sets, under their keys. Borrowed from LIST. */
struct store *set_list_sets(const struct set_list *list);

#endif
