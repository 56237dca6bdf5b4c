/* SPDX-License-Identifier: Apache-2.0 */
#include "mount_options.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "mounter.h"

/* nfs(5), without those that would have mount.nfs do something else: bg would end before the mount
 * is there. */
static const char *const plain_options[] = {"hard", "soft", "softerr", "softreval", "nosoftreval",
	"intr", "nointr", "ac", "noac", "cto", "nocto", "acl", "noacl", "lock", "nolock",
	"sharecache", "nosharecache", "rdirplus", "nordirplus", "resvport", "noresvport", "fg",
	"tcp", "udp", "rdma", "fsc", "nofsc", "migration", "nomigration", "sync", "async",
	"trunkdiscovery", "notrunkdiscovery"};
static const char *const value_options[] = {"nfsvers", "vers", "minorversion", "proto", "port",
	"mountport", "mountproto", "mountvers", "mounthost", "timeo", "retrans", "retry", "rsize",
	"wsize", "nconnect", "max_connect", "sec", "acregmin", "acregmax", "acdirmin", "acdirmax",
	"actimeo", "lookupcache", "local_lock", "namlen", "clientaddr", "write", "xprtsec"};

/* Those of them that say how a server is reached. */
static const char *const reaching_options[] = {"nfsvers", "vers", "minorversion", "proto", "tcp",
	"udp", "rdma", "port", "mountport", "mountproto", "mountvers", "mounthost", "sec",
	"xprtsec", "lock", "nolock", "local_lock", "resvport", "noresvport", "clientaddr"};

#define DEFAULT_PORT 2049

int mount_options_add_bind(const char *option, struct mount_options *options, struct error *err)
{
	return mounter_add_option(option, &options->flags, err);
}

static bool is_listed(const char *const *list, size_t count, const char *name, size_t length)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(list[i]) == length && !strncmp(list[i], name, length))
			return true;
	return false;
}

static bool is_value(const char *text)
{
	if (!*text)
		return false;
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr(".:_-/%", *text))
			return false;
	return true;
}

static bool is_nfs_option(const char *option)
{
	const char *equals = strchr(option, '=');

	if (!equals)
		return is_listed(plain_options, ARRAY_SIZE(plain_options), option, strlen(option));
	return is_value(equals + 1) && is_listed(value_options, ARRAY_SIZE(value_options), option,
					       (size_t)(equals - option));
}

static int append(const char *option, struct mount_options *options, struct error *err)
{
	size_t length = strlen(options->text);

	if (length + strlen(option) + 1 > MOUNT_OPTIONS_MAX)
		return error_set(err, ERROR_INVALID, "the mount options are longer than %d bytes",
			MOUNT_OPTIONS_MAX);
	snprintf(options->text + length, sizeof(options->text) - length, "%s%s", length ? "," : "",
		option);
	return 0;
}

static int add_one(const char *option, struct mount_options *options, struct error *err)
{
	if (!*option)
		return 0;
	if (is_nfs_option(option))
		return append(option, options, err);
	if (mounter_add_option(option, &options->flags, err) == 0)
		return 0;
	return error_set(err, ERROR_INVALID,
		"mount option \"%s\" is not understood; known are those of nfs(5) but bg, and of mounts "
		"ro, rw, nosuid, nodev, noexec, noatime, nodiratime, relatime and strictatime",
		option);
}

int mount_options_add_nfs(const char *option, struct mount_options *options, struct error *err)
{
	_cleanup_free_ char *copy = strdup(option);
	char *rest = copy, *one;

	if (!copy)
		abort();
	while ((one = strsep(&rest, ",")))
		if (add_one(one, options, err) < 0)
			return -1;
	return 0;
}

void mount_options_reaching(const char *options, char ret[MOUNT_OPTIONS_MAX + 1])
{
	size_t length = 0;

	*ret = '\0';
	while (*options) {
		size_t all = strcspn(options, ","), name = strcspn(options, "=,");

		if (is_listed(reaching_options, ARRAY_SIZE(reaching_options), options, name))
			length += (size_t)snprintf(ret + length, MOUNT_OPTIONS_MAX + 1 - length,
				"%s%.*s", length ? "," : "", (int)all, options);
		options += all + (options[all] == ',');
	}
}

int mount_options_port(const char *options)
{
	static const char name[] = "port=";
	int port = 0;

	for (; *options; options += strspn(options, ",")) {
		if (!strncmp(options, name, strlen(name)))
			port = atoi(options + strlen(name));
		options += strcspn(options, ",");
	}
	return port ? port : DEFAULT_PORT;
}
