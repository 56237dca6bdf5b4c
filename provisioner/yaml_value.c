/* SPDX-License-Identifier: Apache-2.0 */
#include "yaml_value.h"

#include <string.h>

struct yaml_value yaml_value_root(yaml_document_t *document)
{
	return (struct yaml_value){document, yaml_document_get_root_node(document)};
}

struct yaml_value yaml_value_member(struct yaml_value mapping, const char *key)
{
	struct yaml_value value = {mapping.document, NULL};
	yaml_node_pair_t *pair;

	if (!mapping.node || mapping.node->type != YAML_MAPPING_NODE)
		return value;
	for (pair = mapping.node->data.mapping.pairs.start;
		pair < mapping.node->data.mapping.pairs.top; pair++) {
		const char *name = yaml_value_scalar((struct yaml_value){
			mapping.document, yaml_document_get_node(mapping.document, pair->key)});

		if (!name || strcmp(name, key))
			continue;
		value.node = yaml_document_get_node(mapping.document, pair->value);
		break;
	}
	return value;
}

const char *yaml_value_scalar(struct yaml_value value)
{
	const char *text;

	if (!value.node || value.node->type != YAML_SCALAR_NODE)
		return NULL;
	text = (const char *)value.node->data.scalar.value;
	/* One that holds a NUL would be used as another than the file says. */
	return strlen(text) == value.node->data.scalar.length ? text : NULL;
}

const char *yaml_value_text(struct yaml_value mapping, const char *key)
{
	const char *text = yaml_value_scalar(yaml_value_member(mapping, key));

	return text && *text ? text : NULL;
}

size_t yaml_value_count(struct yaml_value list)
{
	if (!list.node || list.node->type != YAML_SEQUENCE_NODE)
		return 0;
	return (size_t)(list.node->data.sequence.items.top - list.node->data.sequence.items.start);
}

struct yaml_value yaml_value_item(struct yaml_value list, size_t index)
{
	struct yaml_value value = {list.document, NULL};

	if (index < yaml_value_count(list))
		value.node = yaml_document_get_node(
			list.document, list.node->data.sequence.items.start[index]);
	return value;
}
