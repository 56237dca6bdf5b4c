/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is wrong in a cluster with Ordinal, and what to do about it, from what its API server has.
 * No I/O. All of it may be any JSON.
 */
#ifndef ORDINAL_KUBECTL_DOCTOR_H
#define ORDINAL_KUBECTL_DOCTOR_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

/* How long something may take before it counts as stuck, and how old an event may be that explains
 * it: the provisioner tries again every five minutes at least. */
#define DOCTOR_STUCK_S 120
#define DOCTOR_EVENT_S 900

/* Arrays of what there is, each NULL where it could not be read. */
struct doctor_cluster {
	struct json_object *classes, *drivers, *csi_nodes, *nodes, *claims, *volumes, *events;
	struct json_object *pods, *leases; /* where Ordinal runs */
	struct json_object *endpoints;     /* of all services */
	const char *where;                 /* that is, for messages */
	time_t now;
};

enum doctor_level { DOCTOR_WARNING, DOCTOR_PROBLEM };

struct doctor_finding {
	const char *check; /* "classes" */
	enum doctor_level level;
	char *object; /* "StorageClass/fast" */
	char *problem, *remedy;
};

struct doctor_report {
	struct doctor_finding *items; /* in the order of the checks */
	size_t count, room;
};

/* The checks, in their order. */
struct doctor_check {
	const char *name;  /* "classes" */
	const char *about; /* what is looked at, in the plural */
	/* Look, and tell of what is wrong; how many were looked at. */
	size_t (*run)(const struct doctor_cluster *cluster, struct doctor_report *report);
};
#define DOCTOR_CHECKS 8
extern const struct doctor_check doctor_checks[DOCTOR_CHECKS];

/* Run all of them. *RET_EXAMINED tells for each how many things it looked at. REPORT is zeroed. */
void doctor_examine(const struct doctor_cluster *cluster, struct doctor_report *report,
	size_t ret_examined[static DOCTOR_CHECKS]);
void doctor_report_done(struct doctor_report *report);

/* Whether something is wrong: more than warnings. */
bool doctor_report_has_problems(const struct doctor_report *report);

/* For the checks: tell of FINDING, whose texts are borrowed and whose problem is the format's. */
void doctor_tell(struct doctor_report *report, const struct doctor_finding *finding,
	const char *format, ...) __attribute__((format(printf, 3, 4)));

/* For the checks: the message of the newest warning of the last quarter of an hour about that
 * object, or NULL. Borrowed. */
const char *doctor_warning(const struct doctor_cluster *cluster, const char *kind,
	const char *namespace, const char *name);

/* For the checks: how many seconds ago the time at PATH in OBJECT was; -1 if it is none. */
long long doctor_age(
	const struct doctor_cluster *cluster, struct json_object *object, const char *path);

/* For the checks: the names of our drivers that classes and volumes use, as an object's keys.
 * Caller puts. */
struct json_object *doctor_used_drivers(const struct doctor_cluster *cluster);

/* For the checks: the class called NAME, if it is of a driver of ours; else NULL. Borrowed. */
struct json_object *doctor_our_class(const struct doctor_cluster *cluster, const char *name);

/* The checks that are in files of their own. */
size_t doctor_classes_check(const struct doctor_cluster *, struct doctor_report *);
size_t doctor_drivers_check(const struct doctor_cluster *, struct doctor_report *);
size_t doctor_drivers_check_nodes(const struct doctor_cluster *, struct doctor_report *);
size_t doctor_pods_check(const struct doctor_cluster *, struct doctor_report *);
size_t doctor_servers_check(const struct doctor_cluster *, struct doctor_report *);
size_t doctor_leases_check(const struct doctor_cluster *, struct doctor_report *);
size_t doctor_claims_check(const struct doctor_cluster *, struct doctor_report *);
size_t doctor_volumes_check(const struct doctor_cluster *, struct doctor_report *);

/* The NFS servers that classes and volumes of ours name, as an object's keys. Caller puts. */
struct json_object *doctor_servers_find(const struct doctor_cluster *cluster);

/* Whether SERVER is a service's name in the cluster; then *RET_NAMESPACE and *RET_SERVICE are it.
 * Caller frees both. */
bool doctor_servers_is_service(const char *server, char **ret_namespace, char **ret_service);

#endif
