/* SPDX-License-Identifier: Apache-2.0 */
#include "watch_decoder.h"

#include <string.h>

#include "json_reader.h"
#include "objects.h"

struct watch_decoder {
	struct json_reader reader;
	size_t max_line, line; /* bytes allowed in a line, and seen of this one */
	watch_decoder_handler *handler;
	void *context;
};

struct watch_decoder *watch_decoder_new(
	size_t max_line, watch_decoder_handler *handler, void *context)
{
	struct watch_decoder *decoder = calloc(1, sizeof(*decoder));

	if (!decoder)
		abort();
	json_reader_init(&decoder->reader);
	decoder->max_line = max_line;
	decoder->handler = handler;
	decoder->context = context;
	return decoder;
}

void watch_decoder_free(struct watch_decoder *decoder)
{
	json_reader_done(&decoder->reader);
	free(decoder);
}

void watch_decoder_reset(struct watch_decoder *decoder)
{
	json_reader_reset(&decoder->reader);
	decoder->line = 0;
}

static int deliver(struct watch_decoder *decoder, struct json_object *event, struct error *err)
{
	const char *type = json_string(event, "type");
	struct json_object *object = json_member(event, "object", json_type_object);

	if (!type || !object)
		return error_set(err, ERROR_INVALID, "a line of the watch is not an event");
	return decoder->handler(decoder->context, type, object, err);
}

/* Take in a piece of one line. The reader keeps what it has parsed, so no byte is copied. */
static int feed_piece(struct watch_decoder *decoder, const char *bytes, size_t length, bool ends,
	struct error *err)
{
	struct json_object *event = NULL;
	enum json_tokener_error state;
	int result;

	decoder->line += length;
	if (decoder->line > decoder->max_line)
		return error_set(err, ERROR_INVALID, "a line of the watch is longer than %zu bytes",
			decoder->max_line);
	state = json_reader_feed(&decoder->reader, bytes, length, &event);
	if (state == json_tokener_continue && !ends)
		return 0;
	if (state != json_tokener_success)
		return error_set(err, ERROR_INVALID, "a line of the watch is not JSON: %s",
			json_tokener_error_desc(state));
	result = deliver(decoder, event, err);
	json_object_put(event);
	watch_decoder_reset(decoder);
	return result;
}

int watch_decoder_feed(
	struct watch_decoder *decoder, const char *bytes, size_t length, struct error *err)
{
	while (length) {
		const char *newline = memchr(bytes, '\n', length);
		size_t piece = newline ? (size_t)(newline - bytes) + 1 : length;
		bool blank = newline && piece == 1 && decoder->line == 0;

		if (!blank && feed_piece(decoder, bytes, piece, newline != NULL, err) < 0)
			return -1;
		bytes += piece;
		length -= piece;
	}
	return 0;
}
