/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status_server: the status page of a cluster in memory, for tests with a browser: the whole
 * provisioner but main.c, the tests' API server, controller-manager and driver. Prints the page's
 * address once all is as it is to be shown, and ends when its standard input does.
 */
#include <signal.h>
#include <string.h>

#include "api_server.h"
#include "controller_manager.h"
#include "fake_driver.h"
#include "health.h"
#include "kubectl.h"
#include "log.h"
#include "status_page.h"
#include "sweep.h"
#include "testing.h"

#define DRIVER  "d.example.com"
#define CLAIMS  "persistentvolumeclaims"
#define VOLUMES "persistentvolumes"
#define HOSTILE "<img src=x onerror=document.title=1>"
#define LARGE   100 /* replicas of a set that is shown small */
#define BOUND   (3 + 2 + 1 + LARGE)
#define STOP_MS 60000

static struct {
	struct api_objects *objects;
	struct api_server *server;
	struct controller_manager *controllers;
	struct fake_driver *fake;
	struct csi_driver driver;
	struct kube_config config;
	struct options options;
	struct rest_client *client;
	struct status_notes *notes;
	struct manager *manager;
	struct status_page *page;
	struct health *health;
} cluster;

/* No volume is made for the class "broken": its driver says why, in words that are no text. */
static int create_volume(void *self, const struct csi_create_request *request,
	struct csi_volume *ret_volume, struct error *err)
{
	const char *claim = string_map_get(request->parameters, "csi.storage.k8s.io/pvc/name");
	_cleanup_free_ char *path = NULL;

	if (string_map_get(request->parameters, "broken"))
		return error_set(err, ERROR_EXHAUSTED,
			"no room </script><script>document.title = 'owned'</script>");
	if (cluster.driver.create_volume(self, request, ret_volume, err) < 0)
		return -1;
	if (asprintf(&path, "/var/lib/ordinal/default/%s", claim) < 0)
		abort();
	string_map_add(&ret_volume->context, "ordinal.dev/path",
		strstr(claim, "plain") ? "/disk/" HOSTILE : path);
	return 0;
}

static void make_class(const char *name, const char *more)
{
	kubectl_create(cluster.objects, "storageclasses",
		"{'metadata': {'name': '%s'}, 'provisioner': '" DRIVER
		"', 'reclaimPolicy': 'Retain', 'volumeBindingMode': 'Immediate', %s}",
		name, more);
}

static void make_claim(const char *name, const char *class)
{
	kubectl_create(cluster.objects, CLAIMS,
		"{'metadata': {'name': '%s', 'namespace': 'default'}, 'spec': {'storageClassName': "
		"'%s', 'accessModes': ['ReadWriteOnce'], 'volumeMode': 'Filesystem', 'resources': "
		"{'requests': {'storage': '1Gi'}}}, 'status': {'phase': 'Pending'}}",
		name, class);
}

/* A set that asks for REPLICAS, with the claims of the template TEMPLATE from FIRST to before END.
 */
static void make_set(const char *name, const char *template, const char *class, int replicas)
{
	kubectl_create(cluster.objects, "statefulsets",
		"{'metadata': {'name': '%s', 'namespace': 'default'}, 'spec': {'replicas': %d, "
		"'selector': {'matchLabels': {'app': '%s'}}, 'volumeClaimTemplates': "
		"[{'metadata': {'name': '%s'}, 'spec': {'storageClassName': '%s'}}]}}",
		name, replicas, name, template, class);
}

static void make_claims(
	const char *set, const char *template, const char *class, int first, int end)
{
	for (int i = first; i < end; i++) {
		char name[128];

		snprintf(name, sizeof(name), "%s-%s-%d", template, set, i);
		make_claim(name, class);
	}
}

static void make_objects(void)
{
	make_class("fast", "'parameters': {}");
	make_class("broken", "'parameters': {'broken': 'yes'}");
	make_set("web", "data", "fast", 5);
	make_claims("web", "data", "fast", 0, 3);
	make_claims("web", "data", "broken", 3, 4); /* replica 4 has no claim */
	make_set("db", "log", "fast", 1);
	make_claims("db", "log", "fast", 0, 2); /* scaled down: 1 is kept */
	make_set("large", "data", "fast", LARGE);
	make_claims("large", "data", "fast", 0, LARGE);
	make_claim("plain", "fast");
	make_claim("data-gone-0", "fast");
}

static void start_provisioner(void)
{
	struct error err;
	struct csi_driver driver;

	cluster.fake = fake_driver_new(&(struct fake_driver_options){.ours = true});
	driver = cluster.driver = fake_driver_table(cluster.fake);
	driver.create_volume = create_volume;
	cluster.options = (struct options){.volume_name_prefix = "pvc",
		.extra_create_metadata = true,
		.status_page = true,
		.workers = 4,
		.retry_interval_start_ms = 20,
		.retry_interval_max_ms = 1000,
		.sweep = SWEEP_OFF};
	cluster.config.server = (char *)api_server_url(cluster.server);
	cluster.client = rest_client_new(&cluster.config);
	cluster.notes = status_notes_new(STATUS_PAGE_NOTES);
	cluster.manager = manager_new(cluster.client, &driver,
		&(struct manager_options){.options = &cluster.options,
			.component = "tester",
			.holder = "tester",
			.namespace = "default",
			.journal = "journal",
			.notes = cluster.notes});
	cluster.page = status_page_new(cluster.manager, cluster.notes, "tester");
	if (health_new(cluster.manager, &driver,
		    &(struct health_options){.address = "127.0.0.1:0",
			    .routes = status_page_routes(cluster.page, &(size_t){0}),
			    .route_count = 2},
		    &cluster.health, &err) < 0)
		abort();
	manager_start(cluster.manager);
}

static bool is_settled(struct api_objects *objects, void *context)
{
	struct json_object *claims = kubectl_list(objects, CLAIMS);
	struct status_note note;
	bool failed = false;
	size_t bound = 0;

	(void)context;
	for (size_t i = 0; i < json_object_array_length(claims); i++) {
		struct json_object *claim = json_object_array_get_idx(claims, i);
		const char *uid =
			json_string(json_member(claim, "metadata", json_type_object), "uid");
		const char *phase =
			json_string(json_member(claim, "status", json_type_object), "phase");

		bound += phase && !strcmp(phase, "Bound");
		failed |= status_notes_get(cluster.notes, uid, &note);
	}
	json_object_put(claims);
	return failed && bound == BOUND + 1;
}

static bool is_released(struct api_objects *objects, void *context)
{
	_cleanup_free_ char *phase = kubectl_text(objects, VOLUMES, context, "status.phase");

	return !strcmp(phase, "Released") && kubectl_count(objects, CLAIMS) == BOUND + 1 &&
	       api_server_caught_up(cluster.server, CLAIMS) &&
	       api_server_caught_up(cluster.server, VOLUMES);
}

static void *wait_for_end(void *context)
{
	while (getchar() != EOF)
		;
	return context;
}

static void stop(void)
{
	health_free(cluster.health);
	if (!manager_stop(cluster.manager, STOP_MS))
		abort();
	status_page_free(cluster.page);
	manager_free(cluster.manager);
	status_notes_free(cluster.notes);
	rest_client_free(cluster.client);
	fake_driver_free(cluster.fake);
	controller_manager_free(cluster.controllers);
	api_server_stop(cluster.server);
	api_objects_free(cluster.objects);
}

int main(void)
{
	_cleanup_free_ char *released = NULL;
	bool settled;

	signal(SIGPIPE, SIG_IGN);
	log_init(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	cluster.objects = api_objects_new(NULL);
	cluster.server = api_server_start(cluster.objects, NULL);
	cluster.controllers = controller_manager_new(cluster.objects, NULL);
	controller_manager_start(cluster.controllers);
	make_objects();
	start_provisioner();
	settled = kubectl_wait(cluster.objects, is_settled, NULL);
	released = kubectl_text(cluster.objects, CLAIMS, "default/data-gone-0", "spec.volumeName");
	kubectl_delete(cluster.objects, CLAIMS, "default/data-gone-0");
	settled = settled && kubectl_wait(cluster.objects, is_released, released);
	if (settled) {
		printf("http://127.0.0.1:%d/status\n", health_port(cluster.health));
		fflush(stdout);
		wait_for_end(NULL);
	}
	stop();
	return settled ? 0 : 1;
}
