/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growth under everything that can go wrong, against a plain model of the API server, the driver,
 * kubelet and the user: never is the driver asked for another size while it may be at work on one,
 * and in the end the claim has what it asks for. A schedule that fails is named by its number.
 */
#include <string.h>

#include "log.h"
#include "quantity.h"
#include "resize_controller.h"
#include "resize_fields.h"
#include "testing.h"
#include "world.h"

#define SCHEDULES 1000
#define STEPS     40
#define MI        (1LL << 20)

/* One cluster with one claim. */
struct model {
	struct world world;
	uint64_t random;
	int schedule;

	/* The claim, as the API server has it. */
	int64_t requested, capacity, allocated;
	enum resize_state state;
	unsigned conditions;
	int claim_version;

	/* The volume's PersistentVolume. */
	int64_t size;
	int volume_version;
	bool marked;

	/* The driver: what the volume has, and what it may be at work on; 0: nothing. */
	int64_t real, under_way;
	int64_t most; /* more than this is never possible */

	bool tracks;   /* the API server keeps the states */
	bool node_too; /* nodes have to act */
	bool calm;     /* nothing goes wrong any more */
	bool dead;     /* the provisioner has died: nothing that it sends arrives */
};

static unsigned draw(struct model *model, unsigned limit)
{
	model->random ^= model->random << 13;
	model->random ^= model->random >> 7;
	model->random ^= model->random << 17;
	return (unsigned)(model->random >> 33) % limit;
}

static bool happens(struct model *model, unsigned percent)
{
	return !model->calm && draw(model, 100) < percent;
}

static void check(const struct model *model, bool holds, const char *what)
{
	if (!holds)
		fail_msg("schedule %d: %s", model->schedule, what);
}

static char *claim_text(const struct model *model)
{
	const char *state = resize_fields_state_name(model->state);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	fprintf(out,
		"{'metadata':{'name':'c','namespace':'n','uid':'u1','resourceVersion':'%d'},"
		"'spec':{'volumeName':'pv1','resources':{'requests':{'storage':'%lld'}}},"
		"'status':{'phase':'Bound','capacity':{'storage':'%lld'},'conditions':[",
		model->claim_version, (long long)model->requested, (long long)model->capacity);
	/* Errors are old enough to be tried again at once. */
	for (size_t bit = 0, count = 0; resize_fields_condition(bit); bit++)
		if (model->conditions & 1u << bit)
			fprintf(out,
				"%s{'type':'%s','status':'True','lastTransitionTime':"
				"'2001-01-01T00:00:00Z'}",
				count++ ? "," : "", resize_fields_condition(bit));
	fputs("]", out);
	if (model->allocated >= 0)
		fprintf(out, ",'allocatedResources':{'storage':'%lld'}",
			(long long)model->allocated);
	if (state)
		fprintf(out, ",'allocatedResourceStatuses':{'storage':'%s'}", state);
	fputs("}}", out);
	fclose(out);
	return text;
}

static void show_claim(struct model *model)
{
	_cleanup_free_ char *text = claim_text(model);

	world_set(model->world.controller.claims, &claim_type, text);
}

static void show_volume(struct model *model)
{
	_cleanup_free_ char *text = NULL;

	if (asprintf(&text,
		    "{'metadata':{'name':'pv1','uid':'v1','resourceVersion':'%d','annotations':{%s}"
		    "},'spec':{'capacity':{'storage':'%lld'},'claimRef':{'uid':'u1'},"
		    "'csi':{'driver':'d.example.com','volumeHandle':'h1'}}}",
		    model->volume_version,
		    model->marked ? "'" RESIZE_FIELDS_PRE_RESIZE "':'1'" : "",
		    (long long)model->size) < 0)
		abort();
	world_set(model->world.controller.volumes, &volume_type, text);
}

static int64_t storage(struct json_object *object, const char *key)
{
	const char *text = json_string(json_member(object, key, json_type_object), "storage");
	int64_t bytes;

	return text && quantity_parse(text, &bytes, NULL) == 0 ? bytes : -1;
}

static void apply_conditions(struct model *model, struct json_object *list)
{
	size_t count = list ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < count; i++) {
		struct json_object *item = json_object_array_get_idx(list, i);
		const char *type = json_string(item, "type");

		for (size_t bit = 0; resize_fields_condition(bit); bit++) {
			if (strcmp(resize_fields_condition(bit), type))
				continue;
			if (json_string(item, "$patch"))
				model->conditions &= ~(1u << bit);
			else
				model->conditions |= 1u << bit;
		}
	}
}

static void apply_states(struct model *model, struct json_object *status)
{
	struct json_object *states =
		json_member(status, "allocatedResourceStatuses", json_type_object);
	const char *name = json_string(states, "storage");
	int64_t allocated = storage(status, "allocatedResources");

	if (!model->tracks)
		return;
	if (allocated >= 0)
		model->allocated = allocated;
	if (!states)
		return;
	model->state = RESIZE_NONE;
	for (int state = RESIZE_NONE + 1; name && state <= RESIZE_NODE_INFEASIBLE; state++)
		if (!strcmp(resize_fields_state_name((enum resize_state)state), name))
			model->state = (enum resize_state)state;
}

static int patch_claim(struct model *model, struct json_object *body)
{
	struct json_object *status = json_member(body, "status", json_type_object);
	struct json_object *metadata = json_member(body, "metadata", json_type_object);
	int64_t capacity = storage(status, "capacity");

	if (atoi(json_string(metadata, "resourceVersion")) != model->claim_version)
		return -1;
	apply_conditions(model, json_member(status, "conditions", json_type_array));
	apply_states(model, status);
	if (capacity >= 0) {
		check(model, capacity <= model->real, "the claim is told more than there is");
		check(model, !model->node_too, "the node's work is left out");
		model->capacity = capacity;
	}
	model->claim_version++;
	return 0;
}

static int patch_volume(struct model *model, struct json_object *body)
{
	struct json_object *metadata = json_member(body, "metadata", json_type_object);
	int64_t size = storage(json_member(body, "spec", json_type_object), "capacity");

	if (atoi(json_string(metadata, "resourceVersion")) != model->volume_version)
		return -1;
	check(model, size >= model->size && size <= model->real,
		"the volume is told a size that it has not");
	model->size = size;
	if (json_member(metadata, "annotations", json_type_object))
		model->marked = true;
	model->volume_version++;
	return 0;
}

static int api_call(void *self, const struct rest_request *request, struct json_object **ret_body,
	struct error *err)
{
	struct model *model = self;
	bool of_claim = strstr(request->path, "persistentvolumeclaims") != NULL;
	_cleanup_free_ char *text = NULL;
	int result;

	if (happens(model, 4))
		model->dead = true;
	if (model->dead)
		return error_set(err, ERROR_UNAVAILABLE, "it is dead");
	result = of_claim ? patch_claim(model, request->body) : patch_volume(model, request->body);
	if (result < 0)
		return error_set(err, ERROR_CONFLICT, "changed");
	/* It is done, and nobody hears of it. */
	if (happens(model, 4))
		return error_set(err, ERROR_UNAVAILABLE, "the answer was lost");
	text = claim_text(model);
	if (ret_body)
		*ret_body = json_of(of_claim ? text : "{}");
	return 0;
}

static int expand(void *self, const struct csi_expand_request *request, int64_t *ret_bytes,
	bool *ret_node, struct error *err)
{
	struct model *model = self;
	int64_t bytes = request->required_bytes;

	check(model, !model->under_way || bytes == model->under_way || !model->tracks,
		"another size is asked for while the driver may be at work");
	model->under_way = bytes;
	if (happens(model, 15)) {
		/* It goes on with it, and may come to the end of it. */
		if (bytes <= model->most && draw(model, 2) && bytes > model->real)
			model->real = bytes;
		return error_set(err, draw(model, 2) ? ERROR_TIMEOUT : ERROR_ABORTED, "slow");
	}
	model->under_way = 0;
	if (happens(model, 15))
		return error_set(err, ERROR_INTERNAL, "broken");
	if (bytes > model->most)
		return error_set(err, ERROR_OUT_OF_RANGE, "too much");
	if (bytes > model->real)
		model->real = bytes;
	*ret_bytes = model->real;
	*ret_node = model->node_too;
	return 0;
}

/* Kubelet grows the file system, or says that it cannot. */
static void node_acts(struct model *model)
{
	bool pending = model->tracks ? model->state == RESIZE_NODE_PENDING ||
					       model->state == RESIZE_NODE_IN_PROGRESS
				     : (model->conditions & RESIZE_NODE_HAS_TO) != 0;

	if (!pending)
		return;
	check(model, model->size > model->capacity, "the node has nothing to do");
	model->claim_version++;
	if (model->tracks && happens(model, 40)) {
		model->state = draw(model, 2) ? RESIZE_NODE_INFEASIBLE : RESIZE_NODE_IN_PROGRESS;
		if (model->state == RESIZE_NODE_INFEASIBLE)
			model->conditions |= RESIZE_NODE_ERROR;
		return;
	}
	model->capacity = model->size;
	model->state = RESIZE_NONE;
	model->conditions = 0;
}

/* The user asks for more, or, where the API server lets that be, for less again. */
static void user_acts(struct model *model)
{
	int64_t size = (1 + draw(model, 40)) * MI;

	if (size <= model->capacity || (size < model->requested && !model->tracks))
		return;
	model->requested = size;
	model->claim_version++;
}

static void sync_once(struct model *model)
{
	struct error err = {0};
	int64_t again;

	/* What is in the caches may be a while old. */
	if (!happens(model, 30))
		show_claim(model);
	if (!happens(model, 30))
		show_volume(model);
	resize_controller_sync(&model->world.controller, "u1", &again, &err);
	model->dead = false;
}

static void run_schedule(int schedule)
{
	struct model model = {.schedule = schedule,
		.random = 88172645463325252ULL + (uint64_t)schedule * 2654435761ULL,
		.requested = MI,
		.capacity = MI,
		.allocated = -1,
		.size = MI,
		.real = MI};
	struct controller *controller = &model.world.controller;

	world_init(&model.world, NULL, 0, NULL, 0);
	controller->api = (struct kube_api){api_call, &model};
	controller->driver.expand_volume = expand;
	controller->driver.self = &model;
	controller->driver.info.expand = true;
	model.most = (20 + draw(&model, 30)) * MI;
	model.tracks = draw(&model, 4) != 0;
	model.node_too = draw(&model, 2) != 0;
	show_claim(&model);
	show_volume(&model);
	for (int i = 0; i < STEPS; i++) {
		if (draw(&model, 100) < 20)
			user_acts(&model);
		if (draw(&model, 100) < 30)
			node_acts(&model);
		sync_once(&model);
	}
	model.calm = true;
	for (int i = 0; i < 6; i++) {
		sync_once(&model);
		node_acts(&model);
	}
	if (model.requested <= model.most)
		check(&model, model.capacity >= model.requested, "the claim does not get it");
	check(&model, model.size >= model.capacity && model.size <= model.real, "sizes differ");
	world_done(&model.world);
}

static void test_schedules(void **state)
{
	(void)state;
	log_init(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	for (int i = 0; i < SCHEDULES; i++)
		run_schedule(i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_schedules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
