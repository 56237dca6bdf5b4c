/* SPDX-License-Identifier: Apache-2.0 */
#include "utf8.h"

#include <string.h>

/* The length of the character that the bytes begin with, 0 if they begin with none. */
static size_t character(const uint8_t *at, size_t length)
{
	size_t count;

	if (!length)
		return 0;
	count = *at < 0x80 ? 1 : *at < 0xc2 ? 0 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4;
	if (*at > 0xf4 || count > length)
		return 0;
	for (size_t i = 1; i < count; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
		(at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
		return 0;
	return count;
}

bool utf8_is_valid(const uint8_t *bytes, size_t length)
{
	while (length) {
		size_t count = character(bytes, length);

		if (!count)
			return false;
		bytes += count;
		length -= count;
	}
	return true;
}

size_t utf8_length(const char *text)
{
	size_t length = character((const uint8_t *)text, strnlen(text, 4));

	return *text ? length : 1;
}

void utf8_copy(char *ret, size_t size, const char *text)
{
	size_t used = 0;

	while (*text) {
		size_t length = utf8_length(text), step = length ? length : 1;

		if (used + step >= size)
			break;
		if (length)
			memcpy(ret + used, text, length);
		else
			ret[used] = '?';
		used += step;
		text += step;
	}
	ret[used] = '\0';
}
