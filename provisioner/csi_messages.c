/* SPDX-License-Identifier: Apache-2.0 */
#include "csi_messages.h"

#include <string.h>

#include "map_entry.h"

/* CSI asks for 128 bytes in a string and 4 KiB in a map. Drivers are known that exceed both, by
 * cloud resource paths for example: these bounds only keep the PersistentVolume in size. */
#define HANDLE_MAX     4096
#define CONTEXT_MAX    (256 * 1024)
#define TOPOLOGIES_MAX 1024

/* From the year 1 to 9999, in seconds since 1970: what RFC 3339 can say. */
#define TIME_MIN (-62135596800)
#define TIME_MAX 253402300799

struct csi_part {
	struct csi_part *next;
	max_align_t bytes[];
};

void csi_messages_done(struct csi_parts *parts)
{
	struct csi_part *next;

	for (struct csi_part *part = parts->first; part; part = next) {
		next = part->next;
		free(part);
	}
	parts->first = NULL;
}

/* SIZE zeroed bytes that live as long as PARTS. */
static void *add_part(struct csi_parts *parts, size_t size)
{
	struct csi_part *part = calloc(1, sizeof(*part) + size);

	if (!part)
		abort();
	part->next = parts->first;
	parts->first = part;
	return part->bytes;
}

static void *add_message(struct csi_parts *parts, const ProtobufCMessageDescriptor *type)
{
	void *message = add_part(parts, type->sizeof_message);

	protobuf_c_message_init(type, message);
	return message;
}

void *csi_messages_entries(struct csi_parts *parts, const struct string_map *map,
	const ProtobufCMessageDescriptor *type, size_t *ret_count)
{
	size_t count = map ? map->count : 0;
	struct map_entry **pointers = add_part(parts, count * sizeof(struct map_entry *));

	for (size_t i = 0; i < count; i++) {
		pointers[i] = add_message(parts, type);
		pointers[i]->key = map->items[i].key;
		pointers[i]->value = map->items[i].value;
	}
	*ret_count = count;
	return pointers;
}

/* The access modes of a claim as CSI has them, the widest first. ReadWriteOnce is one node's with
 * any number of writers there, which drivers that know the newer modes are told. */
static const struct {
	const char *name;
	int plain, newer;
} modes[] = {
	{"ReadWriteMany", CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__MULTI_NODE_MULTI_WRITER,
		CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__MULTI_NODE_MULTI_WRITER},
	{"ReadOnlyMany", CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__MULTI_NODE_READER_ONLY,
		CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__MULTI_NODE_READER_ONLY},
	{"ReadWriteOnce", CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__SINGLE_NODE_WRITER,
		CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__SINGLE_NODE_MULTI_WRITER},
	{"ReadWriteOncePod", CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__SINGLE_NODE_WRITER,
		CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__SINGLE_NODE_SINGLE_WRITER},
};

static int access_mode(const char *name, bool newer)
{
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		if (!strcmp(modes[i].name, name))
			return newer ? modes[i].newer : modes[i].plain;
	return CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__UNKNOWN;
}

static int widest_mode(const struct strings *names, bool newer)
{
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		if (strings_contain(names, modes[i].name))
			return newer ? modes[i].newer : modes[i].plain;
	return CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__UNKNOWN;
}

/* How the volume is used, but for the access mode. */
struct usage {
	const struct strings *mount_options;
	const char *fs_type;
	bool block;
};

static Csi__V1__VolumeCapability *add_capability(
	struct csi_parts *parts, const struct usage *usage, int mode)
{
	Csi__V1__VolumeCapability *message =
		add_message(parts, &csi__v1__volume_capability__descriptor);

	message->access_mode =
		add_message(parts, &csi__v1__volume_capability__access_mode__descriptor);
	message->access_mode->mode = (Csi__V1__VolumeCapability__AccessMode__Mode)mode;
	if (usage->block) {
		message->access_type_case = CSI__V1__VOLUME_CAPABILITY__ACCESS_TYPE_BLOCK;
		message->block =
			add_message(parts, &csi__v1__volume_capability__block_volume__descriptor);
		return message;
	}
	message->access_type_case = CSI__V1__VOLUME_CAPABILITY__ACCESS_TYPE_MOUNT;
	message->mount = add_message(parts, &csi__v1__volume_capability__mount_volume__descriptor);
	message->mount->fs_type = (char *)usage->fs_type;
	message->mount->n_mount_flags = usage->mount_options->count;
	message->mount->mount_flags = usage->mount_options->items;
	return message;
}

static Csi__V1__CapacityRange *add_range(struct csi_parts *parts, int64_t required_bytes)
{
	Csi__V1__CapacityRange *range = add_message(parts, &csi__v1__capacity_range__descriptor);

	range->required_bytes = required_bytes;
	return range;
}

static Csi__V1__Topology **add_topologies(
	struct csi_parts *parts, const struct csi_topologies *topologies, size_t *ret_count)
{
	size_t count = topologies ? topologies->count : 0;
	Csi__V1__Topology **pointers = add_part(parts, count * sizeof(*pointers));

	for (size_t i = 0; i < count; i++) {
		pointers[i] = add_message(parts, &csi__v1__topology__descriptor);
		pointers[i]->segments = csi_messages_entries(parts, &topologies->items[i],
			&csi__v1__topology__segments_entry__descriptor, &pointers[i]->n_segments);
	}
	*ret_count = count;
	return pointers;
}

static Csi__V1__TopologyRequirement *add_requirement(
	struct csi_parts *parts, const struct csi_create_request *request)
{
	Csi__V1__TopologyRequirement *message =
		add_message(parts, &csi__v1__topology_requirement__descriptor);

	message->requisite = add_topologies(parts, request->requisite, &message->n_requisite);
	message->preferred = add_topologies(parts, request->preferred, &message->n_preferred);
	return message;
}

static Csi__V1__VolumeContentSource *add_source(
	struct csi_parts *parts, const struct csi_create_request *request)
{
	Csi__V1__VolumeContentSource *source =
		add_message(parts, &csi__v1__volume_content_source__descriptor);

	if (request->source_snapshot) {
		source->type_case = CSI__V1__VOLUME_CONTENT_SOURCE__TYPE_SNAPSHOT;
		source->snapshot = add_message(
			parts, &csi__v1__volume_content_source__snapshot_source__descriptor);
		source->snapshot->snapshot_id = (char *)request->source_snapshot;
	} else {
		source->type_case = CSI__V1__VOLUME_CONTENT_SOURCE__TYPE_VOLUME;
		source->volume = add_message(
			parts, &csi__v1__volume_content_source__volume_source__descriptor);
		source->volume->volume_id = (char *)request->source_volume;
	}
	return source;
}

static void add_capabilities(struct csi_parts *parts, const struct csi_create_request *request,
	bool newer_modes, Csi__V1__CreateVolumeRequest *message)
{
	const struct usage usage = {request->mount_options, request->fs_type, request->block};
	size_t count = request->access_modes->count;

	message->volume_capabilities =
		add_part(parts, count * sizeof(*message->volume_capabilities));
	for (; message->n_volume_capabilities < count; message->n_volume_capabilities++) {
		const char *name = request->access_modes->items[message->n_volume_capabilities];

		message->volume_capabilities[message->n_volume_capabilities] =
			add_capability(parts, &usage, access_mode(name, newer_modes));
	}
}

const ProtobufCMessage *csi_messages_create(
	struct csi_parts *parts, const struct csi_create_request *request, bool newer_modes)
{
	Csi__V1__CreateVolumeRequest *message =
		add_message(parts, &csi__v1__create_volume_request__descriptor);

	message->name = (char *)request->name;
	message->capacity_range = add_range(parts, request->required_bytes);
	add_capabilities(parts, request, newer_modes, message);
	message->parameters = csi_messages_entries(parts, request->parameters,
		&csi__v1__create_volume_request__parameters_entry__descriptor,
		&message->n_parameters);
	message->mutable_parameters = csi_messages_entries(parts, request->mutable_parameters,
		&csi__v1__create_volume_request__mutable_parameters_entry__descriptor,
		&message->n_mutable_parameters);
	message->secrets = csi_messages_entries(parts, request->secrets,
		&csi__v1__create_volume_request__secrets_entry__descriptor, &message->n_secrets);
	if (request->requisite || request->preferred)
		message->accessibility_requirements = add_requirement(parts, request);
	if (request->source_volume || request->source_snapshot)
		message->volume_content_source = add_source(parts, request);
	return &message->base;
}

const ProtobufCMessage *csi_messages_expand(
	struct csi_parts *parts, const struct csi_expand_request *request, bool newer_modes)
{
	const struct usage usage = {request->mount_options, request->fs_type, request->block};
	Csi__V1__ControllerExpandVolumeRequest *message =
		add_message(parts, &csi__v1__controller_expand_volume_request__descriptor);

	message->volume_id = (char *)request->handle;
	message->capacity_range = add_range(parts, request->required_bytes);
	message->volume_capability =
		add_capability(parts, &usage, widest_mode(request->access_modes, newer_modes));
	message->secrets = csi_messages_entries(parts, request->secrets,
		&csi__v1__controller_expand_volume_request__secrets_entry__descriptor,
		&message->n_secrets);
	return &message->base;
}

static size_t entries_size(void *entries, size_t count)
{
	struct map_entry *const *pointers = entries;
	size_t size = 0;

	for (size_t i = 0; i < count; i++)
		size += strlen(pointers[i]->key) + strlen(pointers[i]->value) + 1;
	return size;
}

static void copy_entries(struct string_map *map, void *entries, size_t count)
{
	struct map_entry *const *pointers = entries;

	for (size_t i = 0; i < count; i++)
		string_map_add(map, pointers[i]->key, pointers[i]->value);
}

static int check_volume(const Csi__V1__Volume *volume, struct error *err)
{
	size_t size = entries_size(volume->volume_context, volume->n_volume_context);

	if (!*volume->volume_id)
		return error_set(err, ERROR_ABORTED, "the driver answered without a volume id");
	if (strlen(volume->volume_id) > HANDLE_MAX)
		return error_set(err, ERROR_ABORTED,
			"the driver answered with a volume id of more than %d bytes", HANDLE_MAX);
	if (volume->capacity_bytes < 0)
		return error_set(
			err, ERROR_ABORTED, "the driver answered with a negative capacity");
	if (volume->n_accessible_topology > TOPOLOGIES_MAX)
		return error_set(err, ERROR_ABORTED,
			"the driver answered with more than %d topologies", TOPOLOGIES_MAX);
	for (size_t i = 0; i < volume->n_accessible_topology; i++)
		size += entries_size(volume->accessible_topology[i]->segments,
			volume->accessible_topology[i]->n_segments);
	if (size > CONTEXT_MAX)
		return error_set(err, ERROR_ABORTED,
			"the driver answered with a volume context and topology of more than "
			"%d bytes",
			CONTEXT_MAX);
	return 0;
}

int csi_messages_read_volume(
	const Csi__V1__Volume *message, struct csi_volume *ret_volume, struct error *err)
{
	struct csi_volume volume = {.topologies.count = message->n_accessible_topology};

	if (check_volume(message, err) < 0)
		return -1;
	volume.handle = strdup(message->volume_id);
	volume.topologies.items =
		calloc(volume.topologies.count + 1, sizeof(*volume.topologies.items));
	if (!volume.handle || !volume.topologies.items)
		abort();
	volume.capacity_bytes = message->capacity_bytes;
	volume.has_source = message->content_source != NULL;
	copy_entries(&volume.context, message->volume_context, message->n_volume_context);
	for (size_t i = 0; i < volume.topologies.count; i++)
		copy_entries(&volume.topologies.items[i], message->accessible_topology[i]->segments,
			message->accessible_topology[i]->n_segments);
	*ret_volume = volume;
	return 0;
}

static int check_snapshot(const Csi__V1__Snapshot *snapshot, struct error *err)
{
	const Google__Protobuf__Timestamp *created = snapshot->creation_time;

	if (!*snapshot->snapshot_id)
		return error_set(err, ERROR_ABORTED, "the driver answered without a snapshot id");
	if (strlen(snapshot->snapshot_id) > HANDLE_MAX ||
		strlen(snapshot->source_volume_id) > HANDLE_MAX)
		return error_set(err, ERROR_ABORTED,
			"the driver answered with a snapshot's or its volume's id of more than %d "
			"bytes",
			HANDLE_MAX);
	if (snapshot->size_bytes < 0)
		return error_set(err, ERROR_ABORTED,
			"the driver answered with a snapshot of a negative size");
	if (created && (created->seconds < TIME_MIN || created->seconds > TIME_MAX))
		return error_set(err, ERROR_ABORTED,
			"the driver answered with a snapshot of an impossible time");
	if (entries_size(snapshot->snapshot_context, snapshot->n_snapshot_context) > CONTEXT_MAX)
		return error_set(err, ERROR_ABORTED,
			"the driver answered with a snapshot's context of more than %d bytes",
			CONTEXT_MAX);
	return 0;
}

int csi_messages_read_snapshot(
	const Csi__V1__Snapshot *message, struct csi_snapshot *ret_snapshot, struct error *err)
{
	struct csi_snapshot snapshot = {.size_bytes = message->size_bytes,
		.has_created = message->creation_time != NULL,
		.ready = message->ready_to_use};

	if (check_snapshot(message, err) < 0)
		return -1;
	snapshot.id = strdup(message->snapshot_id);
	snapshot.volume = strdup(message->source_volume_id);
	if (!snapshot.id || !snapshot.volume)
		abort();
	if (message->creation_time)
		snapshot.created_s = message->creation_time->seconds;
	copy_entries(&snapshot.context, message->snapshot_context, message->n_snapshot_context);
	*ret_snapshot = snapshot;
	return 0;
}
