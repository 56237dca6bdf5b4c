/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_strings.h"

#include <string.h>

#include "utf8.h"

/* A part of an encoded message that is still to be read. */
struct span {
	const uint8_t *at;
	const uint8_t *end;
};

enum wire_type { WIRE_VARINT, WIRE_64BIT, WIRE_LENGTH, WIRE_START, WIRE_END, WIRE_32BIT };

static bool read_varint(struct span *span, uint64_t *ret_number)
{
	uint64_t number = 0;

	for (int shift = 0; shift < 64 && span->at < span->end; shift += 7) {
		uint8_t byte = *span->at++;

		number |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret_number = number;
			return true;
		}
	}
	return false;
}

/* Read one field: its number, and for WIRE_LENGTH its bytes, else an empty span. */
static bool read_field(struct span *span, uint32_t *ret_number, struct span *ret_value)
{
	uint64_t tag, length = 0;

	if (!read_varint(span, &tag))
		return false;
	*ret_number = (uint32_t)(tag >> 3);
	*ret_value = (struct span){span->at, span->at};
	switch ((enum wire_type)(tag & 7)) {
	case WIRE_VARINT:
		return read_varint(span, &length);
	case WIRE_64BIT:
		length = 8;
		break;
	case WIRE_32BIT:
		length = 4;
		break;
	case WIRE_LENGTH:
		if (!read_varint(span, &length))
			return false;
		break;
	default:
		return false;
	}
	if (length > (uint64_t)(span->end - span->at))
		return false;
	if ((tag & 7) == WIRE_LENGTH)
		*ret_value = (struct span){span->at, span->at + length};
	span->at += length;
	return true;
}

static int check_string(struct span value, const char *name, struct error *err)
{
	size_t length = (size_t)(value.end - value.at);

	if (memchr(value.at, 0, length))
		return error_set(err, ERROR_INVALID, "%s: holds a NUL byte", name);
	if (!utf8_is_valid(value.at, length))
		return error_set(err, ERROR_INVALID, "%s: is not valid UTF-8", name);
	return 0;
}

/* Recursion ends with the descriptors: none of ours contains itself. */
int wire_strings_check(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t length,
	struct error *err)
{
	struct span rest = {bytes, bytes + length}, value;
	uint32_t number;

	while (rest.at < rest.end) {
		const ProtobufCFieldDescriptor *field;
		int result = 0;

		if (!read_field(&rest, &number, &value))
			return error_set(err, ERROR_INVALID, "the message is not a %s", type->name);
		field = protobuf_c_message_descriptor_get_field(type, number);
		if (field && field->type == PROTOBUF_C_TYPE_STRING)
			result = check_string(value, field->name, err);
		else if (field && field->type == PROTOBUF_C_TYPE_MESSAGE &&
			 wire_strings_check(field->descriptor, value.at,
				 (size_t)(value.end - value.at), err) < 0)
			result = error_prefix(err, "%s", field->name);
		if (result < 0)
			return -1;
	}
	return 0;
}
