/* SPDX-License-Identifier: Apache-2.0 */
#include "secrets.h"

#include <netinet/in.h>
#include <resolv.h>
#include <string.h>

#include "dns_name.h"
#include "log.h"
#include "names.h"
#include "utf8.h"

#define NAME      "name"
#define NAMESPACE "namespace"

/* Keys are CSI_KEY_PREFIX, the use, and NAME or NAMESPACE. */
struct secret_keys {
	const char *use;
	const char
		*deprecated; /* the same, without prefix, before "Name" or "Namespace"; or NULL */
};

static const struct secret_keys keys_of_use[SECRET_USES] = {
	[SECRET_PROVISIONER] = {"provisioner-secret-", "csiProvisionerSecret"},
	[SECRET_CONTROLLER_PUBLISH] = {"controller-publish-secret-", "csiControllerPublishSecret"},
	[SECRET_NODE_STAGE] = {"node-stage-secret-", "csiNodeStageSecret"},
	[SECRET_NODE_PUBLISH] = {"node-publish-secret-", "csiNodePublishSecret"},
	[SECRET_CONTROLLER_EXPAND] = {"controller-expand-secret-", NULL},
	[SECRET_NODE_EXPAND] = {"node-expand-secret-", NULL},
	[SECRET_CONTROLLER_MODIFY] = {"controller-modify-secret-", NULL},
};
static const struct secret_keys default_keys = {"secret-", NULL};

/* What a class says under one key. */
struct template
{
	const char *class;
	char key[80];
	const char *text; /* NULL: the class does not have the key */
	bool is_namespace;
};

void secret_reference_done(struct secret_reference *reference)
{
	free(reference->namespace);
	free(reference->name);
	*reference = (struct secret_reference){NULL, NULL};
}

static bool is_key_of(const char *key, const struct secret_keys *keys)
{
	size_t length = strlen(keys->use);

	return !strncmp(key, keys->use, length) &&
	       (!strcmp(key + length, NAME) || !strcmp(key + length, NAMESPACE));
}

bool secrets_is_key(const char *parameter)
{
	if (strncmp(parameter, CSI_KEY_PREFIX, strlen(CSI_KEY_PREFIX)))
		return false;
	parameter += strlen(CSI_KEY_PREFIX);
	for (size_t i = 0; i < SECRET_USES; i++)
		if (is_key_of(parameter, &keys_of_use[i]))
			return true;
	return is_key_of(parameter, &default_keys);
}

const char *secrets_known_keys(void)
{
	return CSI_KEY_PREFIX "secret-name, and so provisioner-, controller-publish-, node-stage-, "
			      "node-publish-, controller-expand-, node-expand- and "
			      "controller-modify-secret-name, each with its ...-namespace";
}

static int find_template(const struct storage_class *class, const struct secret_keys *keys,
	bool is_namespace, struct template *ret, struct error *err)
{
	const char *old = NULL;
	char old_key[80];

	*ret = (struct template){.class = class->object.name, .is_namespace = is_namespace};
	snprintf(ret->key, sizeof(ret->key), CSI_KEY_PREFIX "%s%s", keys->use,
		is_namespace ? NAMESPACE : NAME);
	ret->text = string_map_get(&class->parameters, ret->key);
	if (keys->deprecated) {
		snprintf(old_key, sizeof(old_key), "%s%s", keys->deprecated,
			is_namespace ? "Namespace" : "Name");
		old = string_map_get(&class->parameters, old_key);
	}
	if (old && ret->text)
		return error_set(err, ERROR_INVALID,
			"storage class %s: has both %s and the deprecated %s: leave %s alone",
			ret->class, ret->key, old_key, ret->key);
	if (old) {
		snprintf(ret->key, sizeof(ret->key), "%s", old_key);
		ret->text = old;
	}
	return 0;
}

/* Both templates, or none. */
static int find_pair(const struct storage_class *class, const struct secret_keys *keys,
	struct template *ret_name, struct template *ret_namespace, struct error *err)
{
	if (find_template(class, keys, false, ret_name, err) < 0 ||
		find_template(class, keys, true, ret_namespace, err) < 0)
		return -1;
	if (!ret_name->text != !ret_namespace->text)
		return error_set(err, ERROR_INVALID,
			"storage class %s: %s needs %s beside it: a secret has a name and a "
			"namespace",
			ret_name->class, ret_name->text ? ret_name->key : ret_namespace->key,
			ret_name->text ? ret_namespace->key : ret_name->key);
	return 0;
}

/* The key in TOKEN if it is pvc.annotations['KEY']. Caller frees. */
static char *annotation_key(const char *token)
{
	static const char before[] = "pvc.annotations['", after[] = "']";
	const size_t around = strlen(before) + strlen(after);
	size_t length = strlen(token);
	char *key;

	if (length <= around || strncmp(token, before, strlen(before)) ||
		strcmp(token + length - strlen(after), after))
		return NULL;
	key = strndup(token + strlen(before), length - around);
	if (!key)
		abort();
	return key;
}

/* What TOKEN stands for, or NULL. Claims are their users': a user chooses the name of a secret at
 * most, never the namespace. */
static int find_value(const struct template *template, const char *token,
	const struct secrets_context *context, const char **ret_value, struct error *err)
{
	_cleanup_free_ char *key = NULL;

	*ret_value = NULL;
	if (!strcmp(token, "pv.name"))
		*ret_value = context->volume_name;
	else if (!strcmp(token, "pvc.namespace"))
		*ret_value = context->claim_namespace;
	else if (template->is_namespace)
		return 0;
	else if (!strcmp(token, "pvc.name"))
		*ret_value = context->claim_name;
	else if (context->annotations && (key = annotation_key(token)))
		return annotations_get(context->annotations, key, ret_value, err);
	return 0;
}

/* The text with its tokens replaced. Caller frees. */
static int expand(const struct template *template, const struct secrets_context *context,
	char **ret_text, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	_cleanup_fclose_ FILE *out = open_memstream(&text, &size);
	const char *end;

	if (!out)
		abort();
	for (const char *at = template->text; *at;) {
		_cleanup_free_ char *token = NULL;
		const char *value;

		end = strncmp(at, "${", 2) ? NULL : strchr(at, '}');
		if (!end) {
			fputc(*at++, out); /* a $ is refused with the whole name */
			continue;
		}
		token = strndup(at + 2, (size_t)(end - at) - 2);
		if (!token)
			abort();
		if (find_value(template, token, context, &value, err) < 0)
			return -1;
		if (!value)
			return error_set(err, ERROR_INVALID,
				"${%s} has no value here: a %s may hold %s", token,
				template->is_namespace ? "namespace" : "name",
				template->is_namespace
					? "${pv.name} and ${pvc.namespace}"
					: "${pv.name}, ${pvc.namespace}, ${pvc.name} and "
					  "${pvc.annotations['KEY']} of one that the claim has");
		fputs(value, out);
		at = end + 1;
	}
	fclose(take_ptr(out));
	*ret_text = take_ptr(text);
	return 0;
}

static int resolve(const struct template *template, const struct secrets_context *context,
	char **ret_text, struct error *err)
{
	_cleanup_free_ char *text = NULL;

	if (expand(template, context, &text, err) < 0)
		return error_prefix(err, "storage class %s: %s", template->class, template->key);
	if (!(template->is_namespace ? dns_name_is_label : dns_name_is_subdomain)(text))
		return error_set(err, ERROR_INVALID,
			"storage class %s: %s: \"%s\" resolved to \"%s\", which is no %s",
			template->class, template->key, template->text, text,
			template->is_namespace ? "namespace's name" : "secret's name");
	*ret_text = take_ptr(text);
	return 0;
}

int secrets_resolve(const struct storage_class *class, enum secret_use use,
	const struct secrets_context *context, struct secret_reference *ret, struct error *err)
{
	struct template name, namespace;
	struct secret_reference reference = {NULL, NULL};

	if (find_pair(class, &keys_of_use[use], &name, &namespace, err) < 0 ||
		(!name.text && find_pair(class, &default_keys, &name, &namespace, err) < 0))
		return -1;
	if (name.text && (resolve(&namespace, context, &reference.namespace, err) < 0 ||
				 resolve(&name, context, &reference.name, err) < 0)) {
		secret_reference_done(&reference);
		return -1;
	}
	*ret = reference;
	return 0;
}

/* Add what BASE64 holds under KEY. */
static int add_value(
	struct string_map *data, const char *key, const char *base64, struct error *err)
{
	size_t size = strlen(base64) / 4 * 3 + 4;
	_cleanup_free_ char *value = calloc(1, size);
	int length, result = 0;

	if (!value)
		abort();
	length = b64_pton(base64, (unsigned char *)value, size - 1);
	if (length < 0)
		result = error_set(err, ERROR_INTERNAL, "%s is not base64", key);
	else if (strlen(value) != (size_t)length ||
		 !utf8_is_valid((const uint8_t *)value, (size_t)length))
		result = error_set(err, ERROR_FAILED_PRECONDITION,
			"%s holds bytes that are not text: CSI takes text only", key);
	else
		string_map_add(data, key, value);
	explicit_bzero(value, size);
	return result;
}

static int read_values(struct json_object *secret, struct string_map *ret_data, struct error *err)
{
	struct json_object *values = json_member(secret, "data", json_type_object);
	struct string_map data = {.count = 0};
	int result = 0;

	if (values) {
		json_object_object_foreach(values, key, value)
		{
			const char *base64 = json_string(values, key);

			(void)value;
			if (!base64)
				result = error_set(err, ERROR_INTERNAL, "%s is not base64", key);
			else
				result = add_value(&data, key, base64, err);
			if (result < 0)
				break;
		}
	}
	if (result < 0)
		string_map_wipe(&data);
	else
		*ret_data = data;
	return result;
}

/* json-c frees strings as they are. */
static void wipe_json(struct json_object *secret)
{
	struct json_object *values = json_member(secret, "data", json_type_object);

	if (!values)
		return;
	json_object_object_foreach(values, key, value)
	{
		(void)key;
		if (json_object_is_type(value, json_type_string))
			explicit_bzero((char *)json_object_get_string(value),
				(size_t)json_object_get_string_len(value));
	}
}

/* As secrets_read(), but with ERROR_NOT_FOUND for one that is not there. */
static int read_secret(const struct kube_api *api, const struct secret_reference *reference,
	struct string_map *ret_data, struct error *err)
{
	_cleanup_free_ char *path = NULL;
	struct rest_request request = {.method = "GET"};
	struct json_object *secret;
	int result;

	if (!reference->name) {
		*ret_data = (struct string_map){.count = 0};
		return 0;
	}
	if (asprintf(&path, "/api/v1/namespaces/%s/secrets/%s", reference->namespace,
		    reference->name) < 0)
		abort();
	request.path = path;
	result = api->call(api->self, &request, &secret, err);
	if (result == 0) {
		result = read_values(secret, ret_data, err);
		wipe_json(secret);
		json_object_put(secret);
	}
	return result < 0 ? error_prefix(err, "secret %s/%s", reference->namespace, reference->name)
			  : 0;
}

int secrets_read(const struct kube_api *api, const struct secret_reference *reference,
	struct string_map *ret_data, struct error *err)
{
	int result = read_secret(api, reference, ret_data, err);

	if (result < 0 && err && err->kind == ERROR_NOT_FOUND)
		err->kind = ERROR_UNAVAILABLE;
	return result;
}

static int copy_told(const struct volume *volume, struct secret_reference *ret, struct error *err)
{
	const char *namespace = volume->deletion_secret_namespace;
	const char *name = volume->deletion_secret_name;

	if (!name)
		return 0;
	if (!dns_name_is_label(namespace) || !dns_name_is_subdomain(name))
		return error_set(err, ERROR_INVALID,
			"its annotations " DELETION_SECRET_NAME
			" and ...-namespace do not name a secret");
	ret->namespace = strdup(namespace);
	ret->name = strdup(name);
	if (!ret->namespace || !ret->name)
		abort();
	return 0;
}

static int resolve_for_deletion(const struct controller *controller, const struct volume *volume,
	struct secret_reference *ret, struct error *err)
{
	const struct secrets_context context = {
		volume->object.name, volume->claim_namespace, volume->claim_name, NULL};
	_cleanup_object_ struct storage_class *class = NULL;

	*ret = (struct secret_reference){NULL, NULL};
	if (volume->deletion_secret_told)
		return copy_told(volume, ret, err);
	if (!*volume->claim_name)
		return 0;
	class = store_get(controller->classes, volume->class_name);
	if (!class || secrets_resolve(class, SECRET_PROVISIONER, &context, ret, err) == 0)
		return 0;
	return error_prefix(err,
		"the volume itself can tell its secret, by the annotations " DELETION_SECRET_NAME
		" and ...-namespace");
}

int secrets_read_for_deletion(const struct controller *controller, const struct volume *volume,
	struct string_map *ret_data, struct error *err)
{
	struct secret_reference reference;
	struct error why = {0};
	int result = resolve_for_deletion(controller, volume, &reference, err);

	if (result < 0)
		return -1;
	result = read_secret(&controller->api, &reference, ret_data, &why);
	secret_reference_done(&reference);
	if (result < 0 && why.kind == ERROR_NOT_FOUND) {
		log_event(LOG_LEVEL_WARN, "volume is deleted without its secret",
			LOG_STR("volume", volume->object.name), LOG_STR("error", why.text));
		*ret_data = (struct string_map){.count = 0};
		return 0;
	}
	if (result < 0 && err)
		*err = why;
	return result;
}
