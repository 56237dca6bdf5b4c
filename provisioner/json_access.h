/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON access that checks types: what comes from the network may be anything. All that is returned
 * is borrowed from the JSON, and NULL where it is not there or not of that type.
 */
#ifndef ORDINAL_JSON_ACCESS_H
#define ORDINAL_JSON_ACCESS_H

#include <json-c/json.h>
#include <stdint.h>

/* The member KEY of OBJECT, which may be NULL, if it is of TYPE. */
struct json_object *json_member(struct json_object *object, const char *key, enum json_type type);

/* The text of JSON, which may be NULL, if it is a string without a NUL. */
const char *json_text(struct json_object *json);

/* The same of the member KEY of OBJECT, which may be NULL. */
const char *json_string(struct json_object *object, const char *key);

/* The time, RFC 3339 in UTC, that it is: in seconds since 1970; 0 where it is none. */
int64_t json_time(struct json_object *object, const char *key);

#endif
