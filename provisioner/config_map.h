/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ConfigMap that one process at a time writes. Each write holds the resourceVersion of the one
 * before, and the ConfigMap names who writes it: once another process took it over, every further
 * write is refused, also one of a process that was paused since before.
 *
 * Not for more than one thread at a time.
 */
#ifndef ORDINAL_CONFIG_MAP_H
#define ORDINAL_CONFIG_MAP_H

#include "rest_client.h"

struct config_map;

/* HOLDER is who writes, unique for each process. The strings are copied. Caller frees. */
struct config_map *config_map_new(
	const struct kube_api *api, const char *namespace, const char *name, const char *holder);
void config_map_free(struct config_map *map);
DEFINE_CLEANUP(struct config_map *, config_map_free);

/* "namespace/name", for messages. Borrowed. */
const char *config_map_label(const struct config_map *map);

/* Become its writer, making it where there is none. *RET_OBJECT, the whole ConfigMap, is the
 * caller's. */
int config_map_take_over(
	struct config_map *map, struct json_object **ret_object, struct error *err);

/* Set, or with null remove, the keys that DATA names. Where somebody removed the ConfigMap it is
 * made again, with what MAKE_ALL returns as its data. ERROR_ABORTED where another process took it
 * over; after any other failure it may be written or not. */
int config_map_write(struct config_map *map, struct json_object *data,
	struct json_object *(*make_all)(void *context), void *context, struct error *err);

#endif
