/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Kubernetes objects that the provisioner looks at, as typed snapshots of just the fields that
 * it uses. A snapshot never changes after it was parsed, so any thread may read one that it holds
 * a reference to. It is one block of memory.
 */
#ifndef ORDINAL_OBJECTS_H
#define ORDINAL_OBJECTS_H

#include <stdbool.h>
#include <stdint.h>

#include "cleanup.h"
#include "error.h"
#include "json_access.h"
#include "pack.h"
#include "string_map.h"
#include "volume_place.h"

struct object_type;

/* What every snapshot starts with. */
struct object {
	const struct object_type *type;
	int refs;         /* atomic */
	uint32_t created; /* metadata.creationTimestamp, in seconds since 1970; 0: not known */
	char *key;        /* by which the store knows it, see below */
	char *uid;
	char *name;
	char *namespace; /* "" for cluster-scoped kinds */
	char *resource_version;
	bool deleting;   /* metadata.deletionTimestamp is set */
	int64_t seen_ns; /* CLOCK_MONOTONIC when it was parsed: after it was as it says */
};

/* A kind of object: how the API server calls it, and how its JSON becomes a snapshot. */
struct object_type {
	const char *plural; /* for messages: "persistentvolumeclaims" */
	const char *path;   /* of its collection, over all namespaces */
	size_t size;
	/* OBJECT, zeroed but for what is above, is in PACK, and so is all that it is to point to.
	 */
	int (*parse)(struct object *object, struct pack *pack, struct json_object *json,
		struct error *err);
	bool key_is_uid; /* else the key is NAME or NAMESPACE/NAME */
};

extern const struct object_type claim_type;         /* key: UID */
extern const struct object_type volume_type;        /* key: name */
extern const struct object_type storage_class_type; /* key: name */
extern const struct object_type stateful_set_type;  /* key: namespace/name */
extern const struct object_type node_type;          /* key: name */
extern const struct object_type csi_node_type;      /* key: name, that of the node */

/* The same as volume_type, with their paths, which only the status page needs. */
extern const struct object_type volume_with_path_type;

/* Keeps a claim while its volume is copied for another claim; external-provisioner's, too. */
#define CLONING_FINALIZER "provisioner.storage.kubernetes.io/cloning-protection"

/* How far the growth of a claim's volume has come (status.allocatedResourceStatuses.storage). */
enum resize_state {
	RESIZE_NONE,
	RESIZE_CONTROLLER_IN_PROGRESS,
	RESIZE_CONTROLLER_INFEASIBLE,
	RESIZE_NODE_PENDING,
	RESIZE_NODE_IN_PROGRESS,
	RESIZE_NODE_INFEASIBLE,
};

/* Conditions of a claim. */
#define RESIZE_RESIZING         1
#define RESIZE_NODE_HAS_TO      2 /* FileSystemResizePending */
#define RESIZE_CONTROLLER_ERROR 4
#define RESIZE_NODE_ERROR       8

struct claim_resize {
	int64_t capacity;  /* bytes of status.capacity.storage; -1: none */
	int64_t allocated; /* bytes of status.allocatedResources.storage; -1: none */
	int64_t failed_at; /* since when the newest of the errors is there, in seconds since 1970 */
	uint8_t state;     /* enum resize_state */
	uint8_t conditions; /* those that are True */
	bool bound, lost;   /* status.phase */
};

/* How far the change to another VolumeAttributesClass has come (status.modifyVolumeStatus). */
enum modify_state { MODIFY_NONE, MODIFY_PENDING, MODIFY_IN_PROGRESS, MODIFY_INFEASIBLE };

/* Conditions of a claim. */
#define MODIFY_MODIFYING 1
#define MODIFY_ERROR     2

struct claim_modify {
	char *current;      /* status.currentVolumeAttributesClassName, or "" */
	char *target;       /* status.modifyVolumeStatus.targetVolumeAttributesClassName, or "" */
	int64_t failed_at;  /* since when the error is there, in seconds since 1970; 0: none */
	uint8_t state;      /* enum modify_state */
	uint8_t conditions; /* those that are True */
};

struct claim {
	struct object object;
	char *class_name;    /* the legacy annotation wins over spec.storageClassName; "" if none */
	char *provisioner;   /* the storage-provisioner annotation, or "" */
	char *selected_node; /* annotation volume.kubernetes.io/selected-node, or "" */
	char *restore_from;  /* annotation ordinal.dev/restore-from, or "" */
	char *volume_name;   /* spec.volumeName, or "" */
	char *requested;     /* spec.resources.requests.storage as written, or "" */
	char *attributes_class; /* spec.volumeAttributesClassName, or "" */
	char *data_source;      /* "Kind name" of spec.dataSource or dataSourceRef, or "" */
	char *data_source_kind;
	char *data_source_group;     /* "" for the core group; NULL without a data source */
	char *data_source_name;      /* the same; nobody has checked that it is a name */
	char *data_source_namespace; /* "" for the claim's own; NULL without a data source */
	struct strings access_modes;
	struct string_map labels;
	struct strings owner_uids;
	bool block; /* spec.volumeMode is Block */
	bool has_selector;
	bool cloning_protected; /* has CLONING_FINALIZER */
	struct claim_resize resize;
	const struct claim_modify *modify; /* never NULL */
};

/* What growing a volume takes. */
struct volume_resize {
	int64_t capacity;                     /* bytes of spec.capacity.storage; -1: none */
	char *claim_uid;                      /* of spec.claimRef; NULL: none */
	char *fs_type;                        /* spec.csi.fsType; NULL: none */
	char *secret_namespace, *secret_name; /* controllerExpandSecretRef; NULL: none */
	struct strings mount_options;
	uint8_t access_modes; /* see resize_fields_access_mode() */
	bool block;
	bool is_marked;  /* has the annotation pre-resize-capacity */
	bool unenforced; /* its driver, which is ours, has told that nothing enforces its size */
};

/* Annotations of a volume: the secret for its deletion, as external-provisioner notes it. */
#define DELETION_SECRET_NAME      "volume.kubernetes.io/provisioner-deletion-secret-name"
#define DELETION_SECRET_NAMESPACE "volume.kubernetes.io/provisioner-deletion-secret-namespace"

/* The secret for changing a volume, of its annotations; nobody has checked that these are names. */
struct volume_modify {
	char *secret_namespace, *secret_name;
};

#define MODIFY_SECRET_NAME      "volume.kubernetes.io/controller-modify-secret-name"
#define MODIFY_SECRET_NAMESPACE "volume.kubernetes.io/controller-modify-secret-namespace"

struct volume {
	struct object object;
	char *phase;
	char *reclaim_policy;
	char *provisioned_by;   /* annotation pv.kubernetes.io/provisioned-by, or "" */
	char *migrated_to;      /* annotation pv.kubernetes.io/migrated-to, or "" */
	char *driver;           /* spec.csi.driver, or "" */
	char *handle;           /* spec.csi.volumeHandle, or "" */
	char *class_name;       /* spec.storageClassName, or "" */
	char *attributes_class; /* spec.volumeAttributesClassName, or "" */
	struct strings finalizers;
	/* The secret for its deletion: by its annotations (NULL: none is needed), or, where these
	 * do not tell, by its class and claim (NULL where they do; or "" where there is none). */
	bool deletion_secret_told;
	char *deletion_secret_name, *deletion_secret_namespace;
	char *claim_namespace, *claim_name;
	struct volume_place *place;   /* in a set; NULL: none */
	struct node_term *node_terms; /* of spec.nodeAffinity.required: one must match */
	size_t node_term_count;
	struct volume_resize resize;
	struct volume_modify *modify; /* NULL: no secret is needed */
	char *path; /* where its data lie, as our driver says; NULL, or "": not known */
};

/* What one term of a node affinity asks of a node's labels: all of it. */
struct node_term {
	struct node_requirement {
		char *key;
		struct strings values; /* one of them */
	} * requirements;
	size_t count;
	bool other; /* it also asks what we do not understand: no match can be told */
};

struct storage_class {
	struct object object;
	char *provisioner;
	char *reclaim_policy; /* "Delete" where the class does not say */
	struct string_map parameters;
	struct strings mount_options;
	bool wait_for_first_consumer;
	struct node_term *allowed; /* allowedTopologies: alternatives, each value of a term too */
	size_t allowed_count;
};

struct stateful_set {
	struct object object;
	struct set_template {
		char *name;
		struct string_map labels;
	} * templates; /* spec.volumeClaimTemplates */
	size_t template_count;
	struct string_map match_labels;       /* of spec.selector, */
	struct label_expression *expressions; /* and its matchExpressions */
	size_t expression_count;
	int64_t first_ordinal; /* spec.ordinals.start, 0 where it does not say */
	int64_t replicas;      /* spec.replicas, 1 where it does not say; not negative */
};

enum label_verb { LABEL_IN, LABEL_NOT_IN, LABEL_EXISTS, LABEL_DOES_NOT_EXIST, LABEL_UNKNOWN };

struct label_expression {
	char *key;
	enum label_verb verb;
	struct strings values;
};

struct node {
	struct object object;
	struct string_map labels;
	bool schedulable; /* not cordoned, and without a taint that keeps ordinary pods away */
};

/* What kubelet noted of the drivers that registered with it. */
struct csi_node {
	struct object object;
	struct csi_node_driver {
		char *name;
		struct strings topology_keys;
	} * drivers;
	size_t driver_count;
};

/* A snapshot of TYPE from JSON, which stays the caller's. NULL with ERROR_INVALID for JSON that
 * lacks a name or has fields of the wrong type: it came from the network. Caller unrefs. */
struct object *object_parse(
	const struct object_type *type, struct json_object *json, struct error *err);

/* What people call it, "namespace/name" or "name", for messages. Caller frees. */
char *object_label(const struct object *object);

/* One more reference, or one less; the last one frees. NULL is ignored by both. */
void *object_ref(const void *object);
void object_unref(const void *object);

static inline void object_unrefp(void *pointer)
{
	object_unref(*(void **)pointer);
}
#define _cleanup_object_ _cleanup_(object_unrefp)

/* Whether VOLUME may be used on a node with these labels, as the scheduler would say. */
bool volume_fits_node(const struct volume *volume, const struct string_map *labels);

/* Whether nobody has claimed VOLUME, as far as can be told, so that any claim may get it. */
bool volume_is_unclaimed(const struct volume *volume);

#endif
