/* SPDX-License-Identifier: Apache-2.0 */
#include "pack.h"

#include <stdint.h>
#include <string.h>

#include "testing.h"

struct leaf {
	char *text;
	struct leaf *next;
};

struct root {
	char *name, *nothing, *empty;
	struct leaf *leaves;
	struct strings list;
	struct string_map map;
};

static struct json_object *parse(const char *text)
{
	struct json_object *json = json_tokener_parse(text);

	assert_non_null(json);
	return json;
}

static void fill(struct pack *pack, struct root *root, size_t leaf_bytes)
{
	_cleanup_free_ char *text = malloc(leaf_bytes + 1);
	struct json_object *list = parse("['a', {}, 'b']"), *map = parse("{'k': 'v', 'n': 1}");
	struct leaf *leaves;

	assert_non_null(text);
	memset(text, 'x', leaf_bytes);
	text[leaf_bytes] = '\0';
	pack_string(pack, &root->name, "name");
	pack_optional(pack, &root->nothing, NULL);
	pack_string(pack, &root->empty, NULL);
	leaves = pack_take(pack, 2, sizeof(*leaves));
	pack_point(pack, &root->leaves, leaves);
	/* Pointers to what was taken before, and to itself. */
	pack_point(pack, &leaves[1].next, &leaves[0]);
	pack_string(pack, &leaves[0].text, text);
	pack_point(pack, &leaves[0].next, leaves);
	pack_strings(pack, &root->list, list, NULL);
	pack_map(pack, &root->map, map);
	json_object_put(list);
	json_object_put(map);
}

static void check(const struct root *root, size_t leaf_bytes)
{
	assert_string_equal(root->name, "name");
	assert_null(root->nothing);
	assert_string_equal(root->empty, "");
	assert_int_equal((uintptr_t)root->leaves % sizeof(void *), 0);
	assert_ptr_equal(root->leaves[0].next, &root->leaves[0]);
	assert_ptr_equal(root->leaves[1].next, &root->leaves[0]);
	assert_null(root->leaves[1].text);
	assert_int_equal(strlen(root->leaves[0].text), leaf_bytes);
	assert_int_equal(root->list.count, 2);
	assert_string_equal(root->list.items[0], "a");
	assert_string_equal(root->list.items[1], "b");
	assert_int_equal(root->map.count, 1);
	assert_string_equal(string_map_get(&root->map, "k"), "v");
}

/* Around the size of the first chunk, and so large that there are several. */
static void test_sizes(void **state)
{
	static const size_t sizes[] = {1, 1500, 1800, 1900, 2000, 2047, 2048, 5000, 100000};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct pack pack;
		struct root *root;

		pack_init(&pack);
		root = pack_take(&pack, 1, sizeof(*root));
		fill(&pack, root, sizes[i]);
		root = pack_seal(&pack);
		pack_done(&pack);
		check(root, sizes[i]);
		free(root);
	}
}

/* As many pointers as a hostile object may have. */
static void test_many(void **state)
{
	struct json_object *array = json_object_new_array();
	struct pack pack;
	struct root *root;
	char text[16];

	(void)state;
	for (int i = 0; i < 5000; i++) {
		snprintf(text, sizeof(text), "item %d", i);
		json_object_array_add(array, json_object_new_string(text));
	}
	pack_init(&pack);
	root = pack_take(&pack, 1, sizeof(*root));
	pack_strings(&pack, &root->list, array, NULL);
	json_object_put(array);
	root = pack_seal(&pack);
	pack_done(&pack);
	assert_int_equal(root->list.count, 5000);
	for (int i = 0; i < 5000; i++) {
		snprintf(text, sizeof(text), "item %d", i);
		assert_string_equal(root->list.items[i], text);
	}
	free(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
