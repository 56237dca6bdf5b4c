/* SPDX-License-Identifier: Apache-2.0 */
#include "dns_name.h"

#include <string.h>

#define LABEL_MAX     63
#define SUBDOMAIN_MAX 253

/* The length of the part that TEXT starts with, 0 if it is none. */
static size_t part_length(const char *text)
{
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return length && text[0] != '-' && text[length - 1] != '-' ? length : 0;
}

bool dns_name_is_label(const char *text)
{
	size_t length = part_length(text);

	return length && length <= LABEL_MAX && !text[length];
}

bool dns_name_is_subdomain(const char *text)
{
	if (strlen(text) > SUBDOMAIN_MAX)
		return false;
	for (;;) {
		size_t length = part_length(text);

		if (!length || !text[length])
			return length != 0;
		if (text[length] != '.')
			return false;
		text += length + 1;
	}
}
