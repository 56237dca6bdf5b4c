/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of a Kubernetes watch, in whatever pieces the network cut them, as events. No I/O.
 * Not for more than one thread at a time.
 */
#ifndef ORDINAL_WATCH_DECODER_H
#define ORDINAL_WATCH_DECODER_H

#include <json-c/json.h>

#include "cleanup.h"
#include "error.h"

struct watch_decoder;

/* One event: TYPE is ADDED, MODIFIED, DELETED, BOOKMARK, ERROR or what a later server may add;
 * OBJECT is a JSON object. Both are borrowed for the call. A result of -1 ends the decoding. */
typedef int watch_decoder_handler(
	void *context, const char *type, struct json_object *object, struct error *err);

/* Lines longer than MAX_LINE bytes are refused. Caller frees. */
struct watch_decoder *watch_decoder_new(
	size_t max_line, watch_decoder_handler *handler, void *context);
void watch_decoder_free(struct watch_decoder *decoder);
DEFINE_CLEANUP(struct watch_decoder *, watch_decoder_free);

/* Take in LENGTH bytes and call the handler for each event that they complete. ERROR_INVALID for a
 * line that is too long or is no event, else the handler's error; the decoder is of no use then
 * but to be reset. */
int watch_decoder_feed(
	struct watch_decoder *decoder, const char *bytes, size_t length, struct error *err);

/* Forget an unfinished line, as when a new watch starts. */
void watch_decoder_reset(struct watch_decoder *decoder);

#endif
