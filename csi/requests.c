/* SPDX-License-Identifier: Apache-2.0 */
#include "requests.h"

#include <ctype.h>
#include <string.h>
#include <sys/mount.h>

#include "map_entry.h"

int requests_check_text(const char *field, const char *value, size_t max, struct error *err)
{
	size_t length = strlen(value);

	if (!length)
		return error_set(err, ERROR_INVALID, "%s is missing", field);
	if (length > max)
		return error_set(err, ERROR_INVALID, "%s is longer than %zu bytes", field, max);
	for (; *value; value++)
		if (iscntrl((unsigned char)*value))
			return error_set(err, ERROR_INVALID, "%s holds a control character", field);
	return 0;
}

int requests_check_map(const char *field, const void *entries, size_t count, struct error *err)
{
	const struct map_entry *const *entry = entries;
	size_t total = 0;

	for (size_t i = 0; i < count; i++)
		total += strlen(entry[i]->key) + strlen(entry[i]->value);
	if (total > REQUEST_MAP_MAX)
		return error_set(
			err, ERROR_INVALID, "%s is larger than %d bytes", field, REQUEST_MAP_MAX);
	return 0;
}

int requests_check_capacity(const Csi__V1__CapacityRange *range, struct error *err)
{
	if (!range)
		return 0;
	if (range->required_bytes < 0 || range->limit_bytes < 0)
		return error_set(err, ERROR_INVALID, "capacity_range is negative");
	if (range->limit_bytes && range->limit_bytes < range->required_bytes)
		return error_set(err, ERROR_INVALID,
			"capacity_range: limit_bytes is less than required_bytes");
	return 0;
}

static int check_mode(const struct backend_ops *ops,
	const Csi__V1__VolumeCapability__AccessMode *mode, unsigned long *flags, struct error *err)
{
	if (!mode)
		return error_set(err, ERROR_INVALID, "volume capability: access_mode is missing");
	switch (mode->mode) {
	case CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__SINGLE_NODE_READER_ONLY:
		*flags |= MS_RDONLY;
		return 0;
	case CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__SINGLE_NODE_WRITER:
	case CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__SINGLE_NODE_SINGLE_WRITER:
	case CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__SINGLE_NODE_MULTI_WRITER:
		return 0;
	case CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__MULTI_NODE_READER_ONLY:
		*flags |= MS_RDONLY;
		/* fall through */
	case CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__MULTI_NODE_SINGLE_WRITER:
	case CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__MULTI_NODE_MULTI_WRITER:
		if (!ops->node_local)
			return 0;
		return error_set(err, ERROR_INVALID,
			"volume capability: a volume on a node's own disk cannot be shared by several "
			"nodes: ask for ReadWriteOnce");
	default:
		return error_set(err, ERROR_INVALID,
			"volume capability: access mode %d is not supported", (int)mode->mode);
	}
}

static int check_mount(const struct backend_ops *ops,
	const Csi__V1__VolumeCapability__MountVolume *mount, struct mount_options *options,
	struct error *err)
{
	if (*mount->fs_type && (ops->node_local || strcmp(mount->fs_type, "nfs")))
		return error_set(err, ERROR_INVALID,
			"volume capability: fs_type \"%s\": a directory has no file system of its own; "
			"leave it empty",
			mount->fs_type);
	if (*mount->volume_mount_group)
		return error_set(err, ERROR_INVALID,
			"volume capability: volume_mount_group is not supported");
	for (size_t i = 0; i < mount->n_mount_flags; i++)
		if (ops->add_option(mount->mount_flags[i], options, err) < 0)
			return error_prefix(err, "volume capability");
	return 0;
}

int requests_check_capability(const struct backend_ops *ops,
	const Csi__V1__VolumeCapability *capability, struct mount_options *ret_options,
	struct error *err)
{
	struct mount_options options = {0};

	if (!capability)
		return error_set(err, ERROR_INVALID, "the volume capability is missing");
	if (check_mode(ops, capability->access_mode, &options.flags, err) < 0)
		return -1;
	switch (capability->access_type_case) {
	case CSI__V1__VOLUME_CAPABILITY__ACCESS_TYPE_MOUNT:
		if (check_mount(ops, capability->mount, &options, err) < 0)
			return -1;
		*ret_options = options;
		return 0;
	case CSI__V1__VOLUME_CAPABILITY__ACCESS_TYPE_BLOCK:
		return error_set(err, ERROR_INVALID,
			"volume capability: volumes are directories, not block devices: ask for "
			"volumeMode Filesystem");
	default:
		return error_set(err, ERROR_INVALID, "volume capability: access_type is missing");
	}
}

int requests_check_capabilities(const struct backend_ops *ops,
	Csi__V1__VolumeCapability *const *capabilities, size_t count,
	struct mount_options *ret_options, struct error *err)
{
	struct mount_options options;

	if (!count)
		return error_set(err, ERROR_INVALID, "volume_capabilities is missing");
	for (size_t i = 0; i < count; i++)
		if (requests_check_capability(
			    ops, capabilities[i], i ? &options : ret_options, err) < 0)
			return -1;
	return 0;
}
