/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "doctor.h"
#include "object_names.h"
#include "walk.h"
#include "workloads.h"

#define GRACE_S 60 /* clocks differ */

static void check_lease(const struct doctor_cluster *cluster, struct doctor_report *report,
	const struct doctor_finding *finding, struct json_object *lease)
{
	const char *holder = walk_text_or_empty(lease, "spec.holderIdentity");
	long long age = doctor_age(cluster, lease, "spec.renewTime");
	long long duration = walk_number(lease, "spec.leaseDurationSeconds", 0);

	if (duration < 0 || duration > INT32_MAX)
		duration = 0;
	if (!*holder)
		doctor_tell(report, finding, "nobody leads: claims wait");
	else if (age < 0)
		doctor_tell(report, finding, "%s leads, and never said when it last did", holder);
	else if (age > duration + GRACE_S)
		doctor_tell(report, finding,
			"%s leads, and was not heard of for %lld s: claims wait", holder, age);
}

/* The lease of those provisioners that POD is one of. */
static void check_pod(
	const struct doctor_cluster *cluster, struct doctor_report *report, struct json_object *pod)
{
	const char *namespace = walk_text_or_empty(pod, "metadata.namespace");
	_cleanup_free_ char *name = object_names_lease(workloads_driver(pod), NULL), *object = NULL;
	struct json_object *index = walk_index(cluster->leases), *lease;
	struct doctor_finding finding = {.check = "leases",
		.level = DOCTOR_PROBLEM,
		.remedy =
			(char *)"see whether the provisioner's pods run and reach the API server: "
				"kubectl logs POD -c provisioner; one of them takes the lease by "
				"itself"};

	lease = walk_find(index, namespace, name);
	if (asprintf(&object, "Lease/%s/%s", namespace, name) < 0)
		abort();
	finding.object = object;
	if (lease)
		check_lease(cluster, report, &finding, lease);
	else
		doctor_tell(report, &finding,
			"the provisioner elects a leader, and there is no lease: claims wait");
	json_object_put(index);
}

size_t doctor_leases_check(const struct doctor_cluster *cluster, struct doctor_report *report)
{
	struct json_object *seen = json_object_new_object(); /* by namespace and driver */
	size_t count;

	for (size_t i = 0; i < walk_count(cluster->pods) && cluster->leases; i++) {
		struct json_object *pod = walk_item(cluster->pods, i);
		_cleanup_free_ char *key = NULL;

		if (!workloads_elects(pod) || !workloads_driver(pod))
			continue;
		if (asprintf(&key, "%s/%s", walk_text_or_empty(pod, "metadata.namespace"),
			    workloads_driver(pod)) < 0)
			abort();
		if (!json_object_object_get_ex(seen, key, NULL))
			check_pod(cluster, report, pod);
		json_object_object_add(seen, key, NULL);
	}
	count = (size_t)json_object_object_length(seen);
	json_object_put(seen);
	return count;
}
