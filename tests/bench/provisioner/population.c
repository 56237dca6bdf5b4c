/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "failure.h"
#include "figures.h"
#include "manifests.h"
#include "measure.h"
#include "stack.h"

#define AIM_MIB   40
#define AIM_START 1.5
#define PAGE      500 /* the reflector's */
#define HEAD_MAX  4096
#define MIB       (1024.0 * 1024)

/* Volumes of ours that nobody claims: the controller-manager writes each once, and leaves it. */
static void make_volume(void *context, unsigned long number)
{
	const struct bench *bench = context;
	char name[64], reference[192];

	snprintf(name, sizeof(name), "pvc-%08lx-90ab-4cde-8f01-23456789abcd", number);
	snprintf(reference, sizeof(reference),
		", \"claimRef\": {\"namespace\": \"" CLUSTER_NAMESPACE
		"\", \"name\": \"other-%06lu-data\"}",
		number);
	cluster_post(&bench->cluster, CLUSTER_VOLUMES, MANIFESTS_VOLUME, name, MANIFESTS_FINALIZERS,
		name, number, "Delete", CLUSTER_CLASS "-static", reference);
}

/* Claims of volumes that do not exist: the controller-manager waits, without a word. */
static void make_claim(void *context, unsigned long number)
{
	const struct bench *bench = context;
	char name[64], volume[96];

	snprintf(name, sizeof(name), "static-%06lu-data", number);
	snprintf(volume, sizeof(volume),
		", \"volumeName\": \"pvc-%08lx-0000-4cde-8f01-23456789abcd\"", number);
	cluster_post(&bench->cluster, CLUSTER_CLAIMS, MANIFESTS_CLAIM, name,
		CLUSTER_CLASS "-static", volume);
}

static void fill(const struct bench *bench)
{
	struct measure_loop loop = {.threads = CLUSTER_THREADS,
		.limit = (unsigned long)bench->objects,
		.step = make_volume,
		.context = (void *)bench};
	struct measure_result volumes, claims;

	watcher_reset(bench->watcher);
	volumes = measure_run(&loop);
	loop.step = make_claim;
	claims = measure_run(&loop);
	/* What the controller-manager still has to write would slow down whatever comes first. */
	watcher_wait(bench->watcher, VOLUME_AVAILABLE, volumes.count);
	printf("\n%lu volumes made at %.0f/s and %lu claims at %.0f/s, which nobody provisions\n",
		volumes.count, measure_rate(volumes), claims.count, measure_rate(claims));
	fflush(stdout);
}

/* One collection, listed in pages. */
struct listing {
	const struct cluster *cluster;
	const char *path;
	bool parse;
	CURL *handle;
	char head[HEAD_MAX]; /* of a page: its continue token is there */
	size_t length;
	double bytes;
};

static size_t take_bytes(char *bytes, size_t size, size_t count, void *context)
{
	struct listing *listing = context;
	size_t length = size * count, room = sizeof(listing->head) - 1 - listing->length;
	size_t taken = length < room ? length : room;

	memcpy(listing->head + listing->length, bytes, taken);
	listing->length += taken;
	listing->head[listing->length] = '\0';
	listing->bytes += (double)length;
	return length;
}

static char *token_in(const char *head)
{
	static const char key[] = "\"continue\":\"";
	const char *token = strstr(head, key);

	if (!token)
		return NULL;
	token += sizeof(key) - 1;
	return strndup(token, strcspn(token, "\""));
}

/* A page whose bytes are thrown away; its continue token, or NULL. */
static char *take_page_raw(struct listing *listing, const char *path)
{
	struct rest_response response;
	struct error err;

	rest_response_init(&response, SIZE_MAX);
	listing->length = 0;
	if (rest_client_prepare(listing->cluster->client, listing->handle, path, &response, &err) <
		0)
		failure_exit("%s", err.text);
	curl_easy_setopt(listing->handle, CURLOPT_WRITEFUNCTION, take_bytes);
	curl_easy_setopt(listing->handle, CURLOPT_WRITEDATA, listing);
	if (rest_client_result(listing->cluster->client, listing->handle,
		    curl_easy_perform(listing->handle), &response, &err) < 0)
		failure_exit("%s", err.text);
	rest_response_done(&response);
	return token_in(listing->head);
}

static char *take_page(struct listing *listing, const char *path)
{
	struct json_object *list;
	char *token;

	if (!listing->parse)
		return take_page_raw(listing, path);
	list = cluster_get(listing->cluster, path);
	token = cluster_continue(list);
	json_object_put(list);
	return token;
}

static void *list_all(void *context)
{
	struct listing *listing = context;
	char *token = NULL;

	listing->handle = curl_easy_init();
	do {
		_cleanup_free_ char *path = NULL;

		if (asprintf(&path, "%s?limit=%d&continue=%s", listing->path, PAGE,
			    token ? token : "") < 0)
			abort();
		free(token);
		token = take_page(listing, path);
	} while (token);
	curl_easy_cleanup(listing->handle);
	return NULL;
}

/* The time that both lists take, at once, over new connections. */
static double measure_lists(const struct bench *bench, bool parse)
{
	struct cluster cluster;
	struct listing claims = {&cluster, "/api/v1/persistentvolumeclaims", parse, NULL, "", 0, 0};
	struct listing volumes = {&cluster, CLUSTER_VOLUMES, parse, NULL, "", 0, 0};
	double start = measure_now();
	pthread_t other;

	cluster_open(&cluster, bench->kubeconfig);
	if (pthread_create(&other, NULL, list_all, &claims))
		failure_exit("start a thread");
	list_all(&volumes);
	pthread_join(other, NULL);
	cluster_close(&cluster);
	return measure_now() - start;
}

/* From the start of the provisioner to the volume of a claim that waits for it. */
static double measure_start(const struct bench *bench, struct process_memory *ret_memory)
{
	struct stack stack;
	double seconds;

	watcher_reset(bench->watcher);
	claims_make(bench, 1);
	watcher_wait(bench->watcher, CLAIM_ANNOTATED, 1);
	stack_start(&stack, bench, stack_modes(bench) - 1);
	watcher_wait(bench->watcher, VOLUME_ADDED, 1);
	seconds = watcher_last(bench->watcher, VOLUME_ADDED) - stack.started;
	watcher_wait(bench->watcher, CLAIM_BOUND, 1);
	*ret_memory = process_memory(&stack.provisioner);
	claims_remove(bench, 1);
	watcher_wait(bench->watcher, VOLUME_GONE, 1);
	stack_stop(&stack);
	return seconds;
}

void population_measure(const struct bench *bench)
{
	double start[MEASURE_ROUNDS_MAX], raw[MEASURE_ROUNDS_MAX], parsed[MEASURE_ROUNDS_MAX];
	double ratio, of_parsed, anonymous;
	struct process_memory memory;
	size_t rounds = (size_t)bench->rounds;

	fill(bench);
	for (size_t i = 0; i < rounds; i++) {
		raw[i] = measure_lists(bench, false);
		start[i] = measure_start(bench, &memory);
		parsed[i] = measure_lists(bench, true);
	}
	anonymous = memory.anonymous / MIB;
	ratio = measure_median_ratio(start, raw, bench->rounds);
	of_parsed = measure_median_ratio(start, parsed, bench->rounds);
	printf("Memory of the provisioner with them: RssAnon %.1f MiB (aim %d: %s), VmRSS %.1f MiB\n"
	       "Start with them, from exec to the volume of a claim that waits: medians of %zu\n"
	       "provisioner %.2f s; both lists at once in pages of %d, bytes thrown away %.2f s: %.2f "
	       "times, aim %.1f: %s; the same parsed by rest_client %.2f s: %.2f times\n",
		anonymous, AIM_MIB, measure_verdict(anonymous <= AIM_MIB), memory.resident / MIB,
		rounds, measure_median(start, rounds), PAGE, measure_median(raw, rounds), ratio,
		AIM_START, measure_verdict(ratio <= AIM_START), measure_median(parsed, rounds),
		of_parsed);
	fflush(stdout);
}
