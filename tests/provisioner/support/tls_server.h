/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `openssl s_server` with certificates of a throwaway CA. It serves one file, /version, each time
 * over a new connection. Its own certificate is for 127.0.0.1, ::1 and kubernetes.test. One at a
 * time.
 */
#ifndef ORDINAL_TESTS_TLS_SERVER_H
#define ORDINAL_TESTS_TLS_SERVER_H

struct tls_server;

/* Make the certificates and start, on 127.0.0.1, for clients with a certificate of the CA. Aborts
 * where openssl does not work. Caller stops. */
struct tls_server *tls_server_start(void);

/* The same on ::1, and for any client. */
struct tls_server *tls_server_start_ipv6(void);
void tls_server_stop(struct tls_server *server);

/* Go on, on the same port, with the certificate NAME.crt and its NAME.key: server, or rotated,
 * which is of the other CA. */
void tls_server_restart(struct tls_server *server, const char *name);

int tls_server_port(const struct tls_server *server);

/* Path, and text, of a file that the server made: ca.crt, client.crt, client.key; other.crt, of
 * another CA; stranger.crt, stranger.key, of that one. A file that is not there has an empty text.
 * Caller frees. */
char *tls_server_file(const char *name);
char *tls_server_read(const char *name);

#endif
