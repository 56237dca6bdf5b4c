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
	bool single_node_multi_writer; /* it knows the newer single-node access modes */
};

/* A topology: segments such as topology.example.com/zone=a. */
struct csi_topologies {
	struct string_map *items;
	size_t count;
};

struct csi_create_request {
	const char *name;
	int64_t required_bytes;
	const struct string_map *parameters;
	const struct strings *access_modes; /* of the claim: ReadWriteOnce, ... */
	const struct strings *mount_options;
	const char *fs_type; /* or "" */
	bool block;
	const struct string_map *topology; /* where it must be reachable; NULL: anywhere */
};

struct csi_volume {
	char *handle;
	int64_t capacity_bytes; /* 0: the driver does not say */
	struct string_map context;
	struct csi_topologies topologies;
};

void csi_volume_done(struct csi_volume *volume);

struct csi_client;

/* How the volume controllers reach the driver: a table, so that tests can answer in its place. Any
 * thread may call. Errors have the kind of the driver's gRPC status. */
struct csi_driver {
	/* On success csi_volume_done() is due for *RET_VOLUME. */
	int (*create_volume)(void *self, const struct csi_create_request *request,
		struct csi_volume *ret_volume, struct error *err);
	int (*delete_volume)(void *self, const char *handle, struct error *err);
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
