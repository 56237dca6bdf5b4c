/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_driver.h"

#include <json-c/linkhash.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "api_faults.h"
#include "testing.h"

/* All that is known of a name, also when its volume is gone. */
struct fake_volume {
	char *handle; /* "NAME.n", n counting how often the name was made */
	char *request;
	int64_t bytes;
	struct string_map topology;
	size_t makings, creates, deletes, expands;
	bool exists, busy;
};

struct fake_driver {
	struct fake_driver_options options; /* constant */
	pthread_mutex_t lock;               /* guards all below */
	struct lh_table *volumes;           /* name -> struct fake_volume */
	struct fake_driver_counts counts;
	char *mismatch;
	bool calm;
};

/* Where a call fails. */
enum failing { FAILING_NOT, FAILING_BEFORE, FAILING_AFTER };

/* After these the driver may have done what it was asked for, or may do it yet. */
static const enum error_kind open_kinds[] = {
	ERROR_TIMEOUT, ERROR_UNAVAILABLE, ERROR_ABORTED, ERROR_CANCELLED};

/* After these it has not. */
static const enum error_kind final_kinds[] = {ERROR_INTERNAL, ERROR_EXHAUSTED, ERROR_INVALID,
	ERROR_OUT_OF_RANGE, ERROR_FAILED_PRECONDITION, ERROR_FORBIDDEN, ERROR_NOT_FOUND};

struct plan {
	enum failing failing;
	enum error_kind kind;
	unsigned int slow_ms;
};

static void free_entry(struct lh_entry *entry)
{
	struct fake_volume *volume = (struct fake_volume *)lh_entry_v(entry);

	free(volume->handle);
	free(volume->request);
	string_map_done(&volume->topology);
	free(volume);
	free(lh_entry_k(entry));
}

struct fake_driver *fake_driver_new(const struct fake_driver_options *options)
{
	struct fake_driver *driver = calloc(1, sizeof(*driver));

	if (!driver)
		abort();
	if (options)
		driver->options = *options;
	if (!driver->options.name)
		driver->options.name = "d.example.com";
	driver->volumes = lh_kchar_table_new(64, free_entry);
	pthread_mutex_init(&driver->lock, NULL);
	return driver;
}

void fake_driver_free(struct fake_driver *driver)
{
	lh_table_free(driver->volumes);
	pthread_mutex_destroy(&driver->lock);
	free(driver->mismatch);
	free(driver);
}

static struct fake_volume *find(struct fake_driver *driver, const char *name)
{
	struct lh_entry *entry = lh_table_lookup_entry(driver->volumes, name);

	return entry ? (struct fake_volume *)lh_entry_v(entry) : NULL;
}

static struct fake_volume *find_or_add(struct fake_driver *driver, const char *name)
{
	struct fake_volume *volume = find(driver, name);

	if (volume)
		return volume;
	volume = calloc(1, sizeof(*volume));
	if (!volume || lh_table_insert(driver->volumes, strdup(name), volume) < 0)
		abort();
	return volume;
}

/* A handle is its volume's name, and how often that was made before. */
static struct fake_volume *find_handle(struct fake_driver *driver, const char *handle)
{
	const char *dot = strrchr(handle, '.');
	_cleanup_free_ char *name = strndup(handle, dot ? (size_t)(dot - handle) : 0);
	struct fake_volume *volume = find(driver, name);

	return volume && volume->handle && !strcmp(volume->handle, handle) ? volume : NULL;
}

/* What the seed says about the NTHth call of this kind for this volume. */
static struct plan make_plan(
	struct fake_driver *driver, const char *call, const char *name, size_t nth)
{
	struct plan plan = {0};
	char text[512];
	uint64_t dice;

	snprintf(text, sizeof(text), "%s %s %zu", call, name, nth);
	dice = api_faults_hash(driver->options.seed, text);
	if (driver->calm)
		return plan;
	if (driver->options.slow_ms)
		plan.slow_ms = (unsigned int)((dice >> 40) % (driver->options.slow_ms + 1));
	if (dice % 1000 >= driver->options.intensity)
		return plan;
	driver->counts.faults++;
	plan.failing = dice >> 20 & 1 ? FAILING_AFTER : FAILING_BEFORE;
	if (plan.failing == FAILING_AFTER || dice >> 21 & 1)
		plan.kind = open_kinds[(dice >> 24) % ARRAY_SIZE(open_kinds)];
	else
		plan.kind = final_kinds[(dice >> 24) % ARRAY_SIZE(final_kinds)];
	return plan;
}

static void print_strings(FILE *out, const char *title, const struct strings *list)
{
	fprintf(out, " %s[", title);
	for (size_t i = 0; list && i < list->count; i++)
		fprintf(out, "%s%s", i ? "," : "", list->items[i]);
	fputc(']', out);
}

static void print_map(FILE *out, const struct string_map *map)
{
	fputs(" {", out);
	for (size_t i = 0; map && i < map->count; i++)
		fprintf(out, "%s%s=%s", i ? "," : "", map->items[i].key, map->items[i].value);
	fputc('}', out);
}

/* REQUEST in words, all of it that must be the same when it is repeated. Where the volume must be
 * reachable may change: the node may be gone. */
static char *describe(const struct csi_create_request *request)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	fprintf(out, "%lld", (long long)request->required_bytes);
	print_map(out, request->parameters);
	print_strings(out, "modes", request->access_modes);
	print_strings(out, "options", request->mount_options);
	fprintf(out, " fs=%s%s", request->fs_type ? request->fs_type : "",
		request->block ? " block" : "");
	fclose(out);
	return text;
}

static void wait_ms(unsigned int ms)
{
	const struct timespec pause = {ms / 1000, (long)(ms % 1000) * 1000000};

	if (ms)
		nanosleep(&pause, NULL);
}

static void make(struct fake_driver *driver, struct fake_volume *volume,
	const struct csi_create_request *request, const char *words)
{
	free(volume->handle);
	free(volume->request);
	string_map_done(&volume->topology);
	volume->topology = (struct string_map){0};
	if (asprintf(&volume->handle, "%s.%zu", request->name, ++volume->makings) < 0)
		abort();
	volume->request = strdup(words);
	volume->bytes = request->required_bytes;
	if (request->preferred && request->preferred->count) {
		const struct string_map *first = &request->preferred->items[0];

		for (size_t i = 0; i < first->count; i++)
			string_map_add(
				&volume->topology, first->items[i].key, first->items[i].value);
	}
	volume->exists = true;
	driver->counts.made++;
	driver->counts.volumes++;
}

static void answer(const struct fake_driver *driver, const struct fake_volume *volume,
	struct csi_volume *ret_volume)
{
	*ret_volume = (struct csi_volume){
		.handle = strdup(volume->handle), .capacity_bytes = volume->bytes};
	if (!driver->options.topology || !volume->topology.count)
		return;
	ret_volume->topologies.items = calloc(1, sizeof(*ret_volume->topologies.items));
	if (!ret_volume->topologies.items)
		abort();
	ret_volume->topologies.count = 1;
	for (size_t i = 0; i < volume->topology.count; i++)
		string_map_add(ret_volume->topologies.items, volume->topology.items[i].key,
			volume->topology.items[i].value);
}

static int mismatch(struct fake_driver *driver, const struct fake_volume *volume,
	const struct csi_create_request *request, const char *words, struct error *err)
{
	driver->counts.mismatches++;
	free(driver->mismatch);
	if (asprintf(&driver->mismatch, "%s is %s, and was asked for as %s", request->name,
		    volume->request, words) < 0)
		abort();
	return error_set(err, ERROR_ALREADY_EXISTS, "%s", driver->mismatch);
}

/* Make the volume if it is not there, and fail or answer as planned. With the lock held. */
static int create_locked(struct fake_driver *driver, struct fake_volume *volume,
	const struct csi_create_request *request, const struct plan *plan,
	struct csi_volume *ret_volume, struct error *err)
{
	_cleanup_free_ char *words = describe(request);

	if (volume->exists && strcmp(volume->request, words) != 0)
		return mismatch(driver, volume, request, words, err);
	/* With the volume there, a final error would be a lie. */
	if (plan->failing == FAILING_BEFORE)
		return error_set(err, volume->exists ? ERROR_UNAVAILABLE : plan->kind,
			"scripted: nothing was done");
	if (!volume->exists)
		make(driver, volume, request, words);
	if (plan->failing == FAILING_AFTER)
		return error_set(err, plan->kind, "scripted: it was done");
	answer(driver, volume, ret_volume);
	return 0;
}

/* Whether VOLUME is free for a call; it is busy then. */
static bool enter(struct fake_driver *driver, struct fake_volume *volume, struct error *err)
{
	if (!volume->busy) {
		volume->busy = true;
		return true;
	}
	driver->counts.overlaps++;
	error_set(err, ERROR_ABORTED, "an operation for this volume is under way");
	return false;
}

static enum error_kind ask(struct fake_driver *driver, const char *call, const char *volume)
{
	const struct fake_driver_options *options = &driver->options;

	return options->decide ? options->decide(options->context, call, volume) : ERROR_NONE;
}

static int create_volume(void *self, const struct csi_create_request *request,
	struct csi_volume *ret_volume, struct error *err)
{
	struct fake_driver *driver = self;
	enum error_kind kind = ask(driver, "create", request->name);
	struct fake_volume *volume;
	struct plan plan;
	int result = -1;
	bool entered;

	pthread_mutex_lock(&driver->lock);
	driver->counts.creates++;
	volume = find_or_add(driver, request->name);
	entered = !kind && enter(driver, volume, err);
	plan = make_plan(driver, "create", request->name, volume->creates++);
	pthread_mutex_unlock(&driver->lock);
	if (kind)
		return error_set(err, kind, "scripted");
	if (!entered)
		return -1;
	wait_ms(plan.slow_ms);
	pthread_mutex_lock(&driver->lock);
	result = create_locked(driver, volume, request, &plan, ret_volume, err);
	volume->busy = false;
	pthread_mutex_unlock(&driver->lock);
	return result;
}

static int delete_locked(struct fake_driver *driver, struct fake_volume *volume,
	const struct plan *plan, struct error *err)
{
	if (plan->failing == FAILING_BEFORE)
		return error_set(err, plan->kind, "scripted: nothing was done");
	if (volume->exists) {
		volume->exists = false;
		driver->counts.removed++;
		driver->counts.volumes--;
	}
	if (plan->failing == FAILING_AFTER)
		return error_set(err, plan->kind, "scripted: it was done");
	return 0;
}

static int delete_volume(
	void *self, const char *handle, const struct string_map *secrets, struct error *err)
{
	struct fake_driver *driver = self;
	enum error_kind kind = ask(driver, "delete", handle);
	struct fake_volume *volume;
	struct plan plan = {0};
	bool entered = false;
	int result;

	(void)secrets;
	pthread_mutex_lock(&driver->lock);
	driver->counts.deletes++;
	volume = find_handle(driver, handle);
	if (volume && !kind) {
		entered = enter(driver, volume, err);
		plan = make_plan(driver, "delete", handle, volume->deletes++);
	}
	pthread_mutex_unlock(&driver->lock);
	if (kind)
		return error_set(err, kind, "scripted");
	if (!volume)
		return 0; /* it is not there, as it was asked for */
	if (!entered)
		return -1;
	wait_ms(plan.slow_ms);
	pthread_mutex_lock(&driver->lock);
	result = delete_locked(driver, volume, &plan, err);
	volume->busy = false;
	pthread_mutex_unlock(&driver->lock);
	return result;
}

static int expand_locked(struct fake_volume *volume, const struct plan *plan,
	const struct csi_expand_request *request, int64_t *ret_bytes, struct error *err)
{
	if (!volume->exists)
		return error_set(err, ERROR_NOT_FOUND, "there is no such volume");
	if (plan->failing == FAILING_BEFORE)
		return error_set(err, plan->kind, "scripted: nothing was done");
	if (volume->bytes < request->required_bytes)
		volume->bytes = request->required_bytes;
	if (plan->failing == FAILING_AFTER)
		return error_set(err, plan->kind, "scripted: it was done");
	*ret_bytes = volume->bytes;
	return 0;
}

static int expand_volume(void *self, const struct csi_expand_request *request, int64_t *ret_bytes,
	bool *ret_node_expansion, struct error *err)
{
	struct fake_driver *driver = self;
	enum error_kind kind = ask(driver, "expand", request->handle);
	struct fake_volume *volume;
	struct plan plan = {0};
	bool entered = false;
	int result;

	*ret_node_expansion = false;
	pthread_mutex_lock(&driver->lock);
	driver->counts.expands++;
	volume = find_handle(driver, request->handle);
	if (volume && !kind) {
		entered = enter(driver, volume, err);
		plan = make_plan(driver, "expand", request->handle, volume->expands++);
	}
	pthread_mutex_unlock(&driver->lock);
	if (kind || !volume)
		return error_set(err, kind ? kind : ERROR_NOT_FOUND, "scripted, or not there");
	if (!entered)
		return -1;
	wait_ms(plan.slow_ms);
	pthread_mutex_lock(&driver->lock);
	result = expand_locked(volume, &plan, request, ret_bytes, err);
	volume->busy = false;
	pthread_mutex_unlock(&driver->lock);
	return result;
}

static int probe(void *self, struct error *err)
{
	(void)self;
	(void)err;
	return 0;
}

struct csi_driver fake_driver_table(struct fake_driver *driver)
{
	struct csi_driver table = {
		.create_volume = create_volume,
		.delete_volume = delete_volume,
		.expand_volume = expand_volume,
		.probe = probe,
		.self = driver,
		.info = {.create_delete = true,
			.expand = true,
			.topology = driver->options.topology,
			.ours = driver->options.ours},
	};

	snprintf(table.info.name, sizeof(table.info.name), "%s", driver->options.name);
	snprintf(table.info.version, sizeof(table.info.version), "1");
	return table;
}

void fake_driver_stop_faults(struct fake_driver *driver)
{
	pthread_mutex_lock(&driver->lock);
	driver->calm = true;
	pthread_mutex_unlock(&driver->lock);
}

struct fake_driver_counts fake_driver_count(struct fake_driver *driver)
{
	struct fake_driver_counts counts;

	pthread_mutex_lock(&driver->lock);
	counts = driver->counts;
	pthread_mutex_unlock(&driver->lock);
	return counts;
}

bool fake_driver_has(struct fake_driver *driver, const char *name)
{
	const struct fake_volume *volume;
	bool exists;

	pthread_mutex_lock(&driver->lock);
	volume = find(driver, name);
	exists = volume && volume->exists;
	pthread_mutex_unlock(&driver->lock);
	return exists;
}

char *fake_driver_handle(struct fake_driver *driver, const char *name)
{
	const struct fake_volume *volume;
	char *text;

	pthread_mutex_lock(&driver->lock);
	volume = find(driver, name);
	text = strdup(volume && volume->exists ? volume->handle : "");
	pthread_mutex_unlock(&driver->lock);
	return text;
}

int64_t fake_driver_bytes(struct fake_driver *driver, const char *name)
{
	const struct fake_volume *volume;
	int64_t bytes;

	pthread_mutex_lock(&driver->lock);
	volume = find(driver, name);
	bytes = volume && volume->exists ? volume->bytes : -1;
	pthread_mutex_unlock(&driver->lock);
	return bytes;
}

char *fake_driver_request(struct fake_driver *driver, const char *name)
{
	const struct fake_volume *volume;
	char *text;

	pthread_mutex_lock(&driver->lock);
	volume = find(driver, name);
	text = strdup(volume && volume->exists ? volume->request : "");
	pthread_mutex_unlock(&driver->lock);
	return text;
}

char *fake_driver_names(struct fake_driver *driver)
{
	struct lh_entry *entry;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	pthread_mutex_lock(&driver->lock);
	lh_foreach(driver->volumes, entry)
	{
		if (((const struct fake_volume *)lh_entry_v(entry))->exists)
			fprintf(out, "%s\n", (const char *)lh_entry_k(entry));
	}
	pthread_mutex_unlock(&driver->lock);
	fclose(out);
	return text;
}

char *fake_driver_mismatch(struct fake_driver *driver)
{
	char *text;

	pthread_mutex_lock(&driver->lock);
	text = strdup(driver->mismatch ? driver->mismatch : "");
	pthread_mutex_unlock(&driver->lock);
	return text;
}
