/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "doctor.h"
#include "volume_view.h"
#include "walk.h"

/* One volume of ours that is looked at. */
struct patient {
	const struct doctor_cluster *cluster;
	struct doctor_report *report;
	struct json_object *volume;
	const char *name;
	char *object;
};

static void tell(struct patient *patient, const char *what, const char *detail, const char *remedy)
{
	const struct doctor_finding finding = {.check = "volumes",
		.level = DOCTOR_PROBLEM,
		.object = patient->object,
		.remedy = (char *)remedy};

	doctor_tell(patient->report, &finding, "%s%s", what, detail);
}

/* Where the API server does not tell since when it waits (before 1.28), only an event counts. */
static void check_released(struct patient *patient)
{
	const char *warning =
		doctor_warning(patient->cluster, "PersistentVolume", "", patient->name);

	if (!warning)
		warning = doctor_warning(
			patient->cluster, "PersistentVolume", "default", patient->name);
	if (warning)
		tell(patient, "it is to be deleted, and cannot be: ", warning,
			"do what the message says; it is then tried again by itself");
	else if (doctor_age(patient->cluster, patient->volume, "status.lastPhaseTransitionTime") >
		 DOCTOR_STUCK_S)
		tell(patient, "it is to be deleted, and nobody does it", "",
			"see whether the provisioner of its node or driver works: kubectl logs POD "
			"-c provisioner");
}

static void check_phase(struct patient *patient)
{
	const char *phase = walk_text_or_empty(patient->volume, "status.phase");
	const char *policy =
		walk_text_or_empty(patient->volume, "spec.persistentVolumeReclaimPolicy");

	if (doctor_age(patient->cluster, patient->volume, "metadata.deletionTimestamp") >
		DOCTOR_STUCK_S)
		tell(patient, "somebody deleted it, and a finalizer keeps it", "",
			"delete its claim, if there is one; else see whether the provisioner works");
	else if (!strcmp(phase, "Failed"))
		tell(patient,
			"it is Failed: ", walk_text_or_empty(patient->volume, "status.message"),
			"do what the message says");
	else if (!strcmp(phase, "Released") && !strcmp(policy, "Delete"))
		check_released(patient);
}

/* Data on the disk of a node that there is not. */
static void check_node(struct patient *patient, struct json_object *nodes)
{
	struct volume_view view;

	volume_view_init(&view, patient->volume);
	if (view.node && !walk_find(nodes, "", view.node))
		tell(patient, "its data are on a node that is not in the cluster: ", view.node,
			"bring the node back under the same name; or, if its disk is lost, delete "
			"the claim, and free the volume: kubectl patch pv NAME --type=merge -p "
			"'{\"metadata\":{\"finalizers\":null}}'");
	volume_view_done(&view);
}

size_t doctor_volumes_check(const struct doctor_cluster *cluster, struct doctor_report *report)
{
	struct json_object *nodes = walk_index(cluster->nodes);
	size_t count = 0;

	for (size_t i = 0; i < walk_count(cluster->volumes); i++) {
		struct json_object *volume = walk_item(cluster->volumes, i);
		struct patient patient = {.cluster = cluster,
			.report = report,
			.volume = volume,
			.name = walk_text_or_empty(volume, "metadata.name")};

		if (!volume_view_is_ours(volume))
			continue;
		if (asprintf(&patient.object, "PersistentVolume/%s", patient.name) < 0)
			abort();
		check_phase(&patient);
		if (cluster->nodes)
			check_node(&patient, nodes);
		free(patient.object);
		count++;
	}
	json_object_put(nodes);
	return count;
}
