/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "doctor.h"
#include "names.h"
#include "volume_view.h"
#include "walk.h"

#define REMEDY                                                                                     \
	"a class cannot be changed: save it (kubectl get storageclass NAME -o yaml), correct it, " \
	"delete the class and create it again; volumes that are there stay as they are"

enum shape { SHAPE_TEXT, SHAPE_PATH, SHAPE_OCTAL, SHAPE_NUMBER, SHAPE_CHOICE };

/* The parameters that ordinal-csi knows (csi/README.md). */
static const struct parameter {
	const char *name;
	enum shape shape;
	const char *choices;
} parameters[] = {
	{"server", SHAPE_TEXT, NULL},
	{"share", SHAPE_PATH, NULL},
	{"servers", SHAPE_TEXT, NULL},
	{"path", SHAPE_PATH, NULL},
	{"pathPattern", SHAPE_TEXT, NULL},
	{"onDelete", SHAPE_CHOICE, "delete|archive|retain"},
	{"archiveOnDelete", SHAPE_CHOICE, "true|false"},
	{"archiveTTL", SHAPE_TEXT, NULL},
	{"reuse", SHAPE_CHOICE, "never|ordinal"},
	{"reuseAcrossNamespaces", SHAPE_CHOICE, "true|false"},
	{"mode", SHAPE_OCTAL, NULL},
	{"mountPermissions", SHAPE_OCTAL, NULL},
	{"uid", SHAPE_NUMBER, NULL},
	{"gid", SHAPE_NUMBER, NULL},
	{"quota", SHAPE_CHOICE, "auto|required|none"},
};

static bool is_choice(const char *choices, const char *value)
{
	size_t length = strlen(value);

	for (const char *at = choices; at; at = strchr(at, '|')) {
		at += *at == '|';
		if (!strncmp(at, value, length) && (at[length] == '|' || !at[length]))
			return true;
	}
	return false;
}

/* What VALUE should be and is not; NULL if it is. */
static const char *what_is_wrong(const struct parameter *parameter, const char *value)
{
	switch (parameter->shape) {
	case SHAPE_PATH:
		return *value == '/' ? NULL : "an absolute path";
	case SHAPE_OCTAL:
		return *value && strspn(value, "01234567") == strlen(value) ? NULL
									    : "an octal number";
	case SHAPE_NUMBER:
		return *value && strspn(value, "0123456789") == strlen(value) ? NULL : "a number";
	case SHAPE_CHOICE:
		return is_choice(parameter->choices, value) ? NULL : parameter->choices;
	default:
		return NULL;
	}
}

static const struct parameter *find_parameter(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(parameters); i++)
		if (!strcmp(parameters[i].name, name))
			return &parameters[i];
	return NULL;
}

/* What is for the provisioner, and not for the driver: secrets, and the type of a file system. */
static bool is_standard(const char *name)
{
	return !strncmp(name, CSI_KEY_PREFIX, strlen(CSI_KEY_PREFIX)) &&
	       strncmp(name, CSI_KEY_PREFIX "pvc/", strlen(CSI_KEY_PREFIX "pvc/")) &&
	       strncmp(name, CSI_KEY_PREFIX "pv/", strlen(CSI_KEY_PREFIX "pv/"));
}

static void check_parameter(struct doctor_report *report, const struct doctor_finding *finding,
	const char *name, struct json_object *value)
{
	const struct parameter *parameter = find_parameter(name);
	const char *text = json_text(value), *wrong;

	if (!text)
		doctor_tell(report, finding, "parameter \"%s\" is no text", name);
	else if (!parameter && !is_standard(name))
		doctor_tell(report, finding,
			"unknown parameter \"%s\": no claim of this class gets a volume", name);
	else if (parameter && (wrong = what_is_wrong(parameter, text)))
		doctor_tell(report, finding,
			"parameter %s is \"%s\", which is not %s: no claim of this class gets a "
			"volume",
			name, text, wrong);
}

/* What needs or excludes something else. */
static void check_together(
	struct doctor_report *report, const struct doctor_finding *finding, struct json_object *map)
{
	bool server = json_string(map, "server"), share = json_string(map, "share");

	if (server != share && !json_string(map, "servers"))
		doctor_tell(report, finding, "%s is given, and %s is not: an export needs both",
			server ? "server" : "share", server ? "share" : "server");
	if (json_string(map, "servers") && (server || share))
		doctor_tell(report, finding,
			"servers is given, and server or share, too: one of them is meant");
}

static void check_class(struct doctor_report *report, struct json_object *class)
{
	struct json_object *map = walk_to(class, "parameters", json_type_object);
	_cleanup_free_ char *object = NULL;
	struct doctor_finding finding = {
		.check = "classes", .level = DOCTOR_PROBLEM, .remedy = (char *)REMEDY};

	if (asprintf(&object, "StorageClass/%s", walk_text_or_empty(class, "metadata.name")) < 0)
		abort();
	finding.object = object;
	if (!map)
		return;
	json_object_object_foreach(map, name, value)
	{
		check_parameter(report, &finding, name, value);
	}
	check_together(report, &finding, map);
}

size_t doctor_classes_check(const struct doctor_cluster *cluster, struct doctor_report *report)
{
	static const struct doctor_finding none = {
		.check = "classes",
		.level = DOCTOR_PROBLEM,
		.object = (char *)"StorageClass",
		.remedy =
			(char *)"install one of deploy/'s folders: kubectl apply -k deploy/host-path",
	};
	size_t count = 0;

	for (size_t i = 0; i < walk_count(cluster->classes); i++) {
		struct json_object *class = walk_item(cluster->classes, i);

		if (!volume_view_is_our_driver(walk_text_or_empty(class, "provisioner")))
			continue;
		check_class(report, class);
		count++;
	}
	if (cluster->classes && !count)
		doctor_tell(report, &none, "there is no class of a driver of Ordinal");
	return count;
}
