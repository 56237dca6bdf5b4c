/* SPDX-License-Identifier: Apache-2.0 */
#include "resize_controller.h"

#include <string.h>
#include <time.h>

#include "resize_fields.h"
#include "testing.h"
#include "world.h"

#define GI (1LL << 30)

#define CLAIM_AT(version, size, capacity, rest)                                                    \
	"{'metadata':{'name':'c','namespace':'shop','uid':'u1','resourceVersion':'" version        \
	"'},'spec':{'volumeName':'pv1','resources':{'requests':{'storage':'" size                  \
	"'}}},'status':{'phase':'Bound','capacity':{'storage':'" capacity "'}" rest "}}"
#define CLAIM(size, rest) CLAIM_AT("7", size, "1Gi", rest)

#define IS(type)    "{'type':'" type "','status':'True'}"
#define WITH(list)  ",'conditions':[" list "]"
#define STATE(name) ",'allocatedResourceStatuses':{'storage':'" name "'}"
#define ALLOC(size) ",'allocatedResources':{'storage':'" size "'}"
#define BEGUN(size) ALLOC(size) STATE("ControllerResizeInProgress") WITH(IS("Resizing"))
#define FAILED(size)                                                                               \
	ALLOC(size)                                                                                \
	STATE("ControllerResizeInProgress") WITH(IS("Resizing") "," IS("ControllerResizeError"))

#define VOLUME_WITH(size, annotations, csi, spec)                                                  \
	"{'metadata':{'name':'pv1','uid':'v1','resourceVersion':'3'" annotations                   \
	"},'spec':{'capacity':{'storage':'" size "'},'accessModes':['ReadWriteOnce'],"             \
	"'claimRef':{'namespace':'shop','name':'c','uid':'u1'}" spec                               \
	",'csi':{'driver':'d.example.com','volumeHandle':'h1'" csi "}}}"
#define VOLUME(size) VOLUME_WITH(size, "", "", "")
#define MARKED       ",'annotations':{'volume.alpha.kubernetes.io/pre-resize-capacity':'1Gi'}"

#define STATUS "PATCH /api/v1/namespaces/shop/persistentvolumeclaims/c/status"
#define PV     "PATCH /api/v1/persistentvolumes/pv1"
#define SECRET "GET /api/v1/namespaces/ns/secrets/s"
#define ANSWER(size, rest)                                                                         \
	{                                                                                          \
		STATUS, ERROR_NONE, CLAIM_AT("8", size, "1Gi", rest), false                        \
	}
#define WRITTEN                                                                                    \
	{                                                                                          \
		STATUS, ERROR_NONE, CLAIM_AT("9", "2Gi", "2Gi", ""), false                         \
	}
#define PV_TAKEN                                                                                   \
	{                                                                                          \
		PV, ERROR_NONE, "{}", false                                                        \
	}

/* What is sent; a time is written T. */
#define STRATEGIC(version, status)                                                                 \
	STATUS " application/strategic-merge-patch+json {'metadata':{'uid':'u1',"                  \
	       "'resourceVersion':'" version "'},'status':{" status "}}\n"
#define SET(type) "{'type':'" type "','status':'True','lastTransitionTime':'T'}"
#define SET_WITH(type, message)                                                                    \
	"{'type':'" type "','status':'True','lastTransitionTime':'T','message':'" message "'}"
#define DROP(type)       "{'$patch':'delete','type':'" type "'}"
#define CONDITIONS(list) "'conditions':[" list "]"
#define STATES(name)     ",'allocatedResourceStatuses':{'storage':" name "}"
#define IN_PROGRESS(size)                                                                          \
	STATES("'ControllerResizeInProgress'") ",'allocatedResources':{'storage':'" size "'}"
#define BEGIN(size) STRATEGIC("7", CONDITIONS(SET("Resizing")) IN_PROGRESS(size))
#define SAVE(size)                                                                                 \
	PV " application/merge-patch+json {'metadata':{'uid':'v1','resourceVersion':'3'},"         \
	   "'spec':{'capacity':{'storage':'" size "'}}}\n"
#define SAVE_FOR_NODE(size)                                                                        \
	PV " application/merge-patch+json {'metadata':{'uid':'v1','resourceVersion':'3',"          \
	   "'annotations':{'volume.alpha.kubernetes.io/pre-resize-capacity':'1Gi'}},"              \
	   "'spec':{'capacity':{'storage':'" size "'}}}\n"
#define FINISH(version, size)                                                                      \
	STRATEGIC(version,                                                                         \
		CONDITIONS(DROP("Resizing")) STATES("null") ",'capacity':{'storage':'" size "'}")
#define WAITING                                                                                    \
	"Waiting for user to (re-)start a pod to finish file system resize of volume on node."
#define PENDING(version)                                                                           \
	STRATEGIC(version, CONDITIONS(DROP("Resizing") "," SET_WITH("FileSystemResizePending",     \
				   WAITING)) STATES("'NodeResizePending'"))

#define EXPAND(bytes) "expand h1 " bytes " modes[ReadWriteOnce] options[]"
#define TWO           "2147483648"
#define RESIZING      "Normal Resizing: External resizer is resizing volume pv1\n"
#define SUCCEEDED     RESIZING "Normal VolumeResizeSuccessful: Resize volume succeeded\n"
#define NODE_NEXT                                                                                  \
	RESIZING "Normal FileSystemResizeRequired: Require file system resize of volume on node\n"
#define SAID_NO "resize volume 'pv1' by resizer 'd.example.com' failed: no"
#define REFUSED RESIZING "Warning VolumeResizeFailed: " SAID_NO "\n"

#define GROWN(bytes)                                                                               \
	{                                                                                          \
		ERROR_NONE, NULL, bytes, {NULL},                                                   \
		{                                                                                  \
			NULL                                                                       \
		}                                                                                  \
	}
#define NO(kind)                                                                                   \
	{                                                                                          \
		kind, "no", 0, {NULL},                                                             \
		{                                                                                  \
			NULL                                                                       \
		}                                                                                  \
	}

enum can { CONTROLLER = 1, NODE = 2, BOTH = 3 };

struct row {
	const char *name, *claim, *volume;
	enum can can;
	struct driver_step driver;
	struct api_step api[4];
	const char *sent, *calls, *events;
	enum error_kind kind; /* of the failure; ERROR_NONE: none */
	bool again;           /* later, though it did not fail */
};

static const struct row plain[] = {
	{"grows", CLAIM("2Gi", ""), VOLUME("1Gi"), BOTH, GROWN(2 * GI),
		{ANSWER("2Gi", BEGUN("2Gi")), PV_TAKEN, WRITTEN},
		BEGIN("2Gi") SAVE("2Gi") FINISH("8", "2Gi"), EXPAND(TWO), SUCCEEDED, ERROR_NONE,
		false},
	{"grows, and nothing enforces it", CLAIM("2Gi", ""),
		VOLUME_WITH("1Gi", "", ",'volumeAttributes':{'ordinal.dev/quota':'none'}", ""),
		BOTH, GROWN(2 * GI), {ANSWER("2Gi", BEGUN("2Gi")), PV_TAKEN, WRITTEN},
		BEGIN("2Gi") SAVE("2Gi") FINISH("8", "2Gi"), EXPAND(TWO),
		SUCCEEDED "Normal SizeNotEnforced: The new size is written down, but nothing "
			  "enforces it: the volume has no quota, and shares the room of its file "
			  "system with others\n",
		ERROR_NONE, false},
	{"grows, as a quota says", CLAIM("2Gi", ""),
		VOLUME_WITH("1Gi", "", ",'volumeAttributes':{'ordinal.dev/quota':'enforced'}", ""),
		BOTH, GROWN(2 * GI), {ANSWER("2Gi", BEGUN("2Gi")), PV_TAKEN, WRITTEN},
		BEGIN("2Gi") SAVE("2Gi") FINISH("8", "2Gi"), EXPAND(TWO), SUCCEEDED, ERROR_NONE,
		false},
	{"the driver gives more", CLAIM("2Gi", ""), VOLUME("1Gi"), BOTH, GROWN(3 * GI),
		{ANSWER("2Gi", BEGUN("2Gi")), PV_TAKEN, WRITTEN},
		BEGIN("2Gi") SAVE("3Gi") FINISH("8", "3Gi"), EXPAND(TWO), SUCCEEDED, ERROR_NONE,
		false},
	{"the node has to act", CLAIM("2Gi", ""), VOLUME("1Gi"), BOTH,
		GROWN(2 * GI + WORLD_NODE_EXPANSION),
		{ANSWER("2Gi", BEGUN("2Gi")), PV_TAKEN, WRITTEN},
		BEGIN("2Gi") SAVE_FOR_NODE("2Gi") PENDING("8"), EXPAND(TWO), NODE_NEXT, ERROR_NONE,
		false},
	{"the node has to act, as before", CLAIM("2Gi", ""), VOLUME_WITH("1Gi", MARKED, "", ""),
		BOTH, GROWN(2 * GI + WORLD_NODE_EXPANSION),
		{ANSWER("2Gi", BEGUN("2Gi")), PV_TAKEN, WRITTEN},
		BEGIN("2Gi") SAVE("2Gi") PENDING("8"), EXPAND(TWO), NODE_NEXT, ERROR_NONE, false},
	{"only nodes can", CLAIM("2Gi", ""), VOLUME("1Gi"), NODE, NO(ERROR_INTERNAL),
		{ANSWER("2Gi", BEGUN("2Gi")), PV_TAKEN, WRITTEN},
		BEGIN("2Gi") SAVE_FOR_NODE("2Gi") PENDING("8"), "", NODE_NEXT, ERROR_NONE, false},
	{"nothing is tracked", CLAIM("2Gi", ""), VOLUME("1Gi"), CONTROLLER, GROWN(2 * GI),
		{ANSWER("2Gi", WITH(IS("Resizing"))), PV_TAKEN, WRITTEN},
		BEGIN("2Gi") SAVE("2Gi") STRATEGIC(
			"8", CONDITIONS(DROP("Resizing")) ",'capacity':{'storage':'2Gi'}"),
		EXPAND(TWO), SUCCEEDED, ERROR_NONE, false},
	{"nothing is tracked, and the node has to act", CLAIM("2Gi", ""), VOLUME("1Gi"), CONTROLLER,
		GROWN(2 * GI + WORLD_NODE_EXPANSION),
		{ANSWER("2Gi", WITH(IS("Resizing"))), PV_TAKEN, WRITTEN},
		BEGIN("2Gi") SAVE_FOR_NODE("2Gi")
			STRATEGIC("8", CONDITIONS(DROP("Resizing") "," SET_WITH(
					       "FileSystemResizePending", WAITING))),
		EXPAND(TWO), NODE_NEXT, ERROR_NONE, false},
	{"all that a call says", CLAIM("2Gi", ""),
		VOLUME_WITH("1Gi", "",
			",'fsType':'xfs','controllerExpandSecretRef':{'namespace':'ns','name':'s'}",
			",'volumeMode':'Block','mountOptions':['hard']"),
		BOTH, GROWN(2 * GI),
		{{SECRET, ERROR_NONE, "{'data':{'k':'c2VjcmV0'}}", false},
			ANSWER("2Gi", BEGUN("2Gi")), PV_TAKEN, WRITTEN},
		SECRET "\n" BEGIN("2Gi") SAVE("2Gi") FINISH("8", "2Gi"),
		"expand h1 " TWO
		" modes[ReadWriteOnce] options[hard] fs=xfs block secrets{k=secret}",
		SUCCEEDED, ERROR_NONE, false},
};

/* Claims and volumes that are none of our business: nothing is done. */
static const struct row idle[] = {
	{"large enough", CLAIM("1024Mi", ""), VOLUME("1Gi"), BOTH, NO(0), {{0}}, "", "", "", 0, 0},
	{"not bound",
		"{'metadata':{'name':'c','uid':'u1'},'spec':{'volumeName':'pv1','resources':"
		"{'requests':{'storage':'2Gi'}}},'status':{'phase':'Lost','capacity':"
		"{'storage':'1Gi'}}}",
		VOLUME("1Gi"), BOTH, NO(0), {{0}}, "", "", "", 0, 0},
	{"being deleted",
		"{'metadata':{'name':'c','uid':'u1','deletionTimestamp':'2024-01-01T00:00:00Z'},"
		"'spec':{'volumeName':'pv1','resources':{'requests':{'storage':'2Gi'}}},'status':"
		"{'phase':'Bound','capacity':{'storage':'1Gi'}}}",
		VOLUME("1Gi"), BOTH, NO(0), {{0}}, "", "", "", 0, 0},
	{"of another driver", CLAIM("2Gi", ""),
		"{'metadata':{'name':'pv1','uid':'v1'},'spec':{'capacity':{'storage':'1Gi'},"
		"'claimRef':{'uid':'u1'},'csi':{'driver':'other','volumeHandle':'h1'}}}",
		BOTH, NO(0), {{0}}, "", "", "", 0, 0},
	{"of another claim", CLAIM("2Gi", ""),
		"{'metadata':{'name':'pv1','uid':'v1'},'spec':{'capacity':{'storage':'1Gi'},"
		"'claimRef':{'uid':'u2'},'csi':{'driver':'d.example.com','volumeHandle':'h1'}}}",
		BOTH, NO(0), {{0}}, "", "", "", 0, 0},
	{"of no claim", CLAIM("2Gi", ""),
		"{'metadata':{'name':'pv1','uid':'v1'},'spec':{'capacity':{'storage':'1Gi'},"
		"'csi':{'driver':'d.example.com','volumeHandle':'h1'}}}",
		BOTH, NO(0), {{0}}, "", "", "", 0, 0},
	{"the volume is being deleted", CLAIM("2Gi", ""),
		"{'metadata':{'name':'pv1','uid':'v1','deletionTimestamp':'2024-01-01T00:00:00Z'},"
		"'spec':{'capacity':{'storage':'1Gi'},'claimRef':{'uid':'u1'},'csi':{'driver':"
		"'d.example.com','volumeHandle':'h1'}}}",
		BOTH, NO(0), {{0}}, "", "", "", 0, 0},
	{"pending on the node", CLAIM("2Gi", ALLOC("2Gi") STATE("NodeResizePending")),
		VOLUME("2Gi"), BOTH, NO(0), {{0}}, "", "", "", 0, 0},
	{"in progress on the node", CLAIM("2Gi", ALLOC("2Gi") STATE("NodeResizeInProgress")),
		VOLUME("2Gi"), BOTH, NO(0), {{0}}, "", "", "", 0, 0},
	{"pending on the node, and more is wanted",
		CLAIM("3Gi", ALLOC("2Gi") STATE("NodeResizePending")), VOLUME("2Gi"), BOTH, NO(0),
		{{0}}, "", "", "", 0, 0},
	{"pending on the node, untracked", CLAIM("2Gi", WITH(IS("FileSystemResizePending"))),
		VOLUME("2Gi"), BOTH, NO(0), {{0}}, "", "", "", 0, 0},
};

/* Failures, and what of them is written down. */
#define FAIL(state)                                                                                \
	STRATEGIC("8",                                                                             \
		CONDITIONS(SET_WITH("ControllerResizeError",                                       \
			"resize volume \\'pv1\\' by resizer \\'d.example.com\\' failed: no"))      \
			state)
#define FAILS(kind)                                                                                \
	BOTH, NO(kind),                                                                            \
	{                                                                                          \
		ANSWER("2Gi", BEGUN("2Gi")), WRITTEN                                               \
	}

static const struct row failures[] = {
	{"infeasible: OUT_OF_RANGE", CLAIM("2Gi", ""), VOLUME("1Gi"), FAILS(ERROR_OUT_OF_RANGE),
		BEGIN("2Gi") FAIL(STATES("'ControllerResizeInfeasible'")), EXPAND(TWO), REFUSED,
		ERROR_NONE, true},
	{"infeasible: INVALID", CLAIM("2Gi", ""), VOLUME("1Gi"), FAILS(ERROR_INVALID),
		BEGIN("2Gi") FAIL(STATES("'ControllerResizeInfeasible'")), EXPAND(TWO), REFUSED,
		ERROR_NONE, true},
	{"infeasible: NOT_FOUND", CLAIM("2Gi", ""), VOLUME("1Gi"), FAILS(ERROR_NOT_FOUND),
		BEGIN("2Gi") FAIL(STATES("'ControllerResizeInfeasible'")), EXPAND(TWO), REFUSED,
		ERROR_NONE, true},
	{"final", CLAIM("2Gi", ""), VOLUME("1Gi"), FAILS(ERROR_INTERNAL), BEGIN("2Gi") FAIL(""),
		EXPAND(TWO), REFUSED, ERROR_INTERNAL, false},
	{"in use", CLAIM("2Gi", ""), VOLUME("1Gi"), FAILS(ERROR_FAILED_PRECONDITION),
		BEGIN("2Gi") FAIL(""), EXPAND(TWO), REFUSED, ERROR_FAILED_PRECONDITION, false},
	{"not final: TIMEOUT", CLAIM("2Gi", ""), VOLUME("1Gi"), FAILS(ERROR_TIMEOUT), BEGIN("2Gi"),
		EXPAND(TWO), REFUSED, ERROR_TIMEOUT, false},
	{"not final: UNAVAILABLE", CLAIM("2Gi", ""), VOLUME("1Gi"), FAILS(ERROR_UNAVAILABLE),
		BEGIN("2Gi"), EXPAND(TWO), REFUSED, ERROR_UNAVAILABLE, false},
	{"not final: CANCELLED", CLAIM("2Gi", ""), VOLUME("1Gi"), FAILS(ERROR_CANCELLED),
		BEGIN("2Gi"), EXPAND(TWO), REFUSED, ERROR_CANCELLED, false},
	{"not final: ABORTED", CLAIM("2Gi", ""), VOLUME("1Gi"), FAILS(ERROR_ABORTED), BEGIN("2Gi"),
		EXPAND(TWO), REFUSED, ERROR_ABORTED, false},
	{"not final: EXHAUSTED", CLAIM("2Gi", ""), VOLUME("1Gi"), FAILS(ERROR_EXHAUSTED),
		BEGIN("2Gi"), EXPAND(TWO), REFUSED, ERROR_EXHAUSTED, false},
	{"infeasible, untracked", CLAIM("2Gi", ""), VOLUME("1Gi"), BOTH, NO(ERROR_OUT_OF_RANGE),
		{ANSWER("2Gi", WITH(IS("Resizing")))}, BEGIN("2Gi"), EXPAND(TWO), REFUSED,
		ERROR_NONE, true},
	{"final, untracked", CLAIM("2Gi", ""), VOLUME("1Gi"), BOTH, NO(ERROR_INTERNAL),
		{ANSWER("2Gi", WITH(IS("Resizing")))}, BEGIN("2Gi"), EXPAND(TWO), REFUSED,
		ERROR_INTERNAL, false},
	{"infeasible, which cannot be written down", CLAIM("2Gi", ""), VOLUME("1Gi"), BOTH,
		NO(ERROR_OUT_OF_RANGE),
		{ANSWER("2Gi", BEGUN("2Gi")), {STATUS, ERROR_CONFLICT, "changed", false}},
		BEGIN("2Gi") FAIL(STATES("'ControllerResizeInfeasible'")), EXPAND(TWO), REFUSED,
		ERROR_OUT_OF_RANGE, false},
	{"the claim changed meanwhile", CLAIM("2Gi", ""), VOLUME("1Gi"), BOTH, NO(0),
		{{STATUS, ERROR_CONFLICT, "changed", false}}, BEGIN("2Gi"), "", "", ERROR_CONFLICT,
		false},
	{"the status is forbidden", CLAIM("2Gi", ""), VOLUME("1Gi"), BOTH, NO(0),
		{{STATUS, ERROR_FORBIDDEN, "may not", false}}, BEGIN("2Gi"), "",
		"Warning VolumeResizeFailed: resize volume 'pv1': write the claim's status: may "
		"not\n",
		ERROR_FORBIDDEN, false},
	{"the volume's size is forbidden", CLAIM("2Gi", ""), VOLUME("1Gi"), BOTH, GROWN(2 * GI),
		{ANSWER("2Gi", BEGUN("2Gi")), {PV, ERROR_FORBIDDEN, "may not", false}},
		BEGIN("2Gi") SAVE("2Gi"), EXPAND(TWO),
		RESIZING "Warning VolumeResizeFailed: resize volume 'pv1': write the size of "
			 "persistentvolume pv1: may not\n",
		ERROR_FORBIDDEN, false},
	{"the volume changed meanwhile", CLAIM("2Gi", ""), VOLUME("1Gi"), BOTH, GROWN(2 * GI),
		{ANSWER("2Gi", BEGUN("2Gi")), {PV, ERROR_CONFLICT, "changed", false}},
		BEGIN("2Gi") SAVE("2Gi"), EXPAND(TWO), RESIZING, ERROR_CONFLICT, false},
	{"the end cannot be written", CLAIM("2Gi", ""), VOLUME("1Gi"), BOTH, GROWN(2 * GI),
		{ANSWER("2Gi", BEGUN("2Gi")), PV_TAKEN, {STATUS, ERROR_CONFLICT, "", false}},
		BEGIN("2Gi") SAVE("2Gi") FINISH("8", "2Gi"), EXPAND(TWO), RESIZING, ERROR_CONFLICT,
		false},
	{"no such volume", CLAIM("2Gi", ""), NULL, BOTH, NO(0), {{0}}, "", "", "", ERROR_NOT_FOUND,
		false},
	{"no size", CLAIM("many", ""), VOLUME("1Gi"), BOTH, NO(0), {{0}}, "", "", "", ERROR_INVALID,
		false},
};

/* What comes of a growth that was begun before, by us or another leader. */
#define ON(size)                                                                                   \
	STRATEGIC("7", "'allocatedResourceStatuses':{'storage':'ControllerResizeInProgress'},"     \
		       "'allocatedResources':{'storage':'" size "'}")
#define AGAIN STRATEGIC("7", CONDITIONS(DROP("ControllerResizeError")) IN_PROGRESS("2Gi"))
#define OF_NODE(size)                                                                              \
	ALLOC(size)                                                                                \
	STATE("NodeResizeInfeasible")                                                              \
	WITH(IS("FileSystemResizePending") "," IS("NodeResizeError"))
#define MEND(size)                                                                                 \
	STRATEGIC("7", CONDITIONS(SET("Resizing") "," DROP("FileSystemResizePending") "," DROP(    \
			       "NodeResizeError")) IN_PROGRESS(size))

static const struct row later[] = {
	{"in progress", CLAIM("2Gi", BEGUN("2Gi")), VOLUME("1Gi"), BOTH, GROWN(2 * GI),
		{ANSWER("2Gi", BEGUN("2Gi")), PV_TAKEN, WRITTEN},
		ON("2Gi") SAVE("2Gi") FINISH("8", "2Gi"), EXPAND(TWO), SUCCEEDED, ERROR_NONE,
		false},
	{"the claim's end is missing", CLAIM("2Gi", BEGUN("2Gi")), VOLUME("2Gi"), BOTH,
		GROWN(2 * GI), {ANSWER("2Gi", BEGUN("2Gi")), WRITTEN}, ON("2Gi") FINISH("8", "2Gi"),
		EXPAND(TWO), SUCCEEDED, ERROR_NONE, false},
	{"the claim's end is missing, for the node", CLAIM("2Gi", BEGUN("2Gi")),
		VOLUME_WITH("2Gi", MARKED, "", ""), BOTH, GROWN(2 * GI + WORLD_NODE_EXPANSION),
		{ANSWER("2Gi", BEGUN("2Gi")), WRITTEN}, ON("2Gi") PENDING("8"), EXPAND(TWO),
		NODE_NEXT, ERROR_NONE, false},
	{"the volume is larger than the driver says", CLAIM("2Gi", BEGUN("2Gi")), VOLUME("3Gi"),
		BOTH, GROWN(2 * GI + WORLD_NODE_EXPANSION),
		{ANSWER("2Gi", BEGUN("2Gi")), PV_TAKEN, WRITTEN},
		ON("2Gi") SAVE_FOR_NODE("3Gi") PENDING("8"), EXPAND(TWO), NODE_NEXT, ERROR_NONE,
		false},
	{"the claim's end is missing, untracked", CLAIM("2Gi", WITH(IS("Resizing"))), VOLUME("2Gi"),
		BOTH, GROWN(2 * GI), {ANSWER("2Gi", WITH(IS("Resizing"))), WRITTEN},
		ON("2Gi") STRATEGIC(
			"8", CONDITIONS(DROP("Resizing")) ",'capacity':{'storage':'2Gi'}"),
		EXPAND(TWO), SUCCEEDED, ERROR_NONE, false},
	{"in progress, but the cache is behind", CLAIM("2Gi", BEGUN("2Gi")), VOLUME("1Gi"), BOTH,
		NO(0), {{STATUS, ERROR_CONFLICT, "changed", false}}, ON("2Gi"), "", "",
		ERROR_CONFLICT, false},
	{"in progress, and more is wanted", CLAIM("3Gi", BEGUN("2Gi")), VOLUME("1Gi"), BOTH,
		GROWN(2 * GI), {ANSWER("2Gi", BEGUN("2Gi")), PV_TAKEN, WRITTEN},
		ON("2Gi") SAVE("2Gi") FINISH("8", "2Gi"), EXPAND(TWO), SUCCEEDED, ERROR_NONE,
		false},
	{"in progress, and less is wanted: it may be at work", CLAIM("1500Mi", BEGUN("2Gi")),
		VOLUME("1Gi"), BOTH, GROWN(2 * GI),
		{ANSWER("2Gi", BEGUN("2Gi")), PV_TAKEN, WRITTEN},
		ON("2Gi") SAVE("2Gi") FINISH("8", "2Gi"), EXPAND(TWO), SUCCEEDED, ERROR_NONE,
		false},
	{"less is wanted after a final error", CLAIM("2Gi", FAILED("8Gi")), VOLUME("1Gi"), BOTH,
		GROWN(2 * GI), {ANSWER("2Gi", BEGUN("2Gi")), PV_TAKEN, WRITTEN},
		AGAIN SAVE("2Gi") FINISH("8", "2Gi"), EXPAND(TWO), SUCCEEDED, ERROR_NONE, false},
	{"less is wanted than was infeasible",
		CLAIM("2Gi", ALLOC("8Gi") STATE("ControllerResizeInfeasible")
				     WITH(IS("Resizing") "," IS("ControllerResizeError"))),
		VOLUME("1Gi"), BOTH, GROWN(2 * GI),
		{ANSWER("2Gi", BEGUN("2Gi")), PV_TAKEN, WRITTEN},
		AGAIN SAVE("2Gi") FINISH("8", "2Gi"), EXPAND(TWO), SUCCEEDED, ERROR_NONE, false},
	{"the same, as Kubernetes 1.28 called it",
		CLAIM("2Gi", ALLOC("8Gi") STATE("ControllerResizeFailed")
				     WITH(IS("Resizing") "," IS("ControllerResizeError"))),
		VOLUME("1Gi"), BOTH, GROWN(2 * GI),
		{ANSWER("2Gi", BEGUN("2Gi")), PV_TAKEN, WRITTEN},
		AGAIN SAVE("2Gi") FINISH("8", "2Gi"), EXPAND(TWO), SUCCEEDED, ERROR_NONE, false},
	{"less than was infeasible, and the volume has that",
		CLAIM("2Gi", ALLOC("8Gi") STATE("ControllerResizeInfeasible")
				     WITH(IS("Resizing") "," IS("ControllerResizeError"))),
		VOLUME("3Gi"), BOTH, GROWN(3 * GI), {ANSWER("2Gi", BEGUN("2Gi")), WRITTEN},
		AGAIN FINISH("8", "3Gi"), EXPAND(TWO), SUCCEEDED, ERROR_NONE, false},
	{"a second growth", CLAIM("2Gi", ALLOC("1Gi")), VOLUME("1Gi"), BOTH, GROWN(2 * GI),
		{ANSWER("2Gi", BEGUN("2Gi")), PV_TAKEN, WRITTEN},
		BEGIN("2Gi") SAVE("2Gi") FINISH("8", "2Gi"), EXPAND(TWO), SUCCEEDED, ERROR_NONE,
		false},
	{"no state, but a size", CLAIM("1500Mi", ALLOC("2Gi")), VOLUME("2Gi"), BOTH, GROWN(2 * GI),
		{ANSWER("1500Mi", BEGUN("2Gi")), WRITTEN}, BEGIN("2Gi") FINISH("8", "2Gi"),
		EXPAND(TWO), SUCCEEDED, ERROR_NONE, false},
	{"the node could not", CLAIM("2Gi", OF_NODE("2Gi")), VOLUME_WITH("2Gi", MARKED, "", ""),
		BOTH, GROWN(2 * GI + WORLD_NODE_EXPANSION), {ANSWER("2Gi", BEGUN("2Gi")), WRITTEN},
		MEND("2Gi") PENDING("8"), EXPAND(TWO), NODE_NEXT, ERROR_NONE, false},
	{"the node could not, and less is wanted", CLAIM("1500Mi", OF_NODE("2Gi")),
		VOLUME_WITH("2Gi", MARKED, "", ""), BOTH, GROWN(2 * GI + WORLD_NODE_EXPANSION),
		{ANSWER("1500Mi", BEGUN("2Gi")), WRITTEN}, MEND("2Gi") PENDING("8"), EXPAND(TWO),
		NODE_NEXT, ERROR_NONE, false},
	{"the node alone could not, and less is wanted", CLAIM("2Gi", OF_NODE("3Gi")),
		VOLUME_WITH("3Gi", MARKED, "", ""), NODE, NO(0),
		{ANSWER("2Gi", BEGUN("2Gi")), WRITTEN}, MEND("2Gi") PENDING("8"), "", NODE_NEXT,
		ERROR_NONE, false},
	{"the node could not, and more is wanted", CLAIM("3Gi", OF_NODE("2Gi")),
		VOLUME_WITH("2Gi", MARKED, "", ""), BOTH, GROWN(2 * GI + WORLD_NODE_EXPANSION),
		{ANSWER("3Gi", BEGUN("2Gi")), WRITTEN}, MEND("2Gi") PENDING("8"), EXPAND(TWO),
		NODE_NEXT, ERROR_NONE, false},
	{"pending, but the volume's size was lost",
		CLAIM("2Gi", ALLOC("2Gi") STATE("NodeResizePending")
				     WITH(IS("FileSystemResizePending"))),
		VOLUME("1Gi"), BOTH, GROWN(2 * GI + WORLD_NODE_EXPANSION),
		{ANSWER("2Gi", BEGUN("2Gi")), PV_TAKEN, WRITTEN},
		STRATEGIC("7", CONDITIONS(SET("Resizing") "," DROP("FileSystemResizePending"))
				       IN_PROGRESS("2Gi")) SAVE_FOR_NODE("2Gi") PENDING("8"),
		EXPAND(TWO), NODE_NEXT, ERROR_NONE, false},
};

#define CANNOT                                                                                     \
	"resize volume 'pv1' by resizer 'd.example.com' failed: the driver can expand volumes "    \
	"neither itself nor on nodes"
#define CANNOT_QUOTED                                                                              \
	"resize volume \\'pv1\\' by resizer \\'d.example.com\\' failed: the driver can expand "    \
	"volumes neither itself nor on nodes"

static const struct row unable[] = {
	{"said", CLAIM("2Gi", ""), VOLUME("1Gi"), 0, NO(0), {WRITTEN},
		STRATEGIC("7", CONDITIONS(SET_WITH("ControllerResizeError", CANNOT_QUOTED))), "",
		"Warning VolumeResizeFailed: " CANNOT "\n", ERROR_NONE, false},
	{"said before", CLAIM("2Gi", WITH(IS("ControllerResizeError"))), VOLUME("1Gi"), 0, NO(0),
		{{0}}, "", "", "", ERROR_NONE, false},
	{"not said", CLAIM("2Gi", ""), VOLUME("1Gi"), 0, NO(0),
		{{STATUS, ERROR_CONFLICT, "changed", false}},
		STRATEGIC("7", CONDITIONS(SET_WITH("ControllerResizeError", CANNOT_QUOTED))), "",
		"", ERROR_CONFLICT, false},
};

static void init_world(struct world *world, const struct row *row)
{
	size_t steps = 0;

	while (steps < ARRAY_SIZE(row->api) && row->api[steps].match)
		steps++;
	world_init(world, &row->driver, 1, row->api, steps);
	world->controller.driver.info.expand = row->can & CONTROLLER;
	world->controller.driver.info.node_expand = row->can & NODE;
	world_set(world->controller.claims, &claim_type, row->claim);
	if (row->volume)
		world_set(world->controller.volumes, &volume_type, row->volume);
}

static void check_row(const struct row *row)
{
	_cleanup_free_ char *requests = NULL, *calls = NULL, *events = NULL;
	struct error err = {0};
	struct world world;
	int64_t again;
	int result;

	init_world(&world, row);
	result = resize_controller_sync(&world.controller, "u1", &again, &err);
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

#define CHECK_ROWS(rows)                                                                           \
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)                                              \
	check_row(&(rows)[i])

static void test_plain(void **state)
{
	(void)state;
	CHECK_ROWS(plain);
}

static void test_idle(void **state)
{
	(void)state;
	CHECK_ROWS(idle);
}

static void test_failures(void **state)
{
	(void)state;
	CHECK_ROWS(failures);
}

static void test_later(void **state)
{
	(void)state;
	CHECK_ROWS(later);
}

static void test_unable(void **state)
{
	(void)state;
	CHECK_ROWS(unable);
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
	assert_int_equal(resize_controller_sync(&world.controller, "u1", &again, &err), 0);
	assert_int_equal(world.call_count + world.api.seen_count, 0);
	world_done(&world);
}

static void test_no_claim(void **state)
{
	struct world world;
	int64_t again = 1;

	(void)state;
	world_init(&world, NULL, 0, NULL, 0);
	assert_int_equal(resize_controller_sync(&world.controller, "u1", &again, NULL), 0);
	assert_int_equal(again, 0);
	world_done(&world);
}

/* What the driver said is impossible is tried again only after a while, or at another size. */
static void test_slow_retry(void **state)
{
	static const struct {
		const char *name, *state, *condition;
		int seconds; /* since it was said; negative where clocks differ */
		bool waits;
	} rows[] = {
		{"just now", "ControllerResizeInfeasible", "ControllerResizeError", 1, true},
		{"in the future", "ControllerResizeInfeasible", "ControllerResizeError", -1000,
			true},
		{"long ago", "ControllerResizeInfeasible", "ControllerResizeError", 301, false},
		{"on the node", "NodeResizeInfeasible", "NodeResizeError", 1, true},
		{"on the node, long ago", "NodeResizeInfeasible", "NodeResizeError", 301, false},
		{"another error", "ControllerResizeInProgress", "ControllerResizeError", 1, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		time_t when = time(NULL) - rows[i].seconds;
		struct driver_step step = NO(ERROR_UNAVAILABLE);
		struct api_step answer = ANSWER("2Gi", BEGUN("2Gi"));
		struct row row = {
			rows[i].name, NULL, VOLUME("1Gi"), BOTH, step, {answer}, "", "", "", 0, 0};
		_cleanup_free_ char *claim = NULL;
		struct error err = {0};
		struct world world;
		char stamp[32];
		struct tm utc;
		int64_t again;

		strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&when, &utc));
		if (asprintf(&claim,
			    CLAIM("2Gi",
				    ALLOC("2Gi") ",'allocatedResourceStatuses':{'storage':'%s'},"
						 "'conditions':[{'type':'%s','status':'True',"
						 "'lastTransitionTime':'%s'}]"),
			    rows[i].state, rows[i].condition, stamp) < 0)
			abort();
		row.claim = claim;
		init_world(&world, &row);
		assert_case(rows[i].name, resize_controller_sync(&world.controller, "u1", &again,
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
	static const struct {
		const char *name, *old, *new;
		bool concerns;
	} rows[] = {
		{"new", NULL, CLAIM("1Gi", ""), true},
		{"not bound", NULL, "{'metadata':{'name':'c','uid':'u1'},'spec':{}}", false},
		{"bound now", "{'metadata':{'name':'c','uid':'u1'},'spec':{}}", CLAIM("1Gi", ""),
			true},
		{"the same", CLAIM("2Gi", ""), CLAIM("2Gi", ""), false},
		{"more", CLAIM("1Gi", ""), CLAIM("2Gi", ""), true},
		{"less", CLAIM("2Gi", ""), CLAIM("1Gi", ""), true},
		{"done", CLAIM("2Gi", ""), CLAIM_AT("8", "2Gi", "2Gi", ""), true},
		{"begun", CLAIM("2Gi", ""), CLAIM("2Gi", BEGUN("2Gi")), false},
		{"failed", CLAIM("2Gi", BEGUN("2Gi")), CLAIM("2Gi", FAILED("2Gi")), false},
		{"infeasible", CLAIM("2Gi", BEGUN("2Gi")),
			CLAIM("2Gi", ALLOC("2Gi") STATE("ControllerResizeInfeasible")), false},
		{"infeasible on the node", CLAIM("2Gi", ALLOC("2Gi") STATE("NodeResizeInProgress")),
			CLAIM("2Gi", OF_NODE("2Gi")), true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_object_ struct claim *old =
			rows[i].old ? object_of(&claim_type, rows[i].old) : NULL;
		_cleanup_object_ struct claim *new = object_of(&claim_type, rows[i].new);

		assert_case(rows[i].name, resize_controller_concerns(old, new) == rows[i].concerns);
	}
}

/* Fields of the wrong type, or that make no sense, count as not said. */
static void test_odd_fields(void **state)
{
	_cleanup_object_ struct claim *claim = object_of(&claim_type,
		"{'metadata':{'name':'c','uid':'u1'},'status':{'phase':7,'capacity':{'storage':5},"
		"'allocatedResources':[],'allocatedResourceStatuses':{'storage':'Odd'},"
		"'conditions':[3,{'type':'Resizing','status':'False'},{'type':'Odd','status':"
		"'True'},{'status':'True'},{'type':'NodeResizeError','status':'True',"
		"'lastTransitionTime':'soon'}]}}");
	_cleanup_object_ struct volume *volume = object_of(&volume_type,
		"{'metadata':{'name':'v','uid':'v1','annotations':7},'spec':{'capacity':{'storage':"
		"'-1Gi'},'accessModes':['Odd',5,'ReadWriteMany'],'claimRef':'x','csi':{'fsType':'',"
		"'controllerExpandSecretRef':[]}}}");

	(void)state;
	assert_false(claim->resize.bound);
	assert_int_equal(claim->resize.capacity, -1);
	assert_int_equal(claim->resize.allocated, -1);
	assert_int_equal(claim->resize.state, RESIZE_NONE);
	assert_int_equal(claim->resize.conditions, RESIZE_NODE_ERROR);
	assert_int_equal(claim->resize.failed_at, 0);
	assert_int_equal(volume->resize.capacity, -1);
	assert_int_equal(volume->resize.access_modes, 1);
	assert_string_equal(resize_fields_access_mode(0), "ReadWriteMany");
	assert_null(volume->resize.claim_uid);
	assert_null(volume->resize.fs_type);
	assert_null(volume->resize.secret_name);
	assert_false(volume->resize.is_marked || volume->resize.block);
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
		cmocka_unit_test(test_odd_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
