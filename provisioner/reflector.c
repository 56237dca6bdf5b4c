/* SPDX-License-Identifier: Apache-2.0 */
#include "reflector.h"

#include <pthread.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "failure_log.h"
#include "list_decoder.h"
#include "log.h"
#include "resource_version.h"
#include "transfers.h"
#include "watch_decoder.h"

#define RESOURCES_MAX     16
#define PAGE_LIMIT        500
#define REFUSAL_BYTES_MAX (1024 * 1024)
#define OBJECT_BYTES_MAX  (8 * 1024 * 1024) /* an object in etcd is at most 1.5 MiB */
#define BACK_OFF_MAX_MS   30000
#define HEALTHY_MS        120000 /* after this the back-off starts afresh */
#define IDLE_MS           30000  /* a connection of the client that was not used is closed */
#define SETTLED_MS        1000   /* a watch that lasted so long works */

static const struct reflector_limits usual = {
	.list_s = 120,
	.stall_s = 60,
	.watch_s = 300, /* the server ends a watch after 5 to 10 minutes */
	.watch_grace_s = 30,
	.back_off_ms = 800,
	.absent_ms = 300000,
};

enum phase { PHASE_IDLE, PHASE_LISTING, PHASE_WATCHING };

/* One resource. Everything but its state is touched by the reflector's thread alone. */
struct resource {
	struct reflector *reflector;
	const struct object_type *type;
	struct store *store;
	CURL *handle;
	struct rest_response response; /* of what was refused */
	struct watch_decoder *decoder;
	struct list_decoder *lister;
	struct error stream_error; /* what a decoder or an ERROR event said */
	enum phase phase;
	char *version;        /* to watch from; NULL: list first */
	char *continue_token; /* of the list that is under way */
	int64_t due_ms;       /* when PHASE_IDLE ends */
	int64_t started_ms;   /* the transfer that is under way */
	int64_t back_off_ms;  /* after the next failure */
	int64_t watch_limit_s;
	size_t events; /* of this watch */
	bool optional;
	bool failure_logged;
	struct reflector_state state; /* guarded by the reflector's lock; quiet_s is not kept */
	int64_t life_ms;              /* the same; the last sign of life */
	int64_t accepted_ms;          /* the same; when the watch was */
};

struct reflector {
	struct rest_client *client;
	struct transfers *transfers;
	struct reflector_limits limits;
	struct resource resources[RESOURCES_MAX];
	size_t count;
	pthread_t thread;
	struct failure_log logged;
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t changed;
	size_t unsynced;
	bool stopped;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static uint32_t dice(uint32_t sides)
{
	uint32_t number = 0;

	if (getrandom(&number, sizeof(number), GRND_NONBLOCK) < 0)
		return 0;
	return number % sides;
}

struct reflector *reflector_new(struct rest_client *client)
{
	struct reflector *reflector = calloc(1, sizeof(*reflector));

	if (!reflector)
		abort();
	reflector->client = client;
	reflector->limits = usual;
	reflector->transfers = transfers_new();
	pthread_mutex_init(&reflector->lock, NULL);
	pthread_cond_init(&reflector->changed, NULL);
	return reflector;
}

static int on_event(void *context, const char *type, struct json_object *object, struct error *err);
static void keep_object(void *context, struct json_object *json);

static void add(struct reflector *reflector, const struct object_type *type, struct store *store,
	bool optional)
{
	struct resource *resource = &reflector->resources[reflector->count];

	if (reflector->count == RESOURCES_MAX)
		abort();
	*resource = (struct resource){
		.reflector = reflector,
		.type = type,
		.store = store,
		.handle = curl_easy_init(),
		.back_off_ms = reflector->limits.back_off_ms,
		.optional = optional,
		.state = {.plural = type->plural},
		.life_ms = now_ms(),
	};
	if (!resource->handle)
		abort();
	resource->decoder = watch_decoder_new(OBJECT_BYTES_MAX, on_event, resource);
	resource->lister = list_decoder_new(OBJECT_BYTES_MAX, keep_object, resource);
	rest_response_init(&resource->response, REFUSAL_BYTES_MAX);
	reflector->count++;
	reflector->unsynced++;
}

void reflector_add(struct reflector *reflector, const struct object_type *type, struct store *store)
{
	add(reflector, type, store, false);
}

void reflector_add_optional(
	struct reflector *reflector, const struct object_type *type, struct store *store)
{
	add(reflector, type, store, true);
}

static void set_limit(int *limit, int value)
{
	if (value)
		*limit = value;
}

void reflector_limit(struct reflector *reflector, const struct reflector_limits *limits)
{
	set_limit(&reflector->limits.list_s, limits->list_s);
	set_limit(&reflector->limits.stall_s, limits->stall_s);
	set_limit(&reflector->limits.watch_s, limits->watch_s);
	set_limit(&reflector->limits.watch_grace_s, limits->watch_grace_s);
	set_limit(&reflector->limits.back_off_ms, limits->back_off_ms);
	set_limit(&reflector->limits.absent_ms, limits->absent_ms);
	for (size_t i = 0; i < reflector->count; i++)
		reflector->resources[i].back_off_ms = reflector->limits.back_off_ms;
}

void reflector_free(struct reflector *reflector)
{
	for (size_t i = 0; i < reflector->count; i++) {
		struct resource *resource = &reflector->resources[i];

		if (resource->phase != PHASE_IDLE)
			transfers_remove(reflector->transfers, resource->handle);
		curl_easy_cleanup(resource->handle);
		watch_decoder_free(resource->decoder);
		list_decoder_free(resource->lister);
		rest_response_done(&resource->response);
		free(resource->version);
		free(resource->continue_token);
	}
	transfers_free(reflector->transfers);
	pthread_cond_destroy(&reflector->changed);
	pthread_mutex_destroy(&reflector->lock);
	free(reflector);
}

/* A failure that a watch has outlived is none any more. */
static void read_state(
	const struct resource *resource, int64_t now, struct reflector_state *ret_state)
{
	*ret_state = resource->state;
	ret_state->quiet_s = (double)(now - resource->life_ms) / 1000;
	if (ret_state->connected && now - resource->accepted_ms > SETTLED_MS) {
		ret_state->failures = 0;
		*ret_state->error = '\0';
	}
}

size_t reflector_states(struct reflector *reflector, struct reflector_state *out, size_t max)
{
	int64_t now;

	pthread_mutex_lock(&reflector->lock);
	now = now_ms();
	for (size_t i = 0; i < reflector->count && i < max; i++)
		read_state(&reflector->resources[i], now, &out[i]);
	pthread_mutex_unlock(&reflector->lock);
	return reflector->count;
}

static void note_life(struct resource *resource, size_t events)
{
	pthread_mutex_lock(&resource->reflector->lock);
	resource->life_ms = now_ms();
	resource->state.events += events;
	pthread_mutex_unlock(&resource->reflector->lock);
}

static void note_accepted(struct resource *resource)
{
	pthread_mutex_lock(&resource->reflector->lock);
	resource->life_ms = resource->accepted_ms = now_ms();
	resource->state.connected = true;
	resource->state.watches++;
	pthread_mutex_unlock(&resource->reflector->lock);
}

/* A transfer ended well. */
static void note_success(struct resource *resource, bool list)
{
	pthread_mutex_lock(&resource->reflector->lock);
	resource->life_ms = now_ms();
	resource->state.lists += list;
	resource->state.failures = 0;
	resource->state.absent = false;
	*resource->state.error = '\0';
	pthread_mutex_unlock(&resource->reflector->lock);
}

static void note_failure(struct resource *resource, const struct error *err, bool absent)
{
	struct reflector_state *state = &resource->state;

	pthread_mutex_lock(&resource->reflector->lock);
	if (state->connected && now_ms() - resource->accepted_ms > SETTLED_MS)
		state->failures = 0;
	state->connected = false;
	state->absent = absent;
	state->failures += !absent;
	snprintf(state->error, sizeof(state->error), "%.*s", (int)sizeof(state->error) - 1,
		err->text);
	pthread_mutex_unlock(&resource->reflector->lock);
}

static void set_string(char **text, const char *value)
{
	char *made = value && *value ? strdup(value) : NULL;

	if (value && *value && !made)
		abort();
	free(*text);
	*text = made;
}

/* Keep what JSON says. An object that makes no sense is left out, and must not stop the others. */
static void keep_object(void *context, struct json_object *json)
{
	struct resource *resource = context;
	struct error err;
	struct object *object = object_parse(resource->type, json, &err);

	if (object)
		store_set(resource->store, object);
	else
		log_event(LOG_LEVEL_WARN, "left an object out",
			LOG_STR("resource", resource->type->plural), LOG_STR("error", err.text));
	object_unref(object);
}

static void forget_object(struct resource *resource, struct json_object *json)
{
	struct object *object = object_parse(resource->type, json, NULL);

	if (object)
		store_delete(resource->store, object->key);
	object_unref(object);
}

/* An ERROR event is a Status; 410 in it says that our resourceVersion is too old. */
static int error_event(struct json_object *status, struct error *err)
{
	struct json_object *code = json_member(status, "code", json_type_int);
	const char *message = json_string(status, "message");

	return error_set(err, error_kind_from_http(code ? json_object_get_int(code) : 500),
		"the watch ended: %s", message ? message : "without a reason");
}

static int on_event(void *context, const char *type, struct json_object *object, struct error *err)
{
	struct resource *resource = context;
	const char *version =
		json_string(json_member(object, "metadata", json_type_object), "resourceVersion");

	resource->events++;
	note_life(resource, 1);
	if (!strcmp(type, "ERROR"))
		return error_event(object, err);
	if (version && resource_version_is_older(version, resource->version))
		return error_set(err, ERROR_INVALID,
			"the watch told of resourceVersion %.32s after %.32s", version,
			resource->version);
	if (!strcmp(type, "ADDED") || !strcmp(type, "MODIFIED"))
		keep_object(resource, object);
	else if (!strcmp(type, "DELETED"))
		forget_object(resource, object);
	if (version)
		set_string(&resource->version, version);
	return 0;
}

/* The body of a watch is events; that of a refusal is a Status, which is read as a whole. */
static size_t write_watch(char *bytes, size_t size, size_t count, void *context)
{
	struct resource *resource = context;
	long status = 0;
	int result;

	note_life(resource, 0);
	curl_easy_getinfo(resource->handle, CURLINFO_RESPONSE_CODE, &status);
	if (status == 200)
		result = watch_decoder_feed(
			resource->decoder, bytes, size * count, &resource->stream_error);
	else
		result = rest_response_feed(&resource->response, bytes, size * count);
	return result < 0 ? 0 : size * count;
}

/* The headers of a watch come at once, its events when there are any. */
static size_t write_watch_header(char *bytes, size_t size, size_t count, void *context)
{
	struct resource *resource = context;
	long status = 0;

	curl_easy_getinfo(resource->handle, CURLINFO_RESPONSE_CODE, &status);
	if (size * count == 2 && bytes[0] == '\r' && status == 200)
		note_accepted(resource);
	return size * count;
}

static size_t write_list(char *bytes, size_t size, size_t count, void *context)
{
	struct resource *resource = context;
	long status = 0;
	int result;

	note_life(resource, 0);
	curl_easy_getinfo(resource->handle, CURLINFO_RESPONSE_CODE, &status);
	if (status == 200)
		result = list_decoder_feed(
			resource->lister, bytes, size * count, &resource->stream_error);
	else
		result = rest_response_feed(&resource->response, bytes, size * count);
	return result < 0 ? 0 : size * count;
}

/* What separates our parameters from the path, which may have some of its own. */
static char separator(const struct resource *resource)
{
	return strchr(resource->type->path, '?') ? '&' : '?';
}

static char *list_path(struct resource *resource)
{
	char *path, *token = NULL;

	if (resource->continue_token)
		token = curl_easy_escape(resource->handle, resource->continue_token, 0);
	if (asprintf(&path, "%s%climit=%d%s%s", resource->type->path, separator(resource),
		    PAGE_LIMIT, token ? "&continue=" : "", token ? token : "") < 0)
		abort();
	curl_free(token);
	return path;
}

static char *watch_path(struct resource *resource)
{
	char *path, *version = curl_easy_escape(resource->handle, resource->version, 0);

	int watch_s = resource->reflector->limits.watch_s;

	resource->watch_limit_s = watch_s + dice((uint32_t)watch_s);
	if (asprintf(&path,
		    "%s%cwatch=true&allowWatchBookmarks=true&resourceVersion=%s&timeoutSeconds=%d",
		    resource->type->path, separator(resource), version,
		    (int)resource->watch_limit_s) < 0)
		abort();
	curl_free(version);
	return path;
}

static void set_watch_options(struct resource *resource)
{
	watch_decoder_reset(resource->decoder);
	resource->events = 0;
	resource->response.method = NULL; /* how long it lasts tells nothing */
	curl_easy_setopt(resource->handle, CURLOPT_WRITEFUNCTION, write_watch);
	curl_easy_setopt(resource->handle, CURLOPT_WRITEDATA, resource);
	curl_easy_setopt(resource->handle, CURLOPT_HEADERFUNCTION, write_watch_header);
	curl_easy_setopt(resource->handle, CURLOPT_HEADERDATA, resource);
	curl_easy_setopt(resource->handle, CURLOPT_TIMEOUT,
		(long)(resource->watch_limit_s + resource->reflector->limits.watch_grace_s));
}

static void set_list_options(struct resource *resource)
{
	const struct reflector_limits *limits = &resource->reflector->limits;

	list_decoder_reset(resource->lister);
	curl_easy_setopt(resource->handle, CURLOPT_WRITEFUNCTION, write_list);
	curl_easy_setopt(resource->handle, CURLOPT_WRITEDATA, resource);
	curl_easy_setopt(resource->handle, CURLOPT_TIMEOUT, (long)limits->list_s);
	curl_easy_setopt(resource->handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(resource->handle, CURLOPT_LOW_SPEED_TIME, (long)limits->stall_s);
}

static void fail(struct resource *resource, const struct error *err);

static void start_transfer(struct resource *resource)
{
	struct reflector *reflector = resource->reflector;
	bool watch = resource->version && !resource->continue_token;
	_cleanup_free_ char *path = watch ? watch_path(resource) : list_path(resource);
	struct error err;

	rest_response_done(&resource->response);
	rest_response_init(&resource->response, REFUSAL_BYTES_MAX);
	resource->started_ms = now_ms();
	resource->stream_error = (struct error){0};
	if (rest_client_prepare(
		    reflector->client, resource->handle, path, &resource->response, &err) < 0) {
		fail(resource, &err);
		return;
	}
	if (watch)
		set_watch_options(resource);
	else
		set_list_options(resource);
	if (!watch && !resource->continue_token)
		store_begin_replace(resource->store);
	resource->phase = watch ? PHASE_WATCHING : PHASE_LISTING;
	transfers_add(reflector->transfers, resource->handle);
}

/* When the server is away, all resources fail with the same words, of which once is enough. */
static void log_failure(struct resource *resource, const struct error *err, int64_t delay)
{
	if (!failure_log_is_new(&resource->reflector->logged, err, now_ms()))
		return;
	resource->failure_logged = true;
	log_event(LOG_LEVEL_WARN, "watch failed; trying again until it works",
		LOG_STR("resource", resource->type->plural), LOG_STR("error", err->text),
		LOG_INT("next_ms", delay));
}

static void log_recovery(struct resource *resource)
{
	if (!resource->failure_logged)
		return;
	log_event(LOG_LEVEL_INFO, "watch works again", LOG_STR("resource", resource->type->plural));
	resource->failure_logged = false;
	failure_log_forget(&resource->reflector->logged);
}

/* Whether a watch may be taken up again where it ended: the server was away, or too busy. After
 * anything else our resourceVersion, or what we made of an event, is in doubt. */
static bool may_resume(enum error_kind kind)
{
	return kind == ERROR_UNAVAILABLE || kind == ERROR_TIMEOUT || kind == ERROR_UNAUTHORIZED ||
	       kind == ERROR_TOO_MANY_REQUESTS;
}

static void reset_back_off_if_healthy(struct resource *resource)
{
	if (resource->phase == PHASE_WATCHING && now_ms() - resource->started_ms > HEALTHY_MS)
		resource->back_off_ms = resource->reflector->limits.back_off_ms;
}

/* Back off, then go on: from the last resourceVersion, or by a new list. Half a list is no list. */
static void fail(struct resource *resource, const struct error *err)
{
	int64_t now = now_ms(), delay;
	bool listing = resource->phase == PHASE_LISTING || resource->continue_token;
	bool aged; /* a watch without events for long ends so: no failure, unless it repeats */

	set_string(&resource->continue_token, NULL);
	if (listing || !may_resume(err->kind))
		set_string(&resource->version, NULL);
	reset_back_off_if_healthy(resource);
	aged = err->kind == ERROR_EXPIRED &&
	       resource->back_off_ms == resource->reflector->limits.back_off_ms;
	delay = aged ? dice(resource->reflector->limits.back_off_ms)
		     : resource->back_off_ms + dice((uint32_t)resource->back_off_ms / 2);
	resource->back_off_ms *= 2;
	if (resource->back_off_ms > BACK_OFF_MAX_MS)
		resource->back_off_ms = BACK_OFF_MAX_MS;
	/* Not before the server wants to hear of us again. */
	if (delay < resource->response.retry_after_s * 1000)
		delay = resource->response.retry_after_s * 1000;
	resource->due_ms = now + delay;
	note_failure(resource, err, false);
	if (!aged)
		log_failure(resource, err, delay);
}

static void mark_synced(struct resource *resource)
{
	struct reflector *reflector = resource->reflector;

	pthread_mutex_lock(&reflector->lock);
	reflector->unsynced -= !resource->state.synced;
	resource->state.synced = true;
	pthread_cond_broadcast(&reflector->changed);
	pthread_mutex_unlock(&reflector->lock);
}

/* Whether a list that failed says that the cluster lacks the resource, or keeps it from us. */
static bool is_absent(const struct resource *resource)
{
	return resource->optional && resource->phase == PHASE_LISTING &&
	       (resource->response.status == 404 || resource->response.status == 403);
}

/* What is not there is asked for again only now and then: it may be installed later. */
static void leave_absent(struct resource *resource, const struct error *err)
{
	int pause = resource->reflector->limits.absent_ms;

	if (!resource->state.absent)
		log_event(LOG_LEVEL_INFO, "not watched; trying again every few minutes",
			LOG_STR("resource", resource->type->plural), LOG_STR("error", err->text));
	set_string(&resource->continue_token, NULL);
	set_string(&resource->version, NULL);
	resource->due_ms = now_ms() + pause + dice((uint32_t)pause);
	note_failure(resource, err, true);
	mark_synced(resource);
}

/* A page of the list is there, its objects are kept: go on with the next page or the watch. */
static int finish_page(struct resource *resource, struct error *err)
{
	struct json_object *metadata =
		json_member(list_decoder_rest(resource->lister), "metadata", json_type_object);
	const char *version = json_string(metadata, "resourceVersion");

	if (!version)
		return error_set(err, ERROR_INVALID, "the list has no resourceVersion");
	set_string(&resource->continue_token, json_string(metadata, "continue"));
	set_string(&resource->version, version);
	if (resource->continue_token)
		return 0;
	store_end_replace(resource->store);
	log_debug("listed %zu %s", store_count(resource->store), resource->type->plural);
	mark_synced(resource);
	return 0;
}

/* A watch ends by itself every few minutes; one that ends at once and without a word does not
 * work, and must not be repeated without a pause. */
static int finish_watch(struct resource *resource, struct error *err)
{
	if (!resource->events && now_ms() - resource->started_ms < 1000)
		return error_set(err, ERROR_UNAVAILABLE, "the watch ended at once");
	return 0;
}

static void finish_transfer(struct resource *resource, CURLcode code)
{
	struct reflector *reflector = resource->reflector;
	struct error err;
	int result;

	transfers_remove(reflector->transfers, resource->handle);
	if (resource->stream_error.kind) {
		err = resource->stream_error;
		result = -1;
	} else {
		result = rest_client_result(
			reflector->client, resource->handle, code, &resource->response, &err);
		if (result == 0)
			result = resource->phase == PHASE_WATCHING ? finish_watch(resource, &err)
								   : finish_page(resource, &err);
	}
	if (result < 0 && is_absent(resource)) {
		leave_absent(resource, &err);
	} else if (result < 0) {
		fail(resource, &err);
	} else {
		note_success(resource, resource->phase == PHASE_LISTING);
		log_recovery(resource);
		reset_back_off_if_healthy(resource);
		resource->due_ms = 0;
	}
	resource->phase = PHASE_IDLE;
}

static bool is_stopped(struct reflector *reflector)
{
	bool stopped;

	pthread_mutex_lock(&reflector->lock);
	stopped = reflector->stopped;
	pthread_mutex_unlock(&reflector->lock);
	return stopped;
}

/* Start what is due; the milliseconds until the next is. */
static int64_t start_due(struct reflector *reflector)
{
	int64_t now = now_ms(), wait = 60000;

	for (size_t i = 0; i < reflector->count; i++) {
		struct resource *resource = &reflector->resources[i];

		if (resource->phase == PHASE_IDLE && resource->due_ms <= now)
			start_transfer(resource);
		if (resource->state.connected && now - resource->accepted_ms > SETTLED_MS)
			log_recovery(resource);
		if (resource->phase == PHASE_IDLE && resource->due_ms - now < wait)
			wait = resource->due_ms - now;
	}
	return wait;
}

static void finish_done(struct reflector *reflector)
{
	CURLcode code;
	CURL *handle;

	while (transfers_next(reflector->transfers, &handle, &code))
		for (size_t i = 0; i < reflector->count; i++)
			if (reflector->resources[i].handle == handle)
				finish_transfer(&reflector->resources[i], code);
}

static void *run(void *context)
{
	struct reflector *reflector = context;

	while (!is_stopped(reflector)) {
		transfers_wait(reflector->transfers, start_due(reflector));
		finish_done(reflector);
		rest_client_trim(reflector->client, IDLE_MS);
	}
	return NULL;
}

void reflector_start(struct reflector *reflector)
{
	if (pthread_create(&reflector->thread, NULL, run, reflector))
		abort();
}

bool reflector_wait_synced(struct reflector *reflector)
{
	bool synced;

	pthread_mutex_lock(&reflector->lock);
	while (reflector->unsynced && !reflector->stopped)
		pthread_cond_wait(&reflector->changed, &reflector->lock);
	synced = !reflector->unsynced;
	pthread_mutex_unlock(&reflector->lock);
	return synced;
}

void reflector_stop(struct reflector *reflector)
{
	pthread_mutex_lock(&reflector->lock);
	reflector->stopped = true;
	pthread_cond_broadcast(&reflector->changed);
	pthread_mutex_unlock(&reflector->lock);
	transfers_wake(reflector->transfers);
	pthread_join(reflector->thread, NULL);
}
