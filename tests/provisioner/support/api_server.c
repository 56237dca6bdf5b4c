/* SPDX-License-Identifier: Apache-2.0 */
#include "api_server.h"

#include <arpa/inet.h>
#include <json-c/linkhash.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "api_verbs.h"
#include "api_watch.h"
#include "testing.h"

struct connection {
	struct connection *next;
	struct api_server *server;
	pthread_t thread;
	int fd;
	bool ended; /* its thread is about to return */
};

struct log_entry {
	char *line;
	const char *plural;
	char method[16]; /* "WATCH" for watches */
	int code;
};

struct api_server {
	struct api_objects *objects;
	struct api_server_options options; /* constant */
	struct sockaddr_in address;
	char url[64];
	pthread_t acceptor;
	int listener;
	pthread_mutex_t lock;    /* guards all below */
	pthread_cond_t released; /* CLOCK_MONOTONIC */
	uint64_t releases;
	bool stopping, paused;
	char *token;
	struct connection *connections;
	size_t connection_count;
	struct log_entry *log;
	size_t log_count, log_room;
	struct lh_table *paths; /* "METHOD path" -> how often it came */
};

static bool is_stopping(void *self)
{
	struct api_server *server = self;
	bool stopping;

	pthread_mutex_lock(&server->lock);
	stopping = server->stopping || server->paused;
	pthread_mutex_unlock(&server->lock);
	return stopping;
}

/* Wait MS milliseconds, or with 0 until the release. */
static void stall(void *self, int ms)
{
	struct api_server *server = self;
	struct timespec deadline;
	uint64_t releases;
	int result = 0;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_nsec += (long)(ms % 1000) * 1000000;
	deadline.tv_sec += (ms ? ms / 1000 : 3600) + deadline.tv_nsec / 1000000000;
	deadline.tv_nsec %= 1000000000;
	pthread_mutex_lock(&server->lock);
	releases = server->releases;
	while (result == 0 && releases == server->releases && !server->stopping && !server->paused)
		result = pthread_cond_timedwait(&server->released, &server->lock, &deadline);
	pthread_mutex_unlock(&server->lock);
}

/* How often METHOD PATH came before. */
static size_t count_path(struct api_server *server, const char *method, const char *path)
{
	struct lh_entry *entry;
	char *key;
	size_t before = 0;

	if (asprintf(&key, "%s %s", method, path) < 0)
		abort();
	entry = lh_table_lookup_entry(server->paths, key);
	if (entry) {
		before = (size_t)(uintptr_t)lh_entry_v(entry);
		lh_table_delete_entry(server->paths, entry);
	}
	lh_table_insert(server->paths, key, (void *)(uintptr_t)(before + 1));
	return before;
}

static void free_key(struct lh_entry *entry)
{
	free(lh_entry_k(entry));
}

static struct log_entry *add_entry(struct api_server *server)
{
	if (server->log_count == server->log_room) {
		server->log_room = server->log_room ? server->log_room * 2 : 256;
		server->log = reallocarray(server->log, server->log_room, sizeof(*server->log));
		if (!server->log)
			abort();
	}
	return &server->log[server->log_count++];
}

/* Write the request down, and number it. */
static void note_request(struct api_server *server, struct api_request *request)
{
	struct log_entry *entry;

	pthread_mutex_lock(&server->lock);
	request->sequence = server->log_count;
	request->nth =
		count_path(server, request->watch ? "WATCH" : request->method, request->path);
	entry = add_entry(server);
	*entry = (struct log_entry){.plural = request->plural};
	snprintf(entry->method, sizeof(entry->method), "%s",
		request->watch ? "WATCH" : request->method);
	if (asprintf(&entry->line, "%s %s%s%s", request->method, request->path,
		    *request->query ? "?" : "", request->query) < 0)
		abort();
	pthread_mutex_unlock(&server->lock);
}

static void note_code(struct api_server *server, size_t sequence, int code)
{
	pthread_mutex_lock(&server->lock);
	server->log[sequence].code = code;
	pthread_mutex_unlock(&server->lock);
}

static bool is_authorized(struct api_server *server, const struct api_http *http)
{
	bool authorized;

	pthread_mutex_lock(&server->lock);
	authorized = !server->token || (!strncmp(http->authorization, "Bearer ", 7) &&
					       !strcmp(http->authorization + 7, server->token));
	pthread_mutex_unlock(&server->lock);
	return authorized;
}

static struct api_answer unauthorized(void)
{
	return api_answer_failure(401, "Unauthorized", NULL, NULL, "Unauthorized");
}

static struct api_answer error_answer(int code)
{
	switch (code) {
	case 502:
		return api_answer_plain(502, "<html><h1>502 Bad Gateway</h1></html>\n");
	case 503:
		return api_answer_failure(503, "ServiceUnavailable", NULL, NULL,
			"the server is currently unable to handle the request");
	case 504:
		return api_answer_failure(504, "Timeout", NULL, NULL,
			"Timeout: request did not complete within the allotted timeout");
	default:
		return api_answer_failure(code, "InternalError", NULL, NULL,
			"Internal error occurred: etcdserver: request timed out");
	}
}

/* What FAULT answers; where it only spoils an answer, that of a server that is not there. */
static struct api_answer fault_answer(struct api_fault fault)
{
	struct api_answer answer;

	switch (fault.kind) {
	case API_FAULT_TOO_MANY:
		answer = api_answer_plain(429, "Too many requests, please try again later.\n");
		answer.retry_after = fault.value;
		return answer;
	case API_FAULT_ERROR:
		return error_answer(fault.value);
	case API_FAULT_CONFLICT:
		return api_answer_failure(409, "Conflict", NULL, NULL,
			"Operation cannot be fulfilled: the object has been modified; please apply "
			"your changes to the latest version and try again");
	case API_FAULT_UNAUTHORIZED:
		return unauthorized();
	case API_FAULT_PROXY_404:
		return api_answer_plain(404, "<html><h1>404 Not Found</h1></html>\n");
	case API_FAULT_EXPIRED:
		return api_answer_failure(
			410, "Expired", NULL, NULL, "too old resource version: 1 (2)");
	default:
		return error_answer(503);
	}
}

static struct api_answer unknown_path(void)
{
	return api_answer_plain(404, "404 page not found\n");
}

/* Take metadata.name=X and metadata.namespace=X, whichever are there. */
static bool parse_fields(char *text, struct api_selector *selector)
{
	static const char name[] = "metadata.name=", namespace[] = "metadata.namespace=";
	char *saved;

	for (char *at = strtok_r(text, ",", &saved); at; at = strtok_r(NULL, ",", &saved)) {
		if (!strncmp(at, name, strlen(name)))
			snprintf(selector->name, sizeof(selector->name), "%s", at + strlen(name));
		else if (!strncmp(at, namespace, strlen(namespace)))
			snprintf(selector->namespace, sizeof(selector->namespace), "%s",
				at + strlen(namespace));
		else
			return false;
	}
	return true;
}

static bool parse_selector(
	const struct api_http *http, const struct api_path *path, struct api_selector *ret_selector)
{
	_cleanup_free_ char *fields = api_http_parameter(http, "fieldSelector");
	_cleanup_free_ char *labels = api_http_parameter(http, "labelSelector");

	*ret_selector = (struct api_selector){.resource = path->resource};
	memcpy(ret_selector->namespace, path->namespace, sizeof(path->namespace));
	memcpy(ret_selector->name, path->name, sizeof(path->name));
	/* Nobody uses labels yet, and to ignore them would be a wrong answer. */
	return !*labels && parse_fields(fields, ret_selector);
}

static struct api_answer bad_request(const char *message)
{
	return api_answer_failure(400, "BadRequest", NULL, NULL, "%s", message);
}

static struct api_answer list(
	struct api_server *server, const struct api_http *http, const struct api_path *path)
{
	_cleanup_free_ char *limit = api_http_parameter(http, "limit");
	_cleanup_free_ char *token = api_http_parameter(http, "continue");
	struct api_selector selector;

	if (!parse_selector(http, path, &selector))
		return bad_request("field label not supported");
	return api_objects_list(server->objects, &selector, strtoul(limit, NULL, 10), token);
}

static const struct {
	const char *method, *content_type;
	enum api_verb verb;
} verbs[] = {
	{"GET", NULL, API_GET},
	{"POST", NULL, API_CREATE},
	{"PUT", NULL, API_UPDATE},
	{"DELETE", NULL, API_DELETE},
	{"PATCH", "application/merge-patch+json", API_PATCH_MERGE},
	{"PATCH", "application/strategic-merge-patch+json", API_PATCH_STRATEGIC},
};

static bool find_verb(const struct api_http *http, enum api_verb *ret_verb)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		const char *type = verbs[i].content_type;

		if (strcmp(verbs[i].method, http->method) != 0 ||
			(type && strncmp(http->content_type, type, strlen(type)) != 0))
			continue;
		*ret_verb = verbs[i].verb;
		return true;
	}
	return false;
}

static struct api_answer call(
	struct api_server *server, const struct api_http *http, const struct api_path *path)
{
	struct api_call what = {.path = *path};
	struct api_answer answer;

	if (!find_verb(http, &what.verb))
		return api_answer_failure(415, "UnsupportedMediaType", NULL, NULL,
			"the body of the request was in an unknown format");
	if ((what.verb == API_CREATE) != !*path->name)
		return api_answer_failure(405, "MethodNotAllowed", NULL, NULL,
			"the server does not allow this method on the requested resource");
	if (*http->body)
		what.body = json_tokener_parse(http->body);
	if (*http->body && !what.body)
		return bad_request("the object provided is unrecognized");
	answer = api_verbs_call(server->objects, &what);
	json_object_put(what.body);
	return answer;
}

static struct api_answer apply(
	struct api_server *server, const struct api_http *http, const struct api_path *path)
{
	static const char version[] =
		"{\"major\":\"1\",\"minor\":\"33\",\"gitVersion\":\"v1.33.0\","
		"\"platform\":\"linux/amd64\"}";

	if (!strcmp(http->path, "/version"))
		return (struct api_answer){
			.code = 200, .text = api_text_new(version, strlen(version))};
	if (!strcmp(http->path, "/readyz") || !strcmp(http->path, "/livez") ||
		!strcmp(http->path, "/healthz"))
		return api_answer_plain(200, "ok");
	if (!path->resource)
		return unknown_path();
	if (!*path->name && !strcmp(http->method, "GET"))
		return list(server, http, path);
	return call(server, http, path);
}

static struct api_fault decide(
	struct api_server *server, const struct api_request *request, bool applied)
{
	if (!server->options.decide)
		return (struct api_fault){0};
	return server->options.decide(server->options.context, request, applied);
}

/* Send ANSWER, which is taken, with what FAULT does to it. */
static bool send_answer(struct api_server *server, struct api_http *http,
	const struct api_request *request, struct api_answer answer, struct api_fault fault)
{
	bool kept;

	/* Known before the client can know it. */
	note_code(server, request->sequence, fault.kind == API_FAULT_CUT ? 0 : answer.code);
	kept = api_http_answer(http, &answer, fault.kind);
	api_text_unref(answer.text);
	return kept;
}

static bool answers(enum api_fault_kind kind)
{
	return kind != API_FAULT_NONE && kind <= API_FAULT_EXPIRED;
}

static bool spoils(enum api_fault_kind kind)
{
	return kind >= API_FAULT_CUT && kind <= API_FAULT_TRUNCATED;
}

static bool serve_call(struct api_server *server, struct api_http *http,
	const struct api_request *request, const struct api_path *path)
{
	struct api_answer answer =
		is_authorized(server, http) ? apply(server, http, path) : unauthorized();
	struct api_fault fault = decide(server, request, true);

	if (fault.kind == API_FAULT_STALL)
		stall(server, fault.value);
	if (answers(fault.kind)) {
		api_text_unref(answer.text);
		answer = fault_answer(fault);
	}
	return send_answer(server, http, request, answer, fault);
}

static bool serve_watch(struct api_server *server, struct api_http *http,
	struct api_request *request, const struct api_path *path)
{
	const struct api_watch_host host = {
		server->objects, &server->options, is_stopping, stall, server};
	struct api_selector selector;
	bool kept;
	int code = 0;

	if (!is_authorized(server, http))
		return send_answer(server, http, request, unauthorized(), (struct api_fault){0});
	if (!parse_selector(http, path, &selector))
		return send_answer(server, http, request, bad_request("field label not supported"),
			(struct api_fault){0});
	kept = api_watch_serve(&host, http, &selector, request, &code);
	note_code(server, request->sequence, code);
	return kept;
}

static bool is_watch(const struct api_http *http)
{
	_cleanup_free_ char *watch = api_http_parameter(http, "watch");

	return !strcmp(http->method, "GET") && (!strcmp(watch, "true") || !strcmp(watch, "1"));
}

/* Serve one request; whether the connection is kept. */
static bool serve_request(struct api_server *server, struct api_http *http)
{
	struct api_path path;
	struct api_request request = {.method = http->method,
		.path = http->path,
		.query = http->query,
		.body = http->body,
		.plural = ""};
	struct api_fault fault;

	if (!api_resources_parse(http->path, &path) ||
		(server->objects->options.no_snapshots && path.resource->custom))
		path.resource = NULL;
	else
		request.plural = path.resource->plural;
	request.watch = path.resource && is_watch(http);
	note_request(server, &request);
	fault = decide(server, &request, false);
	if (fault.kind == API_FAULT_STALL)
		stall(server, fault.value);
	if (answers(fault.kind) || spoils(fault.kind))
		return send_answer(server, http, &request, fault_answer(fault), fault);
	if (request.watch)
		return serve_watch(server, http, &request, &path);
	return serve_call(server, http, &request, &path);
}

static void *serve(void *context)
{
	struct connection *connection = context;
	struct api_server *server = connection->server;
	struct api_http http = {.fd = connection->fd};

	while (!is_stopping(server) && api_http_read(&http))
		if (!serve_request(server, &http))
			break;
	api_http_done(&http);
	pthread_mutex_lock(&server->lock);
	connection->ended = true;
	close(connection->fd);
	pthread_mutex_unlock(&server->lock);
	return NULL;
}

/* Join the threads of the connections that ended; with ALL, end and join all of them. */
static void join_connections(struct api_server *server, bool all)
{
	struct connection **at = &server->connections, *ended = NULL, *next;

	pthread_mutex_lock(&server->lock);
	while (*at) {
		struct connection *connection = *at;

		if (all && !connection->ended)
			shutdown(connection->fd, SHUT_RDWR);
		if (!all && !connection->ended) {
			at = &connection->next;
			continue;
		}
		*at = connection->next;
		connection->next = ended;
		ended = connection;
	}
	pthread_mutex_unlock(&server->lock);
	for (; ended; ended = next) {
		next = ended->next;
		pthread_join(ended->thread, NULL);
		free(ended);
	}
}

static void add_connection(struct api_server *server, int fd)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	int on = 1;

	if (!connection)
		abort();
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	*connection = (struct connection){.server = server, .fd = fd};
	pthread_mutex_lock(&server->lock);
	connection->next = server->connections;
	server->connections = connection;
	server->connection_count++;
	if (pthread_create(&connection->thread, NULL, serve, connection))
		abort();
	pthread_mutex_unlock(&server->lock);
}

static void *accept_all(void *context)
{
	struct api_server *server = context;
	int listener = server->listener, fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		join_connections(server, false);
		add_connection(server, fd);
	}
	return NULL;
}

static void begin_listening(struct api_server *server)
{
	socklen_t size = sizeof(server->address);
	int on = 1;

	server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(server->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(server->listener, (struct sockaddr *)&server->address, size) < 0 ||
		listen(server->listener, 256) < 0 ||
		getsockname(server->listener, (struct sockaddr *)&server->address, &size) < 0 ||
		pthread_create(&server->acceptor, NULL, accept_all, server))
		abort();
}

static void end_listening(struct api_server *server)
{
	shutdown(server->listener, SHUT_RDWR);
	pthread_join(server->acceptor, NULL);
	close(server->listener);
	pthread_mutex_lock(&server->lock);
	pthread_cond_broadcast(&server->released);
	pthread_mutex_unlock(&server->lock);
	api_objects_wake(server->objects);
	join_connections(server, true);
}

struct api_server *api_server_start(
	struct api_objects *objects, const struct api_server_options *options)
{
	struct api_server *server = calloc(1, sizeof(*server));
	pthread_condattr_t attributes;

	if (!server)
		abort();
	server->objects = objects;
	if (options)
		server->options = *options;
	server->address = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	server->paths = lh_kchar_table_new(256, free_key);
	pthread_mutex_init(&server->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&server->released, &attributes);
	pthread_condattr_destroy(&attributes);
	begin_listening(server);
	snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%d",
		ntohs(server->address.sin_port));
	return server;
}

void api_server_pause(struct api_server *server, bool pause)
{
	pthread_mutex_lock(&server->lock);
	server->paused = pause;
	pthread_mutex_unlock(&server->lock);
	if (pause)
		end_listening(server);
	else
		begin_listening(server);
}

void api_server_stop(struct api_server *server)
{
	bool paused;

	pthread_mutex_lock(&server->lock);
	paused = server->paused;
	server->stopping = true;
	pthread_mutex_unlock(&server->lock);
	if (!paused)
		end_listening(server);
	for (size_t i = 0; i < server->log_count; i++)
		free(server->log[i].line);
	free(server->log);
	free(server->token);
	lh_table_free(server->paths);
	pthread_cond_destroy(&server->released);
	pthread_mutex_destroy(&server->lock);
	free(server);
}

const char *api_server_url(const struct api_server *server)
{
	return server->url;
}

char *api_server_kubeconfig(const struct api_server *server, const char *folder, const char *name)
{
	char text[1024];

	snprintf(text, sizeof(text),
		"apiVersion: v1\nkind: Config\ncurrent-context: test\n"
		"clusters:\n- name: test\n  cluster:\n    server: %s\n"
		"users:\n- name: test\n  user: {}\n"
		"contexts:\n- name: test\n  context:\n    cluster: test\n    user: test\n",
		server->url);
	return write_file(folder, name, text);
}

void api_server_release(struct api_server *server)
{
	pthread_mutex_lock(&server->lock);
	server->releases++;
	pthread_cond_broadcast(&server->released);
	pthread_mutex_unlock(&server->lock);
}

void api_server_set_token(struct api_server *server, const char *token)
{
	pthread_mutex_lock(&server->lock);
	free(server->token);
	server->token = token ? strdup(token) : NULL;
	pthread_mutex_unlock(&server->lock);
}

size_t api_server_count(struct api_server *server, const char *method, const char *plural)
{
	size_t count = 0;

	pthread_mutex_lock(&server->lock);
	for (size_t i = 0; i < server->log_count; i++)
		count += (!method || !strcmp(server->log[i].method, method)) &&
			 (!plural || !strcmp(server->log[i].plural, plural));
	pthread_mutex_unlock(&server->lock);
	return count;
}

char *api_server_seen(struct api_server *server, size_t index, int *ret_code)
{
	char *line;

	pthread_mutex_lock(&server->lock);
	line = strdup(index < server->log_count ? server->log[index].line : "");
	*ret_code = index < server->log_count ? server->log[index].code : 0;
	pthread_mutex_unlock(&server->lock);
	return line;
}

char *api_server_log(struct api_server *server)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	pthread_mutex_lock(&server->lock);
	for (size_t i = 0; i < server->log_count; i++)
		fprintf(out, "%s %d\n", server->log[i].line, server->log[i].code);
	pthread_mutex_unlock(&server->lock);
	fclose(out);
	return text;
}

size_t api_server_connections(struct api_server *server)
{
	size_t count;

	pthread_mutex_lock(&server->lock);
	count = server->connection_count;
	pthread_mutex_unlock(&server->lock);
	return count;
}
