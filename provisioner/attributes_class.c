/* SPDX-License-Identifier: Apache-2.0 */
#include "attributes_class.h"

#include <string.h>

#include "dns_name.h"

#define CLASSES      "/apis/storage.k8s.io/v1/volumeattributesclasses/" /* since Kubernetes 1.34 */
#define BETA_CLASSES "/apis/storage.k8s.io/v1beta1/volumeattributesclasses/" /* before */

static int get(const struct controller *controller, const char *collection, const char *name,
	struct json_object **ret_class, struct error *err)
{
	_cleanup_free_ char *path = NULL;
	struct rest_request request = {.method = "GET"};

	if (asprintf(&path, "%s%s", collection, name) < 0)
		abort();
	request.path = path;
	return controller->api.call(controller->api.self, &request, ret_class, err);
}

/* That a kind of object is not served looks as if nobody was there to ask. */
static int read_class(const struct controller *controller, const char *name,
	struct json_object **ret_class, struct error *err)
{
	struct error beta = {.kind = ERROR_UNAVAILABLE};

	if (get(controller, CLASSES, name, ret_class, err) == 0 ||
		(err->kind == ERROR_UNAVAILABLE &&
			get(controller, BETA_CLASSES, name, ret_class, &beta) == 0))
		return 0;
	if (beta.kind != ERROR_UNAVAILABLE)
		*err = beta;
	if (err->kind != ERROR_NOT_FOUND)
		return error_prefix(err, "VolumeAttributesClass %s", name);
	/* NOT_FOUND is for nodes. */
	return error_set(err, ERROR_FAILED_PRECONDITION,
		"VolumeAttributesClass %s does not exist: create it, or name another one", name);
}

static int parse(const struct controller *controller, const char *name, struct json_object *class,
	struct string_map *ret_parameters, struct error *err)
{
	const char *driver = json_string(class, "driverName");
	struct json_object *parameters = json_member(class, "parameters", json_type_object);

	if (!driver || strcmp(driver, controller->driver.info.name))
		return error_set(err, ERROR_INVALID,
			"VolumeAttributesClass %s is for the driver %s, and the volume is of %s",
			name, driver ? driver : "\"\"", controller->driver.info.name);
	string_map_copy(ret_parameters, parameters);
	return 0;
}

int attributes_class_read(const struct controller *controller, const char *name,
	struct string_map *ret_parameters, struct error *err)
{
	struct json_object *class = NULL;
	int result;

	if (!controller->driver.info.modify_volume)
		return error_set(err, ERROR_INVALID,
			"the driver %s has no MODIFY_VOLUME, so that the claim can have no "
			"VolumeAttributesClass: remove spec.volumeAttributesClassName",
			controller->driver.info.name);
	if (!dns_name_is_subdomain(name))
		return error_set(err, ERROR_INVALID,
			"spec.volumeAttributesClassName is not the name of an object");
	if (read_class(controller, name, &class, err) < 0)
		return -1;
	result = parse(controller, name, class, ret_parameters, err);
	json_object_put(class);
	return result;
}
