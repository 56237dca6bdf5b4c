/* SPDX-License-Identifier: Apache-2.0 */
#include "claim_fixture.h"

#include <string.h>

#include "ownership.h"
#include "recent.h"
#include "testing.h"

/* Whether the driver may have been asked for a volume: every rule of sig-storage-lib, and ours. */
static const struct {
	const char *name, *claim, *class;
	bool should;
	const char *says; /* of the error, if there is one */
	bool hopeless;    /* which comes again only rarely */
} rules[] = {
	{"ours", PLAIN, CLASS(""), true, NULL, false},
	{"old annotation",
		CLAIM("'volume.beta.kubernetes.io/storage-provisioner': 'd.example.com'", "", SIZE),
		CLASS(""), true, NULL, false},
	{"new annotation before old",
		CLAIM("'volume.kubernetes.io/storage-provisioner': 'other', "
		      "'volume.beta.kubernetes.io/storage-provisioner': 'd.example.com'",
			"", SIZE),
		CLASS(""), false, NULL, false},
	{"legacy class annotation",
		CLAIM(OURS ", 'volume.beta.kubernetes.io/storage-class': 'fast'", "",
			"'storageClassName': 'other', 'resources': {'requests': {'storage': '1'}}"),
		CLASS(""), true, NULL, false},
	{"bound already", CLAIM(OURS, "", SIZE ", 'volumeName': 'pv'"), CLASS(""), false, NULL,
		false},
	{"no annotation", CLAIM("", "", SIZE), CLASS(""), false, NULL, false},
	{"another's", CLAIM("'volume.kubernetes.io/storage-provisioner': 'other'", "", SIZE),
		CLASS(""), false, NULL, false},
	{"going away", CLAIM(OURS, ", 'deletionTimestamp': '2026-01-01T00:00:00Z'", SIZE),
		CLASS(""), false, NULL, false},
	{"no such class", PLAIN, NULL, false, "claim shop/c: storage class \"fast\" does not exist",
		false},
	{"class of another", PLAIN,
		"{'metadata': {'name': 'fast', 'uid': 'c1'}, 'provisioner': 'other'}", false, NULL,
		false},
	{"waits, no node", PLAIN, CLASS(", 'volumeBindingMode': 'WaitForFirstConsumer'"), false,
		NULL, false},
	{"waits, empty node", CLAIM(OURS ", 'volume.kubernetes.io/selected-node': ''", "", SIZE),
		CLASS(", 'volumeBindingMode': 'WaitForFirstConsumer'"), false, NULL, false},
	{"waits, node selected", CLAIM(OURS ", " NODE, "", SIZE),
		CLASS(", 'volumeBindingMode': 'WaitForFirstConsumer'"), true, NULL, false},
	{"immediate", PLAIN, CLASS(", 'volumeBindingMode': 'Immediate'"), true, NULL, false},
	{"block", CLAIM(OURS, "", SIZE ", 'volumeMode': 'Block'"), CLASS(""), true, NULL, false},
	{"populator", CLAIM(OURS, "", SIZE ", 'dataSourceRef': {'kind': 'Backup', 'name': 'b'}"),
		CLASS(""), false, NULL, false},
	{"selector", CLAIM(OURS, "", SIZE ", 'selector': {}"), CLASS(""), false,
		"claim Selector is not supported", true},
	{"no size", CLAIM(OURS, "", "'storageClassName': 'fast'"), CLASS(""), false,
		"is not a size", true},
	{"not there", NULL, CLASS(""), false, NULL, false},
};

static void test_rules(void **state)
{
	static const struct api_step api[] = {{POST_PV, ERROR_NONE, "{}", false}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		struct fixture fixture;
		int result;

		begin(&fixture, rules[i].claim, rules[i].class, &made, 1, api, 1);
		result = sync_claim(&fixture);
		assert_case(
			rules[i].name, result == (rules[i].says && !rules[i].hopeless ? -1 : 0));
		assert_case(rules[i].name, (fixture.again_ms > 0) == rules[i].hopeless);
		assert_case(rules[i].name, fixture.world.call_count == rules[i].should);
		assert_case(rules[i].name, fake_api_count(&fixture.world.api) == rules[i].should);
		if (rules[i].says)
			assert_case(rules[i].name, strstr(fixture.err.text, rules[i].says));
		end(&fixture);
	}
}

static void test_success(void **state)
{
	static const struct api_step api[] = {{POST_PV, ERROR_NONE, "{}", false}};
	_cleanup_free_ char *events = NULL;
	struct fixture fixture;

	(void)state;
	begin(&fixture, PLAIN, CLASS(""), &made, 1, api, 1);
	assert_int_equal(sync_claim(&fixture), 0);
	events = world_events(&fixture.world);
	assert_string_equal(events, PROVISIONING SUCCEEDED);
	assert_non_null(strstr(fake_api_seen(&fixture.world.api, 0),
		POST_PV " {\"apiVersion\":\"v1\",\"kind\":\"PersistentVolume\",\"metadata\":"
			"{\"name\":\"pvc-u1\""));
	end(&fixture);
}

static void test_populator_is_told(void **state)
{
	_cleanup_free_ char *events = NULL;
	struct fixture fixture;

	(void)state;
	begin(&fixture, CLAIM(OURS, "", SIZE ", 'dataSourceRef': {'kind': 'Backup', 'name': 'b'}"),
		CLASS(""), NULL, 0, NULL, 0);
	assert_int_equal(sync_claim(&fixture), 0);
	events = world_events(&fixture.world);
	assert_string_equal(events, "Normal Provisioning: Assuming an external populator will "
				    "provision the volume\n");
	end(&fixture);
}

/* A volume that is there already: nothing is asked, and nothing is complained about. */
static void test_volume_in_cache(void **state)
{
	static const char *const claims[] = {PLAIN, CLAIM(OURS, "", SIZE ", 'selector': {}"),
		CLAIM(OURS, "", "'storageClassName': 'fast'")};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(claims); i++) {
		_cleanup_free_ char *events = NULL;
		struct fixture fixture;

		begin(&fixture, claims[i], CLASS(""), NULL, 0, NULL, 0);
		world_set(fixture.world.controller.volumes, &volume_type,
			"{'metadata': {'name': 'pvc-u1', 'uid': 'v1'}}");
		assert_int_equal(sync_claim(&fixture), 0);
		assert_int_equal(fixture.world.call_count, 0);
		events = world_events(&fixture.world);
		assert_string_equal(events, "");
		end(&fixture);
	}
}

/* Whether a claim that was served once is served again when it is looked at, before the cache has
 * its volume or after it had. */
static const struct {
	const char *name;
	const char *volume; /* in the cache by then; NULL: none */
	enum error_kind answer;
	bool forgotten; /* since the volume went */
	bool again;
} served[] = {
	{"its volume is not seen yet", NULL, ERROR_NONE, false, false},
	{"its volume is there", "{'metadata': {'name': 'pvc-u1', 'uid': 'v1'}}", ERROR_NONE, false,
		false},
	{"its volume is on its way out",
		"{'metadata': {'name': 'pvc-u1', 'uid': 'v1'}, 'status': {'phase': 'Released'}}",
		ERROR_NONE, false, true},
	{"its volume has come and gone", NULL, ERROR_NONE, true, true},
	{"its volume may not have been made", NULL, ERROR_TIMEOUT, false, true},
};

static void test_served_once(void **state)
{
	static const struct driver_step driver[] = {
		{ERROR_NONE, "h1", 1LL << 30, {NULL}, {NULL}},
		{ERROR_NONE, "h1", 1LL << 30, {NULL}, {NULL}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(served); i++) {
		const struct api_step api[] = {{POST_PV, served[i].answer, "{}", false},
			{POST_PV, ERROR_NONE, "{}", false}};
		_cleanup_(recent_freep) struct recent *recent = recent_new(1000);
		struct fixture fixture;

		begin(&fixture, PLAIN, CLASS(""), driver, 2, api, 2);
		fixture.world.controller.served = recent;
		assert_case(served[i].name,
			sync_claim(&fixture) == (served[i].answer == ERROR_NONE ? 0 : -1));
		if (served[i].volume)
			world_set(fixture.world.controller.volumes, &volume_type, served[i].volume);
		if (served[i].forgotten)
			recent_remove(recent, "u1");
		assert_case(served[i].name, sync_claim(&fixture) == 0);
		assert_case(served[i].name, fixture.world.call_count == (served[i].again ? 2 : 1));
		/* Who waits for a volume to be seen looks again, in case it never is. */
		assert_case(served[i].name,
			(fixture.again_ms > 0) == (!served[i].volume && !served[i].again));
		end(&fixture);
	}
}

/* Which answers of the driver are final. After one that is not, a claim that vanishes
 * leaves work behind. */
static const struct {
	enum error_kind kind;
	bool final;
} answers[] = {
	{ERROR_CANCELLED, false},
	{ERROR_TIMEOUT, false},
	{ERROR_UNAVAILABLE, false},
	{ERROR_ABORTED, false},
	{ERROR_INVALID, true},
	{ERROR_NOT_FOUND, true},
	{ERROR_ALREADY_EXISTS, true},
	{ERROR_FORBIDDEN, true},
	{ERROR_EXHAUSTED, true},
	{ERROR_FAILED_PRECONDITION, true},
	{ERROR_OUT_OF_RANGE, true},
	{ERROR_UNIMPLEMENTED, true},
	{ERROR_INTERNAL, true},
	{ERROR_UNAUTHORIZED, true},
};

static void check_answer(size_t i)
{
	static const struct api_step api[] = {{GET_PV, ERROR_NOT_FOUND, "gone", false}};
	struct driver_step steps[] = {{answers[i].kind, "why", 0, {NULL}, {NULL}}, made,
		{ERROR_NONE, NULL, 0, {NULL}, {NULL}}};
	const char *name = error_kind_name(answers[i].kind);
	bool hopeless = answers[i].kind == ERROR_INVALID;
	_cleanup_free_ char *events = NULL, *calls = NULL;
	struct fixture fixture;

	begin(&fixture, PLAIN, CLASS(""), steps, 3, api, 1);
	assert_case(name, sync_claim(&fixture) == (hopeless ? 0 : -1));
	assert_case(name, (fixture.again_ms > 0) == hopeless);
	assert_case(name, fixture.err.kind == answers[i].kind);
	assert_case_text(name, fixture.err.text, hopeless ? "why" : "claim shop/c: why");
	store_delete(fixture.world.controller.claims, "u1");
	assert_case(name, sync_claim(&fixture) == 0);
	calls = world_calls(&fixture.world);
	assert_case(name, !!strstr(calls, "; delete h1") == !answers[i].final);
	assert_case(name, sync_claim(&fixture) == 0);
	assert_case(name, fixture.world.call_count == (answers[i].final ? 1 : 3));
	events = world_events(&fixture.world);
	assert_case_text(name, events,
		hopeless ? PROVISIONING
			"Warning ProvisioningFailed: " HOPELESS
			"failed to provision volume with StorageClass \"fast\": why\n"
			 : PROVISIONING FAILED("why"));
	end(&fixture);
}

static void test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
		check_answer(i);
}

#define RESCHEDULE                                                                                 \
	PATCH_PVC " application/merge-patch+json {\"metadata\":{\"annotations\":"                  \
		  "{\"volume.kubernetes.io/selected-node\":null},\"uid\":\"u1\","                  \
		  "\"resourceVersion\":\"5\"}}"

/* When the scheduler is asked to choose again. */
static const struct {
	const char *name, *claim;
	bool topology;
	const char *node; /* what the cache has */
	struct driver_step driver;
	enum error_kind patch; /* what the patch is answered with */
	int result;
	bool patched;
} reschedules[] = {
	{"no room there", CLAIM(OURS ", " NODE, "", SIZE), true, NODE_1,
		{ERROR_EXHAUSTED, "full", 0, {NULL}, {NULL}}, ERROR_NONE, 0, true},
	{"the claim changed", CLAIM(OURS ", " NODE, "", SIZE), true, NODE_1,
		{ERROR_EXHAUSTED, "full", 0, {NULL}, {NULL}}, ERROR_CONFLICT, -1, true},
	{"without topology", CLAIM(OURS ", " NODE, "", SIZE), false, NODE_1,
		{ERROR_EXHAUSTED, "full", 0, {NULL}, {NULL}}, ERROR_NONE, -1, false},
	{"nobody selected", PLAIN, true, NODE_1, {ERROR_EXHAUSTED, "full", 0, {NULL}, {NULL}},
		ERROR_NONE, -1, false},
	{"another failure", CLAIM(OURS ", " NODE, "", SIZE), true, NODE_1,
		{ERROR_INTERNAL, "bad", 0, {NULL}, {NULL}}, ERROR_NONE, -1, false},
	{"the driver has no such thing", CLAIM(OURS ", " NODE, "", SIZE), true, NODE_1,
		{ERROR_NOT_FOUND, "bad", 0, {NULL}, {NULL}}, ERROR_NONE, -1, false},
	{"the node is gone", CLAIM(OURS ", " NODE, "", SIZE), true, NULL, {0}, ERROR_NONE, 0, true},
};

static void check_reschedule(size_t i)
{
	const struct api_step api[] = {{PATCH_PVC, reschedules[i].patch, "{}", false}};
	const char *name = reschedules[i].name;
	struct fixture fixture;
	size_t seen;

	begin(&fixture, reschedules[i].claim, CLASS(""), &reschedules[i].driver, 1, api, 1);
	fixture.world.controller.driver.info.topology = reschedules[i].topology;
	fixture.world.controller.driver.info.ours = true;
	world_set(fixture.world.controller.csi_nodes, &csi_node_type, CSINODE);
	if (reschedules[i].node)
		world_set(fixture.world.controller.nodes, &node_type, reschedules[i].node);
	assert_case(name, sync_claim(&fixture) == reschedules[i].result);
	seen = fake_api_count(&fixture.world.api);
	if (reschedules[i].patched)
		assert_case_text(name, fake_api_seen(&fixture.world.api, seen - 1), RESCHEDULE);
	else
		assert_case(name, seen == 0);
	end(&fixture);
}

static void test_reschedule(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(reschedules); i++)
		check_reschedule(i);
}

/* The volume is there and its PersistentVolume cannot be written: kept, told, tried again. */
static void test_volume_object_is_tried_again(void **state)
{
	static const struct api_step api[] = {
		{POST_PV, ERROR_UNAVAILABLE, "away", false}, {POST_PV, ERROR_NONE, "{}", false}};
	const struct driver_step steps[] = {made, made};
	_cleanup_free_ char *events = NULL, *calls = NULL;
	struct fixture fixture;

	(void)state;
	begin(&fixture, PLAIN, CLASS(""), steps, 2, api, 2);
	assert_int_equal(sync_claim(&fixture), -1);
	assert_string_equal(fixture.err.text, "claim shop/c: Error creating provisioned PV object "
					      "for claim shop/c: away");
	assert_int_equal(sync_claim(&fixture), 0);
	calls = world_calls(&fixture.world);
	assert_null(strstr(calls, "delete"));
	assert_int_equal(fixture.world.call_count, 2);
	events = world_events(&fixture.world);
	assert_string_equal(events, PROVISIONING
		"count 2\n" FAILED("Error creating provisioned PV object for claim shop/c: away")
			SUCCEEDED);
	end(&fixture);
}

/* A PersistentVolume of that name is there already: of an earlier attempt of ours whose answer was
 * lost, or on its way out, when it tells of nothing that was made just now. */
static void test_volume_object_exists(void **state)
{
#define EXISTING(handle, metadata, phase)                                                          \
	"{'metadata': {'name': 'pvc-u1', 'uid': 'v1'" metadata "}, 'spec': {'csi': {'driver': "    \
	"'d.example.com', 'volumeHandle': '" handle "'}}, 'status': {'phase': '" phase "'}}"
	static const struct {
		const char *name, *volume;
		bool ours;
	} cases[] = {
		{"ours", EXISTING("h1", "", "Bound"), true},
		{"ours, new", EXISTING("h1", "", "Pending"), true},
		{"of what was made before", EXISTING("h0", "", "Bound"), false},
		{"released", EXISTING("h1", "", "Released"), false},
		{"not deleted yet", EXISTING("h1", "", "Failed"), false},
		{"going", EXISTING("h1", ", 'deletionTimestamp': '2026-01-01T00:00:00Z'", "Bound"),
			false},
		{"gone meanwhile", NULL, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct api_step api[] = {{POST_PV, ERROR_ALREADY_EXISTS, "exists", false},
			{GET_PV, cases[i].volume ? ERROR_NONE : ERROR_NOT_FOUND,
				cases[i].volume ? cases[i].volume : "gone", false}};
		struct fixture fixture;

		begin(&fixture, PLAIN, CLASS(""), &made, 1, api, 2);
		assert_case(cases[i].name, sync_claim(&fixture) == (cases[i].ours ? 0 : -1));
		assert_case(cases[i].name,
			journal_has(fixture.world.controller.journal, "u1") == !cases[i].ours);
		assert_case(cases[i].name, fixture.world.call_count == 1);
		end(&fixture);
	}
#undef EXISTING
}

/* The claim vanishes while the driver may have made its volume. First the driver's TIMEOUT, then
 * what the tables say. */
static const struct {
	const char *name;
	struct driver_step driver[5];
	struct api_step api;
	int results[3];    /* of the syncs after it vanished */
	const char *kinds; /* of the calls: c and d */
} vanished[] = {
	{"deleted", {LOST, MADE, DELETED}, GONE, {0, 0, 0}, "ccd"},
	{"has a PersistentVolume", {LOST},
		{GET_PV, ERROR_NONE, "{'metadata': {'name': 'pvc-u1', 'uid': 'v1'}}", false},
		{0, 0, 0}, "c"},
	{"not known whether it has one", {LOST}, {GET_PV, ERROR_UNAVAILABLE, "away", true},
		{-1, -1, -1}, "c"},
	{"may not be asked", {LOST}, {GET_PV, ERROR_FORBIDDEN, "no", true}, {-1, -1, -1}, "c"},
	{"still slow", {LOST, LOST, LOST, MADE, DELETED}, GONE, {-1, -1, 0}, "ccccd"},
	{"smaller than asked for, and deleted",
		{LOST, {ERROR_NONE, "h1", 5, {NULL}, {NULL}}, DELETED}, GONE, {0, 0, 0}, "ccd"},
	{"never was one", {LOST, {ERROR_INVALID, "no", 0, {NULL}, {NULL}}}, GONE, {0, 0, 0}, "cc"},
	{"not deleted at once",
		{LOST, MADE, {ERROR_INTERNAL, "busy", 0, {NULL}, {NULL}}, MADE, DELETED}, GONE,
		{-1, 0, 0}, "ccdcd"},
};

static void check_vanished(size_t i)
{
	const char *name = vanished[i].name;
	struct fixture fixture;
	char kinds[16] = "";

	begin(&fixture, PLAIN, CLASS(""), vanished[i].driver, 5, &vanished[i].api, 1);
	assert_case(name, sync_claim(&fixture) == -1);
	store_delete(fixture.world.controller.claims, "u1");
	/* Not even the class is needed any more. */
	store_delete(fixture.world.controller.classes, "fast");
	for (size_t j = 0; j < 3; j++)
		assert_case(name, sync_claim(&fixture) == vanished[i].results[j]);
	for (size_t j = 0; j < fixture.world.call_count; j++)
		kinds[j] = *fixture.world.calls[j];
	assert_case_text(name, kinds, vanished[i].kinds);
	end(&fixture);
}

static void test_vanished(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(vanished); i++)
		check_vanished(i);
}

/* The driver knows its volume again by what it was asked for: the same place, although the set came
 * or went meanwhile, and so did the claim. */
static void test_place_is_kept(void **state)
{
#define SET                                                                                        \
	"{'metadata': {'name': 'web', 'namespace': 'shop', 'uid': 's1'}, 'spec': {'selector':"     \
	" {'matchLabels': {'app': 'web'}}, 'volumeClaimTemplates': [{'metadata':"                  \
	" {'name': 'data'}}]}}"
	static const char claim[] =
		"{'metadata': {'name': 'data-web-0', 'namespace': 'shop', 'uid': 'u1', 'labels':"
		" {'app': 'web'}, 'annotations': {" OURS "}}, 'spec': {" SIZE "}}";
	static const struct api_step api[] = {
		GONE, {"GET /apis/apps/v1/namespaces/shop/statefulsets?limit=100", ERROR_NONE,
			      "{'items': []}", true}};
	const struct driver_step steps[] = {LOST, LOST, MADE, DELETED};

	(void)state;
	for (int comes = 0; comes < 2; comes++) {
		struct fixture fixture;
		struct store *sets;

		begin(&fixture, claim, CLASS(""), steps, 4, api, 2);
		fixture.world.controller.driver.info.ours = true;
		sets = fixture.world.controller.sets;
		if (!comes)
			world_set(sets, &stateful_set_type, SET);
		assert_int_equal(sync_claim(&fixture), -1);
		if (comes)
			world_set(sets, &stateful_set_type, SET);
		else
			store_delete(sets, "shop/web");
		assert_int_equal(sync_claim(&fixture), -1);
		store_delete(fixture.world.controller.claims, "u1");
		assert_int_equal(sync_claim(&fixture), 0);
		assert_int_equal(fixture.world.call_count, 4);
		assert_int_equal(!strstr(fixture.world.calls[0], "statefulset=web"), comes);
		assert_string_equal(fixture.world.calls[1], fixture.world.calls[0]);
		assert_string_equal(fixture.world.calls[2], fixture.world.calls[0]);
		end(&fixture);
	}
#undef SET
}

/* A claim that is only going is finished first, so that its volume is known and deleted. */
static void test_going_while_unsettled(void **state)
{
	static const struct api_step api[] = {{POST_PV, ERROR_NONE, "{}", false}};
	const struct driver_step steps[] = {LOST, MADE};
	struct fixture fixture;

	(void)state;
	begin(&fixture, PLAIN, CLASS(""), steps, 2, api, 1);
	assert_int_equal(sync_claim(&fixture), -1);
	world_set(fixture.world.controller.claims, &claim_type,
		CLAIM(OURS, ", 'deletionTimestamp': '2026-01-01T00:00:00Z'", SIZE));
	assert_int_equal(sync_claim(&fixture), 0);
	assert_int_equal(fixture.world.call_count, 2);
	assert_int_equal(fake_api_count(&fixture.world.api), 1);
	end(&fixture);
}

/* The PV's creation timed out and yet happened: once the claim is bound to it, or the cache has
 * it, nothing is left to do when the claim goes. */
static void test_lost_answer_settles(void **state)
{
	static const struct api_step api[] = {{POST_PV, ERROR_TIMEOUT, "slow", false}};

	(void)state;
	for (int bound = 0; bound < 2; bound++) {
		struct fixture fixture;

		begin(&fixture, PLAIN, CLASS(""), &made, 1, api, 1);
		assert_int_equal(sync_claim(&fixture), -1);
		if (bound)
			world_set(fixture.world.controller.claims, &claim_type,
				CLAIM(OURS, "", SIZE ", 'volumeName': 'pvc-u1'"));
		else
			world_set(fixture.world.controller.volumes, &volume_type,
				"{'metadata': {'name': 'pvc-u1', 'uid': 'v1'}}");
		assert_int_equal(sync_claim(&fixture), 0);
		store_delete(fixture.world.controller.claims, "u1");
		assert_int_equal(sync_claim(&fixture), 0);
		assert_int_equal(fixture.world.call_count, 1);
		assert_int_equal(fake_api_count(&fixture.world.api), 1);
		end(&fixture);
	}
}

/* Bound to somebody else's volume meanwhile: ours is still to be deleted when the claim goes. */
static void test_bound_elsewhere_stays_unsettled(void **state)
{
	static const struct api_step api[] = {GONE};
	const struct driver_step steps[] = {LOST, MADE, DELETED};
	struct fixture fixture;

	(void)state;
	begin(&fixture, PLAIN, CLASS(""), steps, 3, api, 1);
	assert_int_equal(sync_claim(&fixture), -1);
	world_set(fixture.world.controller.claims, &claim_type,
		CLAIM(OURS, "", SIZE ", 'volumeName': 'other'"));
	assert_int_equal(sync_claim(&fixture), 0);
	store_delete(fixture.world.controller.claims, "u1");
	assert_int_equal(sync_claim(&fixture), 0);
	assert_int_equal(fixture.world.call_count, 3);
	end(&fixture);
}

static void test_smaller_volume(void **state)
{
	static const struct driver_step steps[] = {{ERROR_NONE, "h1", 5, {NULL}, {NULL}}, DELETED};
	_cleanup_free_ char *events = NULL, *calls = NULL;
	struct fixture fixture;

	(void)state;
	begin(&fixture, PLAIN, CLASS(""), steps, 2, NULL, 0);
	assert_int_equal(sync_claim(&fixture), -1);
	calls = world_calls(&fixture.world);
	assert_non_null(strstr(calls, "; delete h1"));
	events = world_events(&fixture.world);
	assert_string_equal(
		events, PROVISIONING FAILED(
				"the driver made a volume that is smaller than the 1Gi asked for"));
	end(&fixture);
}

/* A volume that our driver put beside a place that holds other data: whoever looks there is told.
 */
static void test_occupied_place(void **state)
{
	static const struct {
		const char *name, *path;
		bool ours, told;
	} places[] = {
		{"at its place", "/b/shop/web/data-0", true, false},
		{"beside it", "/b/shop/web/data-0@pvc-u1", true, true},
		{"a name that holds an @", "/b/shop/web/data-0@home", true, false},
		{"another driver's word", "/b/shop/web/data-0@pvc-u1", false, false},
	};
	static const struct api_step api[] = {{POST_PV, ERROR_NONE, "{}", false}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		const struct driver_step step = {
			ERROR_NONE, "h1", 1LL << 30, {"ordinal.dev/path", places[i].path}, {NULL}};
		_cleanup_free_ char *events = NULL;
		struct fixture fixture;

		begin(&fixture, PLAIN, CLASS(""), &step, 1, api, 1);
		fixture.world.controller.driver.info.ours = places[i].ours;
		assert_case(places[i].name, sync_claim(&fixture) == 0);
		events = world_events(&fixture.world);
		assert_case_text(places[i].name, events,
			places[i].told ? PROVISIONING
				"Warning PlaceOccupied: /b/shop/web/data-0 holds "
				"data of another volume or of nobody: they are left "
				"alone, and this claim's volume is at "
				"/b/shop/web/data-0@pvc-u1\n" SUCCEEDED
				       : PROVISIONING SUCCEEDED);
		end(&fixture);
	}
}

/* The claim vanished, and its node with it: the volume is found by its name all the same. */
static void test_vanished_with_its_node(void **state)
{
	static const struct driver_step steps[] = {LOST, MADE, DELETED};
	static const struct api_step api[] = {GONE};
	struct fixture fixture;

	(void)state;
	begin(&fixture, CLAIM(OURS ", " NODE, "", SIZE), CLASS(""), steps, 3, api, 1);
	fixture.world.controller.driver.info.topology = true;
	world_set(fixture.world.controller.csi_nodes, &csi_node_type, CSINODE);
	world_set(fixture.world.controller.nodes, &node_type, NODE_1);
	assert_int_equal(sync_claim(&fixture), -1);
	store_delete(fixture.world.controller.claims, "u1");
	store_delete(fixture.world.controller.nodes, "node-1");
	assert_int_equal(sync_claim(&fixture), 0);
	assert_int_equal(fixture.world.call_count, 3);
	assert_non_null(strstr(fixture.world.calls[2], "delete h1"));
	end(&fixture);
}

/* With --node: what belongs to another node's instance is left to it. */
static void test_other_nodes_claim(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture, CLAIM(OURS ", " NODE, "", SIZE), CLASS(""), NULL, 0, NULL, 0);
	fixture.world.controller.driver.info.topology = true;
	fixture.world.controller.node = "node-2";
	assert_int_equal(sync_claim(&fixture), 0);
	assert_int_equal(fixture.world.call_count, 0);
	end(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_success),
		cmocka_unit_test(test_populator_is_told),
		cmocka_unit_test(test_volume_in_cache),
		cmocka_unit_test(test_served_once),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_reschedule),
		cmocka_unit_test(test_volume_object_is_tried_again),
		cmocka_unit_test(test_volume_object_exists),
		cmocka_unit_test(test_vanished),
		cmocka_unit_test(test_place_is_kept),
		cmocka_unit_test(test_going_while_unsettled),
		cmocka_unit_test(test_lost_answer_settles),
		cmocka_unit_test(test_bound_elsewhere_stays_unsettled),
		cmocka_unit_test(test_smaller_volume),
		cmocka_unit_test(test_occupied_place),
		cmocka_unit_test(test_vanished_with_its_node),
		cmocka_unit_test(test_other_nodes_claim),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
