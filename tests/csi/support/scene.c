/* SPDX-License-Identifier: Apache-2.0 */
#include "scene.h"

#include <string.h>

void scene_start(struct fixture *fixture, struct volumes *volumes)
{
	volumes_start(volumes, &fixture->backend, 0);
	fixture_visit(volumes);
	trash_wait(&volumes->trash);
}

static struct parameters parameters_of(const struct wish *wish)
{
	return (struct parameters){
		.path = wish->base,
		.path_pattern = wish->pattern,
		.mode = 0750,
		.uid = 7,
		.gid = 8,
		.on_delete = wish->on_delete,
		.archive_ttl = wish->ttl,
		.reuse = wish->reuse,
		.reuse_across_namespaces = wish->any_namespace,
		.namespace = "shop",
		.namespace_uid = wish->namespace_uid ? wish->namespace_uid : "uid-1",
		.statefulset = "web",
		.template = "data",
		.ordinal = wish->ordinal ? wish->ordinal : "0",
		.pv = wish->name,
		.cluster_uid = wish->cluster_uid,
	};
}

int scene_try(struct volumes *volumes, const struct wish *wish, char *ret_path, struct error *err)
{
	struct parameters parameters = parameters_of(wish);
	struct volume_request request = {
		wish->name, {wish->size ? wish->size : 4096, 0}, &parameters, NULL, NULL};
	struct volume volume;

	fixture_locate(&parameters);
	if (volumes_create(volumes, &request, &volume, err) < 0)
		return -1;
	if (ret_path)
		strcpy(ret_path, volume.record->path);
	volume_done(&volume);
	return 0;
}

const char *scene_create(struct volumes *volumes, const struct wish *wish)
{
	static char path[8192];
	struct error err;

	if (scene_try(volumes, wish, path, &err) < 0)
		fail_msg("%s: %s", wish->name, err.text);
	return path;
}

const char *scene_fill(struct volumes *volumes, const struct wish *wish, const char *text)
{
	const char *path = scene_create(volumes, wish);
	_cleanup_free_ char *file = NULL;

	assert_true(
		asprintf(&file, "%s/%s/content",
			wish->base ? wish->base : volumes->backend->roots->values[0], path) > 0);
	fixture_write_file(file, text);
	return path;
}

const char *scene_id(const struct volumes *volumes, const struct wish *wish)
{
	static char texts[4][VOLUME_ID_MAX + 1];
	static unsigned number;
	struct volume_id id = {0};

	volume_id_hash(wish->name, &id.hash);
	fixture_base(volumes->backend, &id);
	if (wish->base)
		strcpy(id.share, wish->base);
	number = (number + 1) % ARRAY_SIZE(texts);
	assert_int_equal(volume_id_format(&id, texts[number], NULL), 0);
	return texts[number];
}

bool scene_is_busy(const struct error *err)
{
	return err->kind == ERROR_ABORTED ||
	       (err->kind == ERROR_UNAVAILABLE && strstr(err->text, "calls wait for it already"));
}

int scene_try_delete(struct volumes *volumes, const struct wish *wish, struct error *err)
{
	int result = volumes_delete(volumes, scene_id(volumes, wish), NULL, err);

	trash_wait(&volumes->trash);
	return result;
}

void scene_delete(struct volumes *volumes, const struct wish *wish)
{
	struct error err;

	if (scene_try_delete(volumes, wish, &err) < 0)
		fail_msg("%s: %s", wish->name, err.text);
}
