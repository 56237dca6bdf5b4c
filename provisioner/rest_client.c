/* SPDX-License-Identifier: Apache-2.0 */
#include "rest_client.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "credentials.h"
#include "names.h"
#include "objects.h"

#define RESPONSE_MAX        (16 * 1024 * 1024)
#define CONNECT_TIMEOUT_MS  10000
#define REQUEST_TIMEOUT_MS  30000
#define TURN_TIMEOUT_MS     120000 /* for a request to start, where its caller sets no limit */
#define CA_MAX_AGE_S        60
#define IDLE_HANDLES_MAX    64
#define UNANSWERED_LIMIT_MS 30000 /* sent bytes that nobody acknowledges end the connection */
#define BUSY_REPEATS        3     /* of what the server did not want to do now */
#define RETRY_AFTER_MAX_S   60
#define UPLOAD_BUFFER_BYTES                                                                        \
	16384 /* the least; the usual 64 KiB cost malloc() more than the request */

struct rest_client {
	const struct kube_config *config;
	char *base_url;
	struct curl_slist *connect_to; /* where the URL's host really is, or NULL */
	struct credentials *credentials;
	struct limiter *limiter;
	rest_client_observer *observer;
	void *observer_context;
	pthread_mutex_t lock; /* guards all below */
	struct idle_handle {
		CURL *handle;
		int64_t since_ms;
	} idle[IDLE_HANDLES_MAX]; /* the last that came is the first that goes */
	int idle_count;
	int64_t distrusted_ms; /* when the server's certificate was last refused */
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Where another name than the server's is expected in its certificate, URLs name that one, and
 * connections go to the host that was configured. */
static void set_base_url(struct rest_client *client, const struct kube_config *config)
{
	const char *host = strstr(config->server, "://") + 3;
	size_t host_length = strcspn(host, "/"); /* with its port */
	const char *port = memrchr(host, ':', host_length);
	_cleanup_free_ char *target = NULL;

	if (port && memchr(port, ']', (size_t)(host + host_length - port)))
		port = NULL; /* a colon of an IPv6 address */
	if (!config->tls_server_name)
		client->base_url = strdup(config->server);
	else if (asprintf(&client->base_url, "https://%s%s", config->tls_server_name,
			 port ? port : host + host_length) < 0 ||
		 asprintf(&target, "::%.*s%s", (int)host_length, host, port ? "" : ":443") < 0)
		abort();
	if (target)
		client->connect_to = curl_slist_append(NULL, target);
	if (!client->base_url)
		abort();
}

struct rest_client *rest_client_new(const struct kube_config *config)
{
	struct rest_client *client = calloc(1, sizeof(*client));

	if (!client)
		abort();
	client->config = config;
	set_base_url(client, config);
	client->credentials = credentials_new(config, 0);
	client->limiter = limiter_new(NULL);
	client->distrusted_ms = INT64_MIN / 2;
	pthread_mutex_init(&client->lock, NULL);
	return client;
}

void rest_client_free(struct rest_client *client)
{
	while (client->idle_count)
		curl_easy_cleanup(client->idle[--client->idle_count].handle);
	pthread_mutex_destroy(&client->lock);
	curl_slist_free_all(client->connect_to);
	free(client->base_url);
	credentials_free(client->credentials);
	limiter_free(client->limiter);
	free(client);
}

void rest_client_observe(struct rest_client *client, rest_client_observer *fn, void *context)
{
	client->observer = fn;
	client->observer_context = context;
}

struct limiter_state rest_client_limits(struct rest_client *client)
{
	return limiter_state(client->limiter);
}

void rest_response_init(struct rest_response *response, size_t max_bytes)
{
	*response = (struct rest_response){.max_bytes = max_bytes};
	json_reader_init(&response->reader);
}

void rest_response_done(struct rest_response *response)
{
	json_reader_done(&response->reader);
	json_object_put(response->json);
}

int rest_response_feed(struct rest_response *response, const char *bytes, size_t length)
{
	response->bytes += length;
	if (response->bytes > response->max_bytes)
		return -1;
	/* Once the body is complete only white space may follow, and a body that is not JSON (a
	 * proxy's error page) is told from the HTTP status. */
	if (!response->ended)
		response->ended = json_reader_feed(&response->reader, bytes, length,
					  &response->json) != json_tokener_continue;
	return 0;
}

static size_t write_response(char *bytes, size_t size, size_t count, void *context)
{
	return rest_response_feed(context, bytes, size * count) < 0 ? 0 : size * count;
}

/* A peer that vanished without a word must not hold a request for ever. */
static int set_socket_options(void *context, curl_socket_t fd, curlsocktype purpose)
{
	int limit = UNANSWERED_LIMIT_MS;

	(void)context;
	(void)purpose;
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof(limit));
	return CURL_SOCKOPT_OK;
}

static void set_blob(
	CURL *handle, const struct kube_blob *blob, CURLoption as_data, CURLoption as_file)
{
	struct curl_blob data = {blob->data, blob->data ? strlen(blob->data) : 0,
		CURL_BLOB_NOCOPY}; /* the configuration outlives the handle */

	if (blob->data)
		curl_easy_setopt(handle, as_data, &data);
	else if (blob->file)
		curl_easy_setopt(handle, as_file, blob->file);
}

static void set_tls(CURL *handle, const struct kube_config *config)
{
	set_blob(handle, &config->ca, CURLOPT_CAINFO_BLOB, CURLOPT_CAINFO);
	set_blob(handle, &config->certificate, CURLOPT_SSLCERT_BLOB, CURLOPT_SSLCERT);
	set_blob(handle, &config->key, CURLOPT_SSLKEY_BLOB, CURLOPT_SSLKEY);
	curl_easy_setopt(handle, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	/* A resumed session would go on with the certificates and the CA of the first. */
	curl_easy_setopt(handle, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	if (config->insecure) {
		curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 0L);
	}
}

/* A CA file may be replaced while we run: it is read about every minute, and at once after a
 * server was not trusted. */
static long ca_max_age(struct rest_client *client)
{
	bool distrusted;

	pthread_mutex_lock(&client->lock);
	distrusted = now_ms() - client->distrusted_ms < CA_MAX_AGE_S * 1000;
	pthread_mutex_unlock(&client->lock);
	return distrusted ? 0 : CA_MAX_AGE_S;
}

int rest_client_prepare(struct rest_client *client, CURL *handle, const char *path,
	struct rest_response *response, struct error *err)
{
	_cleanup_free_ char *url = NULL;

	if (asprintf(&url, "%s%s", client->base_url, path) < 0)
		abort();
	curl_easy_reset(handle);
	curl_easy_setopt(handle, CURLOPT_CONNECT_TO, client->connect_to);
	curl_easy_setopt(handle, CURLOPT_URL, url);
	/* One connection a watch: a dead HTTP/2 connection would stall them all at once. */
	curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(handle, CURLOPT_PROXY, ""); /* the API server is reached directly */
	curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(handle, CURLOPT_UPLOAD_BUFFERSIZE, (long)UPLOAD_BUFFER_BYTES);
	curl_easy_setopt(handle, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(handle, CURLOPT_TCP_KEEPIDLE, 30L);
	curl_easy_setopt(handle, CURLOPT_TCP_KEEPINTVL, 10L);
	curl_easy_setopt(handle, CURLOPT_SOCKOPTFUNCTION, set_socket_options);
	curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
	curl_easy_setopt(handle, CURLOPT_USERAGENT, "ordinal-provisioner/" ORDINAL_VERSION);
	curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, response->detail);
	curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, write_response);
	curl_easy_setopt(handle, CURLOPT_WRITEDATA, response);
	curl_easy_setopt(handle, CURLOPT_CA_CACHE_TIMEOUT, ca_max_age(client));
	set_tls(handle, client->config);
	response->method = "GET";
	return credentials_apply(client->credentials, handle, &response->credentials, err);
}

static int status_error(const struct rest_response *response, long status, struct error *err)
{
	const char *message = json_string(response->json, "message");
	const char *reason = json_string(response->json, "reason");
	enum error_kind kind = error_kind_from_http(status);

	/* 409 is also what creating a thing that exists is answered with. */
	if (reason && !strcmp(reason, "AlreadyExists"))
		kind = ERROR_ALREADY_EXISTS;
	/* That an object is gone makes us delete data: it takes more than a proxy's word. */
	if (kind == ERROR_NOT_FOUND && (!reason || strcmp(reason, "NotFound")))
		kind = ERROR_UNAVAILABLE;
	if (message)
		return error_set(err, kind, "%s", message);
	if (status == 404)
		return error_set(err, kind,
			"the API server answered with HTTP status 404: it does not serve that kind "
			"of object");
	return error_set(err, kind, "the API server answered with HTTP status %ld", status);
}

/* Which side of TLS was not content, in front of what libcurl says. */
static const char *failure_words(CURLcode code)
{
	switch (code) {
	case CURLE_PEER_FAILED_VERIFICATION:
		return "its certificate is not trusted: ";
	case CURLE_SSL_CACERT_BADFILE:
		return "the CA cannot be read: ";
	case CURLE_SSL_CERTPROBLEM:
		return "our client certificate cannot be used: ";
	case CURLE_SSL_CONNECT_ERROR:
		return "the TLS handshake failed: ";
	default:
		return "";
	}
}

static int transfer_error(struct rest_client *client, CURLcode code,
	const struct rest_response *response, struct error *err)
{
	if (code == CURLE_WRITE_ERROR && response->bytes > response->max_bytes)
		return error_set(err, ERROR_INTERNAL, "the API server's answer is over %zu bytes",
			response->max_bytes);
	if (code == CURLE_PEER_FAILED_VERIFICATION) {
		pthread_mutex_lock(&client->lock);
		client->distrusted_ms = now_ms();
		pthread_mutex_unlock(&client->lock);
	}
	return error_set(err, code == CURLE_OPERATION_TIMEDOUT ? ERROR_TIMEOUT : ERROR_UNAVAILABLE,
		"API server %s: %s%s", client->config->server, failure_words(code),
		*response->detail ? response->detail : curl_easy_strerror(code));
}

/* The seconds that the server asks for, bounded; a 429 that names none counts as 1. */
static int64_t retry_after(CURL *handle, long status)
{
	struct curl_header *header;
	curl_off_t seconds = 0;

	if (status != 429 && status != 503)
		return 0;
	if (curl_easy_header(handle, "Retry-After", 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
		return status == 429;
	curl_easy_getinfo(handle, CURLINFO_RETRY_AFTER, &seconds);
	return seconds < 0 ? 0 : seconds > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : seconds;
}

static void observe(struct rest_client *client, CURL *handle, const struct rest_response *response)
{
	curl_off_t microseconds = 0;

	if (!client->observer || !response->method)
		return;
	curl_easy_getinfo(handle, CURLINFO_TOTAL_TIME_T, &microseconds);
	client->observer(client->observer_context, response->method, (int)response->status,
		(double)microseconds / 1e6);
}

int rest_client_result(struct rest_client *client, CURL *handle, CURLcode code,
	struct rest_response *response, struct error *err)
{
	response->status = 0;
	if (code == CURLE_OK)
		curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &response->status);
	response->retry_after_s = retry_after(handle, response->status);
	observe(client, handle, response);
	if (code != CURLE_OK)
		return transfer_error(client, code, response, err);
	if (response->status >= 200 && response->status < 300)
		return 0;
	if (response->status == 401)
		credentials_refuse(client->credentials, response->credentials);
	return status_error(response, response->status, err);
}

static CURL *take_handle(struct rest_client *client)
{
	CURL *handle = NULL;

	pthread_mutex_lock(&client->lock);
	if (client->idle_count)
		handle = client->idle[--client->idle_count].handle;
	pthread_mutex_unlock(&client->lock);
	if (!handle)
		handle = curl_easy_init();
	if (!handle)
		abort();
	return handle;
}

static void give_handle(struct rest_client *client, CURL *handle)
{
	curl_easy_reset(handle); /* it must not point into this request any more */
	pthread_mutex_lock(&client->lock);
	if (client->idle_count < IDLE_HANDLES_MAX)
		client->idle[client->idle_count++] =
			(struct idle_handle){take_ptr(handle), now_ms()};
	pthread_mutex_unlock(&client->lock);
	if (handle)
		curl_easy_cleanup(handle);
}

/* The handle that waits for longest, if that was too long: each holds a connection with its TLS
 * state, of which a burst needs many and the rest of the day none. */
static CURL *take_aged(struct rest_client *client, int64_t idle_ms)
{
	CURL *handle = NULL;

	pthread_mutex_lock(&client->lock);
	if (client->idle_count && now_ms() - client->idle[0].since_ms >= idle_ms) {
		handle = client->idle[0].handle;
		client->idle_count--;
		memmove(client->idle, client->idle + 1,
			(size_t)client->idle_count * sizeof(*client->idle));
	}
	pthread_mutex_unlock(&client->lock);
	return handle;
}

void rest_client_trim(struct rest_client *client, int64_t idle_ms)
{
	CURL *handle;

	while ((handle = take_aged(client, idle_ms)))
		curl_easy_cleanup(handle);
}

/* Of an answer that nobody reads, or of which the metadata will do. What does not know this form
 * sends it as ever. */
#define SHORT_FORM                                                                                 \
	"Accept: application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1, application/json"

static struct curl_slist *set_up(CURL *handle, const struct rest_request *request)
{
	struct curl_slist *headers = NULL;
	char type[128];

	curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request->method);
	if (request->header) {
		headers = curl_slist_append(headers, request->header);
		curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
	}
	if (!request->body)
		return headers;
	snprintf(type, sizeof(type), "Content-Type: %s",
		request->content_type ? request->content_type : "application/json");
	headers = curl_slist_append(headers, type);
	headers = curl_slist_append(headers, "Expect:"); /* do not wait for 100 Continue */
	if (request->metadata_only && strcmp(request->method, "DELETE"))
		headers = curl_slist_append(headers, SHORT_FORM);
	curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(handle, CURLOPT_POSTFIELDS,
		json_object_to_json_string_ext(request->body, JSON_C_TO_STRING_PLAIN));
	return headers;
}

/* Send REQUEST, and wait for its answer for at most TIMEOUT_MS. */
static int send_request(struct rest_client *client, const struct rest_request *request,
	int64_t timeout_ms, struct rest_response *response, struct error *err)
{
	CURL *handle = take_handle(client);
	struct curl_slist *headers = NULL;
	int result = rest_client_prepare(client, handle, request->path, response, err);

	if (result == 0) {
		response->method = request->method;
		headers = set_up(handle, request);
		curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
		result = rest_client_result(
			client, handle, curl_easy_perform(handle), response, err);
	}
	/* Every answer of an API server is JSON, also where nobody looks at it; but that of a
	 * server behind its proxy may be empty. */
	if (result == 0 && !response->json && response->status != 204)
		result = error_set(err, ERROR_INTERNAL, "the API server's answer is not JSON");
	give_handle(client, handle);
	curl_slist_free_all(headers);
	return result;
}

/* What an answer, or that none came in time, tells of the server's load. */
static enum limiter_outcome outcome_of(const struct rest_response *response, bool late)
{
	if (response->status == 429 || (response->status == 503 && response->retry_after_s))
		return LIMITER_BUSY;
	if (response->status)
		return LIMITER_ANSWERED;
	return late ? LIMITER_BUSY : LIMITER_UNKNOWN;
}

/* Wait for a turn and send, all before DEADLINE; INT64_MAX: the caller sets none. */
static int call_once(struct rest_client *client, const struct rest_request *request,
	int64_t deadline, struct rest_response *response, struct error *err)
{
	bool bounded = deadline != INT64_MAX;
	int64_t start = now_ms(), left = bounded ? deadline - start : TURN_TIMEOUT_MS;
	int result;

	if (!limiter_enter(client->limiter, request->low_priority, left > 0 ? left : 0))
		return error_set(err, ERROR_TOO_MANY_REQUESTS,
			"not sent: the API server is busy, and others wait for it too");
	start = now_ms();
	left = bounded ? deadline - start : REQUEST_TIMEOUT_MS;
	result = send_request(client, request, left > 1 ? left : 1, response, err);
	limiter_pause(client->limiter, response->retry_after_s);
	limiter_leave(client->limiter,
		outcome_of(response, result < 0 && err->kind == ERROR_TIMEOUT), now_ms() - start);
	return result;
}

/* The credentials may just have been replaced: once more, with the new ones. And what is answered
 * with 429 was not begun: it is sent again when the server has had the time it asked for. */
static bool may_repeat(long status, int *repeats)
{
	int limit = status == 401 ? 1 : status == 429 ? BUSY_REPEATS : 0;

	return (*repeats)++ < limit;
}

static int call(void *self, const struct rest_request *asked, struct json_object **ret_body,
	struct error *err)
{
	struct rest_request sent = *asked, *request = &sent;
	int64_t deadline = request->timeout_ms ? now_ms() + request->timeout_ms : INT64_MAX;
	struct rest_response response;
	struct error why;
	int repeats = 0, result;

	sent.metadata_only |= !ret_body;
	rest_response_init(&response, RESPONSE_MAX);
	while ((result = call_once(self, request, deadline, &response, &why)) < 0 &&
		may_repeat(response.status, &repeats)) {
		rest_response_done(&response);
		rest_response_init(&response, RESPONSE_MAX);
	}
	if (result == 0 && ret_body)
		*ret_body = take_ptr(response.json);
	rest_response_done(&response);
	if (result < 0 && err)
		*err = why;
	return result < 0 ? error_prefix(err, "%s %s", request->method, request->path) : 0;
}

struct kube_api rest_client_api(struct rest_client *client)
{
	return (struct kube_api){call, client};
}
