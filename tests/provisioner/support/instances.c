/* SPDX-License-Identifier: Apache-2.0 */
#include "instances.h"

#include <string.h>

#include "manager.h"
#include "sweep.h"
#include "testing.h"

#define STOP_LIMIT_MS 60000 /* no call takes so long: all are answered at once, or fail */

struct instance {
	struct options options;
	char holder[32], journal[32];
	struct rest_client *client;
	struct kube_api api; /* of the client */
	struct lease *lease;
	struct manager *manager;
	bool cut, lost; /* atomic */
};

struct instances {
	struct schedule *schedule;
	struct instances_options options;
	struct kube_config config;
	struct instance all[INSTANCES_MAX];
	unsigned int started;
	bool lost;
};

static int call_for_lease(void *self, const struct rest_request *request,
	struct json_object **ret_body, struct error *err)
{
	struct instance *instance = self;

	if (__atomic_load_n(&instance->cut, __ATOMIC_ACQUIRE))
		return error_set(err, ERROR_UNAVAILABLE, "cut off");
	return instance->api.call(instance->api.self, request, ret_body, err);
}

static void on_lost(void *context)
{
	struct instance *instance = context;

	__atomic_store_n(&instance->lost, true, __ATOMIC_RELEASE);
}

static struct lease *make_lease(struct instance *instance)
{
	const struct kube_api api = {call_for_lease, instance};

	return lease_new(&api, &(struct lease_options){
				       .namespace = "default",
				       .name = "leader",
				       .identity = instance->holder,
				       .duration_ms = 1000,
				       .renew_deadline_ms = 600,
				       .retry_period_ms = 50,
				       .lost = on_lost,
				       .context = instance,
			       });
}

static void set_options(struct instances *instances, size_t index)
{
	struct instance *instance = &instances->all[index];
	bool node_mode = instances->options.count > 1 && !instances->options.leases;

	instance->options = (struct options){
		.volume_name_prefix = "pvc",
		.extra_create_metadata = true,
		.immediate_topology = true,
		.eager = instances->options.eager,
		.workers = instances->options.workers,
		.retry_interval_start_ms = 5,
		.retry_interval_max_ms = 50,
		.sweep = SWEEP_OFF,
	};
	if (!node_mode)
		return;
	instance->options.node = schedule_node(index);
	instance->options.node_deployment = true;
	instance->options.node_deployment_immediate_binding = true;
	instance->options.node_deployment_base_delay_ms = 20;
	instance->options.node_deployment_max_delay_ms = 60;
}

static void start(struct instances *instances, size_t index)
{
	struct instance *instance = &instances->all[index];
	const struct csi_driver driver =
		fake_driver_table(schedule_driver(instances->schedule, index));

	*instance = (struct instance){.client = rest_client_new(&instances->config)};
	set_options(instances, index);
	snprintf(instance->holder, sizeof(instance->holder), "p%u", instances->started++);
	snprintf(instance->journal, sizeof(instance->journal), "journal%s%s",
		instance->options.node ? "-" : "",
		instance->options.node ? instance->options.node : "");
	instance->api = rest_client_api(instance->client);
	if (instances->options.leases)
		instance->lease = make_lease(instance);
	instance->manager = manager_new(instance->client, &driver,
		&(struct manager_options){
			.options = &instance->options,
			.component = "tester",
			.holder = instance->holder,
			.namespace = "default",
			.journal = instance->journal,
			.lease = instance->lease,
			.timing = {.begin_retry_ms = 20,
				.flush_after_ms = 30,
				.reflector.back_off_ms = 10},
		});
	manager_start(instance->manager);
}

static void stop(struct instance *instance)
{
	if (!manager_stop(instance->manager, STOP_LIMIT_MS)) {
		print_error("the calls under way did not end\n");
		abort();
	}
	manager_free(instance->manager);
	if (instance->lease)
		lease_free(instance->lease);
	rest_client_free(instance->client);
}

struct instances *instances_new(struct schedule *schedule, const struct instances_options *options)
{
	struct instances *instances = calloc(1, sizeof(*instances));

	if (!instances)
		abort();
	instances->schedule = schedule;
	instances->options = *options;
	instances->config.server = (char *)api_server_url(schedule_server(schedule));
	for (size_t i = 0; i < options->count; i++)
		start(instances, i);
	return instances;
}

void instances_free(struct instances *instances)
{
	/* One that stands by must not begin when the leader ends: nobody would wait for it. */
	for (size_t i = 0; i < instances->options.count; i++)
		__atomic_store_n(&instances->all[i].cut, true, __ATOMIC_RELEASE);
	for (size_t i = 0; i < instances->options.count; i++)
		stop(&instances->all[i]);
	free(instances);
}

void instances_restart(struct instances *instances, size_t index)
{
	stop(&instances->all[index]);
	start(instances, index);
}

void instances_cut(struct instances *instances, size_t index)
{
	if (lease_is_held(instances->all[index].lease))
		__atomic_store_n(&instances->all[index].cut, true, __ATOMIC_RELEASE);
}

bool instances_lost(const struct instances *instances)
{
	return instances->lost;
}

static void replace_lost(struct instances *instances)
{
	for (size_t i = 0; i < instances->options.count; i++) {
		if (!__atomic_load_n(&instances->all[i].lost, __ATOMIC_ACQUIRE))
			continue;
		instances->lost = true;
		instances_restart(instances, i);
	}
}

bool instances_are_idle(void *context)
{
	struct instances *instances = context;
	size_t idle = 0;

	replace_lost(instances);
	for (size_t i = 0; i < instances->options.count; i++)
		idle += manager_is_idle(instances->all[i].manager);
	return instances->options.leases ? idle > 0 : idle == instances->options.count;
}
