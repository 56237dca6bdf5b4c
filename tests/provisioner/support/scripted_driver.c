/* SPDX-License-Identifier: Apache-2.0 */
#include "scripted_driver.h"

#include <string.h>
#include <time.h>

#include "message_text.h"
#include "scripted_methods.h"

#define WORKERS 32

static const char *short_name(const char *path)
{
	return strrchr(path, '/') + 1;
}

/* The first rule for the call; all that match count it. */
static const struct scripted_rule *find_rule(struct scripted_driver *driver, const char *method)
{
	const struct scripted_rule *found = NULL;

	for (size_t i = 0; i < driver->rule_count; i++) {
		const struct scripted_rule *rule = &driver->rules[i];
		int seen;

		if (rule->method && strcmp(rule->method, method))
			continue;
		seen = driver->seen[i]++;
		if (!found && seen >= rule->after &&
			(!rule->count || seen < rule->after + rule->count))
			found = rule;
	}
	return found;
}

static void note_asked(struct scripted_driver *driver, const struct scripted_method *method,
	const ProtobufCMessage *message)
{
	if (strncmp(method->path, "/csi.v1.Controller/", 19))
		return;
	free(driver->asked);
	driver->asked = message_text(message);
}

/* Whether the caller still waits after MS milliseconds; -1: until it gives up. */
static bool wait_ms(const struct rpc_reply *reply, int ms)
{
	const atomic_bool *gone = rpc_reply_cancelled(reply);
	const struct timespec pause = {.tv_nsec = 1000000};

	for (int i = 0; (ms < 0 || i < ms) && !atomic_load(gone); i++)
		nanosleep(&pause, NULL);
	return !atomic_load(gone);
}

/* Which secrets came with the call, but not what they are. */
static void log_secrets(const struct scripted_call *call, const ProtobufCMessage *message)
{
	_cleanup_free_ char *keys = message_text_keys(message, "secrets");

	if (keys)
		scripted_methods_log(call, "secrets", keys);
}

static int handle(
	void *context, const ProtobufCMessage *message, struct rpc_reply *reply, struct error *err)
{
	struct scripted_served *served = context;
	struct scripted_driver *driver = served->driver;
	struct scripted_call call = {driver, short_name(served->method->path), NULL, reply, err};

	pthread_mutex_lock(&driver->lock);
	served->count++;
	call.rule = find_rule(driver, call.method);
	note_asked(driver, served->method, message);
	pthread_mutex_unlock(&driver->lock);
	log_secrets(&call, message);
	if ((driver->options.decide &&
		    !driver->options.decide(driver->options.context, call.method, false)) ||
		!wait_ms(reply, driver->options.delay_ms) ||
		(call.rule && call.rule->answer == SCRIPTED_HANG && !wait_ms(reply, -1))) {
		scripted_methods_log(&call, "-", "given up");
		return error_set(err, ERROR_CANCELLED, "given up");
	}
	if (call.rule && call.rule->answer == SCRIPTED_FAIL) {
		scripted_methods_log(&call, "-", error_kind_name(call.rule->kind));
		return error_set(err, call.rule->kind, "%s", call.rule->text);
	}
	return served->method->act(&call, message);
}

static void add_services(struct scripted_driver *driver)
{
	for (size_t i = 0; scripted_methods[i].path; i++) {
		struct scripted_served *served = &driver->served[i];

		served->driver = driver;
		served->method = &scripted_methods[i];
		served->table[0] = (struct rpc_method){.path = scripted_methods[i].path,
			.request = scripted_methods[i].request,
			.handle = handle};
		driver->services[i] = (struct rpc_service){served->table, served};
	}
}

int scripted_driver_start(const struct scripted_options *options,
	struct scripted_driver **ret_driver, struct error *err)
{
	_cleanup_free_ struct scripted_driver *driver = calloc(1, sizeof(*driver));
	struct rpc_server_options server = {.socket_path = options->socket_path,
		.socket_mode = 0600,
		.socket_gid = (gid_t)-1,
		.workers = WORKERS};

	if (!driver)
		abort();
	driver->options = *options;
	if (scripted_volumes_open(&driver->volumes, options->state_file, err) < 0)
		return -1;
	pthread_mutex_init(&driver->lock, NULL);
	add_services(driver);
	server.services = driver->services;
	if (rpc_server_start(&server, &driver->server, err) < 0) {
		scripted_volumes_close(&driver->volumes);
		return -1;
	}
	*ret_driver = take_ptr(driver);
	return 0;
}

void scripted_driver_stop(struct scripted_driver *driver)
{
	rpc_server_stop(driver->server, 0);
	scripted_volumes_close(&driver->volumes);
	pthread_mutex_destroy(&driver->lock);
	free(driver->asked);
	free(driver);
}

void scripted_driver_set(
	struct scripted_driver *driver, const struct scripted_rule *rules, size_t count)
{
	if (count > SCRIPTED_RULES_MAX)
		abort();
	pthread_mutex_lock(&driver->lock);
	driver->rules = rules;
	driver->rule_count = count;
	memset(driver->seen, 0, sizeof(driver->seen));
	pthread_mutex_unlock(&driver->lock);
}

int scripted_driver_count(struct scripted_driver *driver, const char *method)
{
	int count = 0;

	pthread_mutex_lock(&driver->lock);
	for (size_t i = 0; i < SCRIPTED_METHODS_MAX && driver->served[i].method; i++)
		if (!strcmp(short_name(driver->served[i].method->path), method))
			count = driver->served[i].count;
	pthread_mutex_unlock(&driver->lock);
	return count;
}

char *scripted_driver_asked(struct scripted_driver *driver)
{
	char *asked;

	pthread_mutex_lock(&driver->lock);
	asked = strdup(driver->asked ? driver->asked : "");
	pthread_mutex_unlock(&driver->lock);
	return asked;
}

size_t scripted_driver_volumes(struct scripted_driver *driver)
{
	size_t count;

	pthread_mutex_lock(&driver->lock);
	count = driver->volumes.count;
	pthread_mutex_unlock(&driver->lock);
	return count;
}

int64_t scripted_driver_volume(struct scripted_driver *driver, const char *name)
{
	const struct scripted_volume *volume;
	int64_t bytes;

	pthread_mutex_lock(&driver->lock);
	volume = scripted_volumes_by_name(&driver->volumes, name);
	bytes = volume ? volume->bytes : -1;
	pthread_mutex_unlock(&driver->lock);
	return bytes;
}
