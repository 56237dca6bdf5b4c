/* SPDX-License-Identifier: Apache-2.0 */
#include "claim_fixture.h"

#include <string.h>

#include "testing.h"

#define REUSE  ", 'parameters': {'reuse': 'ordinal'}"
#define ACROSS ", 'parameters': {'reuse': 'ordinal', 'reuseAcrossNamespaces': 'true'}"
#define REPLICA_OF(spec)                                                                           \
	"{'metadata': {'name': 'data-web-0', 'namespace': 'shop', 'uid': 'u1', "                   \
	"'resourceVersion': '5', 'labels': {'app': 'web'}, 'annotations': {" OURS "}}, 'spec': "   \
	"{'accessModes': ['ReadWriteOnce'], 'storageClassName': 'fast'" spec "}}"
#define ASKS(size) ", 'resources': {'requests': {'storage': '" size "'}}"
#define REPLICA    REPLICA_OF(ASKS("1Gi"))
#define SET                                                                                        \
	"{'metadata': {'name': 'web', 'namespace': 'shop', 'uid': 's1'}, 'spec': {'selector': "    \
	"{'matchLabels': {'app': 'web'}}, 'volumeClaimTemplates': [{'metadata': {'name': "         \
	"'data'}}]}}"

/* A volume of replica ORDINAL, which an earlier claim had, and its phase and policy. */
#define VOLUME_OF(name, created, ordinal, namespace, driver, uid, more, phase, policy)                                                     \
	"{'metadata': {'name': '" name "', 'uid': '" name "-uid', 'resourceVersion': '7', "                                                \
	"'creationTimestamp': '" created "', 'annotations': {'ordinal.dev/statefulset': 'web', "                                           \
	"'ordinal.dev/template': 'data', 'ordinal.dev/ordinal': '" ordinal                                                                 \
	"', 'ordinal.dev/namespace-uid': '" namespace "'}" more "}, 'spec': {'capacity': "                                                 \
						      "{'storage': '1Gi'}, 'accessModes': ['ReadWriteOnce'], 'volumeMode': 'Filesystem', " \
						      "'storageClassName': 'fast', 'persistentVolumeReclaimPolicy': '" policy              \
						      "', 'claimRef': {'namespace': 'shop', 'name': 'data-web-" ordinal                    \
						      "'" uid "}, 'csi': {'driver': '" driver                                              \
						      "', 'volumeHandle': 'h0'}}, 'status': {'phase': '" phase                             \
						      "'}}"
#define OF_GONE ", 'uid': 'u0'"
#define OLD(phase, policy)                                                                         \
	VOLUME_OF("old", "2026-01-01T00:00:00Z", "0", "n1", "d.example.com", OF_GONE, "", phase,   \
		policy)
#define GOING ", 'deletionTimestamp': '2026-01-02T00:00:00Z'"

#define PATCHED(name)                                                                              \
	"PATCH /api/v1/persistentvolumes/" name                                                    \
	" application/merge-patch+json {\"metadata\":{\"uid\":\"" name                             \
	"-uid\",\"resourceVersion\":\"7\",\"annotations\":{\"ordinal.dev/namespace-uid\":\"n1\"}},\"spec\":{\"claimRef\":{\"apiVersion\":\"v1\",\"kind\":\"PersistentVolumeClaim\",\"namespace\":\"shop\",\"name\":\"data-web-0\",\"uid\":\"u1\",\"resourceVersion\":\"5\"}}}"
#define REUSED(name, of, more)                                                                     \
	"Normal VolumeReused: The claim gets volume " name " of " of                               \
	" with its data, which an earlier claim of the same replica left" more "\n"

enum outcome { MAKES, BINDS, SERVED, WAITS, REFUSED };

static const struct {
	const char *name, *claim, *class, *volumes[3];
	enum outcome outcome;
	const char *says; /* the event */
} cases[] = {
	{"nothing is left", REPLICA, REUSE, {NULL}, MAKES, NULL},
	{"released", REPLICA, REUSE, {OLD("Released", "Retain")}, BINDS,
		REUSED("old", "2026-01-01T00:00:00Z", "")},
	{"the newest of two", REPLICA, REUSE,
		{VOLUME_OF("older", "2025-01-01T00:00:00Z", "0", "n1", "d.example.com", OF_GONE, "",
			 "Released", "Retain"),
			OLD("Released", "Retain")},
		BINDS,
		REUSED("old", "2026-01-01T00:00:00Z",
			"; older ones of that replica stay "
			"Released")},
	{"a class that does not reuse", REPLICA, ", 'parameters': {'reuse': 'never'}",
		{OLD("Released", "Retain")}, MAKES, NULL},
	{"another replica's", REPLICA, REUSE,
		{VOLUME_OF("old", "2026-01-01T00:00:00Z", "1", "n1", "d.example.com", OF_GONE, "",
			"Released", "Retain")},
		MAKES, NULL},
	{"another driver's", REPLICA, REUSE,
		{VOLUME_OF("old", "2026-01-01T00:00:00Z", "0", "n1", "other", OF_GONE, "",
			"Released", "Retain")},
		MAKES, NULL},
	{"of an earlier namespace", REPLICA, REUSE,
		{VOLUME_OF("old", "2026-01-01T00:00:00Z", "0", "n0", "d.example.com", OF_GONE, "",
			"Released", "Retain")},
		MAKES, NULL},
	{"of an earlier namespace, allowed", REPLICA, ACROSS,
		{VOLUME_OF("old", "2026-01-01T00:00:00Z", "0", "n0", "d.example.com", OF_GONE, "",
			"Released", "Retain")},
		BINDS, REUSED("old", "2026-01-01T00:00:00Z", "")},
	{"somebody deletes it", REPLICA, REUSE,
		{VOLUME_OF("old", "2026-01-01T00:00:00Z", "0", "n1", "d.example.com", OF_GONE,
			GOING, "Released", "Retain")},
		MAKES, NULL},
	{"bound by an earlier call", REPLICA, REUSE,
		{VOLUME_OF("old", "2026-01-01T00:00:00Z", "0", "n1", "d.example.com",
			", 'uid': 'u1'", "", "Released", "Retain")},
		SERVED, ""},
	{"reserved by hand", REPLICA, REUSE,
		{VOLUME_OF("old", "2026-01-01T00:00:00Z", "0", "n1", "d.example.com", "", "",
			"Available", "Retain")},
		SERVED, ""},
	{"its claim went a moment ago", REPLICA, REUSE, {OLD("Bound", "Retain")}, WAITS,
		"Normal WaitForEarlierVolume: Volume old of an earlier claim of the same replica is "
		"about to be released; this claim waits for that\n"},
	{"it is deleted first", REPLICA, REUSE, {OLD("Released", "Delete")}, WAITS,
		"Normal WaitForEarlierVolume: Volume old of an earlier claim of the same replica is "
		"about to be deleted; this claim waits for that\n"},
	{"nobody will delete it", REPLICA, REUSE, {OLD("Failed", "Delete")}, MAKES, NULL},
	{"too small a claim", REPLICA_OF(ASKS("1Mi")), REUSE, {OLD("Released", "Retain")}, REFUSED,
		FAILED("the data that this replica had are in volume old, which has 1Gi, and the "
		       "claim asks for only 1Mi: let it ask for 1Gi, or delete that volume to begin "
		       "anew")},
	{"too large a claim", REPLICA_OF(ASKS("2Gi")), REUSE, {OLD("Released", "Retain")}, REFUSED,
		FAILED("the data that this replica had are in volume old, which has only 1Gi, and "
		       "the claim asks for 2Gi: let it ask for 1Gi, and grow when it has them, or "
		       "delete that volume to begin anew")},
	{"a block claim", REPLICA_OF(ASKS("1Gi") ", 'volumeMode': 'Block'"), REUSE,
		{OLD("Released", "Retain")}, REFUSED,
		FAILED("the data that this replica had are in volume old, whose volumeMode is "
		       "Filesystem: let the claim ask for that, or delete that volume to begin "
		       "anew")},
	{"of another VolumeAttributesClass", REPLICA, REUSE,
		{OLD("Released", "Retain', 'volumeAttributesClassName': 'gold")}, REFUSED,
		FAILED("the data that this replica had are in volume old, whose "
		       "VolumeAttributesClass is \"gold\": let the claim name that one, and "
		       "another when it has them, or delete that volume to begin anew")},
};

static const enum error_kind kinds[] = {
	[MAKES] = ERROR_NONE,
	[BINDS] = ERROR_NONE,
	[SERVED] = ERROR_NONE,
	[WAITS] = ERROR_ABORTED,
	[REFUSED] = ERROR_FAILED_PRECONDITION,
};

static void prepare(struct fixture *fixture, size_t index, const struct api_step *api, size_t count)
{
	_cleanup_free_ char *class = NULL;

	if (asprintf(&class, CLASS("%s"), cases[index].class) < 0)
		abort();
	begin(fixture, cases[index].claim, class, &made, 1, api, count);
	fixture->world.controller.driver.info.ours = true;
	world_set(fixture->world.controller.sets, &stateful_set_type, SET);
	for (size_t i = 0; cases[index].volumes[i]; i++)
		world_set(fixture->world.controller.volumes, &volume_type, cases[index].volumes[i]);
}

static void check(struct fixture *fixture, size_t index)
{
	const char *name = cases[index].name;
	bool makes = cases[index].outcome == MAKES, binds = cases[index].outcome == BINDS;
	_cleanup_free_ char *events = world_events(&fixture->world);

	assert_case(name, fixture->err.kind == kinds[cases[index].outcome]);
	assert_case(name, fixture->world.call_count == makes);
	assert_case(name, fake_api_count(&fixture->world.api) == (makes || binds ? 2u : 1u));
	if (binds)
		assert_case_text(name, fake_api_seen(&fixture->world.api, 1), PATCHED("old"));
	if (cases[index].says)
		assert_case_text(name, events, cases[index].says);
}

static void test_cases(void **state)
{
	static const struct api_step api[] = {
		{"GET /api/v1/namespaces/shop", ERROR_NONE, "{'metadata': {'uid': 'n1'}}", false},
		{"PATCH /api/v1/persistentvolumes/old", ERROR_NONE, "{}", false},
		{POST_PV, ERROR_NONE, "{}", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fixture fixture;

		prepare(&fixture, i, api, ARRAY_SIZE(api));
		sync_claim(&fixture);
		check(&fixture, i);
		end(&fixture);
	}
}

/* Somebody else changed the volume: nothing is made, and the claim is looked at again. */
static void test_conflict(void **state)
{
	static const struct api_step api[] = {
		{"GET /api/v1/namespaces/shop", ERROR_NONE, "{'metadata': {'uid': 'n1'}}", false},
		{"PATCH /api/v1/persistentvolumes/old", ERROR_CONFLICT, "changed", false},
	};
	struct fixture fixture;

	(void)state;
	prepare(&fixture, 1, api, ARRAY_SIZE(api));
	assert_int_equal(sync_claim(&fixture), -1);
	assert_string_equal(
		fixture.err.text, "claim shop/data-web-0: bind volume old again: changed");
	assert_int_equal(fixture.world.call_count, 0);
	end(&fixture);
}

/* The driver found what it had archived or retained. */
static void test_taken_up(void **state)
{
	static const struct api_step api[] = {
		{"GET /api/v1/namespaces/shop", ERROR_NONE, "{'metadata': {'uid': 'n1'}}", false},
		{POST_PV, ERROR_NONE, "{}", false},
	};
	static const struct driver_step took = {ERROR_NONE, "h1", 1LL << 30,
		{"ordinal.dev/predecessor", "pvc-u0, deleted 2026-01-01T00:00:00Z"}, {NULL}};
	_cleanup_free_ char *events = NULL;
	struct fixture fixture;

	(void)state;
	prepare(&fixture, 0, api, ARRAY_SIZE(api));
	fixture.world.steps = &took;
	assert_int_equal(sync_claim(&fixture), 0);
	events = world_events(&fixture.world);
	assert_non_null(strstr(events, "Normal DataTakenUp: The volume has the data of the same "
				       "replica's earlier one, pvc-u0, deleted "
				       "2026-01-01T00:00:00Z\n"));
	end(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_conflict),
		cmocka_unit_test(test_taken_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
