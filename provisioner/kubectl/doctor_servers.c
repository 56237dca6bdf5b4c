/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "doctor.h"
#include "volume_view.h"
#include "walk.h"

bool doctor_servers_is_service(const char *server, char **ret_namespace, char **ret_service)
{
	const char *first = strchr(server, '.'), *second = first ? strchr(first + 1, '.') : NULL;

	if (!second || (strcmp(second, ".svc") && strncmp(second, ".svc.", 5)))
		return false;
	*ret_service = strndup(server, (size_t)(first - server));
	*ret_namespace = strndup(first + 1, (size_t)(second - first - 1));
	if (!*ret_service || !*ret_namespace)
		abort();
	return true;
}

static void note_server(struct json_object *servers, const char *server)
{
	if (server && *server)
		json_object_object_add(servers, server, NULL);
}

/* "a:/export,b:/export" */
static void note_servers(struct json_object *servers, const char *list)
{
	_cleanup_free_ char *copy = strdup(list);
	char *rest = copy, *one;

	if (!copy)
		abort();
	while ((one = strsep(&rest, ","))) {
		char *share = strstr(one, ":/");

		if (share)
			*share = '\0';
		note_server(servers, one + strspn(one, " "));
	}
}

struct json_object *doctor_servers_find(const struct doctor_cluster *cluster)
{
	struct json_object *servers = json_object_new_object();

	for (size_t i = 0; i < walk_count(cluster->classes); i++) {
		struct json_object *class = walk_item(cluster->classes, i);

		if (!volume_view_is_our_driver(walk_text_or_empty(class, "provisioner")))
			continue;
		note_server(servers, walk_text(class, "parameters.server"));
		note_servers(servers, walk_text_or_empty(class, "parameters.servers"));
	}
	for (size_t i = 0; i < walk_count(cluster->volumes); i++) {
		struct volume_view view;

		if (!volume_view_is_ours(walk_item(cluster->volumes, i)))
			continue;
		volume_view_init(&view, walk_item(cluster->volumes, i));
		note_server(servers, view.server);
		volume_view_done(&view);
	}
	return servers;
}

/* Whether a pod is behind the service. */
static bool has_addresses(struct json_object *endpoints)
{
	struct json_object *subsets = walk_to(endpoints, "subsets", json_type_array);

	for (size_t i = 0; i < walk_count(subsets); i++)
		if (walk_count(walk_to(walk_item(subsets, i), "addresses", json_type_array)))
			return true;
	return false;
}

static void check_service(
	const struct doctor_cluster *cluster, struct doctor_report *report, const char *server)
{
	_cleanup_free_ char *namespace = NULL, *service = NULL, *object = NULL, *remedy = NULL;
	struct json_object *index = walk_index(cluster->endpoints), *endpoints;
	struct doctor_finding finding = {.check = "servers", .level = DOCTOR_PROBLEM};

	if (doctor_servers_is_service(server, &namespace, &service)) {
		endpoints = walk_find(index, namespace, service);
		if (asprintf(&object, "Service/%s", service) < 0 ||
			asprintf(&remedy,
				"see what should be behind it: kubectl -n %s describe service %s; "
				"until it is back, pods with volumes of that server hang",
				namespace, service) < 0)
			abort();
		finding.object = object;
		finding.remedy = remedy;
		if (!has_addresses(endpoints))
			doctor_tell(report, &finding, "NFS server %s: %s", server,
				endpoints ? "no pod that is ready is behind the service"
					  : "there is no such service");
	}
	json_object_put(index);
}

/* The volume of ours that kubelet's message names in quotes, or NULL. */
static const char *volume_in(const char *message, struct json_object *index)
{
	const char *begin = strchr(message, '"'), *end;

	for (; begin; begin = end ? strchr(end + 1, '"') : NULL) {
		_cleanup_free_ char *name = NULL;
		struct json_object *volume;

		end = strchr(begin + 1, '"');
		if (!end)
			return NULL;
		name = strndup(begin + 1, (size_t)(end - begin - 1));
		if (!name)
			abort();
		volume = walk_find(index, "", name);
		if (volume && volume_view_is_ours(volume))
			return walk_text(volume, "metadata.name");
	}
	return NULL;
}

/* What kubelet could not mount lately, in its own words. */
static void check_mounts(const struct doctor_cluster *cluster, struct doctor_report *report)
{
	struct json_object *index = walk_index(cluster->volumes);
	struct doctor_finding finding = {.check = "servers",
		.level = DOCTOR_PROBLEM,
		.remedy = (char *)"see whether the server answers and exports that share to the "
				  "pod's node, and what the driver's log says there"};

	for (size_t i = 0; i < walk_count(cluster->events); i++) {
		struct json_object *event = walk_item(cluster->events, i);
		const char *namespace = walk_text_or_empty(event, "involvedObject.namespace");
		const char *pod = walk_text_or_empty(event, "involvedObject.name");
		const char *message = walk_text_or_empty(event, "message");
		_cleanup_free_ char *object = NULL;

		if (strcmp(walk_text_or_empty(event, "reason"), "FailedMount") ||
			!volume_in(message, index) ||
			doctor_warning(cluster, "Pod", namespace, pod) != message)
			continue;
		if (asprintf(&object, "Pod/%s/%s", namespace, pod) < 0)
			abort();
		finding.object = object;
		doctor_tell(report, &finding, "%s", message);
	}
	json_object_put(index);
}

size_t doctor_servers_check(const struct doctor_cluster *cluster, struct doctor_report *report)
{
	struct json_object *servers = doctor_servers_find(cluster);
	size_t count = 0;

	json_object_object_foreach(servers, server, unused)
	{
		(void)unused;
		if (cluster->endpoints)
			check_service(cluster, report, server);
		count++;
	}
	check_mounts(cluster, report);
	json_object_put(servers);
	return count;
}
