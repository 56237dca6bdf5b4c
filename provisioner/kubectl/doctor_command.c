/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "doctor.h"
#include "walk.h"
#include "workloads.h"

/* What is looked at: lists, and what is to be said where one cannot be read. */
struct visit {
	const struct command_context *context;
	struct doctor_cluster cluster;
	struct doctor_report report;
	size_t examined[DOCTOR_CHECKS];
};

static void tell_unreadable(struct visit *visit, const char *plural, const struct error *why)
{
	const struct doctor_finding finding = {.check = "access",
		.level = DOCTOR_PROBLEM,
		.object = (char *)plural,
		.remedy =
			(char *)"use an account that may list them, or see whether the API server "
				"works"};

	doctor_tell(&visit->report, &finding, "%s", why->text);
}

/* Without an API server there is nothing to say of the cluster. */
static int fetch(struct visit *visit, struct error *err)
{
	const struct kube_api *api = &visit->context->cluster->api;
	const char *claims_of = visit->context->arguments->namespace;
	struct doctor_cluster *cluster = &visit->cluster;
	const struct {
		const char *prefix, *namespace, *plural;
		struct json_object **items;
	} collections[] = {
		{"/apis/storage.k8s.io/v1", "", "storageclasses", &cluster->classes},
		{"/apis/storage.k8s.io/v1", "", "csidrivers", &cluster->drivers},
		{"/apis/storage.k8s.io/v1", "", "csinodes", &cluster->csi_nodes},
		{"/api/v1", "", "nodes", &cluster->nodes},
		{"/api/v1", claims_of ? claims_of : "", "persistentvolumeclaims", &cluster->claims},
		{"/api/v1", "", "persistentvolumes", &cluster->volumes},
		{"/api/v1", "", "events", &cluster->events},
		{"/api/v1", NULL, "pods", &cluster->pods},
		{"/apis/coordination.k8s.io/v1", NULL, "leases", &cluster->leases},
	};

	for (size_t i = 0; i < ARRAY_SIZE(collections); i++) {
		const char *namespace = collections[i].namespace;
		_cleanup_free_ char *path = cluster_path(
			collections[i].prefix, namespace ? namespace : "", collections[i].plural);
		int result = namespace ? cluster_list(api, path, collections[i].items, err)
				       : workloads_list(api,
						 visit->context->arguments->provisioner_namespace,
						 collections[i].prefix, collections[i].plural,
						 collections[i].items, err);

		if (result < 0 && (err->kind == ERROR_UNAVAILABLE || err->kind == ERROR_TIMEOUT ||
					  err->kind == ERROR_UNAUTHORIZED))
			return -1;
		if (result < 0)
			tell_unreadable(visit, collections[i].plural, err);
	}
	return 0;
}

/* Endpoints are many, and are looked at only where a server is a service. */
static int fetch_endpoints(struct visit *visit, struct error *err)
{
	struct json_object *all = json_object_new_array(), *servers;
	int result = 0;

	servers = doctor_servers_find(&visit->cluster);
	json_object_object_foreach(servers, server, unused)
	{
		_cleanup_free_ char *namespace = NULL, *service = NULL, *path = NULL;
		struct json_object *items = NULL;

		(void)unused;
		if (result < 0 || !doctor_servers_is_service(server, &namespace, &service))
			continue;
		path = cluster_path("/api/v1", namespace, "endpoints");
		result = cluster_list(&visit->context->cluster->api, path, &items, err);
		for (size_t i = 0; i < walk_count(items); i++)
			json_object_array_add(all, json_object_get(walk_item(items, i)));
		json_object_put(items);
	}
	json_object_put(servers);
	if (result == 0) {
		visit->cluster.endpoints = all;
		return 0;
	}
	tell_unreadable(visit, "endpoints", err);
	json_object_put(all);
	return 0;
}

static size_t count_findings(const struct visit *visit, const char *check)
{
	size_t count = 0;

	for (size_t i = 0; i < visit->report.count; i++)
		count += !strcmp(visit->report.items[i].check, check);
	return count;
}

static void print_finding(const struct visit *visit, const struct doctor_finding *finding)
{
	const struct screen *screen = &visit->context->screen;
	bool problem = finding->level == DOCTOR_PROBLEM;

	screen_write(screen, problem ? SCREEN_RED : SCREEN_YELLOW, problem ? "FAIL" : "warn");
	fputs("   ", screen->out);
	screen_write(screen, SCREEN_BOLD, finding->object);
	fputs(": ", screen->out);
	screen_write(screen, SCREEN_PLAIN, finding->problem);
	fputs("\n       -> ", screen->out);
	screen_write(screen, SCREEN_PLAIN, finding->remedy);
	fputc('\n', screen->out);
}

static void print_findings(const struct visit *visit, const char *check)
{
	for (size_t i = 0; i < visit->report.count; i++)
		if (!strcmp(visit->report.items[i].check, check))
			print_finding(visit, &visit->report.items[i]);
}

static void print_report(const struct visit *visit)
{
	const struct screen *screen = &visit->context->screen;

	print_findings(visit, "access");
	for (size_t i = 0; i < DOCTOR_CHECKS; i++) {
		const char *name = doctor_checks[i].name;

		if (!count_findings(visit, name)) {
			screen_write(screen, SCREEN_GREEN, "ok");
			fprintf(screen->out, "     %s: %zu looked at\n", doctor_checks[i].about,
				visit->examined[i]);
		}
		print_findings(visit, name);
	}
}

static struct json_object *finding_object(const struct doctor_finding *finding)
{
	struct json_object *object = json_object_new_object();
	const char *level = finding->level == DOCTOR_PROBLEM ? "problem" : "warning";

	json_object_object_add(object, "check", json_object_new_string(finding->check));
	json_object_object_add(object, "level", json_object_new_string(level));
	json_object_object_add(object, "object", json_object_new_string(finding->object));
	json_object_object_add(object, "problem", json_object_new_string(finding->problem));
	json_object_object_add(object, "remedy", json_object_new_string(finding->remedy));
	return object;
}

static void print_json(const struct visit *visit)
{
	struct json_object *all = json_object_new_object(), *examined = json_object_new_object();
	struct json_object *findings = json_object_new_array();
	bool healthy = !doctor_report_has_problems(&visit->report);

	json_object_object_add(all, "healthy", json_object_new_boolean(healthy));
	json_object_object_add(all, "examined", examined);
	json_object_object_add(all, "findings", findings);
	for (size_t i = 0; i < DOCTOR_CHECKS; i++)
		json_object_object_add(examined, doctor_checks[i].name,
			json_object_new_int64((int64_t)visit->examined[i]));
	for (size_t i = 0; i < visit->report.count; i++)
		json_object_array_add(findings, finding_object(&visit->report.items[i]));
	screen_write_json(&visit->context->screen, all);
	json_object_put(all);
}

static void forget(struct visit *visit)
{
	struct doctor_cluster *cluster = &visit->cluster;
	struct json_object *lists[] = {cluster->classes, cluster->drivers, cluster->csi_nodes,
		cluster->nodes, cluster->claims, cluster->volumes, cluster->events, cluster->pods,
		cluster->leases, cluster->endpoints};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		json_object_put(lists[i]);
	doctor_report_done(&visit->report);
}

int doctor_command_run(const struct command_context *context, int *ret_code, struct error *err)
{
	_cleanup_free_ char *where = workloads_where(context->arguments->provisioner_namespace);
	struct visit visit = {.context = context, .cluster = {.now = context->now, .where = where}};
	int result = fetch(&visit, err);

	if (result == 0)
		result = fetch_endpoints(&visit, err);
	if (result == 0) {
		doctor_examine(&visit.cluster, &visit.report, visit.examined);
		*ret_code = doctor_report_has_problems(&visit.report);
		if (context->arguments->json)
			print_json(&visit);
		else
			print_report(&visit);
	}
	forget(&visit);
	return result;
}
