/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Identity and Controller services of any CSI driver, in the provisioner's own words. CSI's
 * types stay inside: the controllers see plain structs.
 */
#ifndef ORDINAL_CSI_CLIENT_H
#define ORDINAL_CSI_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "cleanup.h"
#include "error.h"
#include "objects.h"

/* What a driver says of itself. */
struct csi_driver_info {
	char name[64]; /* at most 63 characters, checked */
	char version[64];
	bool ours;                     /* it takes the ordinal.dev/ parameters */
	bool create_delete;            /* CONTROLLER_SERVICE and CREATE_DELETE_VOLUME */
	bool topology;                 /* VOLUME_ACCESSIBILITY_CONSTRAINTS */
	bool attaches;                 /* PUBLISH_UNPUBLISH_VOLUME */
	bool clone;                    /* CLONE_VOLUME */
	bool snapshots;                /* CREATE_DELETE_SNAPSHOT */
	bool single_node_multi_writer; /* it knows the newer single-node access modes */
	bool expand;                   /* EXPAND_VOLUME of the Controller service */
	bool node_expand;              /* EXPAND_VOLUME of the Node service, if it is served here */
	bool offline_expand_only;      /* a volume in use cannot grow */
	bool list_volumes;             /* LIST_VOLUMES */
	bool modify_volume;            /* MODIFY_VOLUME */
	bool list_snapshots;           /* LIST_SNAPSHOTS */
};

/* Topologies: each is segments such as topology.example.com/zone=a. */
struct csi_topologies {
	struct string_map *items;
	size_t count;
};

/* Free what it holds. */
void csi_topologies_done(struct csi_topologies *topologies);

struct csi_create_request {
	const char *name;
	int64_t required_bytes;
	const struct string_map *parameters;
	const struct string_map *mutable_parameters; /* NULL: none */
	const struct strings *access_modes;          /* of the claim: ReadWriteOnce, ... */
	const struct strings *mount_options;
	const char *fs_type; /* or "" */
	bool block;
	/* Where it must be reachable, and in what order to try; both NULL: anywhere. */
	const struct csi_topologies *requisite, *preferred;
	const struct string_map *secrets;            /* NULL: none */
	const char *source_volume, *source_snapshot; /* handle of what it starts with; or NULL */
};

struct csi_volume {
	char *handle;
	int64_t capacity_bytes; /* 0: the driver does not say */
	struct string_map context;
	struct csi_topologies topologies;
	bool has_source; /* the driver says what it started with */
};

void csi_volume_done(struct csi_volume *volume);

/* A snapshot that a driver tells of; an archive is one. */
struct csi_snapshot {
	char *id, *volume;
	int64_t size_bytes; /* 0: the driver does not say */
	int64_t created_s;  /* since 1970 */
	bool has_created;   /* the driver says when */
	bool ready;
	struct string_map context; /* what our own driver says of it */
};

void csi_snapshot_done(struct csi_snapshot *snapshot);

/* Called for each snapshot of a list, which is borrowed for that call. */
typedef int csi_snapshot_fn(void *context, const struct csi_snapshot *snapshot, struct error *err);

struct csi_expand_request {
	const char *handle;
	int64_t required_bytes;
	const struct strings *access_modes; /* of the volume: the widest is named */
	const struct strings *mount_options;
	const char *fs_type; /* or "" */
	bool block;
	const struct string_map *secrets; /* NULL: none */
};

struct csi_client;

/* How the volume controllers reach the driver: a table, so that tests can answer in its place. Any
 * thread may call. Errors have the kind of the driver's gRPC status; ERROR_ABORTED, which is not
 * final, for an answer that breaks the specification. No error's text holds a secret. */
struct csi_driver {
	/* On success csi_volume_done() is due for *RET_VOLUME. */
	int (*create_volume)(void *self, const struct csi_create_request *request,
		struct csi_volume *ret_volume, struct error *err);

	/* SECRETS may be NULL. A volume that does not exist is deleted. */
	int (*delete_volume)(void *self, const char *handle, const struct string_map *secrets,
		struct error *err);

	/* *RET_BYTES is at least what was asked for. ERROR_OUT_OF_RANGE where the driver says that
	 * the volume is smaller. */
	int (*expand_volume)(void *self, const struct csi_expand_request *request,
		int64_t *ret_bytes, bool *ret_node_expansion, struct error *err);

	/* Calls EACH for every volume of all pages, until it fails. VOLUME is borrowed for that
	 * call. A list that does not end is ERROR_ABORTED. */
	int (*list_volumes)(void *self,
		int (*each)(void *context, const struct csi_volume *volume, struct error *err),
		void *context, struct error *err);

	int (*modify_volume)(void *self, const char *handle, const struct string_map *parameters,
		const struct string_map *secrets, struct error *err);

	/* Calls EACH for every snapshot of all pages, or for the one called ID where that is not
	 * NULL and there is one, until it fails. Else as list_volumes(). */
	int (*list_snapshots)(void *self, const char *id, csi_snapshot_fn *each, void *context,
		struct error *err);

	/* A snapshot that does not exist is deleted. */
	int (*delete_snapshot)(void *self, const char *id, struct error *err);

	/* Whether the driver answers and is ready, within seconds. */
	int (*probe)(void *self, struct error *err);
	void *self;
	struct csi_driver_info info;
};

/* TIMEOUT_MS is each call's deadline. ERROR_INVALID for an endpoint that is no unix socket.
 * Caller frees. */
int csi_client_new(
	const char *endpoint, int timeout_ms, struct csi_client **ret_client, struct error *err);
void csi_client_free(struct csi_client *client);
DEFINE_CLEANUP(struct csi_client *, csi_client_free);

/* Ask the driver who it is and what it can do, and whether it is ready (Identity.Probe). Waits for
 * the socket up to the call's deadline. ERROR_INVALID for a driver whose answers break the
 * specification. */
int csi_client_identify(
	struct csi_client *client, struct csi_driver *ret_driver, struct error *err);

#endif
