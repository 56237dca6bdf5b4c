/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading access to a YAML document that checks types: what is not there, or is of another type
 * than is asked for, is an empty value or NULL.
 */
#ifndef ORDINAL_YAML_VALUE_H
#define ORDINAL_YAML_VALUE_H

#include <stdbool.h>
#include <yaml.h>

/* Borrows from its document. NODE is NULL where there is nothing. */
struct yaml_value {
	yaml_document_t *document;
	yaml_node_t *node;
};

struct yaml_value yaml_value_root(yaml_document_t *document);

/* The value of KEY in MAPPING. */
struct yaml_value yaml_value_member(struct yaml_value mapping, const char *key);

/* The text of that; NULL where it is no scalar, is empty or holds a NUL. Borrowed. */
const char *yaml_value_text(struct yaml_value mapping, const char *key);

/* The text of VALUE itself; NULL as above, but the empty text is one. Borrowed. */
const char *yaml_value_scalar(struct yaml_value value);

/* How many items a list has, and one of them. 0 where it is no list. */
size_t yaml_value_count(struct yaml_value list);
struct yaml_value yaml_value_item(struct yaml_value list, size_t index);

#endif
