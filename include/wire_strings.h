/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What protobuf-c does not look at: it takes any bytes as a string and stops at a NUL, so that two
 * different names would pass for one. This reads the bytes themselves.
 */
#ifndef ORDINAL_WIRE_STRINGS_H
#define ORDINAL_WIRE_STRINGS_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

/* Check every string in the LENGTH bytes of a message of TYPE, which protobuf-c has decoded:
 * valid UTF-8 without NUL, or ERROR_INVALID naming the field. */
int wire_strings_check(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t length,
	struct error *err);

#endif
