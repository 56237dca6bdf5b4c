/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule.h"

#include <string.h>
#include <time.h>

#include "api_faults.h"
#include "controller_manager.h"
#include "kubectl.h"
#include "testing.h"

#define DRIVER      "d.example.com"
#define ACTIONS     40
#define WAIT_S      60
#define BY_HAND_MAX 4

/* How often nothing may have happened, 10 ms apart, before that is the end: a call that is under
 * way takes less, and back-offs of the provisioner, where it does not say that it waits, may be
 * longer.
 */
#define ROUNDS_IDLE 3
#define ROUNDS      20

/* Dashes everywhere, names that are no set's, and two sets that fit one name. */
static const char *const claim_names[] = {
	"default/data-web-0",
	"default/data-web-1",
	"default/data-my-db-0",
	"default/data-my-db-10",
	"default/my-data-db-2",
	"default/plain",
	"default/looks-like-0",
	"team-a/data-web-0",
	"team-a/data-web-01",
	"team-a/a-0",
};

static const char *const sizes[] = {"1Gi", "2Gi", "1500M", "1", "3.5Gi"};

static const struct {
	const char *name, *mode, *policy;
} classes[] = {
	{"now", "Immediate", "Delete"},
	{"later", "WaitForFirstConsumer", "Delete"},
	{"keep", "Immediate", "Retain"},
};

struct schedule {
	struct schedule_options options;
	struct api_objects *objects;
	struct api_faults *faults;
	struct api_server *server;
	struct fake_driver *drivers[SCHEDULE_NODES]; /* the same but in node mode */
	struct controller_manager *manager;
	uint64_t dice;
	unsigned int volumes_by_hand, growths;
	char *story;
	size_t story_size;
	FILE *story_file;
};

static uint64_t roll(struct schedule *schedule, uint64_t sides)
{
	schedule->dice = api_faults_hash(schedule->dice, "roll");
	return schedule->dice % sides;
}

static void make_class(struct schedule *schedule, size_t index)
{
	kubectl_create(schedule->objects, "storageclasses",
		"{'metadata': {'name': '%s'}, 'provisioner': '" DRIVER "', 'parameters': {'p': "
		"'%s'}, 'volumeBindingMode': '%s', 'reclaimPolicy': '%s', 'allowVolumeExpansion': "
		"true}",
		classes[index].name, classes[index].name, classes[index].mode,
		classes[index].policy);
}

static void make_set(
	struct schedule *schedule, const char *namespace, const char *name, const char *template)
{
	kubectl_create(schedule->objects, "statefulsets",
		"{'metadata': {'name': '%s', 'namespace': '%s'}, 'spec': {'selector': "
		"{'matchLabels': {'app': '%s'}}, 'volumeClaimTemplates': [{'metadata': {'name': "
		"'%s'}}]}}",
		name, namespace, name, template);
}

static void make_node(struct schedule *schedule, const char *name)
{
	kubectl_create(schedule->objects, "nodes",
		"{'metadata': {'name': '%s', 'labels': {'kubernetes.io/hostname': '%s'}}}", name,
		name);
	kubectl_create(schedule->objects, "csinodes",
		"{'metadata': {'name': '%s'}, 'spec': {'drivers': [{'name': '" DRIVER
		"', 'nodeID': '%s', 'topologyKeys': ['kubernetes.io/hostname']}]}}",
		name, name);
}

static void make_world(struct schedule *schedule)
{
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		make_class(schedule, i);
	make_set(schedule, "default", "web", "data");
	make_set(schedule, "default", "my-db", "data");
	make_set(schedule, "default", "db", "my-data");
	make_set(schedule, "team-a", "web", "data");
	for (size_t i = 0; i < SCHEDULE_NODES; i++)
		make_node(schedule, schedule_node(i));
}

static void make_drivers(struct schedule *schedule)
{
	const struct schedule_options *options = &schedule->options;
	size_t count = options->node_mode ? SCHEDULE_NODES : 1;

	for (size_t i = 0; i < SCHEDULE_NODES; i++)
		schedule->drivers[i] =
			i < count ? fake_driver_new(&(struct fake_driver_options){
					    .name = DRIVER,
					    .seed = options->seed + i,
					    .intensity = options->driver_faults,
					    .slow_ms = 2,
					    .topology = options->topology || options->node_mode,
					    .ours = options->ours,
				    })
				  : schedule->drivers[0];
}

struct schedule *schedule_new(const struct schedule_options *options)
{
	struct schedule *schedule = calloc(1, sizeof(*schedule));
	struct api_objects_options stored = {.seed = (uint32_t)options->seed};
	struct controller_manager_options managed = {.seed = options->seed};
	struct api_server_options served = {.decide = api_faults_decide, .bookmark_ms = 20};

	if (!schedule)
		abort();
	schedule->options = *options;
	schedule->dice = api_faults_hash(options->seed, "schedule");
	schedule->story_file = open_memstream(&schedule->story, &schedule->story_size);
	if (!schedule->story_file)
		abort();
	schedule->objects = api_objects_new(&stored);
	schedule->faults = api_faults_random(options->seed, options->api_faults);
	served.context = schedule->faults;
	served.expired_as_event = options->seed & 1;
	make_world(schedule);
	schedule->server = api_server_start(schedule->objects, &served);
	make_drivers(schedule);
	schedule->manager = controller_manager_new(schedule->objects, &managed);
	controller_manager_start(schedule->manager);
	return schedule;
}

void schedule_free(struct schedule *schedule)
{
	controller_manager_free(schedule->manager);
	api_server_stop(schedule->server);
	for (size_t i = 0; i < SCHEDULE_NODES; i++)
		if (i == 0 || schedule->options.node_mode)
			fake_driver_free(schedule->drivers[i]);
	api_faults_free(schedule->faults);
	api_objects_free(schedule->objects);
	fclose(schedule->story_file);
	free(schedule->story);
	free(schedule);
}

struct api_server *schedule_server(struct schedule *schedule)
{
	return schedule->server;
}

struct api_objects *schedule_objects(struct schedule *schedule)
{
	return schedule->objects;
}

struct fake_driver *schedule_driver(struct schedule *schedule, size_t node)
{
	return schedule->drivers[node];
}

const char *schedule_node(size_t node)
{
	static const char *const names[SCHEDULE_NODES] = {"n1", "n2", "n3"};

	return names[node];
}

const char *schedule_story(struct schedule *schedule)
{
	fflush(schedule->story_file);
	return schedule->story;
}

static const char *any_claim(struct schedule *schedule)
{
	return claim_names[roll(schedule, ARRAY_SIZE(claim_names))];
}

static void create_claim(struct schedule *schedule)
{
	const char *name = any_claim(schedule), *slash = strchr(name, '/');
	const char *class = classes[roll(schedule, ARRAY_SIZE(classes))].name;
	const char *size = sizes[roll(schedule, ARRAY_SIZE(sizes))];
	int code = kubectl_create(schedule->objects, "persistentvolumeclaims",
		"{'metadata': {'name': '%s', 'namespace': '%.*s'}, 'spec': {'storageClassName': "
		"'%s', 'accessModes': ['ReadWriteOnce'], 'resources': {'requests': {'storage': "
		"'%s'}}}}",
		slash + 1, (int)(slash - name), name, class, size);

	fprintf(schedule->story_file, "create %s %s %s %d\n", name, class, size, code);
}

static void delete_claim(struct schedule *schedule)
{
	const char *name = any_claim(schedule);
	int code = kubectl_delete(schedule->objects, "persistentvolumeclaims", name);

	fprintf(schedule->story_file, "delete %s %d\n", name, code);
}

/* An administrator deletes the volume of a claim that has one. One that is retained would be
 * forgotten with its data, as it should. */
static void delete_volume(struct schedule *schedule)
{
	const char *claim = any_claim(schedule);
	_cleanup_free_ char *name =
		kubectl_text(schedule->objects, "persistentvolumeclaims", claim, "spec.volumeName");
	_cleanup_free_ char *policy = kubectl_text(
		schedule->objects, "persistentvolumes", name, "spec.persistentVolumeReclaimPolicy");

	if (strcmp(policy, "Delete") != 0)
		return;
	kubectl_delete(schedule->objects, "persistentvolumes", name);
	fprintf(schedule->story_file, "delete volume %s of %s\n", name, claim);
}

/* Claims grow when they are bound, and the API server lets them do nothing else. Volumes made by
 * hand cannot grow: the driver does not know them. */
static void grow_claim(struct schedule *schedule)
{
	const char *claim = any_claim(schedule);
	_cleanup_free_ char *volume =
		kubectl_text(schedule->objects, "persistentvolumeclaims", claim, "spec.volumeName");
	_cleanup_free_ char *phase =
		kubectl_text(schedule->objects, "persistentvolumeclaims", claim, "status.phase");
	unsigned int size = 4 + schedule->growths;

	if (strcmp(phase, "Bound") != 0 || strncmp(volume, "pvc-", 4) != 0)
		return;
	schedule->growths++;
	kubectl_patch(schedule->objects, "persistentvolumeclaims", claim,
		"{'spec': {'resources': {'requests': {'storage': '%uGi'}}}}", size);
	fprintf(schedule->story_file, "grow %s to %uGi\n", claim, size);
}

/* An administrator makes a volume that would do for some claim, and that nobody deletes. */
static void create_volume(struct schedule *schedule)
{
	const char *class = classes[roll(schedule, 2)].name;
	const char *size = sizes[roll(schedule, ARRAY_SIZE(sizes))];
	unsigned int number = schedule->volumes_by_hand;

	if (schedule->options.node_mode || number == BY_HAND_MAX)
		return;
	schedule->volumes_by_hand++;
	kubectl_create(schedule->objects, "persistentvolumes",
		"{'metadata': {'name': '" SCHEDULE_BY_HAND "%u'}, 'spec': {'storageClassName': "
		"'%s', 'capacity': {'storage': '%s'}, 'accessModes': ['ReadWriteOnce'], "
		"'persistentVolumeReclaimPolicy': 'Retain', 'csi': {'driver': '" DRIVER
		"', 'volumeHandle': 'by-hand-%u'}}}",
		number, class, size, number);
	fprintf(schedule->story_file, "create volume " SCHEDULE_BY_HAND "%u %s %s\n", number, class,
		size);
}

static void delete_class(struct schedule *schedule)
{
	size_t index = roll(schedule, ARRAY_SIZE(classes));

	kubectl_delete(schedule->objects, "storageclasses", classes[index].name);
	fprintf(schedule->story_file, "delete class %s\n", classes[index].name);
}

static void create_class(struct schedule *schedule)
{
	size_t index = roll(schedule, ARRAY_SIZE(classes));

	make_class(schedule, index);
	fprintf(schedule->story_file, "create class %s\n", classes[index].name);
}

static void change_node(struct schedule *schedule)
{
	char name[8];
	bool cordon = roll(schedule, 2);

	/* n1 is always there: claims must find a node in the end. */
	snprintf(name, sizeof(name), "n%d", 2 + (int)roll(schedule, 2));
	kubectl_patch(schedule->objects, "nodes", name, "{'spec': {'unschedulable': %s}}",
		cordon ? "true" : "false");
	fprintf(schedule->story_file, "%s %s\n", cordon ? "cordon" : "uncordon", name);
}

static void expire(struct schedule *schedule)
{
	if (!schedule->options.api_faults)
		return;
	api_objects_expire(schedule->objects);
	fputs("expire\n", schedule->story_file);
}

/* How often each is done, of the sum. */
static const struct {
	void (*run)(struct schedule *schedule);
	unsigned int weight;
} actions[] = {
	{create_claim, 43},
	{delete_claim, 27},
	{grow_claim, 7},
	{create_volume, 3},
	{delete_volume, 6},
	{create_class, 6},
	{delete_class, 3},
	{change_node, 3},
	{expire, 2},
};
#define WEIGHTS 100

static void act(struct schedule *schedule)
{
	uint64_t dice = roll(schedule, WEIGHTS);
	size_t i = 0;

	while (dice >= actions[i].weight)
		dice -= actions[i++].weight;
	actions[i].run(schedule);
}

static void pause_a_little(struct schedule *schedule)
{
	unsigned int max = schedule->options.pause_us_max;
	struct timespec pause = {0, 0};

	pause.tv_nsec = (long)roll(schedule, max ? max : 1000) * 1000;
	/* Often none at all: several things then happen at once. */
	if (roll(schedule, 3))
		nanosleep(&pause, NULL);
}

void schedule_run(struct schedule *schedule)
{
	unsigned int count = schedule->options.actions ? schedule->options.actions : ACTIONS;

	for (unsigned int i = 0; i < count; i++) {
		act(schedule);
		if (schedule->options.meanwhile)
			schedule->options.meanwhile(schedule->options.context, i);
		pause_a_little(schedule);
	}
	api_faults_stop(schedule->faults);
	for (size_t i = 0; i < SCHEDULE_NODES; i++)
		fake_driver_stop_faults(schedule->drivers[i]);
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		make_class(schedule, i);
}

/* Somebody who waits for the end, and what was so when it was last asked. */
struct waiting {
	struct schedule *schedule;
	bool (*idle)(void *context);
	void *context;
	uint64_t version;
	size_t calls, requests, rounds;
};

static size_t driver_calls(struct schedule *schedule)
{
	size_t calls = 0;

	for (size_t i = 0; i < SCHEDULE_NODES; i++) {
		struct fake_driver_counts counts = fake_driver_count(schedule->drivers[i]);

		calls += counts.creates + counts.deletes + counts.expands;
	}
	return calls;
}

/* Whether nothing has happened since the last time. */
static bool is_quiet(struct waiting *waiting)
{
	struct schedule *schedule = waiting->schedule;
	struct waiting now = *waiting;
	bool same;

	now.version = api_objects_version(schedule->objects);
	now.calls = driver_calls(schedule);
	now.requests = api_server_count(schedule->server, NULL, NULL);
	same = now.version == waiting->version && now.calls == waiting->calls &&
	       now.requests == waiting->requests;
	*waiting = now;
	return same && (!now.idle || now.idle(now.context)) &&
	       api_server_caught_up(schedule->server, "persistentvolumeclaims") &&
	       api_server_caught_up(schedule->server, "persistentvolumes");
}

static bool is_settled(struct api_objects *objects, void *context)
{
	struct waiting *waiting = context;
	_cleanup_free_ char *wrong = NULL;

	(void)objects;
	waiting->rounds = is_quiet(waiting) ? waiting->rounds + 1 : 0;
	if (waiting->rounds < (waiting->idle ? ROUNDS_IDLE : ROUNDS))
		return false;
	wrong = schedule_check(waiting->schedule);
	return !*wrong;
}

char *schedule_wait(struct schedule *schedule, bool (*idle)(void *context), void *context)
{
	struct waiting waiting = {.schedule = schedule, .idle = idle, .context = context};

	/* Each wait is of 20 seconds. */
	for (int i = 0; i < WAIT_S / 20; i++)
		if (kubectl_wait(schedule->objects, is_settled, &waiting))
			break;
	return schedule_check(schedule);
}
