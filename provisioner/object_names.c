/* SPDX-License-Identifier: Apache-2.0 */
#include "object_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH_MAX  253 /* of a name of the API server's */
#define HASH_LENGTH 17  /* with its dash */

/* FNV-1a. */
static unsigned long long hash(const char *text)
{
	unsigned long long value = 0xcbf29ce484222325;

	for (; *text; text++)
		value = (value ^ (unsigned char)*text) * 0x100000001b3;
	return value;
}

/* Each part alone may be as long as a name can be: the end of what is too long becomes a hash of
 * the whole, so that no two nodes share an object. */
static void shorten(char *name)
{
	unsigned long long whole = hash(name);

	if (strlen(name) > LENGTH_MAX)
		snprintf(name + LENGTH_MAX - HASH_LENGTH, HASH_LENGTH + 1, "-%016llx", whole);
}

/* csi-lib-utils' rule for the names of leases, which leaves capitals alone. */
static char *make_name(const char *prefix, const char *driver, const char *node)
{
	static const char kept[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
	size_t length;
	char *name;

	/* The X at the end is there for names that would end in a dash. */
	if (asprintf(&name, "%s%s%s%sX", prefix, driver, node ? "-" : "", node ? node : "") < 0)
		abort();
	length = strlen(name) - 1;
	for (size_t i = 0; i < length; i++)
		if (!strchr(kept, name[i]))
			name[i] = '-';
	if (!length || name[length - 1] != '-')
		name[length] = '\0';
	shorten(name);
	return name;
}

char *object_names_lease(const char *driver, const char *node)
{
	return make_name("", driver, node);
}

char *object_names_journal(const char *driver, const char *node)
{
	char *name = make_name("ordinal-journal-", driver, node);

	for (char *at = name; *at; at++)
		if (*at >= 'A' && *at <= 'Z')
			*at += 'a' - 'A';
	return name;
}
