/* SPDX-License-Identifier: Apache-2.0 */
#include "reflector.h"

#include <pthread.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "log.h"
#include "watch_decoder.h"

#define RESOURCES_MAX   8
#define PAGE_LIMIT      500
#define PAGE_BYTES_MAX  (256 * 1024 * 1024)
#define LINE_BYTES_MAX  (8 * 1024 * 1024) /* an object in etcd is at most 1.5 MiB */
#define LIST_TIMEOUT_S  120
#define WATCH_MIN_S     300 /* the server ends a watch after 5 to 10 minutes */
#define WATCH_GRACE_S   30  /* and one that it did not end is given up then */
#define BACK_OFF_MIN_MS 800
#define BACK_OFF_MAX_MS 30000
#define HEALTHY_MS      120000 /* after this the back-off starts afresh */
#define LOG_INTERVAL_MS 60000

enum phase { PHASE_IDLE, PHASE_LISTING, PHASE_WATCHING };

/* One resource. Everything is touched by the reflector's thread alone. */
struct resource {
	struct reflector *reflector;
	const struct object_type *type;
	struct store *store;
	CURL *handle;
	struct rest_response response; /* while listing, or of a watch that was refused */
	struct watch_decoder *decoder;
	struct error watch_error; /* what the decoder or an ERROR event said */
	enum phase phase;
	char *version;        /* to watch from; NULL: list first */
	char *continue_token; /* of the list that is under way */
	int64_t due_ms;       /* when PHASE_IDLE ends */
	int64_t started_ms;   /* the transfer that is under way */
	int64_t back_off_ms;  /* after the next failure */
	int64_t watch_limit_s;
	size_t events; /* of this watch */
	bool synced;
	bool failure_logged;
};

struct reflector {
	struct rest_client *client;
	CURLM *multi;
	struct resource resources[RESOURCES_MAX];
	size_t count;
	pthread_t thread;
	struct error logged; /* the last failure that was logged */
	int64_t logged_ms;
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
	reflector->multi = curl_multi_init();
	if (!reflector->multi)
		abort();
	pthread_mutex_init(&reflector->lock, NULL);
	pthread_cond_init(&reflector->changed, NULL);
	return reflector;
}

static int on_event(void *context, const char *type, struct json_object *object, struct error *err);

void reflector_add(struct reflector *reflector, const struct object_type *type, struct store *store)
{
	struct resource *resource = &reflector->resources[reflector->count];

	if (reflector->count == RESOURCES_MAX)
		abort();
	*resource = (struct resource){
		.reflector = reflector,
		.type = type,
		.store = store,
		.handle = curl_easy_init(),
		.back_off_ms = BACK_OFF_MIN_MS,
	};
	if (!resource->handle)
		abort();
	resource->decoder = watch_decoder_new(LINE_BYTES_MAX, on_event, resource);
	rest_response_init(&resource->response, PAGE_BYTES_MAX);
	reflector->count++;
	reflector->unsynced++;
}

void reflector_free(struct reflector *reflector)
{
	for (size_t i = 0; i < reflector->count; i++) {
		struct resource *resource = &reflector->resources[i];

		if (resource->phase != PHASE_IDLE)
			curl_multi_remove_handle(reflector->multi, resource->handle);
		curl_easy_cleanup(resource->handle);
		watch_decoder_free(resource->decoder);
		rest_response_done(&resource->response);
		free(resource->version);
		free(resource->continue_token);
	}
	curl_multi_cleanup(reflector->multi);
	pthread_cond_destroy(&reflector->changed);
	pthread_mutex_destroy(&reflector->lock);
	free(reflector);
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
static void keep_object(struct resource *resource, struct json_object *json)
{
	struct error err;
	struct object *object = object_parse(resource->type, json, &err);

	if (object)
		store_set(resource->store, object);
	else
		log_warn("left out: %s", err.text);
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
	if (!strcmp(type, "ERROR"))
		return error_event(object, err);
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

	curl_easy_getinfo(resource->handle, CURLINFO_RESPONSE_CODE, &status);
	if (status == 200)
		result = watch_decoder_feed(
			resource->decoder, bytes, size * count, &resource->watch_error);
	else
		result = rest_response_feed(&resource->response, bytes, size * count);
	return result < 0 ? 0 : size * count;
}

static char *list_path(struct resource *resource)
{
	char *path, *token = NULL;

	if (resource->continue_token)
		token = curl_easy_escape(resource->handle, resource->continue_token, 0);
	if (asprintf(&path, "%s?limit=%d%s%s", resource->type->path, PAGE_LIMIT,
		    token ? "&continue=" : "", token ? token : "") < 0)
		abort();
	curl_free(token);
	return path;
}

static char *watch_path(struct resource *resource)
{
	char *path, *version = curl_easy_escape(resource->handle, resource->version, 0);

	resource->watch_limit_s = WATCH_MIN_S + dice(WATCH_MIN_S);
	if (asprintf(&path,
		    "%s?watch=true&allowWatchBookmarks=true&resourceVersion=%s&timeoutSeconds=%d",
		    resource->type->path, version, (int)resource->watch_limit_s) < 0)
		abort();
	curl_free(version);
	return path;
}

static void set_watch_options(struct resource *resource)
{
	watch_decoder_reset(resource->decoder);
	resource->watch_error = (struct error){0};
	resource->events = 0;
	curl_easy_setopt(resource->handle, CURLOPT_WRITEFUNCTION, write_watch);
	curl_easy_setopt(resource->handle, CURLOPT_WRITEDATA, resource);
	curl_easy_setopt(
		resource->handle, CURLOPT_TIMEOUT, (long)(resource->watch_limit_s + WATCH_GRACE_S));
}

static void fail(struct resource *resource, const struct error *err);

static void start_transfer(struct resource *resource)
{
	struct reflector *reflector = resource->reflector;
	bool watch = resource->version && !resource->continue_token;
	_cleanup_free_ char *path = watch ? watch_path(resource) : list_path(resource);
	struct error err;

	rest_response_done(&resource->response);
	rest_response_init(&resource->response, PAGE_BYTES_MAX);
	resource->started_ms = now_ms();
	if (rest_client_prepare(
		    reflector->client, resource->handle, path, &resource->response, &err) < 0) {
		fail(resource, &err);
		return;
	}
	if (watch)
		set_watch_options(resource);
	else
		curl_easy_setopt(resource->handle, CURLOPT_TIMEOUT, (long)LIST_TIMEOUT_S);
	if (!watch && !resource->continue_token)
		store_begin_replace(resource->store);
	resource->phase = watch ? PHASE_WATCHING : PHASE_LISTING;
	if (curl_multi_add_handle(reflector->multi, resource->handle) != CURLM_OK)
		abort();
}

/* Whether two messages differ at most in their numbers: libcurl's tell milliseconds. */
static bool same_words(const char *a, const char *b)
{
	static const char digits[] = "0123456789";

	for (;; a++, b++) {
		size_t number_a = strspn(a, digits), number_b = strspn(b, digits);

		a += number_a;
		b += number_b;
		if (!number_a != !number_b || *a != *b)
			return false;
		if (!*a)
			return true;
	}
}

/* One line for a failure, and then one a minute while it lasts; when the server is away, all
 * resources fail with the same words, of which once is enough. */
static void log_failure(struct resource *resource, const struct error *err, int64_t delay)
{
	struct reflector *reflector = resource->reflector;
	int64_t now = now_ms();

	if (same_words(reflector->logged.text, err->text) &&
		now - reflector->logged_ms < LOG_INTERVAL_MS)
		return;
	resource->failure_logged = true;
	reflector->logged = *err;
	reflector->logged_ms = now;
	log_warn("watching %s: %s; trying again until it works, next in %.1f s",
		resource->type->plural, err->text, (double)delay / 1000);
}

static void log_recovery(struct resource *resource)
{
	if (!resource->failure_logged)
		return;
	log_info("watching %s: works again", resource->type->plural);
	resource->failure_logged = false;
	resource->reflector->logged = (struct error){0};
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
		resource->back_off_ms = BACK_OFF_MIN_MS;
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
	aged = err->kind == ERROR_EXPIRED && resource->back_off_ms == BACK_OFF_MIN_MS;
	delay = aged ? dice(BACK_OFF_MIN_MS)
		     : resource->back_off_ms + dice((uint32_t)resource->back_off_ms / 2);
	resource->back_off_ms *= 2;
	if (resource->back_off_ms > BACK_OFF_MAX_MS)
		resource->back_off_ms = BACK_OFF_MAX_MS;
	resource->due_ms = now + delay;
	if (!aged)
		log_failure(resource, err, delay);
}

static void mark_synced(struct resource *resource)
{
	struct reflector *reflector = resource->reflector;

	if (resource->synced)
		return;
	resource->synced = true;
	pthread_mutex_lock(&reflector->lock);
	reflector->unsynced--;
	pthread_cond_broadcast(&reflector->changed);
	pthread_mutex_unlock(&reflector->lock);
}

/* A page of the list is there: keep it, and go on with the next page or the watch. */
static int finish_page(struct resource *resource, struct error *err)
{
	struct json_object *list = resource->response.json;
	struct json_object *metadata = json_member(list, "metadata", json_type_object);
	struct json_object *items = json_member(list, "items", json_type_array);
	const char *version = json_string(metadata, "resourceVersion");
	size_t count = items ? json_object_array_length(items) : 0;

	if (!version)
		return error_set(err, ERROR_INVALID, "the list has no resourceVersion");
	for (size_t i = 0; i < count; i++)
		keep_object(resource, json_object_array_get_idx(items, i));
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

	curl_multi_remove_handle(reflector->multi, resource->handle);
	if (resource->phase == PHASE_WATCHING && resource->watch_error.kind) {
		err = resource->watch_error;
		result = -1;
	} else {
		result = rest_client_result(
			reflector->client, resource->handle, code, &resource->response, &err);
		if (result == 0)
			result = resource->phase == PHASE_WATCHING ? finish_watch(resource, &err)
								   : finish_page(resource, &err);
	}
	if (result < 0) {
		fail(resource, &err);
	} else {
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
static int start_due(struct reflector *reflector)
{
	int64_t now = now_ms(), wait = 60000;

	for (size_t i = 0; i < reflector->count; i++) {
		struct resource *resource = &reflector->resources[i];

		if (resource->phase == PHASE_IDLE && resource->due_ms <= now)
			start_transfer(resource);
		if (resource->phase == PHASE_IDLE && resource->due_ms - now < wait)
			wait = resource->due_ms - now;
	}
	return wait < 0 ? 0 : (int)wait;
}

static void finish_done(struct reflector *reflector)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(reflector->multi, &left))) {
		CURL *handle = message->easy_handle;
		CURLcode code = message->data.result;

		for (size_t i = 0; i < reflector->count; i++)
			if (reflector->resources[i].handle == handle)
				finish_transfer(&reflector->resources[i], code);
	}
}

static void *run(void *context)
{
	struct reflector *reflector = context;
	int running;

	while (!is_stopped(reflector)) {
		curl_multi_poll(reflector->multi, NULL, 0, start_due(reflector), NULL);
		curl_multi_perform(reflector->multi, &running);
		finish_done(reflector);
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
	curl_multi_wakeup(reflector->multi);
	pthread_join(reflector->thread, NULL);
}
