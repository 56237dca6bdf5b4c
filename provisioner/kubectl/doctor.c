/* SPDX-License-Identifier: Apache-2.0 */
#include "doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "figures.h"
#include "volume_view.h"
#include "walk.h"

const struct doctor_check doctor_checks[DOCTOR_CHECKS] = {
	{"classes", "StorageClasses", doctor_classes_check},
	{"drivers", "drivers", doctor_drivers_check},
	{"pods", "pods of Ordinal", doctor_pods_check},
	{"nodes", "nodes", doctor_drivers_check_nodes},
	{"servers", "NFS servers", doctor_servers_check},
	{"leases", "leases", doctor_leases_check},
	{"claims", "claims", doctor_claims_check},
	{"volumes", "PersistentVolumes", doctor_volumes_check},
};

void doctor_examine(const struct doctor_cluster *cluster, struct doctor_report *report,
	size_t ret_examined[static DOCTOR_CHECKS])
{
	for (size_t i = 0; i < DOCTOR_CHECKS; i++)
		ret_examined[i] = doctor_checks[i].run(cluster, report);
}

void doctor_report_done(struct doctor_report *report)
{
	for (size_t i = 0; i < report->count; i++) {
		free(report->items[i].object);
		free(report->items[i].problem);
		free(report->items[i].remedy);
	}
	free(report->items);
}

bool doctor_report_has_problems(const struct doctor_report *report)
{
	for (size_t i = 0; i < report->count; i++)
		if (report->items[i].level == DOCTOR_PROBLEM)
			return true;
	return false;
}

static char *copy(const char *text)
{
	char *made = strdup(text);

	if (!made)
		abort();
	return made;
}

void doctor_tell(
	struct doctor_report *report, const struct doctor_finding *finding, const char *format, ...)
{
	struct doctor_finding *made;
	va_list args;

	if (report->count == report->room) {
		report->room = report->room ? report->room * 2 : 16;
		report->items = reallocarray(report->items, report->room, sizeof(*report->items));
		if (!report->items)
			abort();
	}
	made = &report->items[report->count++];
	*made = *finding;
	made->object = copy(finding->object);
	made->remedy = copy(finding->remedy);
	va_start(args, format);
	if (vasprintf(&made->problem, format, args) < 0)
		abort();
	va_end(args);
}

long long doctor_age(
	const struct doctor_cluster *cluster, struct json_object *object, const char *path)
{
	time_t then = figures_time(walk_text(object, path));

	/* Clocks differ: what is to come is now. */
	return then < 0 ? -1 : then > cluster->now ? 0 : (long long)(cluster->now - then);
}

/* Events of client-go's old and new ways of writing them. */
static long long event_age(const struct doctor_cluster *cluster, struct json_object *event)
{
	static const char *const fields[] = {"series.lastObservedTime", "lastTimestamp",
		"eventTime", "metadata.creationTimestamp"};
	long long age = -1;

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields) && age < 0; i++)
		age = doctor_age(cluster, event, fields[i]);
	return age;
}

static bool is_about(
	struct json_object *event, const char *kind, const char *namespace, const char *name)
{
	return !strcmp(walk_text_or_empty(event, "type"), "Warning") &&
	       !strcmp(walk_text_or_empty(event, "involvedObject.kind"), kind) &&
	       !strcmp(walk_text_or_empty(event, "involvedObject.namespace"), namespace) &&
	       !strcmp(walk_text_or_empty(event, "involvedObject.name"), name);
}

const char *doctor_warning(const struct doctor_cluster *cluster, const char *kind,
	const char *namespace, const char *name)
{
	long long youngest = DOCTOR_EVENT_S;
	const char *message = NULL;

	for (size_t i = 0; i < walk_count(cluster->events); i++) {
		struct json_object *event = walk_item(cluster->events, i);
		long long age;

		if (!is_about(event, kind, namespace, name))
			continue;
		age = event_age(cluster, event);
		if (age < 0 || age > youngest)
			continue;
		youngest = age;
		message = walk_text_or_empty(event, "message");
	}
	return message;
}

static void note_driver(struct json_object *drivers, const char *name)
{
	if (volume_view_is_our_driver(name))
		json_object_object_add(drivers, name, NULL);
}

struct json_object *doctor_used_drivers(const struct doctor_cluster *cluster)
{
	struct json_object *drivers = json_object_new_object();

	for (size_t i = 0; i < walk_count(cluster->classes); i++)
		note_driver(
			drivers, walk_text_or_empty(walk_item(cluster->classes, i), "provisioner"));
	for (size_t i = 0; i < walk_count(cluster->volumes); i++)
		note_driver(drivers,
			walk_text_or_empty(walk_item(cluster->volumes, i), "spec.csi.driver"));
	return drivers;
}

struct json_object *doctor_our_class(const struct doctor_cluster *cluster, const char *name)
{
	for (size_t i = 0; i < walk_count(cluster->classes); i++) {
		struct json_object *class = walk_item(cluster->classes, i);

		if (!strcmp(walk_text_or_empty(class, "metadata.name"), name))
			return volume_view_is_our_driver(walk_text_or_empty(class, "provisioner"))
				       ? class
				       : NULL;
	}
	return NULL;
}
