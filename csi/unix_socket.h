/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a server does to the file of its unix socket before and after binding it.
 */
#ifndef ORDINAL_UNIX_SOCKET_H
#define ORDINAL_UNIX_SOCKET_H

#include <sys/types.h>

#include "error.h"

/* Whether PATH can be bound: absolute, short enough, free or a stale socket, which is removed.
 * ERROR_FAILED_PRECONDITION when another process answers on it, ERROR_INVALID when PATH cannot be
 * a socket's, or is a file of another kind. */
int unix_socket_claim(const char *path, struct error *err);

/* Whether somebody listens at PATH, even if busy or stopped; ERROR_UNAVAILABLE when nobody does. */
int unix_socket_check_served(const char *path, struct error *err);

/* Give the socket at PATH to GID; nothing for (gid_t)-1. */
int unix_socket_set_group(const char *path, gid_t gid, struct error *err);

#endif
