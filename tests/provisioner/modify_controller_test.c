/* SPDX-License-Identifier: Apache-2.0 */
#include "modify_controller.h"

#include <string.h>
#include <time.h>

#include "modify_fields.h"
#include "testing.h"
#include "world.h"

#define CLAIM_AT(version, wanted, rest)                                                            \
	"{'metadata':{'name':'c','namespace':'shop','uid':'u1','resourceVersion':'" version        \
	"'},'spec':{'volumeName':'pv1','volumeAttributesClassName':'" wanted                       \
	"'},'status':{'phase':'Bound'" rest "}}"
#define CLAIM(wanted, rest) CLAIM_AT("7", wanted, rest)
#define CURRENT(class)      ",'currentVolumeAttributesClassName':'" class "'"
#define IS(type)            "{'type':'" type "','status':'True'}"
#define WITH(list)          ",'conditions':[" list "]"
#define STATE(state, target)                                                                       \
	",'modifyVolumeStatus':{'status':'" state "','targetVolumeAttributesClassName':'" target   \
	"'}"
#define BEGUN(target) STATE("InProgress", target) WITH(IS("ModifyingVolume"))
#define FAILED(target)                                                                             \
	STATE("InProgress", target) WITH(IS("ModifyingVolume") "," IS("ModifyVolumeError"))
#define INFEASIBLE(target)                                                                         \
	STATE("Infeasible", target) WITH(IS("ModifyingVolume") "," IS("ModifyVolumeError"))

#define VOLUME_WITH(metadata, spec, csi)                                                           \
	"{'metadata':{'name':'pv1','uid':'v1','resourceVersion':'3'" metadata                      \
	"},'spec':{'claimRef':{'namespace':'shop','name':'c','uid':'u1'}" spec ",'csi':{" csi      \
	"'volumeHandle':'h1'}}}"
#define OURS          "'driver':'d.example.com',"
#define OF(class)     ",'volumeAttributesClassName':'" class "'"
#define VOLUME(class) VOLUME_WITH("", OF(class), OURS)
#define PLAIN         VOLUME_WITH("", "", OURS)
#define WITH_SECRET(namespace, name)                                                               \
	VOLUME_WITH(                                                                               \
		",'annotations':{'volume.kubernetes.io/controller-modify-secret-name':'" name      \
		"','volume.kubernetes.io/controller-modify-secret-namespace':'" namespace "'}",    \
		"", OURS)

#define CLASS_PATH(name) "GET /apis/storage.k8s.io/v1/volumeattributesclasses/" name
#define OLD_PATH(name)   "GET /apis/storage.k8s.io/v1beta1/volumeattributesclasses/" name
#define STATUS           "PATCH /api/v1/namespaces/shop/persistentvolumeclaims/c/status"
#define PV               "PATCH /api/v1/persistentvolumes/pv1"
#define SECRET           "GET /api/v1/namespaces/ns/secrets/s"

/* Answers of the API server. */
#define STEP(what, kind, text)                                                                     \
	{                                                                                          \
		what, kind, text, false                                                            \
	}
#define CLASS(name, driver)                                                                        \
	STEP(CLASS_PATH(name), ERROR_NONE,                                                         \
		"{'driverName':'" driver "','parameters':{'iops':'9','class':'" name "'}}")
#define GOLD             CLASS("gold", "d.example.com")
#define NO_CLASS         STEP(CLASS_PATH("gold"), ERROR_NOT_FOUND, "none")
#define NO_OLD_CLASS     STEP(OLD_PATH("gold"), ERROR_NOT_FOUND, "none")
#define NOT_SERVED(what) STEP(what, ERROR_UNAVAILABLE, "404")
#define ANSWER(status)   STEP(STATUS, ERROR_NONE, CLAIM_AT("8", "gold", status))
#define WRITTEN          STEP(STATUS, ERROR_NONE, CLAIM_AT("9", "gold", CURRENT("gold")))
#define PV_TAKEN         STEP(PV, ERROR_NONE, "{}")
#define CHANGED(what)    STEP(what, ERROR_CONFLICT, "changed")

/* What is sent; a time is written T. */
#define READ CLASS_PATH("gold") "\n"
#define STRATEGIC(version, status)                                                                 \
	STATUS " application/strategic-merge-patch+json {'metadata':{'uid':'u1',"                  \
	       "'resourceVersion':'" version "'},'status':{" status "}}\n"
#define SET_WITH(type, message)                                                                    \
	"{'type':'" type "','status':'True','lastTransitionTime':'T','message':'" message "'}"
#define DROP(type)       "{'$patch':'delete','type':'" type "'}"
#define CONDITIONS(list) "'conditions':[" list "]"
#define TELL(state, target)                                                                        \
	"'modifyVolumeStatus':{'targetVolumeAttributesClassName':'" target "','status':'" state "'}"
#define MODIFYING      SET_WITH("ModifyingVolume", "ModifyVolume operation in progress.")
#define BEGIN(version) STRATEGIC(version, CONDITIONS(MODIFYING) "," TELL("InProgress", "gold"))
#define SAVE                                                                                       \
	PV " application/merge-patch+json {'metadata':{'uid':'v1','resourceVersion':'3'},"         \
	   "'spec':{'volumeAttributesClassName':'gold'}}\n"
#define END             ",'modifyVolumeStatus':null,'currentVolumeAttributesClassName':'gold'"
#define FINISH(version) STRATEGIC(version, CONDITIONS(DROP("ModifyingVolume")) END)
#define BOTH            DROP("ModifyingVolume") "," DROP("ModifyVolumeError")
#define PENDING         STRATEGIC("7", TELL("Pending", "gold"))

#define CALLED "modify h1 parameters{iops=9,class=gold}"
#define MODIFY "Normal VolumeModify: external resizer is modifying volume pv1 with vac gold\n"
#define SUCCEEDED                                                                                  \
	MODIFY "Normal VolumeModifySuccessful: external resizer modified volume pv1 with vac "     \
	       "gold successfully\n"
#define WARNING(text) "Warning VolumeModifyFailed: " text "\n"
#define SAID_NO       "modify volume 'pv1' with vac gold failed: no"
#define QUOTED        "modify volume \\'pv1\\' with vac gold failed: no"
#define REFUSED       MODIFY WARNING(SAID_NO)

#define NO(kind)                                                                                   \
	{                                                                                          \
		kind, "no", 0, {NULL},                                                             \
		{                                                                                  \
			NULL                                                                       \
		}                                                                                  \
	}
#define DONE NO(ERROR_NONE)

struct row {
	const char *name, *claim, *volume;
	struct driver_step driver;
	struct api_step api[5];
	const char *sent, *calls, *events;
	enum error_kind kind; /* of the failure; ERROR_NONE: none */
	bool again;           /* later, though it did not fail */
};

static const struct row plain[] = {
	{"the first class", CLAIM("gold", ""), PLAIN, DONE,
		{GOLD, ANSWER(BEGUN("gold")), PV_TAKEN, WRITTEN}, READ BEGIN("7") SAVE FINISH("8"),
		CALLED, SUCCEEDED, ERROR_NONE, false},
	{"another class", CLAIM("gold", CURRENT("tin")), VOLUME("tin"), DONE,
		{GOLD, ANSWER(CURRENT("tin") BEGUN("gold")), PV_TAKEN, WRITTEN},
		READ BEGIN("7") SAVE FINISH("8"), CALLED, SUCCEEDED, ERROR_NONE, false},
	{"only the claim says it", CLAIM("gold", CURRENT("gold")), VOLUME("tin"), DONE,
		{GOLD, ANSWER(CURRENT("gold") BEGUN("gold")), PV_TAKEN, WRITTEN},
		READ BEGIN("7") SAVE FINISH("8"), CALLED, SUCCEEDED, ERROR_NONE, false},
	{"only the volume says it", CLAIM("gold", CURRENT("tin")), VOLUME("gold"), DONE,
		{GOLD, ANSWER(CURRENT("tin") BEGUN("gold")), WRITTEN}, READ BEGIN("7") FINISH("8"),
		CALLED, SUCCEEDED, ERROR_NONE, false},
	{"the class is one of before Kubernetes 1.34", CLAIM("gold", ""), PLAIN, DONE,
		{NOT_SERVED(CLASS_PATH("gold")),
			STEP(OLD_PATH("gold"), ERROR_NONE,
				"{'driverName':'d.example.com','parameters':{'iops':'9',"
				"'class':'gold'}}"),
			ANSWER(BEGUN("gold")), PV_TAKEN, WRITTEN},
		READ OLD_PATH("gold") "\n" BEGIN("7") SAVE FINISH("8"), CALLED, SUCCEEDED,
		ERROR_NONE, false},
	{"a class without parameters", CLAIM("gold", ""), PLAIN, DONE,
		{STEP(CLASS_PATH("gold"), ERROR_NONE, "{'driverName':'d.example.com'}"),
			ANSWER(BEGUN("gold")), PV_TAKEN, WRITTEN},
		READ BEGIN("7") SAVE FINISH("8"), "modify h1 parameters{}", SUCCEEDED, ERROR_NONE,
		false},
	{"with a secret", CLAIM("gold", ""), WITH_SECRET("ns", "s"), DONE,
		{GOLD, STEP(SECRET, ERROR_NONE, "{'data':{'k':'c2VjcmV0'}}"), ANSWER(BEGUN("gold")),
			PV_TAKEN, WRITTEN},
		READ SECRET "\n" BEGIN("7") SAVE FINISH("8"), CALLED " secrets{k=secret}",
		SUCCEEDED, ERROR_NONE, false},
	{"with annotations that name no secret", CLAIM("gold", ""), WITH_SECRET("", ""), DONE,
		{GOLD, ANSWER(BEGUN("gold")), PV_TAKEN, WRITTEN}, READ BEGIN("7") SAVE FINISH("8"),
		CALLED, SUCCEEDED, ERROR_NONE, false},
};

/* Claims and volumes that are none of our business: nothing is done. */
#define NOTHING DONE, {{0}}, "", "", "", ERROR_NONE, false
static const struct row idle[] = {
	{"done", CLAIM("gold", CURRENT("gold")), VOLUME("gold"), NOTHING},
	{"no class", CLAIM("", ""), PLAIN, NOTHING},
	{"no class any more", CLAIM("", CURRENT("gold")), VOLUME("gold"), NOTHING},
	{"no class any more, and the driver may be at work", CLAIM("", BEGUN("gold")), PLAIN,
		NOTHING},
	{"not bound",
		"{'metadata':{'name':'c','uid':'u1'},'spec':{'volumeName':'pv1',"
		"'volumeAttributesClassName':'gold'},'status':{'phase':'Lost'}}",
		PLAIN, NOTHING},
	{"without a volume",
		"{'metadata':{'name':'c','uid':'u1'},'spec':{'volumeAttributesClassName':'gold'},"
		"'status':{'phase':'Bound'}}",
		PLAIN, NOTHING},
	{"being deleted",
		"{'metadata':{'name':'c','uid':'u1','deletionTimestamp':'2024-01-01T00:00:00Z'},"
		"'spec':{'volumeName':'pv1','volumeAttributesClassName':'gold'},"
		"'status':{'phase':'Bound'}}",
		PLAIN, NOTHING},
	{"of another driver", CLAIM("gold", ""), VOLUME_WITH("", "", "'driver':'other',"), NOTHING},
	{"without a handle", CLAIM("gold", ""),
		"{'metadata':{'name':'pv1','uid':'v1'},'spec':{'claimRef':{'uid':'u1'},'csi':"
		"{'driver':'d.example.com'}}}",
		NOTHING},
	{"of another claim", CLAIM("gold", ""),
		"{'metadata':{'name':'pv1','uid':'v1'},'spec':{'claimRef':{'uid':'u2'},'csi':"
		"{'driver':'d.example.com','volumeHandle':'h1'}}}",
		NOTHING},
	{"of no claim", CLAIM("gold", ""),
		"{'metadata':{'name':'pv1','uid':'v1'},'spec':{'csi':"
		"{'driver':'d.example.com','volumeHandle':'h1'}}}",
		NOTHING},
	{"the volume is being deleted", CLAIM("gold", ""),
		VOLUME_WITH(",'deletionTimestamp':'2024-01-01T00:00:00Z'", "", OURS), NOTHING},
};

/* The driver fails, and what of that is written down. */
#define ERROR_IS        SET_WITH("ModifyVolumeError", QUOTED)
#define FAIL            STRATEGIC("8", CONDITIONS(ERROR_IS))
#define FAIL_INFEASIBLE STRATEGIC("8", CONDITIONS(ERROR_IS) "," TELL("Infeasible", "gold"))
#define FAILS(kind)                                                                                \
	CLAIM("gold", ""), PLAIN, NO(kind),                                                        \
	{                                                                                          \
		GOLD, ANSWER(BEGUN("gold")), WRITTEN                                               \
	}

static const struct row driver_failures[] = {
	{"infeasible", FAILS(ERROR_INVALID), READ BEGIN("7") FAIL_INFEASIBLE, CALLED, REFUSED,
		ERROR_NONE, true},
	{"final: INTERNAL", FAILS(ERROR_INTERNAL), READ BEGIN("7") FAIL, CALLED, REFUSED,
		ERROR_INTERNAL, false},
	{"final: NOT_FOUND", FAILS(ERROR_NOT_FOUND), READ BEGIN("7") FAIL, CALLED, REFUSED,
		ERROR_NOT_FOUND, false},
	{"final: OUT_OF_RANGE", FAILS(ERROR_OUT_OF_RANGE), READ BEGIN("7") FAIL, CALLED, REFUSED,
		ERROR_OUT_OF_RANGE, false},
	{"not final: TIMEOUT", FAILS(ERROR_TIMEOUT), READ BEGIN("7"), CALLED, REFUSED,
		ERROR_TIMEOUT, false},
	{"not final: UNAVAILABLE", FAILS(ERROR_UNAVAILABLE), READ BEGIN("7"), CALLED, REFUSED,
		ERROR_UNAVAILABLE, false},
	{"not final: CANCELLED", FAILS(ERROR_CANCELLED), READ BEGIN("7"), CALLED, REFUSED,
		ERROR_CANCELLED, false},
	{"not final: ABORTED", FAILS(ERROR_ABORTED), READ BEGIN("7"), CALLED, REFUSED,
		ERROR_ABORTED, false},
	{"not final: EXHAUSTED", FAILS(ERROR_EXHAUSTED), READ BEGIN("7"), CALLED, REFUSED,
		ERROR_EXHAUSTED, false},
	{"infeasible, which cannot be written down", CLAIM("gold", ""), PLAIN, NO(ERROR_INVALID),
		{GOLD, ANSWER(BEGUN("gold")), CHANGED(STATUS)}, READ BEGIN("7") FAIL_INFEASIBLE,
		CALLED, REFUSED, ERROR_INVALID, false},
};

/* The API server does. */
#define MISSING       "VolumeAttributesClass gold does not exist: create it, or name another one"
#define MAY_NOT(what) STEP(what, ERROR_FORBIDDEN, "may not")

static const struct row failures[] = {
	{"no such class", CLAIM("gold", ""), PLAIN, DONE, {NO_CLASS, WRITTEN}, READ PENDING, "",
		WARNING("modify volume 'pv1': " MISSING), ERROR_FAILED_PRECONDITION, false},
	{"no such class, as was said", CLAIM("gold", STATE("Pending", "gold")), PLAIN, DONE,
		{NO_CLASS}, READ, "", WARNING("modify volume 'pv1': " MISSING),
		ERROR_FAILED_PRECONDITION, false},
	{"no such class, as of another", CLAIM("gold", STATE("Pending", "tin")), PLAIN, DONE,
		{NO_CLASS, WRITTEN}, READ PENDING, "", WARNING("modify volume 'pv1': " MISSING),
		ERROR_FAILED_PRECONDITION, false},
	{"no such class, and that cannot be said", CLAIM("gold", ""), PLAIN, DONE,
		{NO_CLASS, CHANGED(STATUS)}, READ PENDING, "",
		WARNING("modify volume 'pv1': " MISSING), ERROR_FAILED_PRECONDITION, false},
	{"no such class, before Kubernetes 1.34", CLAIM("gold", ""), PLAIN, DONE,
		{NOT_SERVED(CLASS_PATH("gold")), NO_OLD_CLASS, WRITTEN},
		READ OLD_PATH("gold") "\n" PENDING, "", WARNING("modify volume 'pv1': " MISSING),
		ERROR_FAILED_PRECONDITION, false},
	{"no classes at all", CLAIM("gold", ""), PLAIN, DONE,
		{NOT_SERVED(CLASS_PATH("gold")),
			STEP(OLD_PATH("gold"), ERROR_UNAVAILABLE, "another 404")},
		READ OLD_PATH("gold") "\n", "",
		WARNING("modify volume 'pv1': VolumeAttributesClass gold: 404"), ERROR_UNAVAILABLE,
		false},
	{"forbidden, before Kubernetes 1.34", CLAIM("gold", ""), PLAIN, DONE,
		{NOT_SERVED(CLASS_PATH("gold")),
			STEP(OLD_PATH("gold"), ERROR_FORBIDDEN, "may not")},
		READ OLD_PATH("gold") "\n", "",
		WARNING("modify volume 'pv1': VolumeAttributesClass gold: may not"),
		ERROR_FORBIDDEN, false},
	{"another driver's class", CLAIM("gold", ""), PLAIN, DONE,
		{CLASS("gold", "other"), WRITTEN}, READ PENDING, "",
		WARNING("modify volume 'pv1': VolumeAttributesClass gold is for the driver other, "
			"and the volume is of d.example.com"),
		ERROR_NONE, true},
	{"another driver's class, and that cannot be said", CLAIM("gold", ""), PLAIN, DONE,
		{CLASS("gold", "other"), CHANGED(STATUS)}, READ PENDING, "",
		WARNING("modify volume 'pv1': VolumeAttributesClass gold is for the driver other, "
			"and the volume is of d.example.com"),
		ERROR_INVALID, false},
	{"a class that is no name", CLAIM("../gold", ""), PLAIN, DONE, {WRITTEN},
		STRATEGIC("7", TELL("Pending", "../gold")), "",
		WARNING("modify volume 'pv1': spec.volumeAttributesClassName is not the name of an "
			"object"),
		ERROR_NONE, true},
	{"the class is forbidden", CLAIM("gold", ""), PLAIN, DONE, {MAY_NOT(CLASS_PATH("gold"))},
		READ, "", WARNING("modify volume 'pv1': VolumeAttributesClass gold: may not"),
		ERROR_FORBIDDEN, false},
	{"no such secret", CLAIM("gold", ""), WITH_SECRET("ns", "s"), DONE,
		{GOLD, STEP(SECRET, ERROR_NOT_FOUND, "none")}, READ SECRET "\n", "",
		WARNING("modify volume 'pv1': secret ns/s: none"), ERROR_UNAVAILABLE, false},
	{"a secret that is no name", CLAIM("gold", ""), WITH_SECRET("ns", "s/../t"), DONE, {GOLD},
		READ, "",
		WARNING("modify volume 'pv1': its annotations "
			"volume.kubernetes.io/controller-modify-secret-name and ...-namespace do "
			"not name a secret"),
		ERROR_INVALID, false},
	{"a secret of no namespace", CLAIM("gold", ""), WITH_SECRET("", "s"), DONE, {GOLD}, READ,
		"",
		WARNING("modify volume 'pv1': its annotations "
			"volume.kubernetes.io/controller-modify-secret-name and ...-namespace do "
			"not name a secret"),
		ERROR_INVALID, false},
	{"the claim changed meanwhile", CLAIM("gold", ""), PLAIN, DONE, {GOLD, CHANGED(STATUS)},
		READ BEGIN("7"), "", "", ERROR_CONFLICT, false},
	{"the status is forbidden", CLAIM("gold", ""), PLAIN, DONE, {GOLD, MAY_NOT(STATUS)},
		READ BEGIN("7"), "",
		WARNING("modify volume 'pv1': write the claim's status: may not"), ERROR_FORBIDDEN,
		false},
	{"the volume changed meanwhile", CLAIM("gold", ""), PLAIN, DONE,
		{GOLD, ANSWER(BEGUN("gold")), CHANGED(PV)}, READ BEGIN("7") SAVE, CALLED, MODIFY,
		ERROR_CONFLICT, false},
	{"the volume is forbidden", CLAIM("gold", ""), PLAIN, DONE,
		{GOLD, ANSWER(BEGUN("gold")), MAY_NOT(PV)}, READ BEGIN("7") SAVE, CALLED,
		MODIFY WARNING("modify volume 'pv1': write the VolumeAttributesClass of "
			       "persistentvolume pv1: may not"),
		ERROR_FORBIDDEN, false},
	{"the end cannot be written", CLAIM("gold", ""), PLAIN, DONE,
		{GOLD, ANSWER(BEGUN("gold")), PV_TAKEN, CHANGED(STATUS)},
		READ BEGIN("7") SAVE FINISH("8"), CALLED, MODIFY, ERROR_CONFLICT, false},
	{"no such volume", CLAIM("gold", ""), NULL, DONE, {{0}}, "", "", "", ERROR_NOT_FOUND,
		false},
};

/* What comes of a change that was begun before, by us or another leader. */
#define CANCEL  STRATEGIC("7", CONDITIONS(BOTH) ",'modifyVolumeStatus':null")
#define RESTART STRATEGIC("7", CONDITIONS(DROP("ModifyVolumeError")) "," TELL("InProgress", "gold"))

static const struct row later[] = {
	{"in progress", CLAIM("gold", BEGUN("gold")), PLAIN, DONE, {GOLD, PV_TAKEN, WRITTEN},
		READ SAVE FINISH("7"), CALLED, SUCCEEDED, ERROR_NONE, false},
	{"the claim's end is missing", CLAIM("gold", BEGUN("gold")), VOLUME("gold"), DONE,
		{GOLD, WRITTEN}, READ FINISH("7"), CALLED, SUCCEEDED, ERROR_NONE, false},
	{"in progress, but nothing says so", CLAIM("gold", STATE("InProgress", "gold")), PLAIN,
		DONE, {GOLD, ANSWER(BEGUN("gold")), PV_TAKEN, WRITTEN},
		READ BEGIN("7") SAVE FINISH("8"), CALLED, SUCCEEDED, ERROR_NONE, false},
	{"after a final error", CLAIM("gold", FAILED("gold")), PLAIN, DONE,
		{GOLD, PV_TAKEN, WRITTEN}, READ SAVE STRATEGIC("7", CONDITIONS(BOTH) END), CALLED,
		SUCCEEDED, ERROR_NONE, false},
	{"a final error again", CLAIM("gold", FAILED("gold")), PLAIN, NO(ERROR_INTERNAL),
		{GOLD, WRITTEN}, READ STRATEGIC("7", CONDITIONS(ERROR_IS)), CALLED, REFUSED,
		ERROR_INTERNAL, false},
	{"in progress with another class", CLAIM("gold", BEGUN("tin")), PLAIN, DONE,
		{GOLD, ANSWER(BEGUN("gold")), PV_TAKEN, WRITTEN},
		READ STRATEGIC("7", TELL("InProgress", "gold")) SAVE FINISH("8"), CALLED, SUCCEEDED,
		ERROR_NONE, false},
	{"another class failed", CLAIM("gold", FAILED("tin")), PLAIN, DONE,
		{GOLD, ANSWER(BEGUN("gold")), PV_TAKEN, WRITTEN}, READ RESTART SAVE FINISH("8"),
		CALLED, SUCCEEDED, ERROR_NONE, false},
	{"another class was infeasible", CLAIM("gold", INFEASIBLE("tin")), PLAIN, DONE,
		{GOLD, ANSWER(BEGUN("gold")), PV_TAKEN, WRITTEN}, READ RESTART SAVE FINISH("8"),
		CALLED, SUCCEEDED, ERROR_NONE, false},
	{"infeasible, and nobody knows since when", CLAIM("gold", INFEASIBLE("gold")), PLAIN, DONE,
		{GOLD, ANSWER(BEGUN("gold")), PV_TAKEN, WRITTEN}, READ RESTART SAVE FINISH("8"),
		CALLED, SUCCEEDED, ERROR_NONE, false},
	{"the class has come", CLAIM("gold", STATE("Pending", "gold")), PLAIN, DONE,
		{GOLD, ANSWER(BEGUN("gold")), PV_TAKEN, WRITTEN}, READ BEGIN("7") SAVE FINISH("8"),
		CALLED, SUCCEEDED, ERROR_NONE, false},
	{"another class was infeasible, and the volume's is wanted again",
		CLAIM("gold", CURRENT("gold") INFEASIBLE("tin")), VOLUME("gold"), DONE, {WRITTEN},
		CANCEL, "", "", ERROR_NONE, false},
	{"a class was infeasible, and none is wanted any more", CLAIM("", INFEASIBLE("tin")), PLAIN,
		DONE, {WRITTEN}, CANCEL, "", "", ERROR_NONE, false},
	{"another class is not there, and the volume's is wanted again",
		CLAIM("gold", CURRENT("gold") STATE("Pending", "tin")), VOLUME("gold"), DONE,
		{WRITTEN}, STRATEGIC("7", "'modifyVolumeStatus':null"), "", "", ERROR_NONE, false},
	{"that cannot be written", CLAIM("gold", CURRENT("gold") INFEASIBLE("tin")), VOLUME("gold"),
		DONE, {CHANGED(STATUS)}, CANCEL, "", "", ERROR_CONFLICT, false},
	{"in progress with another class, and the volume's is wanted again",
		CLAIM("gold", CURRENT("gold") BEGUN("tin")), VOLUME("gold"), DONE,
		{GOLD, ANSWER(CURRENT("gold") BEGUN("gold")), WRITTEN},
		READ STRATEGIC("7", TELL("InProgress", "gold")) FINISH("8"), CALLED, SUCCEEDED,
		ERROR_NONE, false},
};

/* The driver has no MODIFY_VOLUME. */
#define CANNOT(quote)                                                                              \
	"modify volume " quote "pv1" quote " with vac gold failed: the driver d.example.com has "  \
	"no MODIFY_VOLUME"
#define SAY_SO STRATEGIC("7", CONDITIONS(SET_WITH("ModifyVolumeError", CANNOT("\\'"))))

static const struct row unable[] = {
	{"said", CLAIM("gold", ""), PLAIN, DONE, {WRITTEN}, SAY_SO, "", WARNING(CANNOT("'")),
		ERROR_NONE, false},
	{"said before", CLAIM("gold", WITH(IS("ModifyVolumeError"))), PLAIN, NOTHING},
	{"not said", CLAIM("gold", ""), PLAIN, DONE, {CHANGED(STATUS)}, SAY_SO, "", "",
		ERROR_CONFLICT, false},
	{"not wanted any more", CLAIM("", WITH(IS("ModifyVolumeError"))), PLAIN, DONE, {WRITTEN},
		STRATEGIC("7", CONDITIONS(DROP("ModifyVolumeError")) ",'modifyVolumeStatus':null"),
		"", "", ERROR_NONE, false},
};

static void init_world(struct world *world, const struct row *row)
{
	size_t steps = 0;

	while (steps < ARRAY_SIZE(row->api) && row->api[steps].match)
		steps++;
	world_init(world, &row->driver, 1, row->api, steps);
	world->controller.driver.info.modify_volume = true;
	world_set(world->controller.claims, &claim_type, row->claim);
	if (row->volume)
		world_set(world->controller.volumes, &volume_type, row->volume);
}

static void check_row(const struct row *row, bool able)
{
	_cleanup_free_ char *requests = NULL, *calls = NULL, *events = NULL;
	struct error err = {0};
	struct world world;
	int64_t again;
	int result;

	init_world(&world, row);
	world.controller.driver.info.modify_volume = able;
	result = modify_controller_sync(&world.controller, "u1", &again, &err);
	requests = world_sent(&world);
	calls = world_calls(&world);
	events = world_events(&world);
	world_simplify(events);
	assert_case_text(row->name, requests, row->sent);
	assert_case_text(row->name, calls, row->calls);
	assert_case_text(row->name, events, row->events);
	assert_case(row->name, result == (row->kind ? -1 : 0));
	assert_case(row->name, err.kind == row->kind || !row->kind);
	assert_case(row->name, again == (row->again ? world.controller.retry_max_ms : 0));
	world_done(&world);
}

#define CHECK_ROWS(rows, able)                                                                     \
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)                                              \
	check_row(&(rows)[i], able)

static void test_plain(void **state)
{
	(void)state;
	CHECK_ROWS(plain, true);
}

static void test_idle(void **state)
{
	(void)state;
	CHECK_ROWS(idle, true);
	CHECK_ROWS(idle, false);
}

static void test_failures(void **state)
{
	(void)state;
	CHECK_ROWS(driver_failures, true);
	CHECK_ROWS(failures, true);
}

static void test_later(void **state)
{
	(void)state;
	CHECK_ROWS(later, true);
}

static void test_unable(void **state)
{
	(void)state;
	CHECK_ROWS(unable, false);
}

/* Where every node has its own volumes, those of others are not ours. */
static void test_other_node(void **state)
{
	struct error err = {0};
	struct world world;
	int64_t again;

	(void)state;
	init_world(&world, &plain[0]);
	world.controller.driver.info.topology = true;
	world.controller.node = "n1";
	assert_int_equal(modify_controller_sync(&world.controller, "u1", &again, &err), 0);
	assert_int_equal(world.call_count + world.api.seen_count, 0);
	world_done(&world);
}

static void test_no_claim(void **state)
{
	struct world world;
	int64_t again = 1;

	(void)state;
	world_init(&world, NULL, 0, NULL, 0);
	assert_int_equal(modify_controller_sync(&world.controller, "u1", &again, NULL), 0);
	assert_int_equal(again, 0);
	world_done(&world);
}

/* The claim WANTED as it is SECONDS after TARGET was said to be in STATE. Caller frees. */
static char *claim_since(const char *wanted, const char *state, const char *target, int seconds)
{
	time_t when = time(NULL) - seconds;
	struct tm utc;
	char stamp[32];
	char *claim;

	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&when, &utc));
	if (asprintf(&claim,
		    CLAIM("%s", STATE("%s", "%s") ",'conditions':[{'type':'ModifyVolumeError',"
						  "'status':'True','lastTransitionTime':'%s'}]"),
		    wanted, state, target, stamp) < 0)
		abort();
	return claim;
}

/* What the driver said is impossible is tried again only after a while, or with another class. */
static void test_slow_retry(void **state)
{
	static const struct {
		const char *name, *state, *target;
		int seconds; /* since it was said; negative where clocks differ */
		bool waits;
	} rows[] = {
		{"just now", "Infeasible", "gold", 1, true},
		{"in the future", "Infeasible", "gold", -1000, true},
		{"long ago", "Infeasible", "gold", 301, false},
		{"another class", "Infeasible", "tin", 1, false},
		{"another error", "InProgress", "gold", 1, false},
		{"a state that we do not know", "Odd", "gold", 1, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *claim =
			claim_since("gold", rows[i].state, rows[i].target, rows[i].seconds);
		const struct row row = {rows[i].name, claim, PLAIN, NO(ERROR_UNAVAILABLE),
			{GOLD, ANSWER(BEGUN("gold"))}, "", "", "", 0, 0};
		struct error err = {0};
		struct world world;
		int64_t again;

		init_world(&world, &row);
		assert_case(rows[i].name, modify_controller_sync(&world.controller, "u1", &again,
						  &err) == (rows[i].waits ? 0 : -1));
		assert_case(rows[i].name, (again > 0) == rows[i].waits);
		assert_case(rows[i].name, again <= world.controller.retry_max_ms);
		assert_case(rows[i].name, world.call_count == (rows[i].waits ? 0 : 1));
		world_done(&world);
	}
}

/* Our own patches do not start a sync. */
static void test_concerns(void **state)
{
	static const char unbound[] = "{'metadata':{'name':'c','uid':'u1'},'spec':"
				      "{'volumeAttributesClassName':'gold'}}";
	static const struct {
		const char *name, *old, *new;
		bool concerns;
	} rows[] = {
		{"new", NULL, CLAIM("gold", ""), true},
		{"new, without a class", NULL, CLAIM("", ""), false},
		{"not bound", NULL, unbound, false},
		{"bound now", unbound, CLAIM("gold", CURRENT("gold")), true},
		{"the same", CLAIM("gold", ""), CLAIM("gold", ""), false},
		{"a first class", CLAIM("", ""), CLAIM("gold", ""), true},
		{"another class", CLAIM("tin", CURRENT("tin")), CLAIM("gold", CURRENT("tin")),
			true},
		{"no class any more", CLAIM("gold", CURRENT("gold")), CLAIM("", CURRENT("gold")),
			false},
		{"no class any more after an error", CLAIM("gold", INFEASIBLE("gold")),
			CLAIM("", INFEASIBLE("gold")), true},
		{"begun", CLAIM("gold", ""), CLAIM("gold", BEGUN("gold")), false},
		{"pending", CLAIM("gold", ""), CLAIM("gold", STATE("Pending", "gold")), false},
		{"failed", CLAIM("gold", BEGUN("gold")), CLAIM("gold", FAILED("gold")), false},
		{"infeasible", CLAIM("gold", BEGUN("gold")), CLAIM("gold", INFEASIBLE("gold")),
			false},
		{"done", CLAIM("gold", BEGUN("gold")), CLAIM("gold", CURRENT("gold")), false},
		{"undone", CLAIM("gold", CURRENT("gold")), CLAIM("gold", CURRENT("tin")), true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_object_ struct claim *old =
			rows[i].old ? object_of(&claim_type, rows[i].old) : NULL;
		_cleanup_object_ struct claim *new = object_of(&claim_type, rows[i].new);

		assert_case(rows[i].name, modify_controller_concerns(old, new) == rows[i].concerns);
	}
}

static void test_concerns_volume(void **state)
{
	static const struct {
		const char *name, *claim, *old, *new;
		bool concerns;
	} rows[] = {
		{"the same", CLAIM("gold", ""), VOLUME("tin"), VOLUME("tin"), false},
		{"as wanted", CLAIM("gold", ""), VOLUME("tin"), VOLUME("gold"), false},
		{"not as wanted", CLAIM("gold", ""), VOLUME("gold"), VOLUME("tin"), true},
		{"removed", CLAIM("gold", ""), VOLUME("gold"), PLAIN, true},
		{"of no claim that we know", "{'metadata':{'name':'c','uid':'u9'},'spec':{}}",
			VOLUME("gold"), VOLUME("tin"), false},
		{"of no claim", CLAIM("gold", ""), VOLUME("gold"),
			"{'metadata':{'name':'pv1','uid':'v1'},'spec':{}}", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_object_ struct volume *old = object_of(&volume_type, rows[i].old);
		_cleanup_object_ struct volume *new = object_of(&volume_type, rows[i].new);
		struct world world;

		world_init(&world, NULL, 0, NULL, 0);
		world_set(world.controller.claims, &claim_type, rows[i].claim);
		assert_case(rows[i].name, modify_controller_concerns_volume(
						  &world.controller, old, new) == rows[i].concerns);
		world_done(&world);
	}
}

static void test_fields(void **state)
{
	_cleanup_object_ struct claim *claim = object_of(&claim_type,
		CLAIM("gold", CURRENT("tin") STATE("Infeasible", "gold")
				      WITH(IS("Odd") ",{'type':'ModifyVolumeError','status':"
						     "'True','lastTransitionTime':"
						     "'1970-01-01T00:01:00Z'}")));
	_cleanup_object_ struct volume *volume = object_of(&volume_type, WITH_SECRET("ns", "s"));

	(void)state;
	assert_string_equal(claim->modify->current, "tin");
	assert_string_equal(claim->modify->target, "gold");
	assert_int_equal(claim->modify->state, MODIFY_INFEASIBLE);
	assert_int_equal(claim->modify->conditions, MODIFY_ERROR);
	assert_int_equal(claim->modify->failed_at, 60);
	assert_string_equal(volume->modify->secret_namespace, "ns");
	assert_string_equal(volume->modify->secret_name, "s");
	assert_null(modify_fields_state_name(MODIFY_NONE));
	assert_null(modify_fields_condition(2));
}

/* Fields of the wrong type, or that make no sense, count as not said. */
static void test_odd_fields(void **state)
{
	static const char *const claims[] = {
		"{'metadata':{'name':'c','uid':'u1'}}",
		"{'metadata':{'name':'c','uid':'u1'},'status':7}",
		"{'metadata':{'name':'c','uid':'u1'},'status':{'modifyVolumeStatus':[],"
		"'currentVolumeAttributesClassName':{},'conditions':[3,{},{'type':"
		"'ModifyingVolume'},{'type':'ModifyingVolume','status':'False'},{'status':'True'}]}"
		"}",
		"{'metadata':{'name':'c','uid':'u1'},'status':{'modifyVolumeStatus':{'status':"
		"'Odd','targetVolumeAttributesClassName':4}}}",
		"{'metadata':{'name':'c','uid':'u1'},'status':{'modifyVolumeStatus':{'status':"
		"true}}}",
	};
	_cleanup_object_ struct volume *volume = object_of(&volume_type,
		"{'metadata':{'name':'v','uid':'v1','annotations':{"
		"'volume.kubernetes.io/controller-modify-secret-name':'s'}},'spec':{}}");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(claims); i++) {
		_cleanup_object_ struct claim *claim = object_of(&claim_type, claims[i]);

		assert_case(claims[i], !*claim->modify->current && !*claim->modify->target);
		assert_case(claims[i], claim->modify->state == MODIFY_NONE);
		assert_case(claims[i], !claim->modify->conditions && !claim->modify->failed_at);
	}
	assert_null(volume->modify);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_later),
		cmocka_unit_test(test_unable),
		cmocka_unit_test(test_other_node),
		cmocka_unit_test(test_no_claim),
		cmocka_unit_test(test_slow_retry),
		cmocka_unit_test(test_concerns),
		cmocka_unit_test(test_concerns_volume),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_odd_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
