/* SPDX-License-Identifier: Apache-2.0 */
#include "rest_client.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "names.h"
#include "objects.h"

#define RESPONSE_MAX        (16 * 1024 * 1024)
#define CONNECT_TIMEOUT_MS  10000
#define REQUEST_TIMEOUT_MS  30000
#define TOKEN_MAX_AGE_S     60
#define CA_MAX_AGE_S        60
#define IDLE_HANDLES_MAX    64
#define UNANSWERED_LIMIT_MS 30000 /* sent bytes that nobody acknowledges end the connection */

struct rest_client {
	const struct kube_config *config;
	char *base_url;
	struct curl_slist *connect_to; /* where the URL's host really is, or NULL */
	pthread_mutex_t lock;          /* guards all below */
	CURL *idle[IDLE_HANDLES_MAX];
	int idle_count;
	char *token;
	time_t token_read; /* CLOCK_MONOTONIC; 0: read again */
};

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
	pthread_mutex_init(&client->lock, NULL);
	return client;
}

void rest_client_free(struct rest_client *client)
{
	while (client->idle_count)
		curl_easy_cleanup(client->idle[--client->idle_count]);
	pthread_mutex_destroy(&client->lock);
	curl_slist_free_all(client->connect_to);
	free(client->base_url);
	free(client->token);
	free(client);
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
	if (config->insecure) {
		curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 0L);
	}
}

static time_t monotonic_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + 1; /* never 0 */
}

/* Tokens of service accounts are replaced while we run: the file is read about every minute. */
static int set_token(struct rest_client *client, CURL *handle, struct error *err)
{
	time_t now = monotonic_seconds();
	int result = 0;

	pthread_mutex_lock(&client->lock);
	if (!client->token_read || now - client->token_read > TOKEN_MAX_AGE_S) {
		char *token = NULL;

		result = kube_config_token(client->config, &token, err);
		if (result == 0) {
			free(client->token);
			client->token = token;
			client->token_read = now;
		} else if (err) {
			/* Not NOT_FOUND, which would say that the object does not exist. */
			err->kind = ERROR_UNAVAILABLE;
		}
	}
	if (result == 0 && client->token) {
		curl_easy_setopt(handle, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
		curl_easy_setopt(handle, CURLOPT_XOAUTH2_BEARER, client->token);
	}
	pthread_mutex_unlock(&client->lock);
	return result;
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
	curl_easy_setopt(handle, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(handle, CURLOPT_TCP_KEEPIDLE, 30L);
	curl_easy_setopt(handle, CURLOPT_TCP_KEEPINTVL, 10L);
	curl_easy_setopt(handle, CURLOPT_SOCKOPTFUNCTION, set_socket_options);
	curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
	curl_easy_setopt(handle, CURLOPT_USERAGENT, "ordinal-provisioner/" ORDINAL_VERSION);
	curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, response->detail);
	curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, write_response);
	curl_easy_setopt(handle, CURLOPT_WRITEDATA, response);
	/* A CA file may be replaced while we run. */
	curl_easy_setopt(handle, CURLOPT_CA_CACHE_TIMEOUT, (long)CA_MAX_AGE_S);
	set_tls(handle, client->config);
	return set_token(client, handle, err);
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
	return error_set(err, kind, "the API server answered with HTTP status %ld", status);
}

int rest_client_result(struct rest_client *client, CURL *handle, CURLcode code,
	const struct rest_response *response, struct error *err)
{
	long status = 0;

	if (code == CURLE_WRITE_ERROR && response->bytes > response->max_bytes)
		return error_set(err, ERROR_INTERNAL, "the API server's answer is over %zu bytes",
			response->max_bytes);
	if (code != CURLE_OK)
		return error_set(err,
			code == CURLE_OPERATION_TIMEDOUT ? ERROR_TIMEOUT : ERROR_UNAVAILABLE,
			"API server %s: %s", client->config->server,
			*response->detail ? response->detail : curl_easy_strerror(code));
	curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 200 && status < 300)
		return 0;
	if (status == 401) {
		pthread_mutex_lock(&client->lock);
		client->token_read = 0;
		pthread_mutex_unlock(&client->lock);
	}
	return status_error(response, status, err);
}

static CURL *take_handle(struct rest_client *client)
{
	CURL *handle = NULL;

	pthread_mutex_lock(&client->lock);
	if (client->idle_count)
		handle = client->idle[--client->idle_count];
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
		client->idle[client->idle_count++] = take_ptr(handle);
	pthread_mutex_unlock(&client->lock);
	if (handle)
		curl_easy_cleanup(handle);
}

static struct curl_slist *set_body(CURL *handle, const struct rest_request *request)
{
	struct curl_slist *headers = NULL;
	char type[128];

	curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request->method);
	if (!request->body)
		return NULL;
	snprintf(type, sizeof(type), "Content-Type: %s",
		request->content_type ? request->content_type : "application/json");
	headers = curl_slist_append(headers, type);
	headers = curl_slist_append(headers, "Expect:"); /* do not wait for 100 Continue */
	curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(handle, CURLOPT_POSTFIELDS,
		json_object_to_json_string_ext(request->body, JSON_C_TO_STRING_PLAIN));
	return headers;
}

static int call_once(struct rest_client *client, const struct rest_request *request,
	struct json_object **ret_body, struct error *err)
{
	CURL *handle = take_handle(client);
	struct rest_response response;
	struct curl_slist *headers = NULL;
	int result;

	rest_response_init(&response, RESPONSE_MAX);
	result = rest_client_prepare(client, handle, request->path, &response, err);
	if (result == 0) {
		headers = set_body(handle, request);
		curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, (long)REQUEST_TIMEOUT_MS);
		result = rest_client_result(
			client, handle, curl_easy_perform(handle), &response, err);
	}
	/* Every answer of an API server is JSON, also where nobody looks at it. */
	if (result == 0 && !response.json)
		result = error_set(err, ERROR_INTERNAL, "the API server's answer is not JSON");
	if (result == 0 && ret_body)
		*ret_body = take_ptr(response.json);
	give_handle(client, handle);
	curl_slist_free_all(headers);
	rest_response_done(&response);
	return result;
}

static int call(void *self, const struct rest_request *request, struct json_object **ret_body,
	struct error *err)
{
	struct error first = {0};
	int result = call_once(self, request, ret_body, &first);

	/* The token may just have been replaced: once more, with the new one. */
	if (result < 0 && first.kind == ERROR_UNAUTHORIZED)
		result = call_once(self, request, ret_body, &first);
	if (result < 0 && err)
		*err = first;
	return result < 0 ? error_prefix(err, "%s %s", request->method, request->path) : 0;
}

struct kube_api rest_client_api(struct rest_client *client)
{
	return (struct kube_api){call, client};
}
