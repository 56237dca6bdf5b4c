/* SPDX-License-Identifier: Apache-2.0 */
#include "publishing.h"

#include <string.h>

void publishing_fill(struct publishing_request *call, const struct publishing *publishing)
{
	Csi__V1__VolumeCapability__MountVolume *mount_volume = &call->mount_volume;

	csi__v1__volume_capability__access_mode__init(&call->mode);
	csi__v1__volume_capability__mount_volume__init(mount_volume);
	csi__v1__volume_capability__block_volume__init(&call->block);
	csi__v1__volume_capability__init(&call->capability);
	csi__v1__node_publish_volume_request__init(&call->request);
	call->mode.mode =
		(Csi__V1__VolumeCapability__AccessMode__Mode)(publishing->mode ? publishing->mode
									       : WRITER);
	while (mount_volume->n_mount_flags < ARRAY_SIZE(publishing->flags) &&
		publishing->flags[mount_volume->n_mount_flags])
		mount_volume->n_mount_flags++;
	mount_volume->mount_flags = (char **)publishing->flags;
	call->capability.access_mode = &call->mode;
	call->capability.access_type_case = publishing->block
						    ? CSI__V1__VOLUME_CAPABILITY__ACCESS_TYPE_BLOCK
						    : CSI__V1__VOLUME_CAPABILITY__ACCESS_TYPE_MOUNT;
	if (publishing->block)
		call->capability.block = &call->block;
	else
		call->capability.mount = mount_volume;
	call->request.volume_id = (char *)publishing->id;
	call->request.target_path = (char *)publishing->target;
	call->request.readonly = publishing->readonly;
	call->request.volume_capability = publishing->no_capability ? NULL : &call->capability;
}

struct error publishing_send(struct fixture *fixture, const struct publishing_request *call)
{
	struct error err = {0};

	fixture_free(fixture_call(fixture, "Node/NodePublishVolume", &call->request,
		&csi__v1__node_publish_volume_response__descriptor, &err));
	return err;
}

struct error publishing_try(struct fixture *fixture, const struct publishing *publishing)
{
	struct publishing_request call;

	publishing_fill(&call, publishing);
	return publishing_send(fixture, &call);
}

void publishing_expect(struct fixture *fixture, const struct publishing *publishing,
	enum error_kind kind, const char *text)
{
	struct error err = publishing_try(fixture, publishing);

	fixture_check("NodePublishVolume", &err, kind, text);
}
