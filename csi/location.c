/* SPDX-License-Identifier: Apache-2.0 */
#include "location.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "beneath.h"
#include "cleanup.h"

/* Ids of before they had options say nothing. */
static bool has_port(const struct location *location)
{
	return !location->any_options || *location->options;
}

bool location_equal(const struct location *a, const struct location *b)
{
	return !strcmp(a->server, b->server) && !strcmp(a->share, b->share) &&
	       (!has_port(a) || !has_port(b) ||
		       mount_options_port(a->options) == mount_options_port(b->options));
}

void location_name(const struct location *location, char ret[LOCATION_NAME_MAX + 1])
{
	const char *server = location->server;

	if (!*server)
		snprintf(ret, LOCATION_NAME_MAX + 1, "%s", location->share);
	else if (strchr(server, ':'))
		snprintf(ret, LOCATION_NAME_MAX + 1, "[%s]:%s", server, location->share);
	else
		snprintf(ret, LOCATION_NAME_MAX + 1, "%s:%s", server, location->share);
}

/* TEXT as an IPv6 address in its one canonical spelling; a scope such as %eth0 stays. */
static bool spell_ipv6(const char *text, char *ret, size_t size)
{
	char address[INET6_ADDRSTRLEN], canonical[INET6_ADDRSTRLEN];
	const char *scope = strchr(text, '%');
	size_t length = scope ? (size_t)(scope - text) : strlen(text);
	struct in6_addr parsed;

	if (length >= sizeof(address) || (scope && strlen(scope) > IF_NAMESIZE))
		return false;
	for (const char *at = scope ? scope + 1 : ""; *at; at++)
		if (!isalnum((unsigned char)*at) && !strchr("._-", *at))
			return false;
	memcpy(address, text, length);
	address[length] = '\0';
	if (inet_pton(AF_INET6, address, &parsed) != 1 ||
		!inet_ntop(AF_INET6, &parsed, canonical, sizeof(canonical)))
		return false;
	snprintf(ret, size, "%s%s", canonical, scope ? scope : "");
	return true;
}

static bool is_host_name(const char *text)
{
	if (!isalnum((unsigned char)*text))
		return false;
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr("-._", *text))
			return false;
	return true;
}

int location_set_server(struct location *location, const char *server, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t length = strlen(server);
	bool bracketed = length > 2 && server[0] == '[' && server[length - 1] == ']';

	text = bracketed ? strndup(server + 1, length - 2) : strdup(server);
	if (!text)
		abort();
	if (length > VOLUME_ID_MAX)
		return error_set(
			err, ERROR_INVALID, "the server is longer than %d bytes", VOLUME_ID_MAX);
	if (strchr(text, ':') && spell_ipv6(text, location->server, sizeof(location->server)))
		return 0;
	if (bracketed || !is_host_name(text))
		return error_set(
			err, ERROR_INVALID, "\"%s\" is not a host name or an address", server);
	for (size_t i = 0; i <= length; i++)
		location->server[i] = (char)tolower((unsigned char)text[i]);
	if (location->server[length - 1] == '.')
		location->server[length - 1] = '\0';
	return 0;
}

int location_set_share(struct location *location, const char *share, struct error *err)
{
	size_t length = strlen(share);

	while (length > 1 && share[length - 1] == '/')
		length--;
	if (*share != '/')
		return error_set(err, ERROR_INVALID, "\"%s\" is not an absolute path", share);
	if (length > VOLUME_ID_MAX)
		return error_set(
			err, ERROR_INVALID, "\"%s\" is longer than %d bytes", share, VOLUME_ID_MAX);
	memcpy(location->share, share, length);
	location->share[length] = '\0';
	return length == 1 ? 0 : beneath_check_path(location->share + 1, err);
}

int location_parse(struct location *location, const char *text, size_t length, struct error *err)
{
	_cleanup_free_ char *copy = strndup(text, length);
	char *share = copy ? strstr(copy, ":/") : NULL;

	if (!copy)
		abort();
	if (!share)
		return error_set(err, ERROR_INVALID, "\"%s\" is not server:/share", copy);
	*share = '\0';
	if (location_set_server(location, copy, err) < 0)
		return -1;
	return location_set_share(location, share + 1, err);
}
