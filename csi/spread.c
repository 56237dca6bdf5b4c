/* SPDX-License-Identifier: Apache-2.0 */
#include "spread.h"

#include <sys/statvfs.h>

#include "cleanup.h"

/* What an error means for the volume: it may be at a place that cannot be asked. Who takes the
 * error for a final one would make it elsewhere, or never come back for it. */
static int not_known(const struct location *location, struct error *err)
{
	char name[LOCATION_NAME_MAX + 1];

	if (err->kind != ERROR_CANCELLED && err->kind != ERROR_ABORTED)
		err->kind = ERROR_UNAVAILABLE;
	location_name(location, name);
	return error_prefix(err,
		"parameter servers: no volume is made before %s has said whether it has it, or data "
		"for it",
		name);
}

/* Ask the base at LOCATION, which nobody else changes meanwhile. */
static int ask(struct volumes *volumes, const struct location *location,
	const struct creation *wanted, const struct volume_request *request,
	struct creation_trace *ret, struct error *err)
{
	_cleanup_(export_leave) struct export_pass pass = {0};
	struct creation creation = *wanted;
	bool reuse = request->parameters->reuse && !request->source;

	if (volumes_enter_location(volumes, location, &pass, &creation.base, err) < 0)
		return not_known(location, err);
	if (creation_look(&creation, reuse, ret, err) == 0)
		return 0;
	/* There are data, and they may not be taken. */
	if (err->kind == ERROR_FAILED_PRECONDITION && !err->errnum)
		return -1;
	base_explain(creation.base, err);
	return not_known(location, err);
}

int spread_find(struct volumes *volumes, const struct locations *locations,
	const struct creation *creation, const struct volume_request *request,
	struct location *ret_location, struct error *err)
{
	size_t first = locations_choose(locations, request->parameters, &creation->hash);
	size_t best = first;
	int64_t newest = 0;

	for (size_t i = 0; locations->count > 1 && i < locations->count; i++) {
		size_t index = (first + i) % locations->count;
		struct creation_trace trace;

		if (ask(volumes, &locations->items[index], creation, request, &trace, err) < 0)
			return -1;
		if (trace.named) {
			best = index;
			break;
		}
		if (trace.retired > newest) {
			newest = trace.retired;
			best = index;
		}
	}
	*ret_location = locations->items[best];
	return 0;
}

int spread_capacity(const struct backend *backend, const struct locations *locations,
	int64_t *ret_bytes, struct error *err)
{
	int64_t fewest = INT64_MAX;

	for (size_t i = 0; i < locations->count; i++) {
		struct location location = locations->items[i];
		struct statvfs status;
		int64_t bytes = 0;

		location.any_options = true;
		if (backend->ops->status(backend, &location, &status, err) < 0)
			return -1;
		if (!(status.f_flag & ST_RDONLY))
			bytes = (int64_t)(status.f_bavail * status.f_frsize);
		if (bytes < fewest)
			fewest = bytes;
	}
	*ret_bytes = fewest;
	return 0;
}
