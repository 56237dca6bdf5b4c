/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "doctor.h"
#include "walk.h"

#define SELECTED_NODE "volume.kubernetes.io/selected-node"
#define PROTECTION    "kubernetes.io/pvc-protection"

/* One claim of a class of ours that is looked at. */
struct patient {
	const struct doctor_cluster *cluster;
	struct doctor_report *report;
	struct json_object *claim, *class;
	const char *namespace, *name;
	char *object;
};

static void tell(struct patient *patient, const char *what, const char *detail, const char *remedy)
{
	const struct doctor_finding finding = {.check = "claims",
		.level = DOCTOR_PROBLEM,
		.object = patient->object,
		.remedy = (char *)remedy};

	doctor_tell(patient->report, &finding, "%s%s", what, detail);
}

/* Whether it waits for a pod, as its class wants it. */
static bool waits_for_pod(const struct patient *patient)
{
	struct json_object *notes =
		walk_to(patient->claim, "metadata.annotations", json_type_object);

	return !strcmp(walk_text_or_empty(patient->class, "volumeBindingMode"),
		       "WaitForFirstConsumer") &&
	       !json_string(notes, SELECTED_NODE);
}

static void check_pending(struct patient *patient)
{
	const char *warning = doctor_warning(
		patient->cluster, "PersistentVolumeClaim", patient->namespace, patient->name);

	if (warning)
		tell(patient, "it is Pending: ", warning,
			"do what the message says; the claim is then tried again by itself");
	else if (!waits_for_pod(patient) && doctor_age(patient->cluster, patient->claim,
						    "metadata.creationTimestamp") > DOCTOR_STUCK_S)
		tell(patient, "it is Pending, and nobody says why", "",
			"see whether the provisioner works: kubectl logs POD -c provisioner");
}

static void check_terminating(struct patient *patient)
{
	long long age = doctor_age(patient->cluster, patient->claim, "metadata.deletionTimestamp");

	if (age <= DOCTOR_STUCK_S)
		return;
	if (walk_holds(patient->claim, "metadata.finalizers", PROTECTION))
		tell(patient, "it is being deleted, and a pod uses it", "",
			"delete the pod, which \"Used By\" of kubectl describe pvc names");
	else
		tell(patient, "it is being deleted, and a finalizer keeps it", "",
			"see which (kubectl get pvc -o yaml, metadata.finalizers), and whether its "
			"owner still runs");
}

/* Growth that failed. */
static void check_growth(struct patient *patient)
{
	struct json_object *conditions =
		walk_to(patient->claim, "status.conditions", json_type_array);

	for (size_t i = 0; i < walk_count(conditions); i++) {
		struct json_object *condition = walk_item(conditions, i);
		const char *type = walk_text_or_empty(condition, "type");

		if ((!strcmp(type, "ControllerResizeError") || !strcmp(type, "NodeResizeError")) &&
			!strcmp(walk_text_or_empty(condition, "status"), "True"))
			tell(patient, "it cannot grow: ", walk_text_or_empty(condition, "message"),
				"ask for a size that is possible, at least the one that it has");
	}
}

static void check_claim(struct patient *patient)
{
	const char *phase = walk_text_or_empty(patient->claim, "status.phase");

	if (asprintf(&patient->object, "PersistentVolumeClaim/%s/%s", patient->namespace,
		    patient->name) < 0)
		abort();
	if (walk_text(patient->claim, "metadata.deletionTimestamp"))
		check_terminating(patient);
	else if (!strcmp(phase, "Pending"))
		check_pending(patient);
	else if (!strcmp(phase, "Lost"))
		tell(patient, "its PersistentVolume is gone", "",
			"the data may be archived or retained: kubectl ordinal archive list; then "
			"delete the claim, and let it be created again");
	check_growth(patient);
	free(patient->object);
}

size_t doctor_claims_check(const struct doctor_cluster *cluster, struct doctor_report *report)
{
	size_t count = 0;

	for (size_t i = 0; i < walk_count(cluster->claims); i++) {
		struct json_object *claim = walk_item(cluster->claims, i);
		struct patient patient = {.cluster = cluster,
			.report = report,
			.claim = claim,
			.class = doctor_our_class(
				cluster, walk_text_or_empty(claim, "spec.storageClassName")),
			.namespace = walk_text_or_empty(claim, "metadata.namespace"),
			.name = walk_text_or_empty(claim, "metadata.name")};

		if (!patient.class)
			continue;
		check_claim(&patient);
		count++;
	}
	return count;
}
