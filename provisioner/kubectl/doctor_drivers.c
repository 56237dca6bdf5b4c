/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "doctor.h"
#include "walk.h"
#include "workloads.h"

/* What a finding is about, while it is told of. */
struct about {
	struct doctor_finding finding;
	char *object;
};

static void about_done(struct about *about)
{
	free(about->object);
}

static struct about about(const char *check, const char *kind, const char *name,
	enum doctor_level level, const char *remedy)
{
	struct about made = {.finding = {.check = check, .level = level, .remedy = (char *)remedy}};

	if (asprintf(&made.object, "%s/%s", kind, name) < 0)
		abort();
	made.finding.object = made.object;
	return made;
}

#define _cleanup_about_ _cleanup_(about_done)

static void check_driver(
	const struct doctor_cluster *cluster, struct doctor_report *report, const char *name)
{
	_cleanup_about_ struct about wrong = about("drivers", "CSIDriver", name, DOCTOR_PROBLEM,
		"apply the driver's folder of deploy/ again; of what is there, delete the CSIDriver "
		"first: it cannot be changed");
	struct json_object *index = walk_index(cluster->drivers);
	struct json_object *driver = walk_find(index, "", name), *attach;

	attach = walk_to(driver, "spec.attachRequired", json_type_boolean);
	if (!driver)
		doctor_tell(report, &wrong.finding,
			"classes or volumes use the driver, and it has no CSIDriver object: kubelet "
			"waits for an attacher");
	else if (!attach || json_object_get_boolean(attach))
		doctor_tell(report, &wrong.finding,
			"attachRequired is not false: pods wait for an attacher that there is not");
	if (driver && walk_to(driver, "spec.volumeLifecycleModes", json_type_array) &&
		!walk_holds(driver, "spec.volumeLifecycleModes", "Persistent"))
		doctor_tell(report, &wrong.finding, "volumeLifecycleModes lacks Persistent");
	json_object_put(index);
}

size_t doctor_drivers_check(const struct doctor_cluster *cluster, struct doctor_report *report)
{
	struct json_object *used = doctor_used_drivers(cluster);
	size_t count = 0;

	json_object_object_foreach(used, name, unused)
	{
		(void)unused;
		if (cluster->drivers)
			check_driver(cluster, report, name);
		count++;
	}
	json_object_put(used);
	return count;
}

static bool has_condition(struct json_object *object, const char *type)
{
	struct json_object *conditions = walk_to(object, "status.conditions", json_type_array);

	for (size_t i = 0; i < walk_count(conditions); i++) {
		struct json_object *condition = walk_item(conditions, i);

		if (!strcmp(walk_text_or_empty(condition, "type"), type) &&
			!strcmp(walk_text_or_empty(condition, "status"), "True"))
			return true;
	}
	return false;
}

/* Whether ordinary pods can come to NODE. */
static bool takes_pods(struct json_object *node)
{
	struct json_object *taints = walk_to(node, "spec.taints", json_type_array);

	for (size_t i = 0; i < walk_count(taints); i++)
		if (!strncmp(walk_text_or_empty(walk_item(taints, i), "effect"), "No", 2))
			return false;
	return has_condition(node, "Ready") && !walk_truth(node, "spec.unschedulable");
}

static bool is_registered(struct json_object *csi_node, const char *driver)
{
	struct json_object *drivers = walk_to(csi_node, "spec.drivers", json_type_array);

	for (size_t i = 0; i < walk_count(drivers); i++)
		if (!strcmp(walk_text_or_empty(walk_item(drivers, i), "name"), driver))
			return true;
	return false;
}

/* Whether the driver runs there, for kubelet. */
static bool has_pod(const struct doctor_cluster *cluster, const char *node, const char *driver)
{
	for (size_t i = 0; i < walk_count(cluster->pods); i++) {
		struct json_object *pod = walk_item(cluster->pods, i);
		struct json_object *container = workloads_container(pod, WORKLOADS_DRIVER);

		if (container && !strcmp(workloads_driver(pod), driver) &&
			workloads_flag(container, "kubelet-registration-path") &&
			!strcmp(walk_text_or_empty(pod, "spec.nodeName"), node))
			return true;
	}
	return false;
}

static void check_node(const struct doctor_cluster *cluster, struct doctor_report *report,
	const char *node, const char *driver)
{
	_cleanup_about_ struct about silent = about("nodes", "Node", node, DOCTOR_PROBLEM,
		"look at the driver's log there: kubectl logs POD -c driver; kubelet's folder may be "
		"another one than --kubelet-registration-path says");
	_cleanup_about_ struct about without = about("nodes", "Node", node, DOCTOR_WARNING,
		"if such pods are to run there, let the driver's DaemonSet come to the node: look at "
		"its nodeSelector and tolerations");

	if (has_pod(cluster, node, driver))
		doctor_tell(report, &silent.finding,
			"the driver %s runs on the node, and is not registered with its kubelet",
			driver);
	else
		doctor_tell(report, &without.finding,
			"the driver %s is not on the node: pods with its volumes cannot run there",
			driver);
}

size_t doctor_drivers_check_nodes(
	const struct doctor_cluster *cluster, struct doctor_report *report)
{
	struct json_object *used = doctor_used_drivers(cluster);
	struct json_object *index = walk_index(cluster->csi_nodes);
	size_t count = 0;

	for (size_t i = 0; i < walk_count(cluster->nodes) && cluster->csi_nodes; i++) {
		struct json_object *node = walk_item(cluster->nodes, i);
		const char *name = walk_text_or_empty(node, "metadata.name");

		if (!takes_pods(node))
			continue;
		count++;
		json_object_object_foreach(used, driver, unused)
		{
			(void)unused;
			if (!is_registered(walk_find(index, "", name), driver))
				check_node(cluster, report, name, driver);
		}
	}
	json_object_put(used);
	json_object_put(index);
	return count;
}
