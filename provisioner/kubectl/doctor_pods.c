/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "doctor.h"
#include "walk.h"
#include "workloads.h"

#define RESTARTS_MAX 5

/* What kubelet says of a container that does not run or is not ready; NULL: it is as it should. */
static const char *trouble_of(struct json_object *container)
{
	const char *waiting = walk_text(container, "state.waiting.reason");
	const char *ended = walk_text(container, "state.terminated.reason");

	if (waiting || ended)
		return waiting ? waiting : ended;
	return walk_truth(container, "ready") ? NULL : "it is not ready";
}

static char *remedy_for(struct json_object *pod, const char *container)
{
	const char *namespace = walk_text_or_empty(pod, "metadata.namespace");
	const char *name = walk_text_or_empty(pod, "metadata.name");
	char *remedy;

	if (asprintf(&remedy, "kubectl -n %s describe pod %s; kubectl -n %s logs %s -c %s",
		    namespace, name, namespace, name, container) < 0)
		abort();
	return remedy;
}

static void check_container(struct doctor_report *report, const char *object,
	struct json_object *pod, struct json_object *container)
{
	const char *name = walk_text_or_empty(container, "name");
	const char *trouble = trouble_of(container);
	int64_t restarts = walk_number(container, "restartCount", 0);
	_cleanup_free_ char *remedy = remedy_for(pod, name);
	struct doctor_finding finding = {.check = "pods",
		.level = trouble ? DOCTOR_PROBLEM : DOCTOR_WARNING,
		.object = (char *)object,
		.remedy = remedy};

	if (trouble)
		doctor_tell(report, &finding, "container %s: %s", name, trouble);
	else if (restarts > RESTARTS_MAX)
		doctor_tell(report, &finding, "container %s was started %" PRId64 " times again",
			name, restarts);
}

static void check_pod(
	const struct doctor_cluster *cluster, struct doctor_report *report, struct json_object *pod)
{
	struct json_object *containers = walk_to(pod, "status.containerStatuses", json_type_array);
	const char *name = walk_text_or_empty(pod, "metadata.name");
	const char *namespace = walk_text_or_empty(pod, "metadata.namespace");
	const char *warning = doctor_warning(cluster, "Pod", namespace, name);
	_cleanup_free_ char *object = NULL, *remedy = remedy_for(pod, "driver");
	struct doctor_finding finding = {
		.check = "pods", .level = DOCTOR_PROBLEM, .remedy = remedy};

	if (asprintf(&object, "Pod/%s/%s", namespace, name) < 0)
		abort();
	finding.object = object;
	if (!walk_count(containers) &&
		doctor_age(cluster, pod, "metadata.creationTimestamp") > DOCTOR_STUCK_S)
		doctor_tell(report, &finding, "it does not run%s%s", warning ? ": " : "",
			warning ? warning : "");
	for (size_t i = 0; i < walk_count(containers); i++)
		check_container(report, object, pod, walk_item(containers, i));
}

size_t doctor_pods_check(const struct doctor_cluster *cluster, struct doctor_report *report)
{
	static const struct doctor_finding none = {
		.check = "pods",
		.level = DOCTOR_PROBLEM,
		.object = (char *)"Pod",
		.remedy =
			(char *)"install Ordinal: kubectl apply -k deploy/host-path; or, where it "
				"runs in another namespace, give --provisioner-namespace",
	};
	size_t count = 0;

	for (size_t i = 0; i < walk_count(cluster->pods); i++) {
		if (!workloads_is_ours(walk_item(cluster->pods, i)) ||
			walk_text(walk_item(cluster->pods, i), "metadata.deletionTimestamp"))
			continue;
		check_pod(cluster, report, walk_item(cluster->pods, i));
		count++;
	}
	if (cluster->pods && !count)
		doctor_tell(report, &none, "no pod of Ordinal in %s", cluster->where);
	return count;
}
