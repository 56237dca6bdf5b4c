/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The collections that the tests' API server has, their paths, and the words in which it answers:
 * Status objects as kube-apiserver writes them. No state.
 */
#ifndef ORDINAL_TESTS_API_RESOURCES_H
#define ORDINAL_TESTS_API_RESOURCES_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

struct api_resource {
	const char *group; /* "" for the core */
	const char *version, *plural, *kind;
	bool cluster;          /* has no namespaces */
	bool status;           /* has /status, and only that writes the status */
	bool custom;           /* defined by a CRD: items of lists say what they are */
	bool returns_deleted;  /* DELETE answers with the object, not with a Status */
	bool needs_version;    /* PUT without a resourceVersion is refused */
	const char *finalizer; /* what admission puts on new ones, or NULL */
	const char *defaults;  /* what new ones say where they say nothing, with ' for "; or NULL */
};

#define API_RESOURCES 19

extern const struct api_resource api_resources[API_RESOURCES];

/* The resource of that plural, which is unique here. Aborts where there is none. */
const struct api_resource *api_resources_find(const char *plural);

/* What a URL's path means. */
struct api_path {
	const struct api_resource *resource;
	char namespace[64]; /* "": all, or the resource has none */
	char name[254];     /* "": the collection */
	bool status;
};

/* Whether PATH, without its query, is one of ours. */
bool api_resources_parse(const char *path, struct api_path *ret_path);

/* Immutable text that is shared between threads. */
struct api_text {
	int refs; /* atomic */
	size_t length;
	char text[];
};

struct api_text *api_text_new(const char *text, size_t length);
struct api_text *api_text_ref(struct api_text *text);
void api_text_unref(struct api_text *text); /* NULL is ignored */

/* JSON as a text. */
struct api_text *api_text_of(struct json_object *json);

/* What a request is answered with. Whoever gets it unrefs its text. */
struct api_answer {
	int code;
	struct api_text *text;
	bool plain;      /* the text is no JSON */
	int retry_after; /* seconds; 0: not said */
};

/* A failure's Status. RESOURCE may be NULL, NAME too. */
struct api_answer api_answer_failure(int code, const char *reason,
	const struct api_resource *resource, const char *name, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* "persistentvolumes", "statefulsets.apps": RESOURCE as messages call it. */
const char *api_resource_title(const struct api_resource *resource, char out[static 128]);

/* A text/plain answer, which is how what knows no Status answers. */
struct api_answer api_answer_plain(int code, const char *text);

#endif
