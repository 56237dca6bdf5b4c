/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a test does to the API server's objects without HTTP, as an administrator who may do
 * anything: spec and status are written together, and a namespace that is not there is made. JSON
 * is text with ' for ", of which the format makes the rest. Objects are named NAME or
 * NAMESPACE/NAME, collections by their plural. Any thread may call.
 */
#ifndef ORDINAL_TESTS_KUBECTL_H
#define ORDINAL_TESTS_KUBECTL_H

#include "api_verbs.h"

/* Each returns the HTTP status: 200 or 201, 404, 409 and so on. */
int kubectl_create(struct api_objects *objects, const char *plural, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int kubectl_update(struct api_objects *objects, const char *plural, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int kubectl_delete(struct api_objects *objects, const char *plural, const char *name);

/* By a merge patch. */
int kubectl_patch(struct api_objects *objects, const char *plural, const char *name,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The object, or NULL where there is none. Caller puts. */
struct json_object *kubectl_get(struct api_objects *objects, const char *plural, const char *name);

/* All of the collection, an array. Caller puts. */
struct json_object *kubectl_list(struct api_objects *objects, const char *plural);

size_t kubectl_count(struct api_objects *objects, const char *plural);

/* The text at PATH ("metadata.uid") of the object, "" where it is not there. Caller frees. */
char *kubectl_text(
	struct api_objects *objects, const char *plural, const char *name, const char *path);

/* Wait, for at most 20 seconds, until CONDITION holds; it is asked after every change. */
bool kubectl_wait(struct api_objects *objects,
	bool (*condition)(struct api_objects *objects, void *context), void *context);

#endif
