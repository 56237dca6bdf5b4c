/* SPDX-License-Identifier: Apache-2.0 */
#include "http_talk.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "testing.h"

#define LIMIT 40 /* seconds that an answer may take on a slow machine */

int http_talk_send(int port, const char *line, const char *headers)
{
	struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const struct timeval limit = {.tv_sec = LIMIT};

	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	dprintf(fd, "%s HTTP/1.1\r\nHost: h\r\n%s\r\n", line, headers);
	return fd;
}

char *http_talk_read(int fd)
{
	char *answer = NULL, buffer[65536];
	size_t size;
	FILE *out = open_memstream(&answer, &size);
	ssize_t got;

	assert_non_null(out);
	while ((got = read(fd, buffer, sizeof(buffer))) > 0)
		fwrite(buffer, 1, (size_t)got, out);
	fclose(out);
	return answer;
}

char *http_talk(int port, const char *line, const char *headers)
{
	_cleanup_close_ int fd = http_talk_send(port, line, headers);

	return http_talk_read(fd);
}
