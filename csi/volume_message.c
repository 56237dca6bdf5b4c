/* SPDX-License-Identifier: Apache-2.0 */
#include "volume_message.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "names.h"

static char *path_of(const struct volume *volume)
{
	char name[LOCATION_NAME_MAX + 1], *path;

	location_name(&volume->location, name);
	if (asprintf(&path, "%s/%s", name, volume->record->path) < 0)
		abort();
	return path;
}

/* Whose data it took up, and when that one was deleted; NULL: nobody's. */
static char *predecessor_of(const struct record *record)
{
	time_t seconds = (time_t)(record->predecessor_retired / 1000000);
	char stamp[32], *text;
	struct tm utc;

	if (!record->predecessor_pv)
		return NULL;
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &utc));
	if (asprintf(&text, "%s, deleted %s", record->predecessor_pv, stamp) < 0)
		abort();
	return text;
}

static void fill_topology(struct volume_message *message, const struct driver *driver)
{
	csi__v1__topology__init(&message->topology);
	csi__v1__topology__segments_entry__init(&message->segment);
	message->segment.key = (char *)driver->topology_key;
	message->segment.value = (char *)driver->node_id;
	message->segments[0] = &message->segment;
	message->topology.segments = message->segments;
	message->topology.n_segments = 1;
	message->topologies[0] = &message->topology;
	message->volume.accessible_topology = message->topologies;
	message->volume.n_accessible_topology = driver->backend->ops->node_local ? 1 : 0;
}

static void fill_source(struct volume_message *message, const struct record *record)
{
	if (!record->source)
		return;
	csi__v1__volume_content_source__init(&message->source);
	message->volume.content_source = &message->source;
	if (volume_id_is_snapshot(record->source)) {
		csi__v1__volume_content_source__snapshot_source__init(&message->source_snapshot);
		message->source_snapshot.snapshot_id = record->source;
		message->source.type_case = CSI__V1__VOLUME_CONTENT_SOURCE__TYPE_SNAPSHOT;
		message->source.snapshot = &message->source_snapshot;
		return;
	}
	csi__v1__volume_content_source__volume_source__init(&message->source_volume);
	message->source_volume.volume_id = record->source;
	message->source.type_case = CSI__V1__VOLUME_CONTENT_SOURCE__TYPE_VOLUME;
	message->source.volume = &message->source_volume;
}

static void add_context(struct volume_message *message, const char *key, const char *value)
{
	size_t i = message->volume.n_volume_context++;

	csi__v1__volume__volume_context_entry__init(&message->entries[i]);
	message->entries[i].key = (char *)key;
	message->entries[i].value = (char *)value;
	message->context[i] = &message->entries[i];
}

/* Whose volume it is, for a provisioner that looks for such as no claim knows any more. A volume's
 * context never changes, and is the same wherever it is told: one that was made before there were
 * clusters to tell apart keeps what its PersistentVolume has. */
static void add_owner(struct volume_message *message, const struct record *record)
{
	const struct {
		const char *key, *value;
	} owner[] = {
		{ORDINAL_KEY_CLUSTER_UID, record->cluster_uid},
		{CSI_KEY_PVC_NAMESPACE, record->namespace},
		{CSI_KEY_PVC_NAME, record->claim},
		{CSI_KEY_PV_NAME, record->pv},
	};

	_Static_assert(ARRAY_SIZE(owner) + 4 == VOLUME_CONTEXT_MAX,
		"and path, mount options, quota and predecessor");
	for (size_t i = 0; record->cluster_uid && i < ARRAY_SIZE(owner); i++)
		if (owner[i].value)
			add_context(message, owner[i].key, owner[i].value);
}

void volume_message_init(
	struct volume_message *ret, const struct driver *driver, const struct volume *volume)
{
	csi__v1__volume__init(&ret->volume);
	ret->path = path_of(volume);
	add_context(ret, ORDINAL_KEY_PATH, ret->path);
	if (volume->record->mount_options)
		add_context(ret, ORDINAL_KEY_MOUNT_OPTIONS, volume->record->mount_options);
	if (volume->record->project)
		add_context(ret, ORDINAL_KEY_QUOTA,
			volume->record->project > 0 ? "enforced" : ORDINAL_QUOTA_NONE);
	add_owner(ret, volume->record);
	ret->predecessor = predecessor_of(volume->record);
	if (ret->predecessor)
		add_context(ret, ORDINAL_KEY_PREDECESSOR, ret->predecessor);
	ret->volume.volume_id = (char *)volume->id;
	ret->volume.capacity_bytes = volume->record->capacity;
	ret->volume.volume_context = ret->context;
	fill_topology(ret, driver);
	fill_source(ret, volume->record);
}

void volume_message_done(struct volume_message *message)
{
	free(message->path);
	free(message->predecessor);
}

void volume_message_condition(struct driver *driver, const struct volume *volume,
	Csi__V1__VolumeCondition *ret, struct error *reason)
{
	csi__v1__volume_condition__init(ret);
	ret->abnormal = volumes_check(&driver->volumes, volume, reason) < 0;
	ret->message = ret->abnormal ? reason->text : (char *)"the volume's directory is there";
}
