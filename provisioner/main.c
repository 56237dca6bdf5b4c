/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ordinal-provisioner: flags, wiring, signals, exit codes.
 */
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <time.h>

#include "archives_page.h"
#include "health.h"
#include "log.h"
#include "manager.h"
#include "measured_driver.h"
#include "names.h"
#include "object_names.h"
#include "options.h"
#include "process_metrics.h"
#include "status_page.h"

#define WAIT_LOG_EVERY_S 30 /* between two lines about a driver that is not there */

/* For calls that are under way when we are told to stop. With a leader to come they are left to
 * it: the journal tells it of them. */
#define OBJECT_NAME_MAX   253
#define STOP_LIMIT_MS     10000
#define HANDOVER_LIMIT_MS 1000

#define ROUTES_MAX 4

struct program {
	struct options options;
	sigset_t signals;
	char identity[128]; /* of this process: its host's name and a random number */
	struct measured_driver driver;
	struct metrics *metrics;
	struct manager *manager;
	struct status_notes *notes;           /* NULL without the status page */
	const struct archives_page *archives; /* or NULL */
	const char *host;                     /* of the API server, as metrics name it */
};

/* Wait for a signal that ends us, for at most TIMEOUT (NULL: for ever); 0 if none came. The one
 * that changes the log's level is dealt with here. */
static int wait_for_signal(const struct program *program, const struct timespec *timeout)
{
	int signal;

	do {
		signal = sigtimedwait(&program->signals, NULL, timeout);
		if (signal == SIGUSR1)
			log_cycle_level();
	} while (signal == SIGUSR1 || (signal < 0 && !timeout));
	return signal < 0 ? 0 : signal;
}

static time_t monotonic_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* Wait for the driver, which may start after us, with a line now and then. */
static int find_driver(struct program *program, struct csi_client *client, struct error *err)
{
	const struct timespec second = {.tv_sec = 1};
	struct csi_driver *driver = &program->driver.driver;
	time_t said = 0;

	do {
		if (csi_client_identify(client, driver, err) == 0) {
			log_info("driver %s %s at %s", driver->info.name, driver->info.version,
				program->options.csi_address);
			return 0;
		}
		if (err->kind == ERROR_INVALID || err->kind == ERROR_UNIMPLEMENTED)
			return -1;
		if (!said || monotonic_seconds() - said >= WAIT_LOG_EVERY_S) {
			said = monotonic_seconds();
			log_warn("waiting for the driver at %s, which does not answer: %s",
				program->options.csi_address, err->text);
		}
	} while (!wait_for_signal(program, &second));
	return error_set(err, ERROR_CANCELLED, "stopped while waiting for the driver");
}

static int check_driver(const struct program *program, struct error *err)
{
	const struct csi_driver_info *info = &program->driver.driver.info;

	if (!info->create_delete)
		return error_set(err, ERROR_INVALID,
			"driver %s has no CREATE_DELETE_VOLUME capability: it cannot make volumes",
			info->name);
	if (program->options.node_deployment && !info->topology)
		return error_set(err, ERROR_INVALID,
			"driver %s has volumes that any node reaches: run one provisioner for it, "
			"without --node-deployment",
			info->name);
	return 0;
}

/* Never used again, not even by the next process of this pod. */
static void make_identity(struct program *program)
{
	struct utsname host;
	uint64_t number = 0;

	if (uname(&host) < 0 || getrandom(&number, sizeof(number), 0) < 0)
		abort();
	snprintf(program->identity, sizeof(program->identity), "%s_%016llx", host.nodename,
		(unsigned long long)number);
}

/* The source of our events. */
static char *component_name(const struct program *program)
{
	char *name;

	if (asprintf(&name, "%s_%s", program->driver.driver.info.name, program->identity) < 0)
		abort();
	return name;
}

static const char *own_namespace(const struct program *program, const struct kube_config *config)
{
	if (program->options.leader_election_namespace)
		return program->options.leader_election_namespace;
	return config->namespace ? config->namespace : "default";
}

/* Its deputies wait for it to end, and a process that lost it must do nothing more. */
static void on_lost(void *context)
{
	(void)context;
	log_error("the lease was lost to another provisioner, or could not be renewed: ending");
	_exit(1);
}

static void on_acquired(void *context, const struct object *lease)
{
	const struct program *program = context;

	log_info("%s became leader", program->identity);
	if (lease)
		manager_tell_leader(program->manager, lease);
}

/* Every request to the API server, under client-go's names. */
static void on_request(void *context, const char *method, int status, double seconds)
{
	const struct program *program = context;
	char code[16] = "<error>";

	if (status)
		snprintf(code, sizeof(code), "%d", status);
	metrics_add(program->metrics, METRIC_REST_REQUESTS, 1, code, method, program->host);
	metrics_observe(program->metrics, METRIC_REST_SECONDS, seconds, method, program->host);
}

static struct lease *make_lease(struct program *program, struct rest_client *client,
	const char *namespace, const char *name)
{
	const struct options *options = &program->options;
	const struct kube_api api = rest_client_api(client);

	if (!options->leader_election)
		return NULL;
	return lease_new(&api, &(struct lease_options){
				       .namespace = namespace,
				       .name = name,
				       .identity = program->identity,
				       .duration_ms = options->lease_duration_ms,
				       .renew_deadline_ms = options->renew_deadline_ms,
				       .retry_period_ms = options->retry_period_ms,
				       .acquired = on_acquired,
				       .lost = on_lost,
				       .context = program,
			       });
}

/* The pages beside metrics and health; how many. */
static size_t collect_routes(const struct program *program, const struct status_page *page,
	struct http_route routes[static ROUTES_MAX])
{
	size_t count = 0;

	if (page) {
		const struct http_route *pages = status_page_routes(page, &count);

		memcpy(routes, pages, count * sizeof(*routes));
	}
	if (program->archives)
		routes[count++] = *archives_page_route(program->archives);
	return count;
}

/* What operators look at, where they asked for it. ROUTES is for as long as that is served. */
static int serve(struct program *program, struct manager *manager, const struct status_page *page,
	struct http_route routes[static ROUTES_MAX], struct health **ret_health, struct error *err)
{
	const struct options *options = &program->options;
	struct health_options where = {.address = options->http_endpoint,
		.metrics_path = options->metrics_path,
		.metrics = program->metrics};

	if (!*options->http_endpoint)
		return 0;
	where.routes = routes;
	where.route_count = collect_routes(program, page, routes);
	return health_new(manager, &program->driver.driver, &where, ret_health, err);
}

/* Work until a signal ends it. */
static int work(struct program *program, struct manager *manager, struct error *err)
{
	_cleanup_(status_page_freep) struct status_page *page = NULL;
	_cleanup_(health_freep) struct health *health = NULL;
	const struct options *options = &program->options;
	struct http_route routes[ROUTES_MAX];
	int signal;

	if (options->status_page)
		page = status_page_new(manager, program->notes, program->identity);
	if (serve(program, manager, page, routes, &health, err) < 0)
		return -1;
	manager_start(manager);
	signal = wait_for_signal(program, NULL);
	log_info("%s: finishing the calls under way", strsignal(signal));
	if (!manager_stop(manager, options->leader_election ? HANDOVER_LIMIT_MS : STOP_LIMIT_MS)) {
		log_warn("calls are still under way: whoever comes next repeats them");
		_exit(0); /* workers still use everything */
	}
	return 0;
}

static int run_manager(struct program *program, const struct kube_config *config,
	struct rest_client *client, struct rest_client *lease_client, struct error *err)
{
	const struct options *options = &program->options;
	const char *namespace = own_namespace(program, config);
	const char *name = program->driver.driver.info.name;
	const char *node = options->node_deployment ? options->node : NULL;
	_cleanup_free_ char *journal = object_names_journal(name, node);
	_cleanup_free_ char *component = component_name(program);
	_cleanup_free_ char *lease_name = object_names_lease(name, node);
	_cleanup_(lease_freep) struct lease *lease =
		make_lease(program, lease_client, namespace, lease_name);
	_cleanup_(status_notes_freep) struct status_notes *notes =
		options->status_page ? status_notes_new(STATUS_PAGE_NOTES) : NULL;
	_cleanup_(manager_freep) struct manager *manager = NULL;
	_cleanup_(archives_page_freep) struct archives_page *archives = NULL;
	const struct csi_driver driver = measured_driver_table(&program->driver);
	const struct kube_api api = rest_client_api(client);

	if (options->archives)
		program->archives = archives = archives_page_new(&api, &driver, lease);
	program->notes = notes;
	program->manager = manager = manager_new(client, &driver,
		&(struct manager_options){
			.component = component,
			.holder = program->identity,
			.namespace = namespace,
			.journal = journal,
			.lease = lease,
			.lease_name = lease_name,
			.metrics = program->metrics,
			.notes = notes,
			.options = options,
		});
	return work(program, manager, err);
}

static int run(struct program *program, struct error *err)
{
	_cleanup_(kube_config_freep) struct kube_config *config = NULL;
	_cleanup_(rest_client_freep) struct rest_client *client = NULL, *lease_client = NULL;
	_cleanup_(csi_client_freep) struct csi_client *csi = NULL;
	_cleanup_(metrics_freep) struct metrics *metrics = metrics_new();
	const struct options *options = &program->options;

	program->metrics = program->driver.metrics = metrics;
	if (kube_config_load(options->kubeconfig, &config, err) < 0 ||
		csi_client_new(options->csi_address, options->timeout_ms, &csi, err) < 0 ||
		find_driver(program, csi, err) < 0 || check_driver(program, err) < 0)
		return -1;
	process_metrics_register(metrics);
	program->host = strstr(config->server, "://") + 3;
	client = rest_client_new(config);
	rest_client_observe(client, on_request, program);
	lease_client = rest_client_new(config); /* renewals wait for nothing else */
	return run_manager(program, config, client, lease_client, err);
}

int main(int argc, char **argv)
{
	struct program program = {.metrics = NULL};
	struct error err = {0};
	int result;

	options_parse(&program.options, argc, argv);
	log_init((enum log_level)program.options.log_level,
		(enum log_format)program.options.log_format);
	make_identity(&program);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&program.signals);
	sigaddset(&program.signals, SIGTERM);
	sigaddset(&program.signals, SIGINT);
	sigaddset(&program.signals, SIGUSR1);
	/* Blocked here and so in every thread: main alone takes them, one by one. */
	pthread_sigmask(SIG_BLOCK, &program.signals, NULL);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	log_info("ordinal-provisioner " ORDINAL_VERSION);
	result = run(&program, &err);
	curl_global_cleanup();
	if (result < 0 && err.kind != ERROR_CANCELLED) {
		log_error("%s", err.text);
		return 1;
	}
	return 0;
}
