/* SPDX-License-Identifier: Apache-2.0 */
#include "api_calls.h"

#include <string.h>

#include "api_verbs.h"

/* Take metadata.name=X and metadata.namespace=X, whichever are there. */
static bool parse_fields(char *text, struct api_selector *selector)
{
	static const char name[] = "metadata.name=", namespace[] = "metadata.namespace=";
	char *saved;

	for (char *at = strtok_r(text, ",", &saved); at; at = strtok_r(NULL, ",", &saved)) {
		if (!strncmp(at, name, strlen(name)))
			snprintf(selector->name, sizeof(selector->name), "%s", at + strlen(name));
		else if (!strncmp(at, namespace, strlen(namespace)))
			snprintf(selector->namespace, sizeof(selector->namespace), "%s",
				at + strlen(namespace));
		else
			return false;
	}
	return true;
}

bool api_calls_selector(
	const struct api_http *http, const struct api_path *path, struct api_selector *ret_selector)
{
	_cleanup_free_ char *fields = api_http_parameter(http, "fieldSelector");
	_cleanup_free_ char *labels = api_http_parameter(http, "labelSelector");

	*ret_selector = (struct api_selector){.resource = path->resource};
	memcpy(ret_selector->namespace, path->namespace, sizeof(path->namespace));
	memcpy(ret_selector->name, path->name, sizeof(path->name));
	/* Nobody uses labels yet, and to ignore them would be a wrong answer. */
	return !*labels && parse_fields(fields, ret_selector);
}

static struct api_answer bad_request(const char *message)
{
	return api_answer_failure(400, "BadRequest", NULL, NULL, "%s", message);
}

static struct api_answer list(
	struct api_objects *objects, const struct api_http *http, const struct api_path *path)
{
	_cleanup_free_ char *limit = api_http_parameter(http, "limit");
	_cleanup_free_ char *token = api_http_parameter(http, "continue");
	struct api_selector selector;

	if (!api_calls_selector(http, path, &selector))
		return bad_request("field label not supported");
	return api_objects_list(objects, &selector, strtoul(limit, NULL, 10), token);
}

static const struct {
	const char *method, *content_type;
	enum api_verb verb;
} verbs[] = {
	{"GET", NULL, API_GET},
	{"POST", NULL, API_CREATE},
	{"PUT", NULL, API_UPDATE},
	{"DELETE", NULL, API_DELETE},
	{"PATCH", "application/merge-patch+json", API_PATCH_MERGE},
	{"PATCH", "application/strategic-merge-patch+json", API_PATCH_STRATEGIC},
};

static bool find_verb(const struct api_http *http, enum api_verb *ret_verb)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		const char *type = verbs[i].content_type;

		if (strcmp(verbs[i].method, http->method) != 0 ||
			(type && strncmp(http->content_type, type, strlen(type)) != 0))
			continue;
		*ret_verb = verbs[i].verb;
		return true;
	}
	return false;
}

static struct api_answer call(
	struct api_objects *objects, const struct api_http *http, const struct api_path *path)
{
	struct api_call what = {.path = *path};
	struct api_answer answer;

	if (!find_verb(http, &what.verb))
		return api_answer_failure(415, "UnsupportedMediaType", NULL, NULL,
			"the body of the request was in an unknown format");
	if ((what.verb == API_CREATE) != !*path->name)
		return api_answer_failure(405, "MethodNotAllowed", NULL, NULL,
			"the server does not allow this method on the requested resource");
	if (*http->body)
		what.body = json_tokener_parse(http->body);
	if (*http->body && !what.body)
		return bad_request("the object provided is unrecognized");
	answer = api_verbs_call(objects, &what);
	json_object_put(what.body);
	return answer;
}

struct api_answer api_calls_apply(
	struct api_objects *objects, const struct api_http *http, const struct api_path *path)
{
	static const char version[] =
		"{\"major\":\"1\",\"minor\":\"33\",\"gitVersion\":\"v1.33.0\","
		"\"platform\":\"linux/amd64\"}";

	if (!strcmp(http->path, "/version"))
		return (struct api_answer){
			.code = 200, .text = api_text_new(version, strlen(version))};
	if (!strcmp(http->path, "/readyz") || !strcmp(http->path, "/livez") ||
		!strcmp(http->path, "/healthz"))
		return api_answer_plain(200, "ok");
	if (!path->resource)
		return api_answer_plain(404, "404 page not found\n");
	if (!*path->name && !strcmp(http->method, "GET"))
		return list(objects, http, path);
	return call(objects, http, path);
}
