/* SPDX-License-Identifier: Apache-2.0 */
#include "http_listen.h"

#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "cleanup.h"

#define BACKLOG 64

/* "HOST:PORT" into HOST, without the brackets, and PORT. */
static int split(const char *address, char *host, size_t size, const char **ret_port)
{
	const char *colon = strrchr(address, ':'), *end = colon;
	const char *start = address;

	if (!colon || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
		strlen(colon + 1) > 5 || strtol(colon + 1, NULL, 10) > 65535)
		return -1;
	if (*start == '[') {
		start++;
		end--;
		if (end <= start || *end != ']')
			return -1;
	} else if (memchr(start, ':', (size_t)(end - start))) {
		return -1;
	}
	if ((size_t)(end - start) >= size)
		return -1;
	memcpy(host, start, (size_t)(end - start));
	host[end - start] = '\0';
	*ret_port = colon + 1;
	return 0;
}

/* -1 and errno if it cannot be. */
static int listen_at(const struct addrinfo *at)
{
	_cleanup_close_ int fd = socket(
		at->ai_family, at->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, at->ai_protocol);
	int yes = 1, no = 0;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (at->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
	if (bind(fd, at->ai_addr, at->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
		return -1;
	return take_fd(&fd);
}

/* The first that works. All addresses are "::", which takes in IPv4, before "0.0.0.0". */
static int listen_at_first(const struct addrinfo *list, const char *host)
{
	int families[] = {AF_INET6, AF_INET}, fd = -1;

	for (size_t i = 0; fd < 0 && i < ARRAY_SIZE(families); i++)
		for (const struct addrinfo *at = list; fd < 0 && at; at = at->ai_next)
			if (*host ? i == 0 : at->ai_family == families[i])
				fd = listen_at(at);
	return fd;
}

static int port_of(int fd)
{
	struct sockaddr_storage name = {0};
	socklen_t size = sizeof(name);

	getsockname(fd, (struct sockaddr *)&name, &size);
	/* The port is at the same place in both. */
	return ntohs(((const struct sockaddr_in *)&name)->sin_port);
}

int http_listen(const char *address, int *ret_fd, int *ret_port, struct error *err)
{
	const struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
	struct addrinfo *list;
	const char *port;
	char host[256];
	int code, fd;

	if (split(address, host, sizeof(host), &port) < 0)
		return error_set(err, ERROR_INVALID,
			"\"%s\" is no address to listen at: give HOST:PORT, [IPv6]:PORT or :PORT",
			address);
	code = getaddrinfo(*host ? host : NULL, port, &hints, &list);
	if (code)
		return error_set(err, ERROR_INVALID, "address %s: %s", address, gai_strerror(code));
	fd = listen_at_first(list, host);
	freeaddrinfo(list);
	if (fd < 0)
		return error_set_errno(err, errno, "listen at %s", address);
	*ret_port = port_of(fd);
	*ret_fd = fd;
	return 0;
}
