/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "figures.h"
#include "manifests.h"
#include "measure.h"
#include "stack.h"

#define AIM_MS     10
#define PAUSE_US   50000
#define CLAIMS_MAX 1000

/* What the claims are called, and who makes them. */
struct kind {
	const char *what;
	const char *before, *after; /* the number */
	bool by_set;                /* the StatefulSet's controller makes them */
};

static const struct kind kinds[] = {
	{"plain names", "plain-", "-data", false},
	{"of a StatefulSet", "data-" MANIFESTS_SET "-", "", true},
	{"as if of one", "data-nobody-", "", false},
};

static void name_claim(const struct kind *kind, unsigned long number, char *out, size_t size)
{
	snprintf(out, size, "%s%lu%s", kind->before, number, kind->after);
}

static void make_claim(const struct bench *bench, const struct kind *kind, unsigned long number)
{
	char text[64];

	if (kind->by_set) {
		snprintf(text, sizeof(text), "{\"spec\": {\"replicas\": %lu}}", number + 1);
		cluster_patch(&bench->cluster, CLUSTER_SETS "/" MANIFESTS_SET, text);
		return;
	}
	name_claim(kind, number, text, sizeof(text));
	cluster_post(&bench->cluster, CLUSTER_CLAIMS, MANIFESTS_CLAIM, text, CLUSTER_CLASS, "");
}

static void remove_claims(const struct bench *bench, const struct kind *kind, unsigned long count)
{
	char name[64];

	if (kind->by_set)
		cluster_remove_pods(&bench->cluster, CLUSTER_SETS "/" MANIFESTS_SET);
	for (unsigned long i = 0; i < count; i++) {
		name_claim(kind, i, name, sizeof(name));
		cluster_delete(&bench->cluster, CLUSTER_CLAIMS "/%s", name);
	}
	watcher_wait(bench->watcher, VOLUME_GONE, count);
}

static void measure_kind(const struct bench *bench, const struct kind *kind, int mode)
{
	unsigned long count = (unsigned long)bench->latency_claims;
	enum watcher_event from = stack_is_eager(bench, mode) ? CLAIM_ADDED : CLAIM_ANNOTATED;
	double ms[CLAIMS_MAX], p50;

	watcher_reset(bench->watcher);
	if (kind->by_set)
		cluster_post(&bench->cluster, CLUSTER_SETS, MANIFESTS_STATEFULSET);
	for (unsigned long i = 0; i < count; i++) {
		make_claim(bench, kind, i);
		usleep(PAUSE_US);
	}
	watcher_wait(bench->watcher, CLAIM_BOUND, count);
	for (unsigned long i = 0; i < count; i++) {
		struct watcher_times times = watcher_times(bench->watcher, i);

		ms[i] = (times.at[VOLUME_ADDED] - times.at[from]) * 1000;
	}
	p50 = measure_percentile(ms, count, 0.5);
	printf("%-14s %-18s %8.1f %8.1f  p50 at most %d: %s\n", stack_mode_name(bench, mode),
		kind->what, p50, measure_percentile(ms, count, 0.99), AIM_MS,
		measure_verdict(p50 <= AIM_MS));
	fflush(stdout);
	remove_claims(bench, kind, count);
}

void latency_measure(const struct bench *bench)
{
	printf("\nLatency: ms from the claim's annotation (or, where it is not waited for, the claim) "
	       "to its volume, both as a watch sees them; %d claims, one each %d ms\n"
	       "%-14s %-18s %8s %8s  aim\n",
		bench->latency_claims, PAUSE_US / 1000, "", "claims", "p50", "p99");
	for (int mode = 0; mode < stack_modes(bench); mode++) {
		struct stack stack;

		stack_start(&stack, bench, mode);
		stack_warm(bench);
		for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
			measure_kind(bench, &kinds[i], mode);
		stack_stop(&stack);
	}
}
