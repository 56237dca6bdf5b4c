/* SPDX-License-Identifier: Apache-2.0 */
#include "sweep.h"

#include <stdatomic.h>
#include <string.h>

#include "log.h"
#include "names.h"

/* Of PersistentVolumes' names, as of all objects'. */
#define NAME_MAX_LENGTH 253

/* More at a time are no orphans, but something is wrong with what is compared. */
#define SUSPECTS_MAX 10000

/* A volume without an owner. */
struct suspect {
	char *handle, *name;
	char *what;    /* for people: its claim, and where its data lie */
	int64_t since; /* when a pass first found it so */
};

struct suspects {
	struct suspect *items;
	size_t count, room;
};

struct sweep {
	const struct controller *controller;
	struct sweep_options options;
	struct suspects suspects; /* of the last whole pass */
	atomic_size_t orphans;
};

static void suspect_done(struct suspect *suspect)
{
	free(suspect->handle);
	free(suspect->name);
	free(suspect->what);
}

static void suspects_done(struct suspects *suspects)
{
	for (size_t i = 0; i < suspects->count; i++)
		suspect_done(&suspects->items[i]);
	free(suspects->items);
}

struct sweep *sweep_new(const struct controller *controller, const struct sweep_options *options)
{
	struct sweep *sweep = calloc(1, sizeof(*sweep));

	if (!sweep)
		abort();
	sweep->controller = controller;
	sweep->options = *options;
	return sweep;
}

void sweep_free(struct sweep *sweep)
{
	suspects_done(&sweep->suspects);
	free(sweep);
}

/* Whether NAME can be a PersistentVolume's: it becomes part of a request's path. */
static bool is_name(const char *name)
{
	size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-");

	return length > 0 && length <= NAME_MAX_LENGTH && !name[length] && *name != '.';
}

/* The UID of the claim that the volume NAME was made for, or NULL where NAME is none of ours. */
static const char *claim_uid(const struct sweep *sweep, const char *name)
{
	const char *prefix = sweep->options.volume_name_prefix;
	size_t length = strlen(prefix);

	if (!is_name(name) || strncmp(name, prefix, length) || name[length] != '-' ||
		!name[length + 1])
		return NULL;
	return name + length + 1;
}

/* The name of the PersistentVolume of VOLUME, which is our cluster's, or NULL. */
static const char *own_name(const struct sweep *sweep, const struct csi_volume *volume)
{
	const char *cluster = string_map_get(&volume->context, ORDINAL_KEY_CLUSTER_UID);
	const char *name = string_map_get(&volume->context, CSI_KEY_PV_NAME);

	if (!*volume->handle || !cluster || strcmp(cluster, sweep->options.cluster_uid) || !name)
		return NULL;
	return claim_uid(sweep, name) ? name : NULL;
}

/* A handle that is looked for among the PersistentVolumes. */
struct search {
	const char *handle;
	bool found;
};

static void compare_handle(void *context, const struct object *object)
{
	struct search *search = context;

	if (!strcmp(((const struct volume *)object)->handle, search->handle))
		search->found = true;
}

static bool has_volume(const struct sweep *sweep, const char *name, const char *handle)
{
	struct store *volumes = sweep->controller->volumes;
	_cleanup_object_ struct volume *volume = store_get(volumes, name);
	struct search search = {.handle = handle};

	if (volume)
		return true;
	store_each(volumes, compare_handle, &search);
	return search.found;
}

/* Whether the claim that the volume was made for is there, and has not got another one. */
static bool has_claim(const struct sweep *sweep, const char *name)
{
	_cleanup_object_ struct claim *claim =
		store_get(sweep->controller->claims, claim_uid(sweep, name));

	return claim && (!*claim->volume_name || !strcmp(claim->volume_name, name));
}

/* Whether anybody here knows the volume. */
static bool is_known(const struct sweep *sweep, const char *name, const char *handle)
{
	return has_volume(sweep, name, handle) || has_claim(sweep, name) ||
	       sweep->options.journaled(sweep->options.context, name);
}

/* Whether nobody knows the volume, here or at the API server. That one is asked last: a journal's
 * entry goes only after the PersistentVolume is there. */
static int check_unknown(const struct sweep *sweep, const struct suspect *suspect,
	bool *ret_unknown, struct error *err)
{
	const struct kube_api *api = &sweep->controller->api;
	_cleanup_free_ char *path = NULL;
	struct rest_request request = {.method = "GET"};
	struct error why;

	*ret_unknown = false;
	if (is_known(sweep, suspect->name, suspect->handle))
		return 0;
	if (asprintf(&path, "%s/%s", volume_type.path, suspect->name) < 0)
		abort();
	request.path = path;
	if (api->call(api->self, &request, NULL, &why) == 0)
		return 0;
	if (why.kind != ERROR_NOT_FOUND)
		return error_set(err, why.kind, "persistentvolume %s: %s", suspect->name, why.text);
	*ret_unknown = true;
	return 0;
}

static const char *or_unknown(const char *text)
{
	return text ? text : "?";
}

static char *describe(const struct csi_volume *volume)
{
	const struct string_map *context = &volume->context;
	char *what;

	if (asprintf(&what, "made for claim %s/%s, data at %s, handle %s",
		    or_unknown(string_map_get(context, CSI_KEY_PVC_NAMESPACE)),
		    or_unknown(string_map_get(context, CSI_KEY_PVC_NAME)),
		    or_unknown(string_map_get(context, ORDINAL_KEY_PATH)), volume->handle) < 0)
		abort();
	return what;
}

static void suspects_add(struct suspects *suspects, const struct suspect *suspect)
{
	if (suspects->count == suspects->room) {
		suspects->room = suspects->room ? suspects->room * 2 : 16;
		suspects->items =
			reallocarray(suspects->items, suspects->room, sizeof(*suspects->items));
		if (!suspects->items)
			abort();
	}
	suspects->items[suspects->count++] = *suspect;
}

/* The same volume in the pass before, or NULL. */
static const struct suspect *find_before(const struct sweep *sweep, const struct suspect *suspect)
{
	for (size_t i = 0; i < sweep->suspects.count; i++) {
		const struct suspect *before = &sweep->suspects.items[i];

		if (!strcmp(before->handle, suspect->handle) &&
			!strcmp(before->name, suspect->name))
			return before;
	}
	return NULL;
}

/* While the driver lists. */
struct pass {
	const struct sweep *sweep;
	struct suspects found;
};

static int look_at(void *context, const struct csi_volume *volume, struct error *err)
{
	struct pass *pass = context;
	const char *name = own_name(pass->sweep, volume);
	struct suspect suspect;

	if (!name || is_known(pass->sweep, name, volume->handle))
		return 0;
	if (pass->found.count == SUSPECTS_MAX)
		return error_set(err, ERROR_EXHAUSTED,
			"more than %d volumes are known to no PersistentVolume: too many to be true",
			SUSPECTS_MAX);
	suspect = (struct suspect){
		.handle = strdup(volume->handle), .name = strdup(name), .what = describe(volume)};
	if (!suspect.handle || !suspect.name)
		abort();
	suspects_add(&pass->found, &suspect);
	return 0;
}

static int modify(const struct csi_driver *driver, const struct suspect *suspect, struct error *err)
{
	struct string_pair archive = {(char *)"onDelete", (char *)"archive"};
	const struct string_map parameters = {&archive, 1};

	if (!driver->info.modify_volume)
		return error_set(err, ERROR_UNIMPLEMENTED,
			"the driver cannot modify volumes (MODIFY_VOLUME): it is older than this "
			"provisioner");
	return driver->modify_volume(driver->self, suspect->handle, &parameters, NULL, err);
}

/* Whether the volume is gone: its data are in the archive. */
static bool archive(const struct sweep *sweep, const struct suspect *suspect)
{
	const struct csi_driver *driver = &sweep->controller->driver;
	struct error err;
	bool unknown = false;

	if (modify(driver, suspect, &err) < 0 ||
		check_unknown(sweep, suspect, &unknown, &err) < 0 ||
		(unknown && driver->delete_volume(driver->self, suspect->handle, NULL, &err) < 0)) {
		log_event(LOG_LEVEL_WARN, "sweep: not archived", LOG_STR("volume", suspect->name),
			LOG_STR("error", err.text));
		return false;
	}
	if (!unknown)
		log_event(LOG_LEVEL_WARN,
			"sweep: not archived: it is somebody's again; its data are archived when it is "
			"deleted",
			LOG_STR("volume", suspect->name));
	else
		log_event(LOG_LEVEL_INFO, "sweep: archived", LOG_STR("volume", suspect->name));
	return unknown;
}

/* Report the orphan, and archive it if that is wanted; whether it is still there. */
static bool leave_or_archive(const struct sweep *sweep, const struct suspect *suspect)
{
	bool archives = sweep->options.mode == SWEEP_ARCHIVE;

	log_event(LOG_LEVEL_WARN,
		archives ? "sweep: volume is known to no PersistentVolume and no claim"
			 : "sweep: volume is known to no PersistentVolume and no claim: "
			   "--sweep=archive would archive it",
		LOG_STR("volume", suspect->name), LOG_STR("what", suspect->what));
	return !archives || !archive(sweep, suspect);
}

/* Whether SUSPECT, which is one now, was one in the passes before for long enough. */
static bool is_old(const struct sweep *sweep, struct suspect *suspect)
{
	const struct suspect *before = find_before(sweep, suspect);
	int64_t now = sweep->options.now_ms();

	suspect->since = before ? before->since : now;
	return before && now - before->since >= sweep->options.grace_ms;
}

/* Keep in FOUND only what nobody knows. *RET_ORPHANS of these count, and are still there. */
static int judge(
	const struct sweep *sweep, struct suspects *found, size_t *ret_orphans, struct error *err)
{
	size_t orphans = 0, i = 0;

	while (i < found->count) {
		struct suspect *suspect = &found->items[i];
		bool unknown;

		if (check_unknown(sweep, suspect, &unknown, err) < 0)
			return -1;
		if (!unknown) {
			suspect_done(suspect);
			*suspect = found->items[--found->count];
			continue;
		}
		if (is_old(sweep, suspect))
			orphans += leave_or_archive(sweep, suspect);
		i++;
	}
	*ret_orphans = orphans;
	return 0;
}

static bool may_sweep(const struct sweep *sweep)
{
	const struct csi_driver_info *info = &sweep->controller->driver.info;
	const char *cluster = sweep->options.cluster_uid;

	return sweep->options.mode != SWEEP_OFF && info->ours && info->list_volumes && cluster &&
	       *cluster;
}

int sweep_run(struct sweep *sweep, struct error *err)
{
	const struct csi_driver *driver = &sweep->controller->driver;
	_cleanup_(suspects_done) struct suspects before = {0};
	struct pass pass = {.sweep = sweep};
	size_t orphans;

	if (!may_sweep(sweep))
		return 0;
	if (driver->list_volumes(driver->self, look_at, &pass, err) < 0 ||
		judge(sweep, &pass.found, &orphans, err) < 0) {
		suspects_done(&pass.found);
		return error_prefix(err, "sweep");
	}
	before = sweep->suspects;
	sweep->suspects = pass.found;
	atomic_store(&sweep->orphans, orphans);
	return 0;
}

size_t sweep_orphans(const struct sweep *sweep)
{
	return atomic_load(&sweep->orphans);
}
