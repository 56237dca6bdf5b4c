/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One JSON text that comes in pieces, however the network cut it. What json-c's tokener lacks for
 * that: it takes a character that a piece cuts in two for invalid UTF-8. Members "managedFields"
 * are read as null: they are half of what an API server sends, the most costly half to parse, and
 * nobody here looks at them.
 */
#ifndef ORDINAL_JSON_READER_H
#define ORDINAL_JSON_READER_H

#include <json-c/json.h>
#include <stdbool.h>

/* Where in the text the reader is, as far as finding those members needs. */
struct json_skipper {
	enum { SKIPPER_OUTSIDE, SKIPPER_STRING, SKIPPER_KEY, SKIPPER_VALUE } state;
	bool escaped;   /* the next character of the string means nothing */
	size_t matched; /* characters of the name at the string's beginning; beyond: none */
	unsigned depth; /* in the value that is skipped */
	bool in_string; /* of that value */
};

struct json_reader {
	struct json_skipper skipper;
	struct json_tokener *tokener;
	char held[4]; /* the beginning of a character whose rest has not come yet */
	size_t held_count;
};

void json_reader_init(struct json_reader *reader);
void json_reader_done(struct json_reader *reader);

/* Forget what came so far. Due before the next text. */
void json_reader_reset(struct json_reader *reader);

/* Take in LENGTH bytes. json_tokener_success: *RET_JSON, the whole text, is the caller's (NULL
 * for a null); json_tokener_continue: more is needed; else what is wrong with it: not JSON, not
 * UTF-8, nested more than 64 deep, or something but white space behind the text. */
enum json_tokener_error json_reader_feed(struct json_reader *reader, const char *bytes,
	size_t length, struct json_object **ret_json);

#endif
