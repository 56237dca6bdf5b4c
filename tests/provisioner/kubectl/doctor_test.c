/* SPDX-License-Identifier: Apache-2.0 */
#include "doctor.h"

#include <string.h>

#include "cleanup.h"
#include "testing.h"

/* The moment of the visit is 2026-11-21T10:00:00Z. */
#define RECENT  "2026-11-21T09:59:30Z"
#define OLD     "2026-11-21T09:50:00Z"
#define ANCIENT "2026-11-20T10:00:00Z"

#define HOSTPATH "hostpath.ordinal.dev"
#define NFS      "nfs.ordinal.dev"

#define CLASS(name, driver, parameters)                                                            \
	"{'metadata': {'name': '" name "'}, 'provisioner': '" driver                               \
	"', 'volumeBindingMode': 'Immediate', 'parameters': {" parameters "}}"
#define DRIVER(name) "{'metadata': {'name': '" name "'}, 'spec': {'attachRequired': false}}"
#define NODE(name)                                                                                 \
	"{'metadata': {'name': '" name                                                             \
	"'}, 'status': {'conditions': [{'type': 'Ready', 'status': "                               \
	"'True'}]}}"
#define REGISTERED(name, driver)                                                                   \
	"{'metadata': {'name': '" name "'}, 'spec': {'drivers': [{'name': '" driver "'}]}}"
#define POD(name, node, flags, status)                                                             \
	"{'metadata': {'namespace': 'ordinal-system', 'name': '" name                              \
	"', 'creationTimestamp': '" OLD "'}, 'spec': {'nodeName': '" node                          \
	"', 'containers': [{'name': 'driver', 'command': ['/usr/bin/ordinal-csi'], 'args': "       \
	"['--kubelet-registration-path=/x', " flags                                                \
	"]}, {'name': 'provisioner', 'command': ['/usr/bin/ordinal-provisioner'], 'args': "        \
	"['--leader-election']}]}, 'status': {'containerStatuses': [" status "]}}"
#define RUNS         "{'name': 'driver', 'ready': true, 'restartCount': 1, 'state': {'running': {}}}"
#define HOSTPATH_POD POD("p", "n1", "'--backend=hostpath'", RUNS)
#define NFS_POD      POD("p", "n1", "'--backend=nfs'", RUNS)
#define LEASE(name, holder, renewed)                                                               \
	"{'metadata': {'namespace': 'ordinal-system', 'name': '" name                              \
	"'}, 'spec': {'holderIdentity': '" holder                                                  \
	"', 'leaseDurationSeconds': 15, 'renewTime': '" renewed "'}}"
#define CLAIM(name, phase, made, more)                                                             \
	"{'metadata': {'namespace': 'shop', 'name': '" name "', 'creationTimestamp': '" made       \
	"'" more "}, 'spec': {'storageClassName': 'c'}, 'status': {'phase': '" phase "'}}"
#define VOLUME(name, phase, policy, more, status)                                                  \
	"{'metadata': {'name': '" name "'" more                                                    \
	"}, 'spec': {'persistentVolumeReclaimPolicy': '" policy "', 'csi': {'driver': '" HOSTPATH  \
	"', 'volumeHandle': 'h'}, 'nodeAffinity': {'required': {'nodeSelectorTerms': "             \
	"[{'matchExpressions': [{'key': 'topology.hostpath.ordinal.dev/node', 'operator': 'In', "  \
	"'values': ['n1']}]}]}}}, 'status': {'phase': '" phase "'" status "}}"
#define EVENT(kind, namespace, name, reason, when, message)                                        \
	"{'type': 'Warning', 'reason': '" reason "', 'lastTimestamp': '" when                      \
	"', 'message': '" message "', 'involvedObject': {'kind': '" kind                           \
	"', 'namespace': '" namespace "', 'name': '" name "'}}"

/* What differs from a cluster where all is well; NULL: as there. */
struct patch {
	const char *classes, *drivers, *csi_nodes, *nodes, *claims, *volumes, *events, *pods;
	const char *leases, *endpoints;
};

static const struct patch healthy = {
	.classes = CLASS("c", HOSTPATH, "") "," CLASS("other", "ebs.csi.aws.com", "'x': 'y'"),
	.drivers = DRIVER(HOSTPATH),
	.csi_nodes = REGISTERED("n1", HOSTPATH),
	.nodes = NODE("n1"),
	.claims = CLAIM("a", "Bound", ANCIENT, ""),
	.volumes = VOLUME("v", "Bound", "Delete", "", ""),
	.events = "",
	.pods = HOSTPATH_POD,
	.leases = LEASE("hostpath-ordinal-dev", "p_1", RECENT),
	.endpoints = "",
};

/* Each row makes one thing wrong, and is told of by one finding: "LEVEL check object: problem". */
static const struct {
	const char *name;
	struct patch patch;
	const char *finding; /* the beginning; "": none */
} cases[] = {
	{"healthy", {NULL}, ""},
	{"no class", {.classes = "", .volumes = ""},
		"FAIL classes StorageClass: there is no class of a driver of Ordinal"},
	{"unknown parameter", {.classes = CLASS("c", HOSTPATH, "'onDelet': 'archive'")},
		"FAIL classes StorageClass/c: unknown parameter \"onDelet\""},
	{"wrong choice", {.classes = CLASS("c", HOSTPATH, "'onDelete': 'arch'")},
		"FAIL classes StorageClass/c: parameter onDelete is \"arch\", which is not "
		"delete|archive|retain"},
	{"half a choice", {.classes = CLASS("c", HOSTPATH, "'reuse': ''")},
		"FAIL classes StorageClass/c: parameter reuse is \"\""},
	{"relative path", {.classes = CLASS("c", HOSTPATH, "'path': 'data'")},
		"FAIL classes StorageClass/c: parameter path is \"data\", which is not an absolute "
		"path"},
	{"mode", {.classes = CLASS("c", HOSTPATH, "'mode': '0999'")},
		"FAIL classes StorageClass/c: parameter mode is \"0999\""},
	{"reserved parameter", {.classes = CLASS("c", HOSTPATH, "'ordinal.dev/ordinal': '1'")},
		"FAIL classes StorageClass/c: unknown parameter \"ordinal.dev/ordinal\""},
	{"standard parameter",
		{.classes = CLASS("c", HOSTPATH, "'csi.storage.k8s.io/fstype': 'ext4'")}, ""},
	{"parameter of no text", {.classes = CLASS("c", HOSTPATH, "'uid': 7")},
		"FAIL classes StorageClass/c: parameter \"uid\" is no text"},
	{"half an export", {.classes = CLASS("c", HOSTPATH, "'server': 'nas'")},
		"FAIL classes StorageClass/c: server is given, and share is not"},
	{"all good parameters",
		{.classes = CLASS("c", HOSTPATH,
			 "'path': '/d', 'pathPattern': '${namespace}/x', 'onDelete': 'archive', "
			 "'archiveTTL': '30d', 'reuse': 'ordinal', 'reuseAcrossNamespaces': 'true', "
			 "'mode': '0750', 'uid': '7', 'gid': '7'")},
		""},
	{"no CSIDriver", {.drivers = ""},
		"FAIL drivers CSIDriver/" HOSTPATH ": classes or volumes use the driver"},
	{"attach required", {.drivers = "{'metadata': {'name': '" HOSTPATH "'}, 'spec': {}}"},
		"FAIL drivers CSIDriver/" HOSTPATH ": attachRequired is not false"},
	{"ephemeral only",
		{.drivers = "{'metadata': {'name': '" HOSTPATH
			    "'}, 'spec': {'attachRequired': false, 'volumeLifecycleModes': "
			    "['Ephemeral']}}"},
		"FAIL drivers CSIDriver/" HOSTPATH ": volumeLifecycleModes lacks Persistent"},
	{"not registered", {.csi_nodes = "{'metadata': {'name': 'n1'}}"},
		"FAIL nodes Node/n1: the driver " HOSTPATH " runs on the node, and is not"},
	{"a node without the driver", {.nodes = NODE("n1") "," NODE("n2")},
		"warn nodes Node/n2: the driver " HOSTPATH " is not on the node"},
	{"a node for no pods",
		{.nodes = NODE("n1") ",{'metadata': {'name': 'n2'}, 'spec': {'taints': "
				     "[{'effect': 'NoSchedule'}]}, 'status': {'conditions': "
				     "[{'type': 'Ready', 'status': 'True'}]}}"},
		""},
	{"no pods", {.pods = ""}, "FAIL pods Pod: no pod of Ordinal in namespace ordinal-system"},
	{"crashes",
		{.pods = POD("p", "n1", "'--backend=hostpath'",
			 "{'name': 'driver', 'ready': false, 'state': {'waiting': {'reason': "
			 "'CrashLoopBackOff'}}}")},
		"FAIL pods Pod/ordinal-system/p: container driver: CrashLoopBackOff"},
	{"not ready",
		{.pods = POD("p", "n1", "'--backend=hostpath'",
			 "{'name': 'driver', 'ready': false, 'state': {'running': {}}}")},
		"FAIL pods Pod/ordinal-system/p: container driver: it is not ready"},
	{"restarts",
		{.pods = POD("p", "n1", "'--backend=hostpath'",
			 "{'name': 'driver', 'ready': true, 'restartCount': 9, 'state': "
			 "{'running': {}}}")},
		"warn pods Pod/ordinal-system/p: container driver was started 9 times again"},
	{"never started",
		{.pods = POD("p", "n1", "'--backend=hostpath'", ""),
			.events = EVENT("Pod", "ordinal-system", "p", "FailedScheduling", OLD,
				"0/1 nodes are available")},
		"FAIL pods Pod/ordinal-system/p: it does not run: 0/1 nodes are available"},
	{"no lease", {.leases = ""},
		"FAIL leases Lease/ordinal-system/hostpath-ordinal-dev: the provisioner elects"},
	{"nobody leads", {.leases = LEASE("hostpath-ordinal-dev", "", RECENT)},
		"FAIL leases Lease/ordinal-system/hostpath-ordinal-dev: nobody leads"},
	{"a dead leader", {.leases = LEASE("hostpath-ordinal-dev", "p_1", OLD)},
		"FAIL leases Lease/ordinal-system/hostpath-ordinal-dev: p_1 leads, and was not "
		"heard of for 600 s"},
	{"a leader without a time", {.leases = LEASE("hostpath-ordinal-dev", "p_1", "x")},
		"FAIL leases Lease/ordinal-system/hostpath-ordinal-dev: p_1 leads, and never said"},
	{"pending, and why",
		{.claims = CLAIM("a", "Pending", RECENT, ""),
			.events = EVENT("PersistentVolumeClaim", "shop", "a", "ProvisioningFailed",
				RECENT, "no space")},
		"FAIL claims PersistentVolumeClaim/shop/a: it is Pending: no space"},
	{"pending for long", {.claims = CLAIM("a", "Pending", OLD, "")},
		"FAIL claims PersistentVolumeClaim/shop/a: it is Pending, and nobody says why"},
	{"pending for a moment", {.claims = CLAIM("a", "Pending", RECENT, "")}, ""},
	{"an event of yesterday",
		{.claims = CLAIM("a", "Pending", RECENT, ""),
			.events = EVENT("PersistentVolumeClaim", "shop", "a", "ProvisioningFailed",
				ANCIENT, "no space")},
		""},
	{"waits for a pod",
		{.classes = "{'metadata': {'name': 'c'}, 'provisioner': '" HOSTPATH
			    "', 'volumeBindingMode': 'WaitForFirstConsumer'}",
			.claims = CLAIM("a", "Pending", OLD, "")},
		""},
	{"a pod waits for it",
		{.classes = "{'metadata': {'name': 'c'}, 'provisioner': '" HOSTPATH
			    "', 'volumeBindingMode': 'WaitForFirstConsumer'}",
			.claims = CLAIM("a", "Pending", OLD,
				", 'annotations': {'volume.kubernetes.io/selected-node': 'n1'}")},
		"FAIL claims PersistentVolumeClaim/shop/a: it is Pending, and nobody says why"},
	{"lost", {.claims = CLAIM("a", "Lost", OLD, "")},
		"FAIL claims PersistentVolumeClaim/shop/a: its PersistentVolume is gone"},
	{"terminating in use",
		{.claims = CLAIM("a", "Bound", ANCIENT,
			 ", 'deletionTimestamp': '" OLD
			 "', 'finalizers': ['kubernetes.io/pvc-protection']")},
		"FAIL claims PersistentVolumeClaim/shop/a: it is being deleted, and a pod uses it"},
	{"terminating for another",
		{.claims = CLAIM("a", "Bound", ANCIENT,
			 ", 'deletionTimestamp': '" OLD "', 'finalizers': ['x/y']")},
		"FAIL claims PersistentVolumeClaim/shop/a: it is being deleted, and a finalizer"},
	{"cannot grow",
		{.claims = "{'metadata': {'namespace': 'shop', 'name': 'a'}, 'spec': "
			   "{'storageClassName': 'c'}, 'status': {'phase': 'Bound', 'conditions': "
			   "[{'type': 'ControllerResizeError', 'status': 'True', 'message': 'full'}]}}"},
		"FAIL claims PersistentVolumeClaim/shop/a: it cannot grow: full"},
	{"released for long",
		{.volumes = VOLUME(
			 "v", "Released", "Delete", "", ", 'lastPhaseTransitionTime': '" OLD "'")},
		"FAIL volumes PersistentVolume/v: it is to be deleted, and nobody does it"},
	{"released, and why not",
		{.volumes = VOLUME("v", "Released", "Delete", "", ""),
			.events = EVENT(
				"PersistentVolume", "", "v", "VolumeFailedDelete", OLD, "busy")},
		"FAIL volumes PersistentVolume/v: it is to be deleted, and cannot be: busy"},
	{"released under Retain",
		{.volumes = VOLUME(
			 "v", "Released", "Retain", "", ", 'lastPhaseTransitionTime': '" OLD "'")},
		""},
	{"failed", {.volumes = VOLUME("v", "Failed", "Delete", "", ", 'message': 'no plugin'")},
		"FAIL volumes PersistentVolume/v: it is Failed: no plugin"},
	{"deleted by hand",
		{.volumes = VOLUME("v", "Bound", "Delete", ", 'deletionTimestamp': '" OLD "'", "")},
		"FAIL volumes PersistentVolume/v: somebody deleted it, and a finalizer keeps it"},
	{"node gone", {.nodes = "", .csi_nodes = ""},
		"FAIL volumes PersistentVolume/v: its data are on a node that is not in the "
		"cluster: n1"},
	{"mount fails",
		{.events = EVENT("Pod", "shop", "web-0", "FailedMount", RECENT,
			 "MountVolume.SetUp failed for volume \\\"v\\\" : refused")},
		"FAIL servers Pod/shop/web-0: MountVolume.SetUp failed for volume \"v\" : refused"},
	{"another's mount fails",
		{.events = EVENT("Pod", "shop", "web-0", "FailedMount", RECENT,
			 "MountVolume.SetUp failed for volume \\\"w\\\" : refused")},
		""},
};

static struct json_object *array_of(const char *items, const char *usual)
{
	_cleanup_free_ char *text = NULL;

	if (asprintf(&text, "[%s]", items ? items : usual) < 0)
		abort();
	return json_of(text);
}

static struct doctor_cluster cluster_of(const struct patch *patch)
{
	return (struct doctor_cluster){
		.classes = array_of(patch->classes, healthy.classes),
		.drivers = array_of(patch->drivers, healthy.drivers),
		.csi_nodes = array_of(patch->csi_nodes, healthy.csi_nodes),
		.nodes = array_of(patch->nodes, healthy.nodes),
		.claims = array_of(patch->claims, healthy.claims),
		.volumes = array_of(patch->volumes, healthy.volumes),
		.events = array_of(patch->events, healthy.events),
		.pods = array_of(patch->pods, healthy.pods),
		.leases = array_of(patch->leases, healthy.leases),
		.endpoints = array_of(patch->endpoints, healthy.endpoints),
		.where = "namespace ordinal-system",
		.now = 1795255200,
	};
}

static void forget(struct doctor_cluster *cluster)
{
	json_object_put(cluster->classes);
	json_object_put(cluster->drivers);
	json_object_put(cluster->csi_nodes);
	json_object_put(cluster->nodes);
	json_object_put(cluster->claims);
	json_object_put(cluster->volumes);
	json_object_put(cluster->events);
	json_object_put(cluster->pods);
	json_object_put(cluster->leases);
	json_object_put(cluster->endpoints);
}

/* All findings, a line each. */
static char *findings_of(const struct doctor_report *report)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; i < report->count; i++) {
		assert_true(*report->items[i].remedy != '\0');
		fprintf(out, "%s %s %s: %s\n",
			report->items[i].level == DOCTOR_PROBLEM ? "FAIL" : "warn",
			report->items[i].check, report->items[i].object, report->items[i].problem);
	}
	fclose(out);
	return text;
}

static void check(const char *name, struct doctor_cluster *cluster, const char *finding)
{
	struct doctor_report report = {.count = 0};
	size_t examined[DOCTOR_CHECKS];
	_cleanup_free_ char *text = NULL;

	doctor_examine(cluster, &report, examined);
	text = findings_of(&report);
	if (strncmp(text, finding, strlen(finding)) || report.count != (*finding != '\0'))
		fail_msg("%s: wanted: %s\ngot: %s", name, finding, text);
	assert_int_equal(
		doctor_report_has_problems(&report), !strncmp(finding, "FAIL", strlen("FAIL")));
	doctor_report_done(&report);
	forget(cluster);
}

static void test_findings(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct doctor_cluster cluster = cluster_of(&cases[i].patch);

		check(cases[i].name, &cluster, cases[i].finding);
	}
}

#define IN_CLUSTER "nfs.store.svc.cluster.local"

static const struct {
	const char *name, *parameters, *endpoints, *finding;
} servers[] = {
	{"outside", "'server': 'nas.example.com', 'share': '/e'", "", ""},
	{"no service", "'server': '" IN_CLUSTER "', 'share': '/e'", "",
		"FAIL servers Service/nfs: NFS server " IN_CLUSTER ": there is no such service"},
	{"nobody behind it", "'server': '" IN_CLUSTER "', 'share': '/e'",
		"{'metadata': {'namespace': 'store', 'name': 'nfs'}, 'subsets': [{"
		"'notReadyAddresses': [{'ip': '10.0.0.1'}]}]}",
		"FAIL servers Service/nfs: NFS server " IN_CLUSTER ": no pod that is ready"},
	{"one of several", "'servers': 'nas:/e, " IN_CLUSTER ":/e'", "",
		"FAIL servers Service/nfs: NFS server " IN_CLUSTER ": there is no such service"},
	{"well", "'server': '" IN_CLUSTER "', 'share': '/e'",
		"{'metadata': {'namespace': 'store', 'name': 'nfs'}, 'subsets': [{'addresses': "
		"[{'ip': '10.0.0.1'}]}]}",
		""},
};

static void test_servers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(servers); i++) {
		_cleanup_free_ char *class = NULL;
		struct doctor_cluster cluster;

		if (asprintf(&class,
			    "{'metadata': {'name': 'c'}, 'provisioner': '" NFS
			    "', 'parameters': {%s}}",
			    servers[i].parameters) < 0)
			abort();
		cluster = cluster_of(&(struct patch){.classes = class,
			.drivers = DRIVER(NFS),
			.csi_nodes = REGISTERED("n1", NFS),
			.volumes = "",
			.pods = NFS_POD,
			.leases = LEASE("nfs-ordinal-dev", "p_1", RECENT),
			.endpoints = servers[i].endpoints});
		check(servers[i].name, &cluster, servers[i].finding);
	}
}

static const struct {
	const char *server, *namespace, *service;
} names[] = {
	{"nfs.store.svc", "store", "nfs"},
	{"nfs.store.svc.cluster.local", "store", "nfs"},
	{"nfs.store", NULL, NULL},
	{"nfs.store.svcx", NULL, NULL},
	{"nfs", NULL, NULL},
	{"10.0.0.1", NULL, NULL},
};

static void test_service_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *namespace = NULL, *service = NULL;
		bool found = doctor_servers_is_service(names[i].server, &namespace, &service);

		assert_case(names[i].server, found == (names[i].service != NULL));
		assert_case_text(names[i].server, namespace, names[i].namespace);
		assert_case_text(names[i].server, service, names[i].service);
	}
}

/* Lists that could not be read, and such as are no such objects, are nobody's fault here. */
static void test_anything(void **state)
{
	static const char junk[] = "null, 7, [], {}, {'metadata': 3, 'spec': [], 'status': 'x'}, "
				   "{'metadata': {'name': 5}, 'provisioner': {}, 'parameters': 1}";
	const struct patch patch = {junk, junk, junk, junk, junk, junk, junk, junk, junk, junk};
	struct doctor_cluster none = {.where = "nowhere"}, wrong = cluster_of(&patch);
	struct doctor_report report = {.count = 0};
	size_t examined[DOCTOR_CHECKS];

	(void)state;
	doctor_examine(&none, &report, examined);
	assert_int_equal(report.count, 0);
	doctor_examine(&wrong, &report, examined);
	assert_int_equal(report.count, 2); /* no class, no pod */
	doctor_report_done(&report);
	forget(&wrong);
}

/* What the driver knows is known here, too: its table is read from its source. */
static void test_parameters(void **state)
{
	_cleanup_fclose_ FILE *file = fopen("csi/parameters.c", "re");
	char line[256], name[64], class[256];
	size_t count = 0;
	bool inside = false;

	(void)state;
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		struct doctor_cluster cluster;
		struct doctor_report report = {.count = 0};
		size_t examined[DOCTOR_CHECKS];

		inside = strstr(line, "{\"path\"") || (inside && !strstr(line, "};"));
		if (!inside || sscanf(line, "\t{\"%63[a-zA-Z]\",", name) != 1)
			continue;
		snprintf(class, sizeof(class), CLASS("c", HOSTPATH, "'%s': ''"), name);
		cluster = cluster_of(&(struct patch){.classes = class});
		doctor_examine(&cluster, &report, examined);
		for (size_t i = 0; i < report.count; i++)
			if (strstr(report.items[i].problem, "unknown parameter"))
				fail_msg("%s", report.items[i].problem);
		doctor_report_done(&report);
		forget(&cluster);
		count++;
	}
	assert_true(count >= 13);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_findings),
		cmocka_unit_test(test_servers),
		cmocka_unit_test(test_service_names),
		cmocka_unit_test(test_anything),
		cmocka_unit_test(test_parameters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
