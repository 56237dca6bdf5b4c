/* SPDX-License-Identifier: Apache-2.0 */
#include "archives_page.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "access_review.h"
#include "log.h"
#include "names.h"

#define JSON_TYPE   "application/json"
#define JSON_STYLE  (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
#define RESOURCE    "persistentvolumes"
#define ID_MAX      4096
#define ORDINAL_MAX 10 /* digits */
#define LIST_MAX    ((off_t)8 << 20)

struct archives_page {
	struct kube_api api;
	struct csi_driver driver;
	const struct lease *lease;
	struct lease_guard guard;
	struct http_route route;
};

/* Answer with STATUS and a message. */
static void say(struct http_reply *reply, unsigned status, const char *message)
{
	struct json_object *answer = json_object_new_object();

	json_object_object_add(answer, "message", json_object_new_string(message));
	reply->status = status;
	fprintf(reply->body, "%s\n", json_object_to_json_string_ext(answer, JSON_STYLE));
	json_object_put(answer);
}

static unsigned status_for(enum error_kind kind)
{
	switch (kind) {
	case ERROR_UNAUTHORIZED:
		return 401;
	case ERROR_FORBIDDEN:
		return 403;
	case ERROR_NOT_FOUND:
		return 404;
	case ERROR_ABORTED:
	case ERROR_CONFLICT:
	case ERROR_ALREADY_EXISTS:
	case ERROR_FAILED_PRECONDITION:
		return 409;
	case ERROR_INVALID:
	case ERROR_OUT_OF_RANGE:
		return 400;
	case ERROR_UNIMPLEMENTED:
		return 501;
	case ERROR_UNAVAILABLE:
	case ERROR_TIMEOUT:
	case ERROR_CANCELLED:
	case ERROR_EXHAUSTED:
	case ERROR_TOO_MANY_REQUESTS:
		return 503;
	default:
		return 500;
	}
}

/* The driver's own rights and wrongs with whoever it serves are none of who asks here. */
static unsigned driver_status(enum error_kind kind)
{
	return kind == ERROR_UNAUTHORIZED || kind == ERROR_FORBIDDEN ? 500 : status_for(kind);
}

/* The token that REQUEST comes with, or NULL. */
static const char *find_token(const struct http_request *request)
{
	static const char scheme[] = "Bearer ";
	const char *token = http_endpoint_header(request, "X-Ordinal-Token");

	if (!token) {
		token = http_endpoint_header(request, "Authorization");
		if (!token || strncasecmp(token, scheme, strlen(scheme)) != 0)
			return NULL;
		token += strlen(scheme);
	}
	for (const char *at = token; *at; at++)
		if (*at <= ' ' || *at > '~')
			return NULL;
	return *token ? token : NULL;
}

/* Whether who asks may; else the answer is given. */
static bool admit(const struct archives_page *page, const struct http_request *request,
	char **ret_user, struct http_reply *reply)
{
	static const char *const challenge[] = {"WWW-Authenticate", "Bearer", NULL};
	const char *verb = http_endpoint_deletes(request) ? "delete" : "list";
	const char *token = find_token(request);
	struct error err = {0};

	if (token && access_review_ask(&page->api, token, verb, RESOURCE, ret_user, &err) == 0)
		return true;
	if (!token)
		error_set(&err, ERROR_UNAUTHORIZED,
			"a token is needed, as X-Ordinal-Token or as a bearer token");
	if (err.kind == ERROR_UNAUTHORIZED)
		reply->headers = challenge;
	say(reply, status_for(err.kind), err.text);
	return false;
}

static void add_text(struct json_object *object, const char *key, const char *text)
{
	if (text)
		json_object_object_add(object, key, json_object_new_string(text));
}

/* As RFC 3339 has it. */
static void add_created(struct json_object *object, const struct csi_snapshot *snapshot)
{
	time_t seconds = snapshot->created_s;
	char text[64];
	struct tm utc;

	if (!snapshot->has_created || !gmtime_r(&seconds, &utc))
		return;
	snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02dZ", utc.tm_year + 1900,
		utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
	add_text(object, "created", text);
}

static void add_ordinal(struct json_object *object, const char *text)
{
	size_t length = text ? strlen(text) : 0;

	if (length > 0 && length <= ORDINAL_MAX && strspn(text, "0123456789") == length)
		json_object_object_add(
			object, "ordinal", json_object_new_int64(strtoll(text, NULL, 10)));
}

static struct json_object *archive_object(const struct csi_snapshot *snapshot)
{
	const struct string_map *context = &snapshot->context;
	struct json_object *object = json_object_new_object();

	add_text(object, "id", snapshot->id);
	add_text(object, "volume", snapshot->volume);
	json_object_object_add(object, "size", json_object_new_int64(snapshot->size_bytes));
	add_created(object, snapshot);
	json_object_object_add(object, "ready", json_object_new_boolean(snapshot->ready));
	add_text(object, "namespace", string_map_get(context, CSI_KEY_PVC_NAMESPACE));
	add_text(object, "statefulset", string_map_get(context, ORDINAL_KEY_STATEFULSET));
	add_text(object, "template", string_map_get(context, ORDINAL_KEY_TEMPLATE));
	add_ordinal(object, string_map_get(context, ORDINAL_KEY_ORDINAL));
	add_text(object, "path", string_map_get(context, ORDINAL_KEY_PATH));
	return object;
}

struct listing {
	FILE *out;
	size_t count;
};

static int list_archive(void *context, const struct csi_snapshot *snapshot, struct error *err)
{
	struct listing *listing = context;
	struct json_object *object = archive_object(snapshot);

	fprintf(listing->out, "%s%s", listing->count++ ? ",\n" : "",
		json_object_to_json_string_ext(object, JSON_STYLE));
	json_object_put(object);
	if (ftello(listing->out) > LIST_MAX)
		return error_set(err, ERROR_EXHAUSTED,
			"there are more archives than the %lld bytes of an answer hold",
			(long long)LIST_MAX);
	return 0;
}

/* All of the list, or, where a page of it fails, only why. */
static void serve_list(const struct archives_page *page, struct http_reply *reply)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	struct listing listing = {.out = open_memstream(&text, &size)};
	struct error err = {0};
	int result;

	if (!listing.out)
		abort();
	result = page->driver.list_snapshots(page->driver.self, NULL, list_archive, &listing, &err);
	if (fclose(listing.out) != 0)
		abort();
	if (result < 0)
		/* A list that broke off is asked for again: nobody has a conflict. */
		say(reply, err.kind == ERROR_ABORTED ? 503 : driver_status(err.kind), err.text);
	else
		fprintf(reply->body, "{\"archives\":[%s]}\n", text);
}

/* Whether ID, which comes from the network, can be that of an archive. */
static bool is_id(const char *id)
{
	if (!id || !*id || strlen(id) > ID_MAX)
		return false;
	for (; *id; id++)
		if ((unsigned char)*id < ' ' || *id == '\177')
			return false;
	return true;
}

struct search {
	const char *id;
	bool found;
};

static int look_at(void *context, const struct csi_snapshot *snapshot, struct error *err)
{
	struct search *search = context;

	(void)err;
	if (!strcmp(snapshot->id, search->id))
		search->found = true;
	return 0;
}

/* Drivers delete what is not there with success: it is looked for first. */
static int delete_archive(const struct archives_page *page, const char *id, struct error *err)
{
	struct search search = {.id = id};

	if (page->driver.list_snapshots(page->driver.self, id, look_at, &search, err) < 0)
		return -1;
	if (!search.found)
		return error_set(err, ERROR_NOT_FOUND, "there is no archive of that id");
	return page->driver.delete_snapshot(page->driver.self, id, err);
}

static bool leads(const struct archives_page *page)
{
	return !page->lease || lease_is_held(page->lease);
}

static void serve_delete(const struct archives_page *page, const struct http_request *request,
	const char *user, struct http_reply *reply)
{
	const char *id = http_endpoint_query(request, "id");
	struct error err = {0};

	if (!is_id(id)) {
		say(reply, 400, "?id= must name an archive");
	} else if (!leads(page)) {
		say(reply, 503, "this provisioner does not hold the lease: ask the one that does");
	} else if (delete_archive(page, id, &err) < 0) {
		say(reply, leads(page) ? driver_status(err.kind) : 503, err.text);
	} else {
		log_info("archive %s deleted, as %s asked", id, user);
		reply->status = 204;
	}
}

static void serve(void *context, const struct http_request *request, struct http_reply *reply)
{
	const struct archives_page *page = context;
	_cleanup_free_ char *user = NULL;

	reply->content_type = JSON_TYPE;
	if (!admit(page, request, &user, reply))
		return;
	if (!page->driver.info.ours || !page->driver.info.list_snapshots)
		say(reply, 501, "this driver keeps no archives");
	else if (http_endpoint_deletes(request))
		serve_delete(page, request, user, reply);
	else
		serve_list(page, reply);
}

struct archives_page *archives_page_new(
	const struct kube_api *api, const struct csi_driver *driver, const struct lease *lease)
{
	struct archives_page *page = calloc(1, sizeof(*page));

	if (!page)
		abort();
	page->api = *api;
	page->driver = *driver;
	page->lease = lease;
	if (lease) {
		page->guard = (struct lease_guard){lease, *api, *driver};
		page->driver = lease_guard_driver(&page->guard);
	}
	page->route = (struct http_route){"/archives", serve, page, .slow = true, .deletes = true};
	return page;
}

void archives_page_free(struct archives_page *page)
{
	free(page);
}

const struct http_route *archives_page_route(const struct archives_page *page)
{
	return &page->route;
}
