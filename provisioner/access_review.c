/* SPDX-License-Identifier: Apache-2.0 */
#include "access_review.h"

#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "json_access.h"

#define TIMEOUT_MS 5000

static void put_object(struct json_object **object)
{
	json_object_put(*object);
}
#define _cleanup_json_ _cleanup_(put_object)

static void add_text(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, json_object_new_string(text));
}

/* A review of KIND, to be put by the caller; its spec is borrowed from it. */
static struct json_object *make_review(
	const char *version, const char *kind, struct json_object **ret_spec)
{
	struct json_object *review = json_object_new_object();

	*ret_spec = json_object_new_object();
	add_text(review, "apiVersion", version);
	add_text(review, "kind", kind);
	json_object_object_add(review, "spec", *ret_spec);
	return review;
}

/* Have REVIEW answered. Whatever goes wrong, it was not said that somebody may. */
static int ask(const struct kube_api *api, const char *path, struct json_object *review,
	struct json_object **ret_answer, struct error *err)
{
	const struct rest_request request = {
		.method = "POST", .path = path, .body = review, .timeout_ms = TIMEOUT_MS};
	struct error why = {0};

	if (api->call(api->self, &request, ret_answer, &why) == 0)
		return 0;
	return error_set(err, ERROR_UNAVAILABLE, "%s", why.text);
}

static bool is_true(struct json_object *object, const char *key)
{
	return json_object_get_boolean(json_member(object, key, json_type_boolean));
}

/* Whose TOKEN it is: its user, with the groups; to be put by the caller. */
static int authenticate(const struct kube_api *api, const char *token,
	struct json_object **ret_user, struct error *err)
{
	_cleanup_json_ struct json_object *review = NULL, *answer = NULL;
	struct json_object *spec, *status, *user;
	const char *name;

	review = make_review("authentication.k8s.io/v1", "TokenReview", &spec);
	add_text(spec, "token", token);
	if (ask(api, "/apis/authentication.k8s.io/v1/tokenreviews", review, &answer, err) < 0)
		return -1;
	status = json_member(answer, "status", json_type_object);
	if (!is_true(status, "authenticated"))
		return error_set(err, ERROR_UNAUTHORIZED, "the token is not valid in this cluster");
	user = json_member(status, "user", json_type_object);
	name = json_string(user, "username");
	if (!name || !*name)
		return error_set(
			err, ERROR_UNAVAILABLE, "the API server does not say whose token it is");
	*ret_user = json_object_get(user);
	return 0;
}

/* Add to SPEC what USER has as KEY, if it is of TYPE. */
static void pass(
	struct json_object *spec, struct json_object *user, const char *key, enum json_type type)
{
	struct json_object *member = json_member(user, key, type);

	if (member)
		json_object_object_add(spec, key, json_object_get(member));
}

static int authorize(const struct kube_api *api, struct json_object *user, const char *verb,
	const char *resource, struct error *err)
{
	_cleanup_json_ struct json_object *review = NULL, *answer = NULL;
	struct json_object *spec, *attributes = json_object_new_object(), *status;
	const char *name = json_string(user, "username");

	review = make_review("authorization.k8s.io/v1", "SubjectAccessReview", &spec);
	add_text(attributes, "verb", verb);
	add_text(attributes, "resource", resource);
	json_object_object_add(spec, "resourceAttributes", attributes);
	add_text(spec, "user", name);
	pass(spec, user, "uid", json_type_string);
	pass(spec, user, "groups", json_type_array);
	pass(spec, user, "extra", json_type_object);
	if (ask(api, "/apis/authorization.k8s.io/v1/subjectaccessreviews", review, &answer, err) <
		0)
		return -1;
	status = json_member(answer, "status", json_type_object);
	if (!is_true(status, "allowed") || is_true(status, "denied"))
		return error_set(err, ERROR_FORBIDDEN, "%s may not %s %s", name, verb, resource);
	return 0;
}

int access_review_ask(const struct kube_api *api, const char *token, const char *verb,
	const char *resource, char **ret_user, struct error *err)
{
	_cleanup_json_ struct json_object *user = NULL;

	if (authenticate(api, token, &user, err) < 0 ||
		authorize(api, user, verb, resource, err) < 0)
		return -1;
	*ret_user = strdup(json_string(user, "username"));
	if (!*ret_user)
		abort();
	return 0;
}
