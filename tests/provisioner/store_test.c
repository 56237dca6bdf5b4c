/* SPDX-License-Identifier: Apache-2.0 */
#include "store.h"

#include <pthread.h>
#include <string.h>

#include "testing.h"

/* What the handler was told: "+a1 ~a1>2 -a2 " with name and resourceVersion. */
struct told {
	struct store *store;
	char text[1024];
};

static void tell(void *context, const struct object *old, const struct object *new)
{
	struct told *told = context;
	size_t length = strlen(told->text);
	char *at = told->text + length;
	size_t size = sizeof(told->text) - length;

	/* The store may be called from here. */
	store_count(told->store);
	if (old && new)
		snprintf(at, size, "~%s%s>%s ", old->key, old->resource_version,
			new->resource_version);
	else if (new)
		snprintf(at, size, "+%s%s ", new->key, new->resource_version);
	else
		snprintf(at, size, "-%s%s ", old->key, old->resource_version);
}

static struct object *make(const char *name, int version)
{
	char text[256];

	snprintf(text, sizeof(text),
		"{'metadata': {'name': '%s', 'uid': 'u-%s', 'resourceVersion': '%d'}}", name, name,
		version);
	return object_of(&volume_type, text);
}

static void set(struct store *store, const char *name, int version)
{
	_cleanup_object_ struct object *object = make(name, version);

	store_set(store, object);
}

static void start(struct told *told)
{
	told->text[0] = '\0';
	told->store = store_new(tell, told);
}

static void test_set_get_delete(void **state)
{
	struct told told;
	_cleanup_object_ struct object *found = NULL;

	(void)state;
	start(&told);
	set(told.store, "a", 1);
	set(told.store, "b", 1);
	set(told.store, "a", 2);
	assert_int_equal(store_count(told.store), 2);
	found = store_get(told.store, "a");
	assert_string_equal(found->resource_version, "2");
	assert_null(store_get(told.store, "c"));
	store_delete(told.store, "c");
	store_delete(told.store, "a");
	assert_null(store_get(told.store, "a"));
	assert_string_equal(told.text, "+a1 +b1 ~a1>2 -a2 ");
	store_free(told.store);
	/* What was got outlives all of it. */
	assert_string_equal(found->name, "a");
}

static void test_replace_sweeps(void **state)
{
	struct told told;

	(void)state;
	start(&told);
	set(told.store, "a", 1);
	set(told.store, "b", 1);
	set(told.store, "c", 1);
	told.text[0] = '\0';
	store_begin_replace(told.store);
	set(told.store, "b", 1);
	set(told.store, "d", 2);
	store_end_replace(told.store);
	assert_string_equal(told.text, "~b1>1 +d2 -a1 -c1 ");
	assert_int_equal(store_count(told.store), 2);
	store_free(told.store);
}

/* A list that failed half-way is begun again: what the failed one named counts no more. */
static void test_replace_after_half_a_list(void **state)
{
	struct told told;

	(void)state;
	start(&told);
	set(told.store, "a", 1);
	store_begin_replace(told.store);
	set(told.store, "b", 1);
	store_begin_replace(told.store);
	set(told.store, "c", 1);
	told.text[0] = '\0';
	store_end_replace(told.store);
	assert_string_equal(told.text, "-a1 -b1 ");
	store_free(told.store);
}

static void test_replace_by_nothing(void **state)
{
	struct told told;

	(void)state;
	start(&told);
	store_begin_replace(told.store);
	store_end_replace(told.store);
	set(told.store, "a", 1);
	store_begin_replace(told.store);
	store_end_replace(told.store);
	assert_string_equal(told.text, "+a1 -a1 ");
	store_free(told.store);
}

static void test_references(void **state)
{
	struct store *store = store_new(NULL, NULL);
	struct object *object = make("a", 1);

	(void)state;
	store_set(store, object);
	assert_int_equal(object->refs, 2);
	assert_ptr_equal(store_get(store, "a"), object);
	assert_int_equal(object->refs, 3);
	object_unref(object);
	set(store, "a", 2);
	assert_int_equal(object->refs, 1);
	store_set(store, object);
	store_delete(store, "a");
	assert_int_equal(object->refs, 1);
	store_set(store, object);
	store_set(store, object); /* the same again in its own place */
	assert_int_equal(object->refs, 2);
	store_free(store);
	assert_int_equal(object->refs, 1);
	object_unref(object);
}

static void add_name(void *context, const struct object *object)
{
	strcat(context, object->name);
}

static void test_each(void **state)
{
	_cleanup_(store_freep) struct store *store = store_new(NULL, NULL);
	char names[8] = "";

	(void)state;
	set(store, "a", 1);
	set(store, "b", 1);
	set(store, "c", 1);
	store_delete(store, "b");
	store_each(store, add_name, names);
	assert_string_equal(names, "ac");
}

static void test_many(void **state)
{
	_cleanup_(store_freep) struct store *store = store_new(NULL, NULL);
	char name[32];

	(void)state;
	for (int i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "volume-%d", i);
		set(store, name, i);
		if (i >= 100) {
			snprintf(name, sizeof(name), "volume-%d", i - 100);
			store_delete(store, name);
		}
	}
	assert_int_equal(store_count(store), 100);
	store_begin_replace(store);
	store_end_replace(store);
	assert_int_equal(store_count(store), 0);
}

/* One thread writes, as the reflector does, and others read what they hold references to. */
struct readers {
	struct store *store;
	bool ended;
	int wrong;
};

static void *read_all(void *context)
{
	struct readers *readers = context;

	while (!__atomic_load_n(&readers->ended, __ATOMIC_SEQ_CST)) {
		for (char key[2] = "a"; *key <= 'e'; ++*key) {
			_cleanup_object_ struct object *object = store_get(readers->store, key);

			if (object && strcmp(object->name, key))
				__atomic_add_fetch(&readers->wrong, 1, __ATOMIC_SEQ_CST);
		}
		if (store_count(readers->store) > 5)
			__atomic_add_fetch(&readers->wrong, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

static void write_round(struct store *store, int round)
{
	store_begin_replace(store);
	for (char key[2] = "a"; *key <= 'e'; ++*key)
		if ((*key + round) % 3)
			set(store, key, round);
	store_end_replace(store);
	store_delete(store, "c");
}

static void test_threads(void **state)
{
	struct readers readers = {.store = store_new(NULL, NULL)};
	pthread_t threads[2];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_create(&threads[i], NULL, read_all, &readers);
	for (int round = 0; round < 2000; round++)
		write_round(readers.store, round);
	__atomic_store_n(&readers.ended, true, __ATOMIC_SEQ_CST);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(readers.wrong, 0);
	store_free(readers.store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_get_delete),
		cmocka_unit_test(test_replace_sweeps),
		cmocka_unit_test(test_replace_after_half_a_list),
		cmocka_unit_test(test_replace_by_nothing),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_each),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
