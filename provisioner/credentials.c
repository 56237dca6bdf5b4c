/* SPDX-License-Identifier: Apache-2.0 */
#include "credentials.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#define FILE_AGE_S     60
#define EXPIRY_LEFT_S  30   /* before it expires a credential is replaced */
#define EXPIRY_MIN_S   5    /* but one that expires at once is still used for this long */
#define FAILURE_AGE_MS 5000 /* a program that failed is not run again before */

struct credentials {
	const struct kube_config *config;
	int64_t file_age_ms;
	pthread_mutex_t lock; /* guards all below; held while the program runs */
	struct exec_credential current;
	unsigned generation; /* 0: none yet */
	bool refused;
	int64_t taken_ms;     /* CLOCK_MONOTONIC */
	int64_t expires_ms;   /* the same clock; INT64_MAX: never */
	struct error failure; /* of the last run, if it failed */
	int64_t failed_ms;
};

static int64_t clock_ms(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct credentials *credentials_new(const struct kube_config *config, int file_age_s)
{
	struct credentials *credentials = calloc(1, sizeof(*credentials));

	if (!credentials)
		abort();
	credentials->config = config;
	credentials->file_age_ms = (file_age_s ? file_age_s : FILE_AGE_S) * 1000;
	pthread_mutex_init(&credentials->lock, NULL);
	return credentials;
}

void credentials_free(struct credentials *credentials)
{
	exec_credential_done(&credentials->current);
	pthread_mutex_destroy(&credentials->lock);
	free(credentials);
}

/* When what expires at the time EXPIRES of day is to be replaced, on the monotonic clock, which
 * shows NOW. */
static int64_t expiry(int64_t expires, int64_t now)
{
	int64_t day_s = clock_ms(CLOCK_REALTIME) / 1000, left;

	if (!expires)
		return INT64_MAX;
	left = expires > day_s ? expires - day_s : 0;
	left = left > INT32_MAX ? INT32_MAX : left;
	left = left - EXPIRY_LEFT_S > EXPIRY_MIN_S ? left - EXPIRY_LEFT_S : EXPIRY_MIN_S;
	return now + left * 1000;
}

/* Run the program, unless it just failed. */
static int run(struct credentials *credentials, struct exec_credential *made, struct error *err)
{
	if (credentials->failure.kind &&
		clock_ms(CLOCK_MONOTONIC) - credentials->failed_ms < FAILURE_AGE_MS) {
		*err = credentials->failure;
		return -1;
	}
	credentials->failure = (struct error){0};
	if (exec_credential_run(credentials->config->exec, made, err) == 0)
		return 0;
	credentials->failure = *err;
	credentials->failed_ms = clock_ms(CLOCK_MONOTONIC);
	return -1;
}

static int renew(struct credentials *credentials, struct error *err)
{
	const struct kube_config *config = credentials->config;
	struct exec_credential made = {.token = NULL};
	struct error why = {0};
	int result = config->exec ? run(credentials, &made, &why)
				  : kube_config_token(config, &made.token, &why);

	/* Not NOT_FOUND, for one, which would say that the object does not exist. */
	if (result < 0)
		return error_set(err, ERROR_UNAVAILABLE, "%s", why.text);
	exec_credential_done(&credentials->current);
	credentials->current = made;
	credentials->refused = false;
	credentials->taken_ms = clock_ms(CLOCK_MONOTONIC);
	credentials->expires_ms = expiry(made.expires, credentials->taken_ms);
	if (!++credentials->generation)
		credentials->generation = 1;
	return 0;
}

/* Tokens of service accounts are replaced while we run: the file is read about every minute. */
static bool is_due(const struct credentials *credentials)
{
	int64_t now = clock_ms(CLOCK_MONOTONIC);

	return !credentials->generation || credentials->refused || now >= credentials->expires_ms ||
	       (!credentials->config->exec &&
		       now - credentials->taken_ms >= credentials->file_age_ms);
}

/* TEXT, which may be gone before the handle, as a blob. */
static void set_text(CURL *handle, CURLoption option, char *text)
{
	struct curl_blob blob = {text, strlen(text), CURL_BLOB_COPY};

	curl_easy_setopt(handle, option, &blob);
}

int credentials_apply(
	struct credentials *credentials, CURL *handle, unsigned *ret_generation, struct error *err)
{
	const struct exec_credential *current = &credentials->current;
	int result;

	pthread_mutex_lock(&credentials->lock);
	result = is_due(credentials) ? renew(credentials, err) : 0;
	if (result == 0 && current->token) {
		curl_easy_setopt(handle, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
		curl_easy_setopt(handle, CURLOPT_XOAUTH2_BEARER, current->token);
	}
	if (result == 0 && current->certificate) {
		set_text(handle, CURLOPT_SSLCERT_BLOB, current->certificate);
		set_text(handle, CURLOPT_SSLKEY_BLOB, current->key);
	}
	if (result == 0)
		*ret_generation = credentials->generation;
	pthread_mutex_unlock(&credentials->lock);
	return result;
}

void credentials_refuse(struct credentials *credentials, unsigned generation)
{
	pthread_mutex_lock(&credentials->lock);
	if (generation == credentials->generation)
		credentials->refused = true;
	pthread_mutex_unlock(&credentials->lock);
}
