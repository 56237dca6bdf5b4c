/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the three services know of the driver that they are. Set up by main before they serve;
 * unchanged afterwards.
 */
#ifndef ORDINAL_DRIVER_H
#define ORDINAL_DRIVER_H

#include "keylock.h"
#include "rpc_server.h"
#include "volumes.h"

/* A label's value, which kubelet makes of it. */
#define DRIVER_NODE_ID_MAX 63

/* As CSI and kubelet limit it. */
#define DRIVER_NAME_MAX 63

struct driver {
	const char *name;
	const char *node_id;
	char topology_key[DRIVER_NAME_MAX + sizeof("topology./node")];
	const struct backend *backend;
	struct volumes volumes;
	bool stats_walk;     /* --stats-walk; set before the start, as the next one */
	int trash_rate;      /* --trash-rate: files a second; 0: as many as possible */
	struct keylock busy; /* targets, volumes and walks of the Node calls under way */
};

/* The methods of each service; their context is a struct driver. */
extern const struct rpc_method identity_methods[];
extern const struct rpc_method controller_methods[];
extern const struct rpc_method node_methods[];

/* Start what the services need: the volumes. NAME and the rest are borrowed. */
void driver_start(struct driver *driver, const char *name, const char *node_id,
	const struct backend *backend);
void driver_stop(struct driver *driver);

/* For rpc_server_options.cancelled, with the struct driver: calls that wait for others look whether
 * they are cancelled. */
void driver_interrupt(void *driver);

#endif
