/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of a Kubernetes list, in whatever pieces the network cut them, as its items one by
 * one: a page of them is never in memory as a whole. No I/O. Not for more than one thread at a
 * time.
 */
#ifndef ORDINAL_LIST_DECODER_H
#define ORDINAL_LIST_DECODER_H

#include <json-c/json.h>

#include "cleanup.h"
#include "error.h"

struct list_decoder;

/* One item, which may be any JSON (NULL for a null). Borrowed for the call. */
typedef void list_decoder_handler(void *context, struct json_object *item);

/* An item longer than MAX bytes is refused, and so is more than that beside the items. Caller
 * frees. */
struct list_decoder *list_decoder_new(size_t max, list_decoder_handler *handler, void *context);
void list_decoder_free(struct list_decoder *decoder);
DEFINE_CLEANUP(struct list_decoder *, list_decoder_free);

/* Take in LENGTH bytes and call the handler for each item that they complete. ERROR_INVALID for
 * what is too long or no JSON; the decoder is of no use then but to be reset. */
int list_decoder_feed(
	struct list_decoder *decoder, const char *bytes, size_t length, struct error *err);

/* The list as it was but without its items; NULL while it is not whole. Borrowed. */
struct json_object *list_decoder_rest(struct list_decoder *decoder);

/* Forget it all, as when a new list starts. */
void list_decoder_reset(struct list_decoder *decoder);

#endif
