/* SPDX-License-Identifier: Apache-2.0 */
#include "volume_message.h"

#include <stdio.h>
#include <stdlib.h>

#include "names.h"

char *volume_message_path(const struct volume *volume)
{
	char *path;

	if (asprintf(&path, "%s/%s", volume->location.share, volume->record->path) < 0)
		abort();
	return path;
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
	csi__v1__volume_content_source__volume_source__init(&message->source_volume);
	message->source_volume.volume_id = record->source;
	message->source.type_case = CSI__V1__VOLUME_CONTENT_SOURCE__TYPE_VOLUME;
	message->source.volume = &message->source_volume;
	message->volume.content_source = &message->source;
}

void volume_message_init(
	struct volume_message *ret, const struct driver *driver, const struct volume *volume)
{
	csi__v1__volume__init(&ret->volume);
	csi__v1__volume__volume_context_entry__init(&ret->entry);
	ret->path = volume_message_path(volume);
	ret->entry.key = (char *)ORDINAL_KEY_PATH;
	ret->entry.value = ret->path;
	ret->context[0] = &ret->entry;
	ret->volume.volume_id = (char *)volume->id;
	ret->volume.capacity_bytes = volume->record->capacity;
	ret->volume.volume_context = ret->context;
	ret->volume.n_volume_context = 1;
	fill_topology(ret, driver);
	fill_source(ret, volume->record);
}

void volume_message_done(struct volume_message *message)
{
	free(message->path);
}

void volume_message_condition(struct driver *driver, const struct volume *volume,
	Csi__V1__VolumeCondition *ret, struct error *reason)
{
	csi__v1__volume_condition__init(ret);
	ret->abnormal = volumes_check(&driver->volumes, volume, reason) < 0;
	ret->message = ret->abnormal ? reason->text : (char *)"the volume's directory is there";
}
