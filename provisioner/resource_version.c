/* SPDX-License-Identifier: Apache-2.0 */
#include "resource_version.h"

#include <string.h>

static bool is_number(const char *version)
{
	return *version && *version != '0' && !version[strspn(version, "0123456789")];
}

bool resource_version_is_older(const char *version, const char *than)
{
	size_t length = strlen(version), than_length = strlen(than);

	if (!is_number(version) || !is_number(than))
		return false;
	return length != than_length ? length < than_length : strcmp(version, than) < 0;
}
