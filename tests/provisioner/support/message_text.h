/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any message of protobuf-c as one line of text, so that a test says what a whole request is.
 */
#ifndef ORDINAL_TESTS_MESSAGE_TEXT_H
#define ORDINAL_TESTS_MESSAGE_TEXT_H

#include <protobuf-c/protobuf-c.h>

/* "name=a mount={fs_type=xfs} flags=[x,y]": fields that are set, by number; empty messages as {}.
 * Entries of maps are key:value. Caller frees. */
char *message_text(const ProtobufCMessage *message);

/* The keys of the map FIELD with commas between them, without their values; NULL where there is no
 * such field, or nothing in it. Caller frees. */
char *message_text_keys(const ProtobufCMessage *message, const char *field);

#endif
