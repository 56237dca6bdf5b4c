/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether bytes are text: what protobuf asks of every string, and what its C library does not
 * look at.
 */
#ifndef ORDINAL_UTF8_H
#define ORDINAL_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether the LENGTH bytes are UTF-8 as RFC 3629 has it: no surrogates, nothing overlong. */
bool utf8_is_valid(const uint8_t *bytes, size_t length);

#endif
