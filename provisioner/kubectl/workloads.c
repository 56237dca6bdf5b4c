/* SPDX-License-Identifier: Apache-2.0 */
#include "workloads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"
#include "names.h"
#include "walk.h"

static const char *const namespaces[] = {"ordinal-system", "nfs-dynamic"};

static int add_items(const struct kube_api *api, const char *namespace, const char *prefix,
	const char *plural, struct json_object *all, struct error *err)
{
	_cleanup_free_ char *path = cluster_path(prefix, namespace, plural);
	struct json_object *items;

	if (cluster_list(api, path, &items, err) < 0)
		return -1;
	for (size_t i = 0; i < walk_count(items); i++)
		json_object_array_add(all, json_object_get(walk_item(items, i)));
	json_object_put(items);
	return 0;
}

/* A namespace that there is not has nothing in it. */
int workloads_list(const struct kube_api *api, const char *namespace, const char *prefix,
	const char *plural, struct json_object **ret_items, struct error *err)
{
	const char *const *list = namespace ? &namespace : namespaces;
	struct json_object *all = json_object_new_array();

	for (size_t i = 0; i < (namespace ? 1 : ARRAY_SIZE(namespaces)); i++) {
		if (add_items(api, list[i], prefix, plural, all, err) < 0) {
			json_object_put(all);
			return -1;
		}
	}
	*ret_items = all;
	return 0;
}

char *workloads_where(const char *namespace)
{
	char *text;

	if ((namespace ? asprintf(&text, "namespace %s", namespace)
		       : asprintf(&text, "namespace %s or %s", namespaces[0], namespaces[1])) < 0)
		abort();
	return text;
}

/* Whether the command's first word is PROGRAM, in whatever folder. */
static bool runs(struct json_object *container, const char *program)
{
	struct json_object *command = walk_to(container, "command", json_type_array);
	const char *first = walk_count(command) ? json_text(walk_item(command, 0)) : NULL;
	const char *slash = first ? strrchr(first, '/') : NULL;

	return first && !strcmp(slash ? slash + 1 : first, program);
}

struct json_object *workloads_container(struct json_object *pod, const char *program)
{
	struct json_object *containers = walk_to(pod, "spec.containers", json_type_array);

	for (size_t i = 0; i < walk_count(containers); i++)
		if (runs(walk_item(containers, i), program))
			return walk_item(containers, i);
	return NULL;
}

bool workloads_is_ours(struct json_object *pod)
{
	return workloads_container(pod, WORKLOADS_PROVISIONER) ||
	       workloads_container(pod, WORKLOADS_DRIVER);
}

static const char *flag_in(struct json_object *words, const char *flag)
{
	size_t length = strlen(flag);

	for (size_t i = 0; i < walk_count(words); i++) {
		const char *word = json_text(walk_item(words, i));

		if (!word || strncmp(word, "--", 2) || strncmp(word + 2, flag, length))
			continue;
		if (!word[2 + length] || word[2 + length] == '=')
			return word + 2 + length + (word[2 + length] == '=');
	}
	return NULL;
}

const char *workloads_flag(struct json_object *container, const char *flag)
{
	const char *value = flag_in(walk_to(container, "args", json_type_array), flag);

	return value ? value : flag_in(walk_to(container, "command", json_type_array), flag);
}

const char *workloads_driver(struct json_object *pod)
{
	struct json_object *driver = workloads_container(pod, WORKLOADS_DRIVER);
	const char *name = workloads_flag(driver, "drivername");
	const char *backend = workloads_flag(driver, "backend");

	if (!driver || name)
		return name;
	return backend && !strcmp(backend, "nfs") ? ORDINAL_NFS_DRIVER : ORDINAL_HOSTPATH_DRIVER;
}

bool workloads_elects(struct json_object *pod)
{
	const char *value =
		workloads_flag(workloads_container(pod, WORKLOADS_PROVISIONER), "leader-election");

	return value && strcmp(value, "false");
}
