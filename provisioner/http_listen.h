/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listening TCP sockets from addresses as people write them in flags.
 */
#ifndef ORDINAL_HTTP_LISTEN_H
#define ORDINAL_HTTP_LISTEN_H

#include "error.h"

/* A socket that listens at ADDRESS ("HOST:PORT", "[IPv6]:PORT", ":PORT": all addresses, of both
 * families where there is IPv6), not blocking, and the port that it got. ERROR_INVALID for an
 * address that is none. Caller closes. */
int http_listen(const char *address, int *ret_fd, int *ret_port, struct error *err);

#endif
