/* SPDX-License-Identifier: Apache-2.0 */
#include "api_faults.h"

#include <string.h>

#define STALL_MAX_MS 20

struct api_faults {
	uint64_t seed;
	unsigned int intensity;
	bool stopped; /* atomic, as is the count */
	size_t count;
};

/* What says nothing of whether it was done comes first, then what says that it was not; the last
 * is only for writes. */
static const struct api_fault for_calls[] = {
	{API_FAULT_ERROR, 500},
	{API_FAULT_ERROR, 502},
	{API_FAULT_ERROR, 503},
	{API_FAULT_ERROR, 504},
	{API_FAULT_CUT, 0},
	{API_FAULT_CUT_INSIDE, 0},
	{API_FAULT_GARBAGE, 0},
	{API_FAULT_TRUNCATED, 0},
	{API_FAULT_STALL, 1},
	{API_FAULT_STALL, STALL_MAX_MS},
	{API_FAULT_TOO_MANY, 0},
	{API_FAULT_UNAUTHORIZED, 0},
	{API_FAULT_PROXY_404, 0},
	{API_FAULT_CONFLICT, 0},
};
#define APPLIED_FAULTS 10

static const struct api_fault for_lists[] = {
	{API_FAULT_TOO_MANY, 0},
	{API_FAULT_ERROR, 500},
	{API_FAULT_ERROR, 503},
	{API_FAULT_EXPIRED, 0},
	{API_FAULT_CUT, 0},
	{API_FAULT_CUT_INSIDE, 0},
	{API_FAULT_TRUNCATED, 0},
	{API_FAULT_STALL, STALL_MAX_MS},
};

static const struct api_fault for_events[] = {
	{API_FAULT_CUT, 0},
	{API_FAULT_CUT_INSIDE, 0},
	{API_FAULT_GARBAGE, 0},
	{API_FAULT_EXPIRED, 0},
	{API_FAULT_END, 0},
	{API_FAULT_DUPLICATE, 0},
	{API_FAULT_DUPLICATE, 0},
	{API_FAULT_SWAP, 0},
	{API_FAULT_SWAP, 0},
	{API_FAULT_STALL, 1},
	{API_FAULT_STALL, STALL_MAX_MS},
};

static uint64_t mix(uint64_t value)
{
	value ^= value >> 33;
	value *= 0xff51afd7ed558ccdULL;
	value ^= value >> 33;
	value *= 0xc4ceb9fe1a85ec53ULL;
	return value ^ value >> 33;
}

uint64_t api_faults_hash(uint64_t seed, const char *text)
{
	uint64_t hash = mix(seed + 0x9e3779b97f4a7c15ULL);

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3ULL;
	return mix(hash);
}

struct api_faults *api_faults_random(uint64_t seed, unsigned int intensity)
{
	struct api_faults *faults = calloc(1, sizeof(*faults));

	if (!faults)
		abort();
	*faults = (struct api_faults){.seed = seed, .intensity = intensity};
	return faults;
}

void api_faults_free(struct api_faults *faults)
{
	free(faults);
}

void api_faults_stop(struct api_faults *faults)
{
	__atomic_store_n(&faults->stopped, true, __ATOMIC_RELAXED);
}

size_t api_faults_count(const struct api_faults *faults)
{
	return __atomic_load_n(&faults->count, __ATOMIC_RELAXED);
}

static struct api_fault choose(const struct api_request *request, bool applied, uint64_t dice)
{
	bool get = !strcmp(request->method, "GET");

	if (request->event)
		return for_events[dice % ARRAY_SIZE(for_events)];
	if (request->watch || (get && *request->query))
		return for_lists[dice % ARRAY_SIZE(for_lists)];
	if (applied)
		return for_calls[dice % APPLIED_FAULTS];
	return for_calls[dice % (ARRAY_SIZE(for_calls) - (get ? 1 : 0))];
}

struct api_fault api_faults_decide(void *context, const struct api_request *request, bool applied)
{
	struct api_faults *faults = context;
	char text[1024];
	uint64_t dice;

	if (__atomic_load_n(&faults->stopped, __ATOMIC_RELAXED))
		return (struct api_fault){0};
	snprintf(text, sizeof(text), "%s %s %d %zu %zu %d", request->method, request->path,
		request->watch, request->nth, request->event, applied);
	dice = api_faults_hash(faults->seed, text);
	/* A call is asked about twice. */
	if (dice % 1000 >= (request->event || request->watch ? faults->intensity
							     : (faults->intensity + 1) / 2))
		return (struct api_fault){0};
	__atomic_add_fetch(&faults->count, 1, __ATOMIC_RELAXED);
	return choose(request, applied, dice / 1000);
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
struct api_answer api_faults_answer(struct api_fault fault)
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
		return api_answer_failure(401, "Unauthorized", NULL, NULL, "Unauthorized");
	case API_FAULT_PROXY_404:
		return api_answer_plain(404, "<html><h1>404 Not Found</h1></html>\n");
	case API_FAULT_EXPIRED:
		return api_answer_failure(
			410, "Expired", NULL, NULL, "too old resource version: 1 (2)");
	default:
		return error_answer(503);
	}
}
