/* SPDX-License-Identifier: Apache-2.0 */
#include "archives.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns_name.h"
#include "object_names.h"
#include "walk.h"
#include "workloads.h"

#define PORT       9809
#define PORT_MAX   65535
#define TIMEOUT_MS 30000

void archives_done(struct archives *list)
{
	free(list->items);
	json_object_put(list->pods);
	json_object_put(list->leases);
	json_object_put(list->sources);
}

static void add(struct archives *list, struct archive archive)
{
	if (!archive.id)
		return;
	if (list->count == list->room) {
		list->room = list->room ? list->room * 2 : 64;
		list->items = reallocarray(list->items, list->room, sizeof(*list->items));
		if (!list->items)
			abort();
	}
	list->items[list->count++] = archive;
}

/* Where its provisioner serves HTTP: the port that it names. */
static int port_of(struct json_object *pod)
{
	struct json_object *container = workloads_container(pod, WORKLOADS_PROVISIONER);
	const char *endpoint = workloads_flag(container, "http-endpoint");
	const char *colon = endpoint ? strrchr(endpoint, ':') : NULL;
	long port = colon ? strtol(colon + 1, NULL, 10) : 0;

	return port > 0 && port <= PORT_MAX ? (int)port : PORT;
}

static struct archive place_of(struct json_object *pod)
{
	return (struct archive){
		.pod_namespace = walk_text(pod, "metadata.namespace"),
		.pod = walk_text(pod, "metadata.name"),
		.node = walk_text(pod, "spec.nodeName"),
		.port = port_of(pod),
	};
}

void archives_add(struct archives *list, struct json_object *answer, struct json_object *pod)
{
	struct json_object *items = walk_to(answer, "archives", json_type_array);

	if (!list->sources)
		list->sources = json_object_new_array();
	json_object_array_add(list->sources, answer);
	for (size_t i = 0; i < walk_count(items); i++) {
		struct json_object *item = walk_item(items, i);

		struct archive archive = place_of(pod);

		archive.id = walk_text(item, "id");
		archive.volume = walk_text(item, "volume");
		archive.created = walk_text(item, "created");
		archive.namespace = walk_text(item, "namespace");
		archive.set = walk_text(item, "statefulset");
		archive.template = walk_text(item, "template");
		archive.path = walk_text(item, "path");
		archive.ordinal = walk_number(item, "ordinal", -1);
		archive.size = walk_number(item, "size", -1);
		archive.ready = walk_truth(item, "ready");
		add(list, archive);
	}
}

static int call(const struct archives_access *access, const struct archive *where,
	const char *method, const char *query, struct json_object **ret_answer, struct error *err)
{
	_cleanup_free_ char *path = NULL, *header = NULL;
	struct rest_request request = {.method = method, .timeout_ms = TIMEOUT_MS};

	if (!where->pod || !dns_name_is_subdomain(where->pod) || !where->pod_namespace ||
		!dns_name_is_label(where->pod_namespace))
		return error_set(err, ERROR_INVALID, "the provisioner's pod has no name");
	if (asprintf(&path, "/api/v1/namespaces/%s/pods/%s:%d/proxy/archives%s",
		    where->pod_namespace, where->pod, where->port, query) < 0 ||
		(access->token && asprintf(&header, "X-Ordinal-Token: %s", access->token) < 0))
		abort();
	request.path = path;
	request.header = header;
	if (access->api->call(access->api->self, &request, ret_answer, err) == 0)
		return 0;
	if (err && strstr(err->text, "HTTP status 404"))
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"the provisioner in pod %s serves no archives: it needs the argument "
			"--archives",
			where->pod);
	if (err && err->kind == ERROR_UNAUTHORIZED && !access->token)
		error_prefix(err, "the archives need a token: give --token-file, or set "
				  "ORDINAL_TOKEN");
	return -1;
}

static bool is_running(struct json_object *pod)
{
	return !strcmp(walk_text_or_empty(pod, "status.phase"), "Running") &&
	       !walk_text(pod, "metadata.deletionTimestamp");
}

/* Who holds the lease for the provisioner in POD, "" for nobody. */
static const char *holder_for(const struct archives *list, struct json_object *pod)
{
	const char *driver = workloads_driver(pod);
	_cleanup_free_ char *name = object_names_lease(driver ? driver : "", NULL);
	struct json_object *index = walk_index(list->leases);
	struct json_object *lease =
		walk_find(index, walk_text_or_empty(pod, "metadata.namespace"), name);
	const char *holder = walk_text_or_empty(lease, "spec.holderIdentity");

	json_object_put(index);
	return holder;
}

/* Whether it is POD that leads, as far as the Lease tells: its holder is called as the pod is, or
 * as its node where it has the node's network, and an underscore follows. Anybody may, where nobody
 * holds it. */
static bool leads(const struct archives *list, struct json_object *pod)
{
	const char *names[] = {walk_text(pod, "metadata.name"), walk_text(pod, "spec.nodeName")};
	const char *holder = holder_for(list, pod);

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i] && !strncmp(holder, names[i], strlen(names[i])) &&
			holder[strlen(names[i])] == '_')
			return true;
	return !*holder;
}

static int ask(struct archives *list, const struct archives_access *access, struct json_object *pod,
	struct error *err)
{
	const struct archive where = place_of(pod);
	struct json_object *answer = NULL;

	if (call(access, &where, "GET", "", &answer, err) < 0)
		return -1;
	archives_add(list, answer, pod);
	return 0;
}

/* Each provisioner; but of those of one driver that know the same only the one that leads. */
static int ask_all(struct archives *list, const struct archives_access *access, struct error *err)
{
	struct json_object *led = json_object_new_object(); /* drivers whose leader was asked */
	size_t asked = 0;
	int result = 0;

	for (size_t i = 0; i < walk_count(list->pods) && result == 0; i++) {
		struct json_object *pod = walk_item(list->pods, i);
		const char *driver = workloads_driver(pod);

		if (!workloads_container(pod, WORKLOADS_PROVISIONER) || !driver || !is_running(pod))
			continue;
		if (workloads_elects(pod) &&
			(json_object_object_get_ex(led, driver, NULL) || !leads(list, pod)))
			continue;
		if (workloads_elects(pod))
			json_object_object_add(led, driver, NULL);
		result = ask(list, access, pod, err);
		asked++;
	}
	json_object_put(led);
	return result < 0 ? -1 : (int)(asked > 0);
}

static int compare(const void *a, const void *b)
{
	const struct archive *left = a, *right = b;
	int order =
		strcmp(left->created ? left->created : "", right->created ? right->created : "");

	return order ? order : strcmp(left->id, right->id);
}

int archives_fetch(struct archives *list, const struct archives_access *access, struct error *err)
{
	_cleanup_free_ char *where = workloads_where(access->namespace);
	int asked;

	if (workloads_list(access->api, access->namespace, "/api/v1", "pods", &list->pods, err) <
			0 ||
		workloads_list(access->api, access->namespace, "/apis/coordination.k8s.io/v1",
			"leases", &list->leases, err) < 0)
		return -1;
	asked = ask_all(list, access, err);
	if (asked < 0)
		return -1;
	if (!asked)
		return error_set(err, ERROR_NOT_FOUND,
			"no provisioner of Ordinal runs in %s: give --provisioner-namespace",
			where);
	if (list->count)
		qsort(list->items, list->count, sizeof(*list->items), compare);
	return 0;
}

const struct archive *archives_find(const struct archives *list, const char *id, struct error *err)
{
	for (size_t i = 0; i < list->count; i++)
		if (!strcmp(list->items[i].id, id))
			return &list->items[i];
	error_set(err, ERROR_NOT_FOUND,
		"there is no archive \"%s\": see kubectl ordinal archive list", id);
	return NULL;
}

int archives_delete(
	const struct archive *archive, const struct archives_access *access, struct error *err)
{
	char *escaped = curl_easy_escape(NULL, archive->id, 0);
	_cleanup_free_ char *query = NULL;
	struct json_object *answer = NULL;
	int result;

	if (!escaped || asprintf(&query, "?id=%s", escaped) < 0)
		abort();
	curl_free(escaped);
	result = call(access, archive, "DELETE", query, &answer, err);
	if (result == 0)
		json_object_put(answer);
	return result;
}
