/* SPDX-License-Identifier: Apache-2.0 */
#include "list_decoder.h"

#include <stdbool.h>
#include <string.h>
#include <sys/types.h>

#include "json_reader.h"

static const char items_key[] = "items";
#define KEY_LENGTH (sizeof(items_key) - 1)

/* Strings and brackets, as far as finding ends needs them. */
struct scan {
	bool in_string, escaped;
	size_t depth;
};

struct list_decoder {
	size_t max;
	list_decoder_handler *handler;
	void *context;
	struct json_reader item_reader, rest_reader;
	struct json_object *rest;
	size_t item_bytes, rest_bytes;
	enum { IN_REST, IN_ITEMS, IN_ITEM } where;
	struct scan list, item;
	size_t matched; /* characters of "items" in the string that is or was last */
	enum { KEY_NONE, KEY_ENDED, KEY_COLON } key;
};

struct list_decoder *list_decoder_new(size_t max, list_decoder_handler *handler, void *context)
{
	struct list_decoder *decoder = calloc(1, sizeof(*decoder));

	if (!decoder)
		abort();
	decoder->max = max;
	decoder->handler = handler;
	decoder->context = context;
	json_reader_init(&decoder->item_reader);
	json_reader_init(&decoder->rest_reader);
	return decoder;
}

void list_decoder_free(struct list_decoder *decoder)
{
	json_object_put(decoder->rest);
	json_reader_done(&decoder->item_reader);
	json_reader_done(&decoder->rest_reader);
	free(decoder);
}

void list_decoder_reset(struct list_decoder *decoder)
{
	json_object_put(take_ptr(decoder->rest));
	json_reader_reset(&decoder->item_reader);
	json_reader_reset(&decoder->rest_reader);
	decoder->item_bytes = decoder->rest_bytes = 0;
	decoder->where = IN_REST;
	decoder->list = decoder->item = (struct scan){.depth = 0};
	decoder->matched = 0;
	decoder->key = KEY_NONE;
}

struct json_object *list_decoder_rest(struct list_decoder *decoder)
{
	return decoder->rest;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* One character of a string. */
static void step_string(struct scan *scan, char c)
{
	if (scan->escaped)
		scan->escaped = false;
	else if (c == '\\')
		scan->escaped = true;
	else if (c == '"')
		scan->in_string = false;
}

/* One character of a string beside the items, which may be their key. */
static void step_key(struct list_decoder *decoder, char c)
{
	bool plain = !decoder->list.escaped;

	step_string(&decoder->list, c);
	if (!decoder->list.in_string)
		decoder->key = decoder->list.depth == 1 && decoder->matched == KEY_LENGTH
				       ? KEY_ENDED
				       : KEY_NONE;
	else if (plain && decoder->matched < KEY_LENGTH && c == items_key[decoder->matched])
		decoder->matched++;
	else
		decoder->matched = KEY_LENGTH + 1;
}

/* One character outside of strings; whether the items begin behind it. */
static bool step_rest(struct list_decoder *decoder, char c)
{
	bool begins = c == '[' && decoder->key == KEY_COLON;

	if (is_space(c))
		return false;
	decoder->key = c == ':' && decoder->key == KEY_ENDED ? KEY_COLON : KEY_NONE;
	if (c == '"') {
		decoder->list.in_string = true;
		decoder->matched = 0;
	} else if (!begins && (c == '{' || c == '[')) {
		decoder->list.depth++;
	} else if ((c == '}' || c == ']') && decoder->list.depth) {
		decoder->list.depth--;
	}
	return begins;
}

/* Take in what is beside the items, up to the first of them; how many bytes that is, or -1. */
static ssize_t feed_rest(
	struct list_decoder *decoder, const char *bytes, size_t length, struct error *err)
{
	enum json_tokener_error state;
	size_t at = 0;

	while (at < length && decoder->where == IN_REST) {
		char c = bytes[at++];

		if (decoder->list.in_string)
			step_key(decoder, c);
		else if (step_rest(decoder, c))
			decoder->where = IN_ITEMS;
	}
	decoder->rest_bytes += at;
	if (decoder->rest_bytes > decoder->max)
		return error_set(err, ERROR_INVALID,
			"the list has more than %zu bytes beside its items", decoder->max);
	if (decoder->rest)
		return (ssize_t)at; /* white space behind it */
	state = json_reader_feed(&decoder->rest_reader, bytes, at, &decoder->rest);
	if (state != json_tokener_continue && state != json_tokener_success)
		return error_set(err, ERROR_INVALID, "the list is not JSON: %s",
			json_tokener_error_desc(state));
	return (ssize_t)at;
}

/* The bytes between items, up to the next of them or to their end. */
static ssize_t feed_between(struct list_decoder *decoder, const char *bytes, size_t length)
{
	size_t at = 0;

	while (at < length && (is_space(bytes[at]) || bytes[at] == ','))
		at++;
	if (at < length && bytes[at] == ']') {
		decoder->where = IN_REST;
	} else if (at < length) {
		decoder->where = IN_ITEM;
		decoder->item = (struct scan){.depth = 0};
		decoder->item_bytes = 0;
	}
	return (ssize_t)at;
}

/* How many bytes the item goes on; whether it ends there. */
static size_t find_end(struct scan *item, const char *bytes, size_t length, bool *ret_ends)
{
	*ret_ends = true;
	for (size_t at = 0; at < length; at++) {
		char c = bytes[at];
		bool closes = c == '}' || c == ']';

		if (item->in_string) {
			step_string(item, c);
			if (!item->in_string && !item->depth)
				return at + 1;
		} else if (!item->depth && (c == ',' || closes || is_space(c))) {
			return at; /* of a number or a word */
		} else if (c == '"') {
			item->in_string = true;
		} else if (c == '{' || c == '[') {
			item->depth++;
		} else if (closes && --item->depth == 0) {
			return at + 1;
		}
	}
	*ret_ends = false;
	return length;
}

static ssize_t feed_item(
	struct list_decoder *decoder, const char *bytes, size_t length, struct error *err)
{
	enum json_tokener_error state = json_tokener_continue;
	struct json_object *item = NULL;
	bool ends;
	size_t size = find_end(&decoder->item, bytes, length, &ends);

	decoder->item_bytes += size;
	if (decoder->item_bytes > decoder->max)
		return error_set(err, ERROR_INVALID, "an item of the list is longer than %zu bytes",
			decoder->max);
	if (size)
		state = json_reader_feed(&decoder->item_reader, bytes, size, &item);
	if (ends && state == json_tokener_continue)
		state = json_reader_feed(&decoder->item_reader, " ", 1, &item);
	if (state != (ends ? json_tokener_success : json_tokener_continue)) {
		json_object_put(item);
		return error_set(err, ERROR_INVALID, "an item of the list is not JSON: %s",
			json_tokener_error_desc(state));
	}
	if (ends) {
		decoder->handler(decoder->context, item);
		json_object_put(item);
		json_reader_reset(&decoder->item_reader);
		decoder->where = IN_ITEMS;
	}
	return (ssize_t)size;
}

int list_decoder_feed(
	struct list_decoder *decoder, const char *bytes, size_t length, struct error *err)
{
	while (length) {
		ssize_t taken = decoder->where == IN_REST   ? feed_rest(decoder, bytes, length, err)
				: decoder->where == IN_ITEM ? feed_item(decoder, bytes, length, err)
							    : feed_between(decoder, bytes, length);

		if (taken < 0)
			return -1;
		bytes += taken;
		length -= (size_t)taken;
	}
	return 0;
}
