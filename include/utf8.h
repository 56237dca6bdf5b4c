/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether bytes are text, as RFC 3629 has it: no surrogates, nothing overlong. protobuf asks it of
 * every string, and its C library does not look. Pure functions.
 */
#ifndef ORDINAL_UTF8_H
#define ORDINAL_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether the LENGTH bytes are UTF-8. */
bool utf8_is_valid(const uint8_t *bytes, size_t length);

/* The length of the character that TEXT, which ends with a NUL, begins with; 0 if it begins with
 * none. */
size_t utf8_length(const char *text);

/* Copy as much of TEXT as the SIZE bytes of RET have room for beside the NUL, without half a
 * character. A byte that is of none becomes "?". */
void utf8_copy(char *ret, size_t size, const char *text);

#endif
