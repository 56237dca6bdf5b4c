/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How kubelet learns of the driver: a second socket, in a directory that kubelet watches.
 */
#ifndef ORDINAL_REGISTRATION_H
#define ORDINAL_REGISTRATION_H

#include "rpc_server.h"

struct registration {
	const char *driver_name;
	const char *endpoint;  /* the CSI socket, as a path on the host */
	void (*refused)(void); /* kubelet does not want the driver; called on a worker */
	struct rpc_service services[2];
	struct rpc_server *server;
};

/* Serve <DIRECTORY>/<driver_name>-reg.sock. The CSI socket must be served already: kubelet calls
 * it at once. The first three fields of REGISTRATION are set, and it outlives the server. */
int registration_start(struct registration *registration, const char *directory, struct error *err);

/* Stop, and remove the socket: that is how kubelet learns that the driver is gone. */
void registration_stop(struct registration *registration);

#endif
