/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot_server.h"

#include <stdio.h>
#include <string.h>

#include "csi.pb-c.h"
#include "driver.h"
#include "map_entry.h"
#include "names.h"
#include "requests.h"
#include "snapshots.h"

/* Snapshots on a page of ListSnapshots; clients of gRPC take answers of 4 MiB. */
#define LIST_MAX 1000

#define CONTEXT_MAX 9

/* All that .snapshot points to; it must not be moved. */
struct message {
	Csi__V1__Snapshot snapshot;
	Google__Protobuf__Timestamp created;
	char *path;
	Csi__V1__Snapshot__SnapshotContextEntry entries[CONTEXT_MAX];
	Csi__V1__Snapshot__SnapshotContextEntry *context[CONTEXT_MAX];
};

static void add_context(struct message *message, const char *key, const char *value)
{
	size_t i = message->snapshot.n_snapshot_context;

	if (!value)
		return;
	csi__v1__snapshot__snapshot_context_entry__init(&message->entries[i]);
	message->entries[i].key = (char *)key;
	message->entries[i].value = (char *)value;
	message->context[i] = &message->entries[i];
	message->snapshot.n_snapshot_context++;
}

/* Whose data it holds, and where they lie. */
static void fill_context(struct message *message, const struct snapshot *snapshot)
{
	const struct record *record = snapshot->record;
	char name[LOCATION_NAME_MAX + 1];

	location_name(&snapshot->location, name);
	if (asprintf(&message->path, "%s/.ordinal/archive/%s", name, record->archive) < 0)
		abort();
	add_context(message, ORDINAL_KEY_PATH, message->path);
	add_context(message, CSI_KEY_PVC_NAMESPACE, record->namespace);
	add_context(message, CSI_KEY_PVC_NAME, record->claim);
	add_context(message, CSI_KEY_PV_NAME, record->pv);
	add_context(message, ORDINAL_KEY_NAMESPACE_UID, record->namespace_uid);
	add_context(message, ORDINAL_KEY_STATEFULSET, record->statefulset);
	add_context(message, ORDINAL_KEY_TEMPLATE, record->template);
	add_context(message, ORDINAL_KEY_ORDINAL, record->ordinal);
	add_context(message, ORDINAL_KEY_CLUSTER_UID, record->cluster_uid);
	message->snapshot.snapshot_context = message->context;
}

/* SNAPSHOT is borrowed for as long. Caller calls message_done(). */
static void message_init(struct message *message, const struct snapshot *snapshot)
{
	*message = (struct message){0};
	csi__v1__snapshot__init(&message->snapshot);
	google__protobuf__timestamp__init(&message->created);
	message->created.seconds = snapshot->record->retired / 1000000;
	message->created.nanos = (int32_t)(snapshot->record->retired % 1000000 * 1000);
	message->snapshot.snapshot_id = (char *)snapshot->id;
	message->snapshot.source_volume_id = (char *)snapshot->volume_id;
	message->snapshot.size_bytes = snapshot->record->capacity;
	message->snapshot.creation_time = &message->created;
	message->snapshot.ready_to_use = true;
	fill_context(message, snapshot);
}

static void message_done(struct message *message)
{
	free(message->path);
}

/* A VolumeSnapshotClass' parameters, and what external-snapshotter adds. */
static int parse_parameters(
	const void *entries, size_t count, struct snapshot_request *request, struct error *err)
{
	const struct map_entry *const *entry = entries;

	for (size_t i = 0; i < count; i++) {
		if (!strncmp(entry[i]->key, CSI_KEY_PREFIX, strlen(CSI_KEY_PREFIX)))
			continue;
		if (strcmp(entry[i]->key, ORDINAL_KEY_ALLOW_LIVE_COPY))
			return error_set(err, ERROR_INVALID,
				"unknown parameter \"%s\" in the VolumeSnapshotClass; the only one "
				"known is " ORDINAL_KEY_ALLOW_LIVE_COPY,
				entry[i]->key);
		request->allow_live = !strcmp(entry[i]->value, "true");
		if (!request->allow_live && strcmp(entry[i]->value, "false"))
			return error_set(err, ERROR_INVALID,
				"parameter " ORDINAL_KEY_ALLOW_LIVE_COPY
				": \"%s\" is not one of false, true",
				entry[i]->value);
	}
	return 0;
}

int snapshot_server_create(
	void *context, const ProtobufCMessage *message, struct rpc_reply *reply, struct error *err)
{
	struct driver *driver = context;
	const Csi__V1__CreateSnapshotRequest *request = (const void *)message;
	Csi__V1__CreateSnapshotResponse response = CSI__V1__CREATE_SNAPSHOT_RESPONSE__INIT;
	_cleanup_(message_done) struct message answer = {0};
	_cleanup_(snapshot_done) struct snapshot snapshot = {0};
	struct snapshot_request wanted = {
		.name = request->name,
		.source = request->source_volume_id,
		.cancelled = rpc_reply_cancelled(reply),
	};

	if (requests_check_text("name", request->name, REQUEST_TEXT_MAX, err) < 0 ||
		requests_check_text(
			"source_volume_id", request->source_volume_id, REQUEST_TEXT_MAX, err) < 0 ||
		requests_check_map("secrets", request->secrets, request->n_secrets, err) < 0 ||
		requests_check_map("parameters", request->parameters, request->n_parameters, err) <
			0 ||
		parse_parameters(request->parameters, request->n_parameters, &wanted, err) < 0 ||
		snapshots_create(&driver->volumes, &wanted, &snapshot, err) < 0)
		return -1;
	message_init(&answer, &snapshot);
	response.snapshot = &answer.snapshot;
	rpc_reply_set(reply, &response.base);
	return 0;
}

const char *snapshot_server_create_subject(const ProtobufCMessage *message)
{
	return ((const Csi__V1__CreateSnapshotRequest *)message)->name;
}

int snapshot_server_delete(
	void *context, const ProtobufCMessage *message, struct rpc_reply *reply, struct error *err)
{
	struct driver *driver = context;
	const Csi__V1__DeleteSnapshotRequest *request = (const void *)message;
	Csi__V1__DeleteSnapshotResponse response = CSI__V1__DELETE_SNAPSHOT_RESPONSE__INIT;

	if (requests_check_text("snapshot_id", request->snapshot_id, REQUEST_TEXT_MAX, err) < 0 ||
		requests_check_map("secrets", request->secrets, request->n_secrets, err) < 0 ||
		snapshots_delete(&driver->volumes, request->snapshot_id, err) < 0)
		return -1;
	rpc_reply_set(reply, &response.base);
	return 0;
}

const char *snapshot_server_delete_subject(const ProtobufCMessage *message)
{
	return ((const Csi__V1__DeleteSnapshotRequest *)message)->snapshot_id;
}

/* One line of the answer to ListSnapshots. */
struct entry {
	Csi__V1__ListSnapshotsResponse__Entry entry;
	struct message message;
};

static void reply_page(const struct snapshot_page *page, struct rpc_reply *reply)
{
	Csi__V1__ListSnapshotsResponse response = CSI__V1__LIST_SNAPSHOTS_RESPONSE__INIT;
	_cleanup_free_ struct entry *entries = calloc(page->count + 1, sizeof(*entries));
	_cleanup_free_ Csi__V1__ListSnapshotsResponse__Entry **pointers =
		calloc(page->count + 1, sizeof(*pointers));

	if (!entries || !pointers)
		abort();
	for (size_t i = 0; i < page->count; i++) {
		csi__v1__list_snapshots_response__entry__init(&entries[i].entry);
		message_init(&entries[i].message, &page->snapshots[i]);
		entries[i].entry.snapshot = &entries[i].message.snapshot;
		pointers[i] = &entries[i].entry;
	}
	response.entries = pointers;
	response.n_entries = page->count;
	response.next_token = (char *)page->next;
	rpc_reply_set(reply, &response.base);
	for (size_t i = 0; i < page->count; i++)
		message_done(&entries[i].message);
}

int snapshot_server_list(
	void *context, const ProtobufCMessage *message, struct rpc_reply *reply, struct error *err)
{
	struct driver *driver = context;
	const Csi__V1__ListSnapshotsRequest *request = (const void *)message;
	_cleanup_(snapshot_page_done) struct snapshot_page page = {0};
	const struct snapshot_filter filter = {request->snapshot_id, request->source_volume_id};
	int max = request->max_entries;

	if (max < 0)
		return error_set(err, ERROR_INVALID, "max_entries is negative");
	if (!max || max > LIST_MAX)
		max = LIST_MAX;
	if (requests_check_map("secrets", request->secrets, request->n_secrets, err) < 0)
		return -1;
	if (snapshots_list(&driver->volumes, &filter, request->starting_token, (size_t)max, &page,
		    err) < 0)
		return err->kind == ERROR_ABORTED ? error_prefix(err, "starting_token") : -1;
	reply_page(&page, reply);
	return 0;
}
