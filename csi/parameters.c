/* SPDX-License-Identifier: Apache-2.0 */
#include "parameters.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "beneath.h"
#include "cleanup.h"
#include "map_entry.h"
#include "names.h"
#include "path_pattern.h"

#define STATEFULSET_PATTERN "${namespace}/${statefulset}/${template}-${ordinal}"
#define CLAIM_PATTERN       "${namespace}/${claim}/${pv}"

#define MODE_DEFAULT 0777
#define MODE_MAX     07777
#define ID_MAX       0xfffffffeul /* the last one means "unchanged" to chown */

/* While they are parsed: what two parameters may say. */
struct parsing {
	struct parameters parameters;
	int on_delete;         /* -1: nothing */
	int archive_on_delete; /* nfs-subdir-external-provisioner's way to say it; -1: nothing */
};

typedef int parse_fn(const char *value, void *field, struct error *err);

static int parse_text(const char *value, void *field, struct error *err)
{
	for (const char *at = value; *at; at++)
		if (iscntrl((unsigned char)*at))
			return error_set(err, ERROR_INVALID, "it holds a control character");
	*(const char **)field = *value ? value : NULL;
	return 0;
}

static int parse_path(const char *value, void *field, struct error *err)
{
	if (*value != '/')
		return error_set(err, ERROR_INVALID, "\"%s\" is not an absolute path", value);
	return parse_text(value, field, err);
}

static int parse_number(
	const char *value, int base, unsigned long max, unsigned long *ret, struct error *err)
{
	char *end;

	errno = 0;
	*ret = strtoul(value, &end, base);
	if (*value < '0' || *value > '9' || *end || errno || *ret > max)
		return error_set(err, ERROR_INVALID,
			base == 8 ? "\"%s\" is not an octal number up to 7777"
				  : "\"%s\" is not a number from 0 to 4294967294",
			value);
	return 0;
}

static int parse_mode(const char *value, void *field, struct error *err)
{
	unsigned long number;

	if (parse_number(value, 8, MODE_MAX, &number, err) < 0)
		return -1;
	*(mode_t *)field = (mode_t)number;
	return 0;
}

/* csi-driver-nfs' word for mode, where 0 means unchanged. */
static int parse_mount_permissions(const char *value, void *field, struct error *err)
{
	mode_t mode;

	if (parse_mode(value, &mode, err) < 0)
		return -1;
	if (mode)
		*(mode_t *)field = mode;
	return 0;
}

static int parse_id(const char *value, void *field, struct error *err)
{
	unsigned long number;

	if (parse_number(value, 10, ID_MAX, &number, err) < 0)
		return -1;
	*(uid_t *)field = (uid_t)number;
	return 0;
}

/* Which of COUNT words VALUE is. */
static int parse_word(
	const char *value, const char *const *words, int count, int *ret, struct error *err)
{
	char list[128] = "";

	for (int i = 0; i < count; i++) {
		if (!strcmp(words[i], value)) {
			*ret = i;
			return 0;
		}
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", i ? ", " : "",
			words[i]);
	}
	return error_set(err, ERROR_INVALID, "\"%s\" is not one of %s", value, list);
}

static int parse_on_delete(const char *value, void *field, struct error *err)
{
	static const char *const words[] = {
		[ON_DELETE_DELETE] = "delete",
		[ON_DELETE_ARCHIVE] = "archive",
		[ON_DELETE_RETAIN] = "retain",
	};

	return parse_word(value, words, ARRAY_SIZE(words), field, err);
}

static int parse_truth(const char *value, int *ret, struct error *err)
{
	static const char *const words[] = {"false", "true"};

	return parse_word(value, words, ARRAY_SIZE(words), ret, err);
}

static int parse_archive_on_delete(const char *value, void *field, struct error *err)
{
	return parse_truth(value, field, err);
}

static int parse_bool(const char *value, void *field, struct error *err)
{
	int truth;

	if (parse_truth(value, &truth, err) < 0)
		return -1;
	*(bool *)field = truth;
	return 0;
}

static int parse_reuse(const char *value, void *field, struct error *err)
{
	static const char *const words[] = {"never", "ordinal"};
	int word;

	if (parse_word(value, words, ARRAY_SIZE(words), &word, err) < 0)
		return -1;
	*(bool *)field = word;
	return 0;
}

static int parse_quota(const char *value, void *field, struct error *err)
{
	static const char *const words[] = {
		[QUOTA_AUTO] = "auto",
		[QUOTA_REQUIRED] = "required",
		[QUOTA_NONE] = "none",
	};
	int word;

	if (parse_word(value, words, ARRAY_SIZE(words), &word, err) < 0)
		return -1;
	*(enum quota_wish *)field = (enum quota_wish)word;
	return 0;
}

/* Seconds in the unit that TEXT begins with; 0 for none. */
static int64_t seconds_of(char unit)
{
	switch (unit) {
	case 's':
		return 1;
	case 'm':
		return 60;
	case 'h':
		return 3600;
	case 'd':
		return 86400;
	case 'w':
		return 7 * 86400;
	default:
		return 0;
	}
}

/* As Go writes durations, "36h" or "1h30m", and with days and weeks: "30d". */
static int parse_duration(const char *value, void *field, struct error *err)
{
	int64_t total = 0;
	const char *at = value;

	do {
		char *end;
		int64_t number, unit;

		errno = 0;
		number = strtoll(at, &end, 10);
		unit = seconds_of(*end);
		if (!isdigit((unsigned char)*at) || errno || !unit ||
			__builtin_mul_overflow(number, unit, &number) ||
			__builtin_add_overflow(total, number, &total))
			return error_set(err, ERROR_INVALID,
				"\"%s\" is not a duration such as 12h, 30d or 1h30m", value);
		at = end + 1;
	} while (*at);
	if (!total)
		return error_set(err, ERROR_INVALID,
			"\"%s\" keeps nothing: say onDelete: delete, or leave it out to keep archives",
			value);
	*(int64_t *)field = total;
	return 0;
}

#define FIELD(name) offsetof(struct parsing, parameters.name)

/* First the ones that a StorageClass may hold, which errors list; then the provisioner's. */
static const struct {
	const char *name;
	size_t field;
	parse_fn *parse;
} known[] = {
	{"path", FIELD(path), parse_path},
	{"pathPattern", FIELD(path_pattern), parse_text},
	{"server", FIELD(server), parse_text},
	{"share", FIELD(share), parse_path},
	{"servers", FIELD(servers), parse_text},
	{"onDelete", offsetof(struct parsing, on_delete), parse_on_delete},
	{"archiveOnDelete", offsetof(struct parsing, archive_on_delete), parse_archive_on_delete},
	{"archiveTTL", FIELD(archive_ttl), parse_duration},
	{"reuse", FIELD(reuse), parse_reuse},
	{"reuseAcrossNamespaces", FIELD(reuse_across_namespaces), parse_bool},
	{"mode", FIELD(mode), parse_mode},
	{"mountPermissions", FIELD(mode), parse_mount_permissions},
	{"uid", FIELD(uid), parse_id},
	{"gid", FIELD(gid), parse_id},
	{"quota", FIELD(quota), parse_quota},
	{CSI_KEY_PVC_NAME, FIELD(claim), parse_text},
	{CSI_KEY_PVC_NAMESPACE, FIELD(namespace), parse_text},
	{CSI_KEY_PV_NAME, FIELD(pv), parse_text},
	{ORDINAL_KEY_ALLOW_LIVE_COPY, FIELD(allow_live_copy), parse_bool},
	{ORDINAL_KEY_NAMESPACE_UID, FIELD(namespace_uid), parse_text},
	{ORDINAL_KEY_STATEFULSET, FIELD(statefulset), parse_text},
	{ORDINAL_KEY_STATEFULSET_UID, FIELD(statefulset_uid), parse_text},
	{ORDINAL_KEY_TEMPLATE, FIELD(template), parse_text},
	{ORDINAL_KEY_ORDINAL, FIELD(ordinal), parse_text},
	{ORDINAL_KEY_CLUSTER_UID, FIELD(cluster_uid), parse_text},
};

static int refuse_unknown(const char *key, struct error *err)
{
	char list[256] = "";

	for (size_t i = 0; i < ARRAY_SIZE(known) && !strchr(known[i].name, '/'); i++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", i ? ", " : "",
			known[i].name);
	return error_set(err, ERROR_INVALID,
		"unknown parameter \"%s\" in the StorageClass; known are %s", key, list);
}

static int parse_one(const char *key, const char *value, struct parsing *parsing, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (strcmp(known[i].name, key))
			continue;
		if (known[i].parse(value, (char *)parsing + known[i].field, err) < 0)
			return error_prefix(err, "parameter %s", key);
		return 0;
	}
	return refuse_unknown(key, err);
}

int parameters_parse(const void *entries, size_t count, struct parameters *ret, struct error *err)
{
	const struct map_entry *const *entry = entries;
	struct parsing parsing = {
		.parameters = {.mode = MODE_DEFAULT, .uid = (uid_t)-1, .gid = (gid_t)-1},
		.on_delete = -1,
		.archive_on_delete = -1,
	};

	for (size_t i = 0; i < count; i++)
		if (parse_one(entry[i]->key, entry[i]->value, &parsing, err) < 0)
			return -1;
	if (parsing.on_delete >= 0)
		parsing.parameters.on_delete = (enum on_delete)parsing.on_delete;
	else if (parsing.archive_on_delete > 0)
		parsing.parameters.on_delete = ON_DELETE_ARCHIVE;
	*ret = parsing.parameters;
	return 0;
}

int parameters_parse_mutable(
	const void *entries, size_t count, enum on_delete *on_delete, struct error *err)
{
	const struct map_entry *const *entry = entries;
	int said = (int)*on_delete;

	for (size_t i = 0; i < count; i++) {
		if (strcmp(entry[i]->key, "onDelete"))
			return error_set(err, ERROR_INVALID,
				"unknown mutable parameter \"%s\" in the VolumeAttributesClass; the "
				"only one known is onDelete",
				entry[i]->key);
		if (parse_on_delete(entry[i]->value, &said, err) < 0)
			return error_prefix(err, "mutable parameter onDelete");
	}
	*on_delete = (enum on_delete)said;
	return 0;
}

int parameters_place(const struct parameters *parameters, const struct volume_hash *hash,
	char **ret_place, struct error *err)
{
	const struct path_variable variables[] = {
		{"namespace", parameters->namespace},
		{"statefulset", parameters->statefulset},
		{"template", parameters->template},
		{"ordinal", parameters->ordinal},
		{"claim", parameters->claim},
		{"pv", parameters->pv},
		{".PVC.name", parameters->claim},
		{".PVC.namespace", parameters->namespace},
		{"pvc.metadata.name", parameters->claim},
		{"pvc.metadata.namespace", parameters->namespace},
		{"pv.metadata.name", parameters->pv},
		{NULL, NULL},
	};
	_cleanup_free_ char *place = NULL;
	const char *pattern = parameters->path_pattern;

	if (!pattern && parameters->statefulset)
		pattern = STATEFULSET_PATTERN;
	if (!pattern && parameters->claim && parameters->namespace)
		pattern = CLAIM_PATTERN;
	if (!pattern) {
		/* A caller that says nothing about its claims: not Kubernetes, or a test. */
		if (asprintf(&place, "volumes/%s", hash->text) < 0)
			abort();
	} else if (path_pattern_expand(pattern, variables, &place, err) < 0 ||
		   beneath_check_path(place, err) < 0) {
		return error_prefix(err, "pathPattern \"%s\"", pattern);
	}
	*ret_place = take_ptr(place);
	return 0;
}
