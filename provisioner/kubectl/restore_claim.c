/* SPDX-License-Identifier: Apache-2.0 */
#include "restore_claim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns_name.h"
#include "quantity.h"
#include "walk.h"

static void set_text(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, json_object_new_string(text));
}

/* The volumeClaimTemplate of SET that the archive's claim was made from, or NULL. */
static struct json_object *find_template(struct json_object *set, const struct archive *archive)
{
	struct json_object *templates = walk_to(set, "spec.volumeClaimTemplates", json_type_array);

	for (size_t i = 0; i < walk_count(templates) && archive->template; i++)
		if (!strcmp(walk_text_or_empty(walk_item(templates, i), "metadata.name"),
			    archive->template))
			return walk_item(templates, i);
	return NULL;
}

static int make_name(const struct archive *archive, const struct arguments *arguments,
	char **ret_name, struct error *err)
{
	_cleanup_free_ char *name = NULL;

	if (arguments->claim)
		name = strdup(arguments->claim);
	else if (!archive->set || !archive->template || archive->ordinal < 0)
		return error_set(err, ERROR_INVALID,
			"the archive is of no replica of a StatefulSet: say what the claim is to be "
			"called with --claim");
	else if (asprintf(&name, "%s-%s-%" PRId64, archive->template, archive->set,
			 archive->ordinal) < 0)
		abort();
	if (!name)
		abort();
	if (!dns_name_is_subdomain(name))
		return error_set(err, ERROR_INVALID, "\"%s\" is not a claim's name", name);
	*ret_name = take_ptr(name);
	return 0;
}

/* The larger of what the archive holds and the template asks for: a claim that asks for less than
 * the data had would be refused. */
static int make_size(const struct archive *archive, const char *asked, struct json_object *template,
	char out[static 32], struct error *err)
{
	const char *wanted = walk_text(template, "spec.resources.requests.storage");
	int64_t bytes = -1;

	if (asked && quantity_parse(asked, &bytes, err) < 0)
		return error_prefix(err, "--size");
	if (!asked && wanted && quantity_parse(wanted, &bytes, err) < 0)
		return error_prefix(err, "the set's template");
	if (!asked && bytes < archive->size)
		bytes = archive->size;
	if (bytes <= 0)
		return error_set(err, ERROR_INVALID,
			"how large the archive is nobody knows: say it with --size");
	quantity_format(bytes, out, 32);
	return 0;
}

static int make_spec(const struct archive *archive, const struct arguments *arguments,
	struct json_object *template, struct json_object *spec, struct error *err)
{
	const char *class =
		arguments->class ? arguments->class : walk_text(template, "spec.storageClassName");
	struct json_object *modes = walk_to(template, "spec.accessModes", json_type_array);
	struct json_object *resources = json_object_new_object();
	struct json_object *requests = json_object_new_object();
	char size[32];

	json_object_object_add(resources, "requests", requests);
	json_object_object_add(spec, "resources", resources);
	if (!class)
		return error_set(err, ERROR_INVALID,
			"its StatefulSet is gone, or names no class: say which with --class");
	if (!dns_name_is_subdomain(class))
		return error_set(err, ERROR_INVALID, "\"%s\" is not a StorageClass's name", class);
	if (make_size(archive, arguments->size, template, size, err) < 0)
		return -1;
	set_text(requests, "storage", size);
	set_text(spec, "storageClassName", class);
	if (walk_count(modes)) {
		json_object_get(modes);
	} else {
		modes = json_object_new_array();
		json_object_array_add(modes, json_object_new_string("ReadWriteOnce"));
	}
	json_object_object_add(spec, "accessModes", modes);
	return 0;
}

/* What the StatefulSet controller gives its claims, by which they are known as the set's. */
static struct json_object *make_labels(struct json_object *set, struct json_object *template)
{
	struct json_object *labels = json_object_new_object();
	struct json_object *sources[] = {
		walk_to(template, "metadata.labels", json_type_object),
		walk_to(set, "spec.selector.matchLabels", json_type_object),
	};

	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		if (!sources[i])
			continue;
		json_object_object_foreach(sources[i], key, value)
		{
			if (json_text(value))
				set_text(labels, key, json_text(value));
		}
	}
	return labels;
}

static struct json_object *make_metadata(const char *name, const char *namespace, const char *id)
{
	struct json_object *metadata = json_object_new_object();
	struct json_object *annotations = json_object_new_object();

	set_text(annotations, RESTORE_CLAIM_ANNOTATION, id);
	set_text(metadata, "name", name);
	set_text(metadata, "namespace", namespace);
	json_object_object_add(metadata, "annotations", annotations);
	return metadata;
}

int restore_claim_make(const struct archive *archive, const struct arguments *arguments,
	const char *namespace, struct json_object *set, struct json_object **ret_claim,
	struct error *err)
{
	struct json_object *template = find_template(set, archive);
	struct json_object *claim, *metadata, *spec;
	_cleanup_free_ char *name = NULL;

	if (make_name(archive, arguments, &name, err) < 0)
		return -1;
	spec = json_object_new_object();
	if (make_spec(archive, arguments, template, spec, err) < 0) {
		json_object_put(spec);
		return -1;
	}
	claim = json_object_new_object();
	metadata = make_metadata(name, namespace, archive->id);
	/* Under another name it is not the set's. */
	if (template && !arguments->claim)
		json_object_object_add(metadata, "labels", make_labels(set, template));
	set_text(claim, "apiVersion", "v1");
	set_text(claim, "kind", "PersistentVolumeClaim");
	json_object_object_add(claim, "metadata", metadata);
	json_object_object_add(claim, "spec", spec);
	*ret_claim = claim;
	return 0;
}
