/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "csi.pb-c.h"
#include "driver.h"
#include "mounter.h"
#include "names.h"
#include "requests.h"
#include "stats.h"
#include "target.h"
#include "tree_size.h"

/* How a volume is to be published. */
struct wanted {
	unsigned long flags;                 /* MS_… */
	bool single_writer;                  /* at no other target meanwhile */
	char options[MOUNT_OPTIONS_MAX + 1]; /* of the export */
};

/* The options that the volume was made with, for a caller that has none. */
static void take_from_context(const struct driver *driver,
	const Csi__V1__NodePublishVolumeRequest *request, char ret[MOUNT_OPTIONS_MAX + 1])
{
	struct mount_options options = {0};

	for (size_t i = 0; i < request->n_volume_context; i++)
		if (!strcmp(request->volume_context[i]->key, ORDINAL_KEY_MOUNT_OPTIONS) &&
			driver->backend->ops->add_option(
				request->volume_context[i]->value, &options, NULL) == 0)
			strcpy(ret, options.text);
}

static int check_publish(const struct driver *driver,
	const Csi__V1__NodePublishVolumeRequest *request, struct wanted *ret_wanted,
	struct error *err)
{
	struct mount_options options;

	if (requests_check_text("volume_id", request->volume_id, REQUEST_TEXT_MAX, err) < 0 ||
		target_check_path("target_path", request->target_path, err) < 0 ||
		requests_check_map("secrets", request->secrets, request->n_secrets, err) < 0 ||
		requests_check_map("volume_context", request->volume_context,
			request->n_volume_context, err) < 0 ||
		requests_check_capability(
			driver->backend->ops, request->volume_capability, &options, err) < 0)
		return -1;
	strcpy(ret_wanted->options, options.text);
	if (!*options.text)
		take_from_context(driver, request, ret_wanted->options);
	ret_wanted->flags = options.flags | (request->readonly ? MS_RDONLY : 0);
	ret_wanted->single_writer =
		request->volume_capability->access_mode->mode ==
		CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__SINGLE_NODE_SINGLE_WRITER;
	return 0;
}

/* Something is mounted there: what was asked for, or something else. */
static int check_published(
	int source, const struct target *target, unsigned long flags, struct error *err)
{
	struct mounter_target seen;

	if (mounter_compare(source, target->parent, target->name, &seen, err) < 0)
		return -1;
	if (!seen.same)
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"something else is mounted on the target_path: unpublish it first");
	if (seen.writable && (flags & MS_RDONLY))
		return error_set(err, ERROR_ALREADY_EXISTS,
			"the volume is published there for writing: unpublish it first");
	if ((flags & seen.lacking))
		return error_set(err, ERROR_ALREADY_EXISTS,
			"the volume is published there with other mount options: unpublish it first");
	if (seen.made_readonly && !(flags & MS_RDONLY))
		return error_set(err, ERROR_ALREADY_EXISTS,
			"the volume is published there read-only: unpublish it first");
	return 0;
}

/* Found in what is mounted, so that it holds whatever became of the driver meanwhile. */
static int check_not_mounted(int source, struct error *err)
{
	_cleanup_free_ char *other = NULL;

	if (mounter_find_mount(source, &other, err) < 0)
		return err->kind == ERROR_NOT_FOUND ? 0 : -1;
	return error_set(err, ERROR_FAILED_PRECONDITION,
		"the volume is mounted on %s, and with this access mode (ReadWriteOncePod) only one "
		"pod of the node may use it: end the pod that does, or unpublish it there",
		other);
}

static int mount_volume(
	int source, const struct target *target, const struct wanted *wanted, struct error *err)
{
	if (wanted->single_writer && check_not_mounted(source, err) < 0)
		return -1;
	if (mounter_bind(source, target->parent, target->name, wanted->flags, err) < 0)
		return error_prefix(err, "bind the volume to target_path");
	return 0;
}

static int publish(
	int source, const struct target *target, const struct wanted *wanted, struct error *err)
{
	bool mounted;

	if (target->parent < 0)
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"the directory above target_path does not exist: its caller has to make it");
	if (mkdirat(target->parent, target->name, 0750) < 0 && errno != EEXIST)
		return error_set_errno(err, errno, "make the directory target_path");
	if (mounter_is_mounted(target->parent, target->name, &mounted, err) < 0)
		return error_prefix(err, "target_path");
	if (mounted)
		return check_published(source, target, wanted->flags, err);
	if (mount_volume(source, target, wanted, err) == 0)
		return 0;
	/* Kubelet takes a failed publish for one that left nothing. */
	unlinkat(target->parent, target->name, AT_REMOVEDIR);
	return -1;
}

/* Wait for other calls about TARGET, which its caller spells PATH. */
static int hold_target(struct driver *driver, const struct target *target, const char *path,
	const struct rpc_reply *reply, struct keylock_holder *holder, struct error *err)
{
	if (keylock_acquire(&driver->busy, target->key, rpc_reply_cancelled(reply), holder, err) <
		0)
		return error_prefix(err, "target_path %s", path);
	return 0;
}

static int node_publish_volume(
	void *context, const ProtobufCMessage *message, struct rpc_reply *reply, struct error *err)
{
	struct driver *driver = context;
	const Csi__V1__NodePublishVolumeRequest *request = (const void *)message;
	Csi__V1__NodePublishVolumeResponse response = CSI__V1__NODE_PUBLISH_VOLUME_RESPONSE__INIT;
	_cleanup_(target_done) struct target target = {.parent = -1};
	_cleanup_(reached_done) struct reached volume = {.fd = -1};
	_cleanup_(keylock_release) struct keylock_holder target_held = {0};
	_cleanup_(keylock_release) struct keylock_holder volume_held = {0};
	struct wanted wanted;

	if (check_publish(driver, request, &wanted, err) < 0 ||
		target_open("target_path", request->target_path, &target, err) < 0 ||
		target_check_outside("target_path", &target, driver->backend->roots, err) < 0 ||
		hold_target(driver, &target, request->target_path, reply, &target_held, err) < 0)
		return -1;
	/* Of two that each see no other mount yet, one has to be the second. */
	if (wanted.single_writer && keylock_acquire(&driver->busy, request->volume_id,
					    rpc_reply_cancelled(reply), &volume_held, err) < 0)
		return -1;
	if (volumes_reach(&driver->volumes, request->volume_id, wanted.options, &volume, err) < 0)
		return -1;
	if (volume.fd < 0) {
		*err = volume.lost;
		return -1;
	}
	if (publish(volume.fd, &target, &wanted, err) < 0)
		return -1;
	rpc_reply_set(reply, &response.base);
	return 0;
}

static const char *publish_subject(const ProtobufCMessage *message)
{
	return ((const Csi__V1__NodePublishVolumeRequest *)message)->target_path;
}

static int unmount(const struct driver *driver, const struct target *target, struct error *err)
{
	_cleanup_free_ char *path = NULL;

	if (driver->backend->mounts) {
		path = target_spell(target);
		if (path && exports_unmount(driver->backend->mounts, path, err) < 0)
			return -1;
	}
	return mounter_unmount(target->parent, target->name, err);
}

/* Afterwards there is nothing at the target. Only an empty directory is ever removed: were the
 * unmounting wrong, the data would still be there. */
static int unpublish(const struct driver *driver, const struct target *target, struct error *err)
{
	if (target->parent < 0)
		return 0;
	if (unmount(driver, target, err) < 0)
		return err->kind == ERROR_NOT_FOUND ? 0 : -1;
	if (unlinkat(target->parent, target->name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno == ENOTEMPTY || errno == EEXIST)
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"nothing is mounted there any more, but the directory holds files that were "
			"written beside the volume: look at them, and move them away");
	return error_set_errno(err, errno, "remove the directory");
}

static int node_unpublish_volume(
	void *context, const ProtobufCMessage *message, struct rpc_reply *reply, struct error *err)
{
	struct driver *driver = context;
	const Csi__V1__NodeUnpublishVolumeRequest *request = (const void *)message;
	Csi__V1__NodeUnpublishVolumeResponse response =
		CSI__V1__NODE_UNPUBLISH_VOLUME_RESPONSE__INIT;
	_cleanup_(target_done) struct target target = {.parent = -1};
	_cleanup_(keylock_release) struct keylock_holder held = {0};

	/* The volume need not exist any more: its mount has to go all the same. */
	if (requests_check_text("volume_id", request->volume_id, REQUEST_TEXT_MAX, err) < 0 ||
		target_check_path("target_path", request->target_path, err) < 0 ||
		target_open("target_path", request->target_path, &target, err) < 0 ||
		target_check_outside("target_path", &target, driver->backend->roots, err) < 0 ||
		hold_target(driver, &target, request->target_path, reply, &held, err) < 0)
		return -1;
	if (unpublish(driver, &target, err) < 0)
		return error_prefix(err, "target_path %s", request->target_path);
	if (driver->backend->mounts)
		exports_sweep(driver->backend->mounts);
	rpc_reply_set(reply, &response.base);
	return 0;
}

static const char *unpublish_subject(const ProtobufCMessage *message)
{
	return ((const Csi__V1__NodeUnpublishVolumeRequest *)message)->target_path;
}

static int node_get_info(
	void *context, const ProtobufCMessage *request, struct rpc_reply *reply, struct error *err)
{
	struct driver *driver = context;
	Csi__V1__Topology__SegmentsEntry segment = CSI__V1__TOPOLOGY__SEGMENTS_ENTRY__INIT;
	Csi__V1__Topology__SegmentsEntry *segments[] = {&segment};
	Csi__V1__Topology topology = CSI__V1__TOPOLOGY__INIT;
	Csi__V1__NodeGetInfoResponse response = CSI__V1__NODE_GET_INFO_RESPONSE__INIT;

	(void)request;
	(void)err;
	segment.key = driver->topology_key;
	segment.value = (char *)driver->node_id;
	topology.segments = segments;
	topology.n_segments = ARRAY_SIZE(segments);
	response.node_id = (char *)driver->node_id;
	response.accessible_topology = driver->backend->ops->node_local ? &topology : NULL;
	rpc_reply_set(reply, &response.base);
	return 0;
}

/* A volume that is mounted at a path, as a caller names both. */
struct published {
	struct reached volume;
	int mount; /* -1: its server does not know what is mounted any more */
};

static void published_done(struct published *published)
{
	cleanup_close(&published->mount);
	reached_done(&published->volume);
}

/* That the base has lost the volume's directory is left to the caller; what is mounted is looked at
 * there. ERROR_NOT_FOUND when there is no such volume, or nothing is mounted. */
static int find_published(struct driver *driver, const char *id, const char *path,
	struct published *ret, struct error *err)
{
	if (requests_check_text("volume_id", id, REQUEST_TEXT_MAX, err) < 0 ||
		volumes_reach(&driver->volumes, id, NULL, &ret->volume, err) < 0)
		return -1;
	if (target_open_mount("volume_path", path, &ret->mount, err) == 0)
		return 0;
	return ret->volume.volume.location.server[0] && err->errnum == ESTALE ? 0 : -1;
}

static int collect_stats(const struct published *published, struct stats *ret, struct error *err)
{
	const struct reached *reached = &published->volume;
	char name[LOCATION_NAME_MAX + 1];
	const struct stats_volume volume = {
		.base = name,
		.path = reached->volume.record->path,
		.source = reached->fd,
		.lost = &reached->lost,
	};

	location_name(&reached->volume.location, name);
	if (published->mount < 0) {
		*ret = (struct stats){.abnormal = true};
		error_set(&ret->condition, ERROR_NOT_FOUND,
			"the directory %s/%s was deleted or replaced on the server while it was "
			"mounted: see that it is there, and start the pod again",
			name, volume.path);
		return 0;
	}
	return stats_collect(published->mount, &volume, ret, err);
}

/* What the volume itself uses, instead of its whole file system. One walk at a time: each keeps the
 * disk busy. One of each export: another one's server may hang. */
static int walk_volume(struct driver *driver, const struct published *published,
	const atomic_bool *cancelled, struct stats *stats, struct error *err)
{
	_cleanup_(keylock_release) struct keylock_holder held = {0};
	char key[sizeof("walk ") + LOCATION_NAME_MAX] = "walk ";
	struct tree_size size;

	if (!driver->backend->ops->node_local)
		location_name(&published->volume.volume.location, key + strlen(key));
	if (keylock_acquire(&driver->busy, key, cancelled, &held, err) < 0)
		return -1;
	if (tree_size_measure(published->mount, cancelled, &size, err) < 0)
		return error_prefix(err, "measure what the volume uses");
	stats->bytes.used = size.bytes;
	stats->inodes.used = size.inodes;
	return 0;
}

static void fill_usage(Csi__V1__VolumeUsage *usage, const struct stats_usage *from,
	Csi__V1__VolumeUsage__Unit unit)
{
	csi__v1__volume_usage__init(usage);
	usage->total = from->total;
	usage->available = from->available;
	usage->used = from->used;
	usage->unit = unit;
}

static void reply_stats(struct stats *stats, struct rpc_reply *reply)
{
	Csi__V1__VolumeUsage bytes, inodes, *usage[] = {&bytes, &inodes};
	Csi__V1__VolumeCondition condition = CSI__V1__VOLUME_CONDITION__INIT;
	Csi__V1__NodeGetVolumeStatsResponse response =
		CSI__V1__NODE_GET_VOLUME_STATS_RESPONSE__INIT;

	fill_usage(&bytes, &stats->bytes, CSI__V1__VOLUME_USAGE__UNIT__BYTES);
	fill_usage(&inodes, &stats->inodes, CSI__V1__VOLUME_USAGE__UNIT__INODES);
	condition.abnormal = stats->abnormal;
	condition.message = stats->condition.text;
	response.usage = usage;
	response.n_usage = stats->has_usage ? ARRAY_SIZE(usage) : 0;
	response.volume_condition = &condition;
	rpc_reply_set(reply, &response.base);
}

static int node_get_volume_stats(
	void *context, const ProtobufCMessage *message, struct rpc_reply *reply, struct error *err)
{
	struct driver *driver = context;
	const Csi__V1__NodeGetVolumeStatsRequest *request = (const void *)message;
	_cleanup_(published_done) struct published published = {.volume.fd = -1, .mount = -1};
	struct stats stats;

	if (find_published(driver, request->volume_id, request->volume_path, &published, err) < 0 ||
		collect_stats(&published, &stats, err) < 0)
		return -1;
	if (driver->stats_walk && !stats.abnormal &&
		walk_volume(driver, &published, rpc_reply_cancelled(reply), &stats, err) < 0)
		return -1;
	reply_stats(&stats, reply);
	return 0;
}

/* A directory has no size of its own to change. */
static int node_expand_volume(
	void *context, const ProtobufCMessage *message, struct rpc_reply *reply, struct error *err)
{
	struct driver *driver = context;
	const Csi__V1__NodeExpandVolumeRequest *request = (const void *)message;
	_cleanup_(published_done) struct published published = {.volume.fd = -1, .mount = -1};
	Csi__V1__NodeExpandVolumeResponse response = CSI__V1__NODE_EXPAND_VOLUME_RESPONSE__INIT;
	struct mount_options options;
	struct stats stats;

	if (requests_check_capacity(request->capacity_range, err) < 0 ||
		requests_check_map("secrets", request->secrets, request->n_secrets, err) < 0 ||
		(request->volume_capability &&
			requests_check_capability(driver->backend->ops, request->volume_capability,
				&options, err) < 0) ||
		find_published(driver, request->volume_id, request->volume_path, &published, err) <
			0 ||
		collect_stats(&published, &stats, err) < 0)
		return -1;
	response.capacity_bytes = published.volume.volume.record->capacity;
	if (request->capacity_range && request->capacity_range->required_bytes)
		response.capacity_bytes = request->capacity_range->required_bytes;
	rpc_reply_set(reply, &response.base);
	return 0;
}

static const char *expand_subject(const ProtobufCMessage *message)
{
	return ((const Csi__V1__NodeExpandVolumeRequest *)message)->volume_id;
}

static int node_get_capabilities(
	void *context, const ProtobufCMessage *request, struct rpc_reply *reply, struct error *err)
{
	static const Csi__V1__NodeServiceCapability__RPC__Type types[] = {
		CSI__V1__NODE_SERVICE_CAPABILITY__RPC__TYPE__GET_VOLUME_STATS,
		CSI__V1__NODE_SERVICE_CAPABILITY__RPC__TYPE__EXPAND_VOLUME,
		CSI__V1__NODE_SERVICE_CAPABILITY__RPC__TYPE__VOLUME_CONDITION,
		CSI__V1__NODE_SERVICE_CAPABILITY__RPC__TYPE__SINGLE_NODE_MULTI_WRITER,
	};
	Csi__V1__NodeServiceCapability__RPC rpcs[ARRAY_SIZE(types)];
	Csi__V1__NodeServiceCapability capabilities[ARRAY_SIZE(types)];
	Csi__V1__NodeServiceCapability *pointers[ARRAY_SIZE(types)];
	Csi__V1__NodeGetCapabilitiesResponse response =
		CSI__V1__NODE_GET_CAPABILITIES_RESPONSE__INIT;

	(void)context;
	(void)request;
	(void)err;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		csi__v1__node_service_capability__rpc__init(&rpcs[i]);
		rpcs[i].type = types[i];
		csi__v1__node_service_capability__init(&capabilities[i]);
		capabilities[i].type_case = CSI__V1__NODE_SERVICE_CAPABILITY__TYPE_RPC;
		capabilities[i].rpc = &rpcs[i];
		pointers[i] = &capabilities[i];
	}
	response.capabilities = pointers;
	response.n_capabilities = ARRAY_SIZE(pointers);
	rpc_reply_set(reply, &response.base);
	return 0;
}

const struct rpc_method node_methods[] = {
	{"/csi.v1.Node/NodePublishVolume", &csi__v1__node_publish_volume_request__descriptor,
		node_publish_volume, publish_subject},
	{"/csi.v1.Node/NodeUnpublishVolume", &csi__v1__node_unpublish_volume_request__descriptor,
		node_unpublish_volume, unpublish_subject},
	{"/csi.v1.Node/NodeGetVolumeStats", &csi__v1__node_get_volume_stats_request__descriptor,
		node_get_volume_stats, NULL},
	{"/csi.v1.Node/NodeExpandVolume", &csi__v1__node_expand_volume_request__descriptor,
		node_expand_volume, expand_subject},
	{"/csi.v1.Node/NodeGetInfo", &csi__v1__node_get_info_request__descriptor, node_get_info,
		NULL},
	{"/csi.v1.Node/NodeGetCapabilities", &csi__v1__node_get_capabilities_request__descriptor,
		node_get_capabilities, NULL},
	{0},
};
