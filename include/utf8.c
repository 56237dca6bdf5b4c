/* SPDX-License-Identifier: Apache-2.0 */
#include "utf8.h"

/* The byte count of the character that starts with BYTE, and its smallest code point; 0 if none
 * does. */
static int sequence_length(uint8_t byte, uint32_t *ret_least)
{
	static const struct {
		uint8_t mask, lead;
		uint32_t least;
	} forms[] = {{0x80, 0, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};

	for (int i = 0; i < 4; i++)
		if ((byte & forms[i].mask) == forms[i].lead) {
			*ret_least = forms[i].least;
			return i + 1;
		}
	return 0;
}

bool utf8_is_valid(const uint8_t *bytes, size_t length)
{
	for (size_t at = 0; at < length;) {
		uint32_t least, code;
		int count = sequence_length(bytes[at], &least);

		if (!count || length - at < (size_t)count)
			return false;
		code = count == 1 ? bytes[at] : bytes[at] & (0x7fu >> count);
		for (int i = 1; i < count; i++) {
			if ((bytes[at + (size_t)i] & 0xc0) != 0x80)
				return false;
			code = code << 6 | (bytes[at + (size_t)i] & 0x3fu);
		}
		if (code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
			return false;
		at += (size_t)count;
	}
	return true;
}
