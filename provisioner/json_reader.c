/* SPDX-License-Identifier: Apache-2.0 */
#include "json_reader.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH 64

static const char skipped[] = "managedFields";
#define SKIPPED_LENGTH (sizeof(skipped) - 1)

void json_reader_init(struct json_reader *reader)
{
	reader->tokener = json_tokener_new_ex(DEPTH);
	if (!reader->tokener)
		abort();
	json_tokener_set_flags(reader->tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	reader->held_count = 0;
	reader->skipper = (struct json_skipper){.depth = 0};
}

void json_reader_done(struct json_reader *reader)
{
	json_tokener_free(reader->tokener);
}

void json_reader_reset(struct json_reader *reader)
{
	json_tokener_reset(reader->tokener);
	reader->held_count = 0;
	reader->skipper = (struct json_skipper){.depth = 0};
}

/* Bytes of the character that begins with LEAD; 1 for what begins none, which json-c refuses. */
static size_t character_size(char lead)
{
	unsigned char byte = (unsigned char)lead;

	return byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
}

/* How many bytes at the end begin a character that they do not finish. */
static size_t unfinished(const char *bytes, size_t length)
{
	for (size_t back = 1; back <= 3 && back <= length; back++) {
		char byte = bytes[length - back];

		if (((unsigned char)byte & 0xc0) != 0x80)
			return character_size(byte) > back ? back : 0;
	}
	return 0;
}

static enum json_tokener_error parse(
	struct json_reader *reader, const char *bytes, size_t length, struct json_object **ret_json)
{
	struct json_object *json = json_tokener_parse_ex(reader->tokener, bytes, (int)length);
	enum json_tokener_error state = json_tokener_get_error(reader->tokener);

	if (state == json_tokener_success)
		*ret_json = json;
	return state;
}

/* Complete the held character with the first bytes of a piece; how many it took. */
static size_t complete_held(struct json_reader *reader, const char *bytes, size_t length)
{
	size_t missing = character_size(reader->held[0]) - reader->held_count;
	size_t taken = length < missing ? length : missing;

	memcpy(reader->held + reader->held_count, bytes, taken);
	reader->held_count += taken;
	return taken;
}

static enum json_tokener_error feed(
	struct json_reader *reader, const char *bytes, size_t length, struct json_object **ret_json)
{
	enum json_tokener_error state;
	size_t taken, tail;

	if (reader->held_count) {
		taken = complete_held(reader, bytes, length);
		if (reader->held_count < character_size(reader->held[0]))
			return json_tokener_continue;
		state = parse(reader, reader->held, reader->held_count, ret_json);
		reader->held_count = 0;
		bytes += taken;
		length -= taken;
		if (state != json_tokener_continue || !length)
			return state;
	}
	tail = unfinished(bytes, length);
	memcpy(reader->held, bytes + length - tail, tail);
	reader->held_count = tail;
	if (length == tail)
		return json_tokener_continue;
	return parse(reader, bytes, length - tail, ret_json);
}

/* One character of a string that may be the name. */
static void step_string(struct json_skipper *skipper, char c)
{
	if (skipper->escaped) {
		skipper->escaped = false;
	} else if (c == '"') {
		skipper->state = skipper->matched == SKIPPED_LENGTH ? SKIPPER_KEY : SKIPPER_OUTSIDE;
	} else if (c == '\\') {
		skipper->escaped = true;
		skipper->matched = SKIPPED_LENGTH + 1;
	} else if (skipper->matched < SKIPPED_LENGTH && c == skipped[skipper->matched]) {
		skipper->matched++;
	} else {
		skipper->matched = SKIPPED_LENGTH + 1;
	}
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* How many bytes the text goes on before the value of such a member; LENGTH if it does not come. */
static size_t find_value(struct json_skipper *skipper, const char *bytes, size_t length)
{
	size_t at = 0;

	while (at < length && skipper->state != SKIPPER_VALUE) {
		char c = bytes[at++];

		if (skipper->state == SKIPPER_STRING) {
			step_string(skipper, c);
		} else if (c == '"') {
			skipper->state = SKIPPER_STRING;
			skipper->matched = 0;
		} else if (skipper->state == SKIPPER_KEY && c == ':') {
			skipper->state = SKIPPER_VALUE;
			skipper->depth = 0;
			skipper->in_string = false;
		} else if (skipper->state == SKIPPER_KEY && !is_space(c)) {
			skipper->state = SKIPPER_OUTSIDE;
		}
	}
	return at;
}

/* One character within a string of the value; whether the value ends with it. */
static bool step_skipped_string(struct json_skipper *skipper, char c)
{
	if (skipper->escaped)
		skipper->escaped = false;
	else if (c == '\\')
		skipper->escaped = true;
	else if (c == '"')
		skipper->in_string = false;
	return !skipper->in_string && skipper->depth == 0;
}

/* How many bytes the value that is skipped goes on; its end is in the state. */
static size_t find_end(struct json_skipper *skipper, const char *bytes, size_t length)
{
	for (size_t at = 0; at < length; at++) {
		char c = bytes[at];
		bool ends = false;

		if (skipper->in_string) {
			ends = step_skipped_string(skipper, c);
		} else if (skipper->depth == 0 && (c == ',' || c == '}' || c == ']')) {
			skipper->state =
				SKIPPER_OUTSIDE; /* of a number or a word, or none at all */
			return at;
		} else if (c == '"') {
			skipper->in_string = true;
		} else if (c == '{' || c == '[') {
			skipper->depth++;
		} else if (c == '}' || c == ']') {
			ends = --skipper->depth == 0;
		}
		if (ends) {
			skipper->state = SKIPPER_OUTSIDE;
			return at + 1;
		}
	}
	return length;
}

enum json_tokener_error json_reader_feed(
	struct json_reader *reader, const char *bytes, size_t length, struct json_object **ret_json)
{
	enum json_tokener_error state = json_tokener_continue;

	while (length) {
		bool inside = reader->skipper.state == SKIPPER_VALUE;
		size_t size = inside ? find_end(&reader->skipper, bytes, length)
				     : find_value(&reader->skipper, bytes, length);

		if (!inside)
			state = feed(reader, bytes, size, ret_json);
		if (!inside && state == json_tokener_continue &&
			reader->skipper.state == SKIPPER_VALUE)
			state = feed(reader, "null", 4, ret_json);
		if (state != json_tokener_continue)
			return state;
		bytes += size;
		length -= size;
	}
	return state;
}
