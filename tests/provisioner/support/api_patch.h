/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How kube-apiserver changes JSON: merge patches (RFC 7386), and of strategic merge patches what
 * storage controllers use. Pure functions.
 */
#ifndef ORDINAL_TESTS_API_PATCH_H
#define ORDINAL_TESTS_API_PATCH_H

#include <json-c/json.h>
#include <stdbool.h>

/* Change TARGET, an object, by PATCH. */
void api_patch_merge(struct json_object *target, struct json_object *patch);

/* The same by a strategic merge patch: finalizers are a set, conditions are known by their type,
 * owner references by their uid; other lists are replaced. Understood are
 * `$deleteFromPrimitiveList/KEY`, `$patch: replace` and `$patch: delete` in such lists;
 * `$setElementOrder/KEY` and `$retainKeys` are ignored. false for another directive. */
bool api_patch_strategic(struct json_object *target, struct json_object *patch);

/* Add to TARGET what DEFAULTS says and it does not. */
void api_patch_default(struct json_object *target, struct json_object *defaults);

/* A copy that shares nothing. Caller puts. */
struct json_object *api_patch_copy(struct json_object *json);

#endif
