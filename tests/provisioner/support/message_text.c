/* SPDX-License-Identifier: Apache-2.0 */
#include "message_text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_message(FILE *out, const ProtobufCMessage *message);

static void print_nested(FILE *out, const ProtobufCMessage *message)
{
	fputc('{', out);
	print_message(out, message);
	fputc('}', out);
}

/* A map's entry has the fields key and value, both of them strings in all that CSI has. */
static bool print_entry(FILE *out, const ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *type = message->descriptor;
	const char *base = (const char *)message;

	if (type->n_fields != 2 || strcmp(type->fields[0].name, "key"))
		return false;
	fprintf(out, "%s:%s", *(char *const *)(base + type->fields[0].offset),
		*(char *const *)(base + type->fields[1].offset));
	return true;
}

static void print_value(FILE *out, const ProtobufCFieldDescriptor *field, const void *value)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_STRING:
		fputs(*(char *const *)value, out);
		break;
	case PROTOBUF_C_TYPE_MESSAGE:
		if (!print_entry(out, *(ProtobufCMessage *const *)value))
			print_nested(out, *(ProtobufCMessage *const *)value);
		break;
	case PROTOBUF_C_TYPE_INT64:
		fprintf(out, "%lld", (long long)*(const int64_t *)value);
		break;
	case PROTOBUF_C_TYPE_BOOL:
		fputs(*(const protobuf_c_boolean *)value ? "true" : "false", out);
		break;
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_ENUM:
		fprintf(out, "%d", *(const int32_t *)value);
		break;
	default:
		fputc('?', out);
		break;
	}
}

static size_t value_size(const ProtobufCFieldDescriptor *field)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_INT64:
		return sizeof(int64_t);
	default:
		return sizeof(int32_t);
	}
}

static void print_list(
	FILE *out, const ProtobufCFieldDescriptor *field, const void *items, size_t count)
{
	fprintf(out, "%s=[", field->name);
	for (size_t i = 0; i < count; i++) {
		if (i)
			fputc(',', out);
		print_value(out, field, (const char *)items + i * value_size(field));
	}
	fputc(']', out);
}

static bool is_set(
	const ProtobufCFieldDescriptor *field, const ProtobufCMessage *message, const void *value)
{
	if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
		return *(const uint32_t *)((const char *)message + field->quantifier_offset) ==
		       field->id;
	switch (field->type) {
	case PROTOBUF_C_TYPE_STRING:
		return **(char *const *)value != '\0';
	case PROTOBUF_C_TYPE_MESSAGE:
		return *(void *const *)value != NULL;
	case PROTOBUF_C_TYPE_INT64:
		return *(const int64_t *)value != 0;
	default:
		return *(const int32_t *)value != 0;
	}
}

static void print_message(FILE *out, const ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *type = message->descriptor;
	const char *gap = "";

	for (unsigned i = 0; i < type->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &type->fields[i];
		const char *value = (const char *)message + field->offset;
		size_t count = 0;

		if (field->label == PROTOBUF_C_LABEL_REPEATED)
			count = *(const size_t *)((const char *)message + field->quantifier_offset);
		else if (!is_set(field, message, value))
			continue;
		if (field->label == PROTOBUF_C_LABEL_REPEATED && !count)
			continue;
		fputs(gap, out);
		gap = " ";
		if (count) {
			print_list(out, field, *(void *const *)value, count);
			continue;
		}
		fprintf(out, "%s=", field->name);
		print_value(out, field, value);
	}
}

char *message_text(const ProtobufCMessage *message)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	print_message(out, message);
	fclose(out);
	return text;
}

char *message_text_keys(const ProtobufCMessage *message, const char *field)
{
	const ProtobufCFieldDescriptor *found =
		protobuf_c_message_descriptor_get_field_by_name(message->descriptor, field);
	const char *base = (const char *)message;
	ProtobufCMessage *const *entries;
	size_t count, size;
	char *text = NULL;
	FILE *out;

	if (!found || !(count = *(const size_t *)(base + found->quantifier_offset)))
		return NULL;
	entries = *(ProtobufCMessage *const *const *)(base + found->offset);
	out = open_memstream(&text, &size);
	if (!out)
		abort();
	for (size_t i = 0; i < count; i++) {
		const char *key =
			(const char *)entries[i] + entries[i]->descriptor->fields[0].offset;

		fprintf(out, "%s%s", i ? "," : "", *(char *const *)key);
	}
	fclose(out);
	return text;
}
