/* SPDX-License-Identifier: Apache-2.0 */
#include "gauges.h"

#include <time.h>

#include "journal.h"

#define RESOURCES_MAX 16

struct gauges;

/* One figure of one resource. */
struct gauge {
	struct gauges *gauges;
	size_t resource;
	double (*of)(const struct reflector_state *state);
};

static double synced(const struct reflector_state *state)
{
	return state->synced;
}

static double connected(const struct reflector_state *state)
{
	return state->connected;
}

static double lists(const struct reflector_state *state)
{
	return (double)state->lists;
}

static double watches(const struct reflector_state *state)
{
	return (double)state->watches;
}

static double events(const struct reflector_state *state)
{
	return (double)state->events;
}

static double activity(const struct reflector_state *state)
{
	return (double)time(NULL) - state->quiet_s;
}

static const struct {
	enum metric metric;
	double (*of)(const struct reflector_state *state);
} figures[] = {
	{METRIC_REFLECTOR_SYNCED, synced},
	{METRIC_REFLECTOR_CONNECTED, connected},
	{METRIC_REFLECTOR_LISTS, lists},
	{METRIC_REFLECTOR_WATCHES, watches},
	{METRIC_REFLECTOR_EVENTS, events},
	{METRIC_REFLECTOR_ACTIVITY, activity},
};

struct gauges {
	struct metrics *metrics;
	struct reflector *reflector;
	const struct controller *controller;
	const struct lease *lease;
	struct gauge resources[RESOURCES_MAX][ARRAY_SIZE(figures)];
	size_t resource_count;
};

static double read_resource(void *context)
{
	const struct gauge *gauge = context;
	struct reflector_state states[RESOURCES_MAX];
	size_t count = reflector_states(gauge->gauges->reflector, states, RESOURCES_MAX);

	return gauge->resource < count ? gauge->of(&states[gauge->resource]) : 0;
}

static double read_journal(void *context)
{
	return (double)journal_count(((const struct gauges *)context)->controller->journal);
}

static double read_store(void *context)
{
	return (double)store_count(context);
}

static double read_lease(void *context)
{
	return lease_is_held(((const struct gauges *)context)->lease);
}

static void add_resource(struct gauges *gauges, size_t resource, const char *plural)
{
	for (size_t i = 0; i < ARRAY_SIZE(figures); i++) {
		struct gauge *gauge = &gauges->resources[resource][i];

		*gauge = (struct gauge){gauges, resource, figures[i].of};
		metrics_gauge(gauges->metrics, figures[i].metric, read_resource, gauge, plural);
	}
}

static void add_stores(struct gauges *gauges, bool forget)
{
	const struct controller *controller = gauges->controller;
	const struct {
		struct store *store;
		const char *plural;
	} stores[] = {
		{controller->claims, claim_type.plural},
		{controller->volumes, volume_type.plural},
		{controller->classes, storage_class_type.plural},
		{controller->sets, stateful_set_type.plural},
		{controller->nodes, node_type.plural},
		{controller->csi_nodes, csi_node_type.plural},
	};

	for (size_t i = 0; i < ARRAY_SIZE(stores); i++) {
		if (forget)
			metrics_forget(gauges->metrics, stores[i].store);
		else
			metrics_gauge(gauges->metrics, METRIC_STORE_OBJECTS, read_store,
				stores[i].store, stores[i].plural);
	}
}

struct gauges *gauges_new(struct metrics *metrics, const struct controller *controller,
	struct reflector *reflector, const struct lease *lease, const char *lease_name)
{
	struct gauges *gauges = calloc(1, sizeof(*gauges));
	struct reflector_state states[RESOURCES_MAX];

	if (!gauges)
		abort();
	gauges->metrics = metrics;
	gauges->reflector = reflector;
	gauges->controller = controller;
	gauges->lease = lease;
	gauges->resource_count = reflector_states(reflector, states, RESOURCES_MAX);
	if (gauges->resource_count > RESOURCES_MAX)
		gauges->resource_count = RESOURCES_MAX;
	for (size_t i = 0; i < gauges->resource_count; i++)
		add_resource(gauges, i, states[i].plural);
	add_stores(gauges, false);
	metrics_gauge(metrics, METRIC_JOURNAL_ENTRIES, read_journal, gauges);
	if (lease)
		metrics_gauge(metrics, METRIC_LEADER, read_lease, gauges, lease_name);
	return gauges;
}

void gauges_free(struct gauges *gauges)
{
	for (size_t i = 0; i < gauges->resource_count; i++)
		for (size_t j = 0; j < ARRAY_SIZE(figures); j++)
			metrics_forget(gauges->metrics, &gauges->resources[i][j]);
	add_stores(gauges, true);
	metrics_forget(gauges->metrics, gauges);
	free(gauges);
}
