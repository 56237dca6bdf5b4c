/* SPDX-License-Identifier: Apache-2.0 */
#include "data_source.h"

#include <string.h>

#include "testing.h"
#include "world.h"

#define GIB(count) ((int64_t)(count) << 30)

#define CLAIM(name, uid, more, spec)                                                               \
	"{'metadata': {'name': '" name "', 'namespace': 'shop', 'uid': '" uid "'" more "},"        \
	" 'spec': {" spec "}}"
#define FROM(kind, name) "'dataSource': {'kind': '" kind "', 'name': '" name "'}"
#define FROM_CLAIM(name) FROM("PersistentVolumeClaim", name)
#define FROM_SNAPSHOT(name)                                                                        \
	"'dataSourceRef': {'apiGroup': 'snapshot.storage.k8s.io', 'kind': 'VolumeSnapshot',"       \
	" 'name': '" name "'}"
#define BLOCK ", 'volumeMode': 'Block'"

static const char copy[] = CLAIM("copy", "u2", "", FROM_CLAIM("data"));
static const char copy_block[] = CLAIM("copy", "u2", "", FROM_CLAIM("data") BLOCK);
static const char restore[] = CLAIM("copy", "u2", "", FROM_SNAPSHOT("snap"));
static const char restore_block[] = CLAIM("copy", "u2", "", FROM_SNAPSHOT("snap") BLOCK);

/* What data_source_kind() makes of a claim's spec. */
static const struct {
	const char *name, *spec;
	enum data_source_kind kind;
} kinds[] = {
	{"none", "", DATA_SOURCE_NONE},
	{"a claim", FROM_CLAIM("c"), DATA_SOURCE_CLAIM},
	{"a claim, by the empty group",
		"'dataSource': {'apiGroup': '', 'kind': 'PersistentVolumeClaim', 'name': 'c'}",
		DATA_SOURCE_CLAIM},
	{"a claim, by its reference",
		"'dataSourceRef': {'kind': 'PersistentVolumeClaim', 'name': 'c'}",
		DATA_SOURCE_CLAIM},
	{"another group's claim",
		"'dataSourceRef': {'apiGroup': 'x.io', 'kind': 'PersistentVolumeClaim', 'name': "
		"'c'}",
		DATA_SOURCE_OTHER},
	{"a snapshot", FROM_SNAPSHOT("s"), DATA_SOURCE_SNAPSHOT},
	{"a snapshot without a group", FROM("VolumeSnapshot", "s"), DATA_SOURCE_OTHER},
	{"another group's snapshot",
		"'dataSource': {'apiGroup': 'x.io', 'kind': 'VolumeSnapshot', 'name': 's'}",
		DATA_SOURCE_OTHER},
	{"a populator's", FROM("Hello", "h"), DATA_SOURCE_OTHER},
	{"no kind", "'dataSource': {'name': 'h'}", DATA_SOURCE_OTHER},
	{"the reference says more",
		FROM_CLAIM("c") ", 'dataSourceRef': {'apiGroup': 'x.io', 'kind': 'Hello',"
				" 'name': 'h'}",
		DATA_SOURCE_OTHER},
};

static void test_kinds(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		_cleanup_free_ char *text = NULL;
		_cleanup_object_ struct claim *claim = NULL;

		if (asprintf(&text, CLAIM("copy", "u2", "", "%s"), kinds[i].spec) < 0)
			abort();
		claim = object_of(&claim_type, text);
		assert_case(kinds[i].name, data_source_kind(claim) == kinds[i].kind);
	}
}

#define SOURCE_PATH "/api/v1/namespaces/shop/persistentvolumeclaims/data"
#define GET_SOURCE  "GET " SOURCE_PATH
#define PATCH       "PATCH " SOURCE_PATH
#define GET_VOLUME  "GET /api/v1/persistentvolumes/pv-1"

#define SOURCE(more, size, volume, phase)                                                          \
	"{'metadata': {'name': 'data', 'namespace': 'shop', 'uid': 'u1'" more "},"                 \
	" 'spec': {'resources': {'requests': {'storage': '" size "'}},"                            \
	"  'volumeName': '" volume "'}, 'status': {'phase': '" phase "'}}"
#define PROTECTED ", 'finalizers': ['x', 'provisioner.storage.kubernetes.io/cloning-protection']"
#define GOING     ", 'deletionTimestamp': '2026-01-01T00:00:00Z'"
#define OK_SOURCE                                                                                  \
	{                                                                                          \
		GET_SOURCE, 0, SOURCE("", "1Gi", "pv-1", "Bound"), false                           \
	}

#define PV(driver, handle, uid, name, phase, more)                                                 \
	"{'metadata': {'name': 'pv-1', 'uid': 'v1'},"                                              \
	" 'spec': {'csi': {'driver': '" driver "', 'volumeHandle': '" handle "'},"                 \
	"  'claimRef': {'namespace': 'shop', 'name': '" name "', 'uid': '" uid "'}" more "},"      \
	" 'status': {'phase': '" phase "'}}"
#define PV_STEP(...)                                                                               \
	{                                                                                          \
		GET_VOLUME, 0, PV(__VA_ARGS__), false                                              \
	}
#define OK_PV PV_STEP("d.example.com", "h1", "u1", "data", "Bound", "")

#define SNAP_GET    "GET /apis/snapshot.storage.k8s.io/v1/namespaces/shop/volumesnapshots/snap"
#define CONTENT_GET "GET /apis/snapshot.storage.k8s.io/v1/volumesnapshotcontents/content-1"
#define SNAP(more, status)                                                                         \
	{                                                                                          \
		SNAP_GET, 0,                                                                       \
			"{'metadata': {'name': 'snap', 'namespace': 'shop', 'uid': 's1'" more "}," \
			" 'status': {" status "}}",                                                \
			false                                                                      \
	}
#define BOUND_TO "'boundVolumeSnapshotContentName': 'content-1'"
#define READY    BOUND_TO ", 'readyToUse': true"
#define CONTENT(annotations, driver, uid, more, status)                                                \
	{                                                                                              \
		CONTENT_GET, 0,                                                                        \
			"{'metadata': {'name': 'content-1', 'uid': 'k1', 'annotations': {" annotations \
			"}}, 'spec': {'driver': '" driver "', 'volumeSnapshotRef':"                    \
			" {'namespace': 'shop', 'name': 'snap', 'uid': '" uid "'}" more "},"           \
			" 'status': {" status "}}",                                                    \
			false                                                                          \
	}
#define OK_CONTENT  CONTENT("", "d.example.com", "s1", "", "'snapshotHandle': 'sh1'")
#define MODE(mode)  ", 'sourceVolumeMode': '" mode "'"
#define ALLOW(text) "'snapshot.storage.kubernetes.io/allow-volume-mode-change': '" text "'"
#define FILE_CONTENT(annotations)                                                                  \
	CONTENT(annotations, "d.example.com", "s1", MODE("Filesystem"), "'snapshotHandle': 'sh1'")

static const struct {
	const char *name, *claim;
	int64_t bytes;
	struct api_step steps[3];
	const char *wanted; /* the handle, or NULL for an error */
	enum error_kind kind;
	const char *says;
} cases[] = {
	{"no source", CLAIM("copy", "u2", "", ""), GIB(1), {{0}}, "", 0, NULL},
	{"a populator's", CLAIM("copy", "u2", "", FROM("Hello", "h")), GIB(1), {{0}}, "", 0, NULL},

	/* Of every source */
	{"a name that leads elsewhere", CLAIM("copy", "u2", "", FROM_CLAIM("../secrets/s")), GIB(1),
		{{0}}, NULL, ERROR_INVALID,
		"data source PersistentVolumeClaim ../secrets/s: that is no name"},
	{"no name", CLAIM("copy", "u2", "", "'dataSource': {'kind': 'PersistentVolumeClaim'}"),
		GIB(1), {{0}}, NULL, ERROR_INVALID, "that is no name"},
	{"another namespace's",
		CLAIM("copy", "u2", "",
			"'dataSourceRef': {'kind': 'PersistentVolumeClaim', 'name': 'c',"
			" 'namespace': 'bank'}"),
		GIB(1), {{0}}, NULL, ERROR_INVALID, "it is in namespace bank"},
	{"its own namespace by name",
		CLAIM("copy", "u2", "",
			"'dataSourceRef': {'kind': 'PersistentVolumeClaim', 'name': 'data',"
			" 'namespace': 'shop'}"),
		GIB(1), {OK_SOURCE, OK_PV, {PATCH, 0, NULL, false}}, "volume h1", 0, NULL},

	/* Claims */
	{"clone", copy, GIB(1), {OK_SOURCE, OK_PV, {PATCH, 0, NULL, false}}, "volume h1", 0, NULL},
	{"clone, larger", copy, GIB(2), {OK_SOURCE, OK_PV, {PATCH, 0, NULL, false}}, "volume h1", 0,
		NULL},
	{"clone, protected already", copy, GIB(1),
		{{GET_SOURCE, 0, SOURCE(PROTECTED, "1Gi", "pv-1", "Bound"), false}, OK_PV},
		"volume h1", 0, NULL},
	{"clone of one that goes, begun before", copy, GIB(1),
		{{GET_SOURCE, 0, SOURCE(PROTECTED GOING, "1Gi", "pv-1", "Bound"), false}, OK_PV},
		"volume h1", 0, NULL},
	{"clone of one that goes", copy, GIB(1),
		{{GET_SOURCE, 0, SOURCE(GOING, "1Gi", "pv-1", "Bound"), false}}, NULL,
		ERROR_FAILED_PRECONDITION,
		"data source PersistentVolumeClaim data: it is being deleted"},
	{"clone of none", copy, GIB(1), {{GET_SOURCE, ERROR_NOT_FOUND, "none", false}}, NULL,
		ERROR_UNAVAILABLE, "data source PersistentVolumeClaim data: none"},
	{"clone, API server away", copy, GIB(1), {{GET_SOURCE, ERROR_TIMEOUT, "slow", false}}, NULL,
		ERROR_TIMEOUT, "slow"},
	{"clone of what is no claim", copy, GIB(1), {{GET_SOURCE, 0, "{}", false}}, NULL,
		ERROR_INVALID, "lacks a name or UID"},
	{"clone, pending", copy, GIB(1),
		{{GET_SOURCE, 0, SOURCE("", "1Gi", "pv-1", "Pending"), false}}, NULL,
		ERROR_UNAVAILABLE, "not bound to a volume yet"},
	{"clone, lost", copy, GIB(1), {{GET_SOURCE, 0, SOURCE("", "1Gi", "pv-1", "Lost"), false}},
		NULL, ERROR_UNAVAILABLE, "not bound"},
	{"clone, no volume", copy, GIB(1), {{GET_SOURCE, 0, SOURCE("", "1Gi", "", "Bound"), false}},
		NULL, ERROR_FAILED_PRECONDITION, "it names no volume"},
	{"clone, a volume that leads elsewhere", copy, GIB(1),
		{{GET_SOURCE, 0, SOURCE("", "1Gi", "../x", "Bound"), false}}, NULL,
		ERROR_FAILED_PRECONDITION, "it names no volume"},
	{"clone, smaller", copy, GIB(1) - 1, {OK_SOURCE}, NULL, ERROR_INVALID,
		"it holds 1Gi, more than the claim asks for"},
	{"clone, a size that is none", copy, GIB(1),
		{{GET_SOURCE, 0, SOURCE("", "big", "pv-1", "Bound"), false}}, NULL, ERROR_INVALID,
		"its size"},
	{"clone, volume gone", copy, GIB(1),
		{OK_SOURCE, {GET_VOLUME, ERROR_NOT_FOUND, "no volume", false}}, NULL,
		ERROR_UNAVAILABLE, "no volume"},
	{"clone, another driver's", copy, GIB(1),
		{OK_SOURCE, PV_STEP("other", "h1", "u1", "data", "Bound", "")}, NULL, ERROR_INVALID,
		"its volume is not one of driver d.example.com"},
	{"clone, no CSI volume", copy, GIB(1),
		{OK_SOURCE, {GET_VOLUME, 0, "{'spec': {'hostPath': {}}}", false}}, NULL,
		ERROR_INVALID, "not one of driver"},
	{"clone, no handle", copy, GIB(1),
		{OK_SOURCE, PV_STEP("d.example.com", "", "u1", "data", "Bound", "")}, NULL,
		ERROR_INVALID, "not one of driver"},
	{"clone, bound to an earlier claim", copy, GIB(1),
		{OK_SOURCE, PV_STEP("d.example.com", "h1", "u0", "data", "Bound", "")}, NULL,
		ERROR_FAILED_PRECONDITION, "not bound to it"},
	{"clone, bound to another claim", copy, GIB(1),
		{OK_SOURCE, PV_STEP("d.example.com", "h1", "u1", "other", "Bound", "")}, NULL,
		ERROR_FAILED_PRECONDITION, "not bound to it"},
	{"clone, released", copy, GIB(1),
		{OK_SOURCE, PV_STEP("d.example.com", "h1", "u1", "data", "Released", "")}, NULL,
		ERROR_FAILED_PRECONDITION, "not bound to it"},
	{"clone, file system of block", copy, GIB(1),
		{OK_SOURCE, PV_STEP("d.example.com", "h1", "u1", "data", "Bound", BLOCK)}, NULL,
		ERROR_INVALID, "its volumeMode is Block, and this claim's is Filesystem"},
	{"clone, block of file system", copy_block, GIB(1), {OK_SOURCE, OK_PV}, NULL, ERROR_INVALID,
		"its volumeMode is Filesystem, and this claim's is Block"},
	{"clone, block of block", copy_block, GIB(1),
		{OK_SOURCE, PV_STEP("d.example.com", "h1", "u1", "data", "Bound", BLOCK),
			{PATCH, 0, NULL, false}},
		"volume h1", 0, NULL},
	{"clone, gone before it was protected", copy, GIB(1),
		{OK_SOURCE, OK_PV, {PATCH, ERROR_NOT_FOUND, "gone", false}}, NULL,
		ERROR_UNAVAILABLE, "add finalizer: gone"},
	{"clone, going before it was protected", copy, GIB(1),
		{OK_SOURCE, OK_PV, {PATCH, ERROR_INVALID, "no new finalizers", false}}, NULL,
		ERROR_INVALID, "no new finalizers"},
	{"clone, another of its name", copy, GIB(1),
		{OK_SOURCE, OK_PV, {PATCH, ERROR_CONFLICT, "other uid", false}}, NULL,
		ERROR_CONFLICT, "other uid"},

	/* Snapshots */
	{"restore", restore, GIB(1), {SNAP("", READY ", 'restoreSize': '1Gi'"), OK_CONTENT},
		"snapshot sh1", 0, NULL},
	{"restore, larger", restore, GIB(2), {SNAP("", READY ", 'restoreSize': '1Gi'"), OK_CONTENT},
		"snapshot sh1", 0, NULL},
	{"restore, of a size that nobody says", restore, 1, {SNAP("", READY), OK_CONTENT},
		"snapshot sh1", 0, NULL},
	{"restore, a size in numbers", restore, GIB(1),
		{SNAP("", READY ", 'restoreSize': 1073741825"), OK_CONTENT}, NULL, ERROR_INVALID,
		"it holds 1073741825"},
	{"restore, smaller", restore, GIB(1) - 1,
		{SNAP("", READY ", 'restoreSize': '1Gi'"), OK_CONTENT}, NULL, ERROR_INVALID,
		"data source VolumeSnapshot snap: it holds 1Gi, more than the claim asks for"},
	{"restore of none", restore, GIB(1), {{SNAP_GET, ERROR_NOT_FOUND, "none", false}}, NULL,
		ERROR_UNAVAILABLE, "none"},
	{"restore, not for us", restore, GIB(1), {{SNAP_GET, ERROR_FORBIDDEN, "no", false}}, NULL,
		ERROR_FORBIDDEN, "no"},
	{"restore, going", restore, GIB(1), {SNAP(GOING, READY)}, NULL, ERROR_FAILED_PRECONDITION,
		"it is being deleted"},
	{"restore, no status", restore, GIB(1),
		{{SNAP_GET, 0, "{'metadata': {'name': 'snap'}}", false}}, NULL, ERROR_UNAVAILABLE,
		"not bound to its content yet"},
	{"restore, no content", restore, GIB(1), {SNAP("", "'readyToUse': true")}, NULL,
		ERROR_UNAVAILABLE, "not bound to its content yet"},
	{"restore, a content that leads elsewhere", restore, GIB(1),
		{SNAP("", "'boundVolumeSnapshotContentName': 'a/b'")}, NULL,
		ERROR_FAILED_PRECONDITION, "it names no content"},
	{"restore, content gone", restore, GIB(1),
		{SNAP("", READY), {CONTENT_GET, ERROR_NOT_FOUND, "no content", false}}, NULL,
		ERROR_UNAVAILABLE, "no content"},
	{"restore, another snapshot's content", restore, GIB(1),
		{SNAP("", READY),
			CONTENT("", "d.example.com", "s0", "", "'snapshotHandle': 'sh1'")},
		NULL, ERROR_FAILED_PRECONDITION, "its content belongs to another snapshot"},
	{"restore, another driver's", restore, GIB(1),
		{SNAP("", READY), CONTENT("", "other", "s1", "", "'snapshotHandle': 'sh1'")}, NULL,
		ERROR_INVALID, "it is not one of driver d.example.com"},
	{"restore, not ready", restore, GIB(1),
		{SNAP("", BOUND_TO ", 'readyToUse': false"), OK_CONTENT}, NULL, ERROR_UNAVAILABLE,
		"it is not ready to use yet"},
	{"restore, not said to be ready", restore, GIB(1), {SNAP("", BOUND_TO), OK_CONTENT}, NULL,
		ERROR_UNAVAILABLE, "it is not ready to use yet"},
	{"restore, not ready, and why", restore, GIB(1),
		{SNAP("", BOUND_TO ", 'error': {'message': 'no space'}"), OK_CONTENT}, NULL,
		ERROR_UNAVAILABLE, "it is not ready to use yet: no space"},
	{"restore, no handle", restore, GIB(1),
		{SNAP("", READY), CONTENT("", "d.example.com", "s1", "", "")}, NULL,
		ERROR_UNAVAILABLE, "its content has no handle yet"},
	{"restore, the same mode", restore, GIB(1), {SNAP("", READY), FILE_CONTENT("")},
		"snapshot sh1", 0, NULL},
	{"restore, a mode that nobody says", restore_block, GIB(1), {SNAP("", READY), OK_CONTENT},
		"snapshot sh1", 0, NULL},
	{"restore, another mode", restore_block, GIB(1), {SNAP("", READY), FILE_CONTENT("")}, NULL,
		ERROR_INVALID,
		"its volumeMode is Filesystem, and this claim's is Block: only with the annotation "
		"snapshot.storage.kubernetes.io/allow-volume-mode-change: \"true\" of the "
		"volumesnapshotcontent content-1"},
	{"restore, another mode, allowed", restore_block, GIB(1),
		{SNAP("", READY), FILE_CONTENT(ALLOW("true"))}, "snapshot sh1", 0, NULL},
	{"restore, another mode, allowed by 1", restore_block, GIB(1),
		{SNAP("", READY), FILE_CONTENT(ALLOW("1"))}, "snapshot sh1", 0, NULL},
	{"restore, another mode, not allowed", restore_block, GIB(1),
		{SNAP("", READY), FILE_CONTENT(ALLOW("false"))}, NULL, ERROR_INVALID,
		"its volumeMode"},
	{"restore, another mode, nonsense", restore_block, GIB(1),
		{SNAP("", READY), FILE_CONTENT(ALLOW("yes"))}, NULL, ERROR_INVALID,
		"its volumeMode"},
};

static size_t count_steps(const struct api_step steps[3])
{
	size_t count = 0;

	while (count < 3 && steps[count].match)
		count++;
	return count;
}

static void check_handle(const char *name, struct data_source *source, const char *wanted)
{
	_cleanup_free_ char *text = NULL;

	if (asprintf(&text, "%s%s%s%s", source->volume_handle ? "volume " : "",
		    source->volume_handle ? source->volume_handle : "",
		    source->snapshot_handle ? "snapshot " : "",
		    source->snapshot_handle ? source->snapshot_handle : "") < 0)
		abort();
	assert_case_text(name, text, wanted);
	data_source_done(source);
}

static void test_resolve(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_object_ struct claim *claim = object_of(&claim_type, cases[i].claim);
		size_t count = count_steps(cases[i].steps);
		struct data_source source = {NULL, NULL};
		struct error err = {0};
		struct world world;
		int result;

		world_init(&world, NULL, 0, cases[i].steps, count);
		world.controller.driver.info.clone = true;
		world.controller.driver.info.snapshots = true;
		result = data_source_resolve(
			&world.controller, claim, cases[i].bytes, &source, &err);
		if ((result == 0) != (cases[i].wanted != NULL))
			fail_msg("%s: %d %s", cases[i].name, result, err.text);
		if (result == 0)
			check_handle(cases[i].name, &source, cases[i].wanted);
		else
			assert_case(cases[i].name, err.kind == cases[i].kind);
		if (cases[i].says && !strstr(err.text, cases[i].says))
			assert_case_text(cases[i].name, err.text, cases[i].says);
		/* Nothing but what the script has was asked, and all of it. */
		assert_case(cases[i].name, fake_api_count(&world.api) == count);
		world_done(&world);
	}
}

#define RESTORE(id) ", 'annotations': {'ordinal.dev/restore-from': '" id "'}"
#define TEN         "0123456789"
#define LONG        TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "12345678"

/* The annotation is for our own driver alone: whose snapshot it is others do not look. */
static void test_restore_from(void **state)
{
	static const struct {
		const char *name, *claim;
		bool ours, snapshots;
		const char *wanted; /* the handle, or NULL for an error */
		enum error_kind kind;
		const char *says;
	} restores[] = {
		{"ours", CLAIM("copy", "u2", RESTORE("a:x::/y"), ""), true, true,
			"snapshot a:x::/y", 0, NULL},
		{"as long as it may be", CLAIM("copy", "u2", RESTORE(LONG), ""), true, true,
			"snapshot " LONG, 0, NULL},
		{"too long", CLAIM("copy", "u2", RESTORE(LONG "9"), ""), true, true, NULL,
			ERROR_INVALID, "longer than 128 bytes"},
		{"empty", CLAIM("copy", "u2", RESTORE(""), ""), true, true, "", 0, NULL},
		{"two sources", CLAIM("copy", "u2", RESTORE("a:x::/y"), FROM_CLAIM("data")), true,
			true, NULL, ERROR_INVALID, "the claim has a data source"},
		{"another driver", CLAIM("copy", "u2", RESTORE("snap-1"), ""), false, true, NULL,
			ERROR_FAILED_PRECONDITION, "use a VolumeSnapshot"},
		{"no snapshots", CLAIM("copy", "u2", RESTORE("a:x::/y"), ""), true, false, NULL,
			ERROR_FAILED_PRECONDITION, "annotation ordinal.dev/restore-from: driver"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(restores); i++) {
		_cleanup_object_ struct claim *claim = object_of(&claim_type, restores[i].claim);
		struct data_source source = {NULL, NULL};
		struct error err = {0};
		struct world world;
		int result;

		world_init(&world, NULL, 0, NULL, 0);
		world.controller.driver.info.ours = restores[i].ours;
		world.controller.driver.info.snapshots = restores[i].snapshots;
		result = data_source_resolve(&world.controller, claim, GIB(1), &source, &err);
		if ((result == 0) != (restores[i].wanted != NULL))
			fail_msg("%s: %d %s", restores[i].name, result, err.text);
		if (result == 0)
			check_handle(restores[i].name, &source, restores[i].wanted);
		else
			assert_case(restores[i].name, err.kind == restores[i].kind);
		if (restores[i].says && !strstr(err.text, restores[i].says))
			assert_case_text(restores[i].name, err.text, restores[i].says);
		assert_case(restores[i].name, fake_api_count(&world.api) == 0);
		world_done(&world);
	}
}

static void test_capabilities(void **state)
{
	static const struct {
		const char *claim, *says;
		bool clone, snapshots;
	} lacking[] = {
		{copy, "does not copy volumes (no capability CLONE_VOLUME)", false, true},
		{restore, "knows no snapshots (no capability CREATE_DELETE_SNAPSHOT)", true, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lacking); i++) {
		_cleanup_object_ struct claim *claim = object_of(&claim_type, lacking[i].claim);
		struct data_source source;
		struct error err = {0};
		struct world world;

		world_init(&world, NULL, 0, NULL, 0);
		world.controller.driver.info.clone = lacking[i].clone;
		world.controller.driver.info.snapshots = lacking[i].snapshots;
		assert_int_equal(
			data_source_resolve(&world.controller, claim, GIB(1), &source, &err), -1);
		assert_int_equal(err.kind, ERROR_FAILED_PRECONDITION);
		assert_non_null(strstr(err.text, lacking[i].says));
		assert_int_equal(fake_api_count(&world.api), 0);
		world_done(&world);
	}
}

static void test_protection_patch(void **state)
{
	static const struct api_step steps[] = {OK_SOURCE, OK_PV, {PATCH, 0, NULL, false}};
	_cleanup_object_ struct claim *claim = object_of(&claim_type, copy);
	struct data_source source;
	struct world world;

	(void)state;
	world_init(&world, NULL, 0, steps, ARRAY_SIZE(steps));
	world.controller.driver.info.clone = true;
	assert_int_equal(data_source_resolve(&world.controller, claim, GIB(1), &source, NULL), 0);
	data_source_done(&source);
	assert_string_equal(fake_api_seen(&world.api, 2),
		PATCH " application/strategic-merge-patch+json {\"metadata\":{\"uid\":\"u1\","
		      "\"finalizers\":"
		      "[\"provisioner.storage.kubernetes.io/cloning-protection\"]}}");
	world_done(&world);
}

#define OURS    "'volumeName': 'pv-1'"
#define PLAIN   CLAIM("data", "u1", "", OURS)
#define KEPT    CLAIM("data", "u1", PROTECTED, OURS)
#define LEAVING CLAIM("data", "u1", PROTECTED GOING, OURS)
#define USER    CLAIM("copy", "u2", "", FROM_CLAIM("data"))
#define USED    CLAIM("copy", "u2", "", FROM_CLAIM("data") ", 'volumeName': 'pv-2'")
#define OTHERS                                                                                     \
	"{'metadata': {'name': 'copy', 'namespace': 'bank', 'uid': 'u3'},"                         \
	" 'spec': {" FROM_CLAIM("data") "}}"
#define ELSEWHERE                                                                                  \
	CLAIM("copy", "u2", "",                                                                    \
		"'dataSourceRef': {'kind': 'PersistentVolumeClaim', 'name': 'data',"               \
		" 'namespace': 'bank'}")
#define PV_OF(driver)                                                                              \
	"{'metadata': {'name': 'pv-1', 'uid': 'v1'}, 'spec': {'csi': {'driver': '" driver "',"     \
	" 'volumeHandle': 'h1'}}}"
#define MADE_BY(driver)                                                                            \
	CLAIM("data", "u1",                                                                        \
		PROTECTED ", 'annotations': {'volume.kubernetes.io/storage-provisioner': '" driver \
			  "'}",                                                                    \
		OURS)

/* What becomes of a claim's protection, with the other claims that there are. */
static const struct {
	const char *name, *claim, *others[2];
	const char *volume; /* or NULL */
	bool patched;
	bool later; /* ERROR_UNAVAILABLE */
} protections[] = {
	{"not protected", PLAIN, {0}, PV_OF("d.example.com"), false, false},
	{"no user", KEPT, {0}, PV_OF("d.example.com"), true, false},
	{"no user, going", LEAVING, {0}, PV_OF("d.example.com"), true, false},
	{"a user", KEPT, {USER}, PV_OF("d.example.com"), false, false},
	{"a user, going", LEAVING, {USER}, PV_OF("d.example.com"), false, true},
	{"a user that is served", LEAVING, {USED}, PV_OF("d.example.com"), true, false},
	{"one that is served, one that is not", LEAVING,
		{USED, CLAIM("copy-2", "u4", "", FROM_CLAIM("data"))}, PV_OF("d.example.com"),
		false, true},
	{"another namespace's user", LEAVING, {OTHERS}, PV_OF("d.example.com"), true, false},
	{"a user of another namespace's", LEAVING, {ELSEWHERE}, PV_OF("d.example.com"), true,
		false},
	{"a user of another claim", LEAVING, {CLAIM("copy", "u2", "", FROM_CLAIM("data-2"))},
		PV_OF("d.example.com"), true, false},
	{"a snapshot of its name", LEAVING, {CLAIM("copy", "u2", "", FROM_SNAPSHOT("data"))},
		PV_OF("d.example.com"), true, false},
	{"a populator's of its name", LEAVING, {CLAIM("copy", "u2", "", FROM("Hello", "data"))},
		PV_OF("d.example.com"), true, false},
	{"another driver's", LEAVING, {0}, PV_OF("other"), false, false},
	{"another driver's, whoever was to make it", MADE_BY("d.example.com"), {0}, PV_OF("other"),
		false, false},
	{"its volume is gone", MADE_BY("d.example.com"), {0}, NULL, true, false},
	{"its volume is gone, another driver's", MADE_BY("other"), {0}, NULL, false, false},
};

static void check_removed(const char *name, struct world *world, bool patched)
{
	assert_case(name, fake_api_count(&world->api) == (patched ? 1 : 0));
	if (patched)
		assert_case_text(name, fake_api_seen(&world->api, 0),
			PATCH " application/strategic-merge-patch+json {\"metadata\":"
			      "{\"uid\":\"u1\",\"$deleteFromPrimitiveList/finalizers\":"
			      "[\"provisioner.storage.kubernetes.io/cloning-protection\"]}}");
}

static void test_sync_protection(void **state)
{
	static const struct api_step step = {PATCH, 0, NULL, false};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(protections); i++) {
		_cleanup_object_ struct claim *claim = object_of(&claim_type, protections[i].claim);
		struct error err = {0};
		struct world world;
		int result;

		world_init(&world, NULL, 0, &step, 1);
		store_set(world.controller.claims, &claim->object);
		for (size_t j = 0; j < 2 && protections[i].others[j]; j++)
			world_set(world.controller.claims, &claim_type, protections[i].others[j]);
		if (protections[i].volume)
			world_set(world.controller.volumes, &volume_type, protections[i].volume);
		result = data_source_sync_protection(&world.controller, claim, &err);
		assert_case(protections[i].name, result == (protections[i].later ? -1 : 0));
		if (protections[i].later)
			assert_case(protections[i].name, err.kind == ERROR_UNAVAILABLE);
		check_removed(protections[i].name, &world, protections[i].patched);
		world_done(&world);
	}
}

/* Gone by then is as well; what fails is told. */
static void test_removal_fails(void **state)
{
	static const struct {
		struct api_step step;
		int result;
	} answers[] = {
		{{PATCH, ERROR_NOT_FOUND, "gone", false}, 0},
		{{PATCH, ERROR_CONFLICT, "another", false}, -1},
		{{PATCH, ERROR_UNAVAILABLE, "away", false}, -1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		_cleanup_object_ struct claim *claim = object_of(&claim_type, KEPT);
		struct error err = {0};
		struct world world;

		world_init(&world, NULL, 0, &answers[i].step, 1);
		world_set(world.controller.volumes, &volume_type, PV_OF("d.example.com"));
		assert_int_equal(data_source_sync_protection(&world.controller, claim, &err),
			answers[i].result);
		if (answers[i].result < 0)
			assert_int_equal(err.kind, answers[i].step.kind);
		world_done(&world);
	}
}

/* A copy that has its volume gives its source back, though it is not bound yet. */
static const struct {
	const char *name, *clone, *others[2];
	bool patched;
} releases[] = {
	{"the only one", USER, {KEPT, USER}, true},
	{"another is waiting", USER, {KEPT, CLAIM("copy-2", "u4", "", FROM_CLAIM("data"))}, false},
	{"not protected", USER, {PLAIN, USER}, false},
	{"its source is gone", USER, {USER}, false},
	{"another namespace's source", OTHERS, {KEPT}, false},
	{"a source elsewhere", ELSEWHERE, {KEPT}, false},
	{"no source", PLAIN, {KEPT}, false},
	{"a snapshot", CLAIM("copy", "u2", "", FROM_SNAPSHOT("data")), {KEPT}, false},
};

static void test_release(void **state)
{
	static const struct api_step step = {PATCH, 0, NULL, false};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(releases); i++) {
		_cleanup_object_ struct claim *claim = object_of(&claim_type, releases[i].clone);
		struct world world;

		world_init(&world, NULL, 0, &step, 1);
		for (size_t j = 0; j < 2 && releases[i].others[j]; j++)
			world_set(world.controller.claims, &claim_type, releases[i].others[j]);
		world_set(world.controller.volumes, &volume_type, PV_OF("d.example.com"));
		assert_case(
			releases[i].name, data_source_release(&world.controller, claim, NULL) == 0);
		check_removed(releases[i].name, &world, releases[i].patched);
		world_done(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_resolve),
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_restore_from),
		cmocka_unit_test(test_protection_patch),
		cmocka_unit_test(test_sync_protection),
		cmocka_unit_test(test_removal_fails),
		cmocka_unit_test(test_release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
