/* SPDX-License-Identifier: Apache-2.0 */
/* What a test asks an HTTP server on the loopback address. On the test's own thread only. */
#ifndef ORDINAL_TESTS_HTTP_TALK_H
#define ORDINAL_TESTS_HTTP_TALK_H

/* Send a request of LINE, such as "GET /", and HEADERS, each with its line end, on a connection of
 * its own. Caller closes. */
int http_talk_send(int port, const char *line, const char *headers);

/* All that is answered until the server ends the connection. Caller frees. */
char *http_talk_read(int fd);

/* Both. Caller frees. */
char *http_talk(int port, const char *line, const char *headers);

#endif
