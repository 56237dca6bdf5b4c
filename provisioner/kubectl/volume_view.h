/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a PersistentVolume's data are, as far as the object tells: of our drivers by what they
 * write into it, of others by what there is.
 */
#ifndef ORDINAL_KUBECTL_VOLUME_VIEW_H
#define ORDINAL_KUBECTL_VOLUME_VIEW_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

struct volume_view {
	const char *name; /* "" if none */
	const char
		*driver;  /* of CSI; else the kind of volume, "nfs" or "local" for example; or "" */
	const char *node; /* the one that it is on; NULL: more than one, or not told */
	const char *phase; /* "" if none */
	int64_t capacity;  /* bytes; -1: not told */
	char *server;      /* NULL: none */
	char *path;        /* NULL: not told */
};

/* Look at VOLUME, which may be NULL and from which all but server and path is borrowed. */
void volume_view_init(struct volume_view *view, struct json_object *volume);
void volume_view_done(struct volume_view *view);

/* Whether NAME is a driver of ours. */
bool volume_view_is_our_driver(const char *name);

/* Whether VOLUME is of such a driver. */
bool volume_view_is_ours(struct json_object *volume);

/* The place in a StatefulSet that VOLUME's annotations name, if they are those of its claim. */
struct volume_view_place {
	const char *namespace, *statefulset, *template, *claim;
	int64_t ordinal;
};
bool volume_view_place(struct json_object *volume, struct volume_view_place *ret_place);

#endif
