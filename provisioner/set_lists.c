/* SPDX-License-Identifier: Apache-2.0 */
#include "set_lists.h"

#include <errno.h>
#include <json-c/linkhash.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#define GAP_NS    INT64_C(50000000)    /* between the beginnings of two lists of a namespace */
#define GOOD_NS   INT64_C(10000000000) /* how long a list is kept for those who were seen before */
#define PAGES_MAX 2000
#define PAGE_SETS "100" /* each is at most 1.5 MiB, mostly far less, and an answer 16 MiB */
#define TRIES_MAX 3     /* of a list whose pages expired while it was read */
#define NOT_BEGUN INT64_MAX

struct set_list {
	char *namespace;
	int refs;
	int64_t began_ns; /* or NOT_BEGUN: later than all who wait for it */
	bool ended;
	struct error err; /* of one that failed */
	struct store *sets;
};

struct set_lists {
	const struct kube_api *api;
	pthread_mutex_t lock; /* guards all below, and in each list all but its sets */
	pthread_cond_t ended; /* some list has */
	struct lh_table
		*table; /* namespace, borrowed from the list -> struct set_list, the newest */
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void sleep_until(int64_t ns)
{
	const struct timespec at = {ns / 1000000000, ns % 1000000000};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
		;
}

struct set_lists *set_lists_new(const struct kube_api *api)
{
	struct set_lists *lists = calloc(1, sizeof(*lists));

	if (!lists)
		abort();
	lists->api = api;
	lists->table = lh_kchar_table_new(16, NULL);
	if (!lists->table)
		abort();
	pthread_mutex_init(&lists->lock, NULL);
	pthread_cond_init(&lists->ended, NULL);
	return lists;
}

/* With the lock held. */
static void unref(struct set_list *list)
{
	if (--list->refs > 0)
		return;
	store_free(list->sets);
	free(list->namespace);
	free(list);
}

/* With the lock held. */
static void forget(struct set_lists *lists, struct lh_entry *slot)
{
	struct set_list *list = (struct set_list *)lh_entry_v(slot);

	lh_table_delete_entry(lists->table, slot);
	unref(list);
}

void set_lists_free(struct set_lists *lists)
{
	while (lists->table->head)
		forget(lists, lists->table->head);
	lh_table_free(lists->table);
	pthread_cond_destroy(&lists->ended);
	pthread_mutex_destroy(&lists->lock);
	free(lists);
}

static char *page_path(const char *namespace, const char *token)
{
	char *escaped = token ? curl_easy_escape(NULL, token, 0) : NULL, *path;

	if (asprintf(&path, "/apis/apps/v1/namespaces/%s/statefulsets?limit=" PAGE_SETS "%s%s",
		    namespace, escaped ? "&continue=" : "", escaped ? escaped : "") < 0)
		abort();
	curl_free(escaped);
	return path;
}

static void keep_items(struct store *sets, struct json_object *page)
{
	struct json_object *items = json_member(page, "items", json_type_array);
	size_t count = items ? json_object_array_length(items) : 0;

	for (size_t i = 0; i < count; i++) {
		_cleanup_object_ struct object *set =
			object_parse(&stateful_set_type, json_object_array_get_idx(items, i), NULL);

		if (set)
			store_set(sets, set);
	}
}

/* One page, and *TOKEN moved on to the next, or to NULL. */
static int read_page(
	struct set_lists *lists, struct set_list *list, char **token, struct error *err)
{
	_cleanup_free_ char *path = page_path(list->namespace, *token);
	const struct rest_request request = {.method = "GET", .path = path};
	struct json_object *page;
	const char *next;

	if (lists->api->call(lists->api->self, &request, &page, err) < 0)
		return -1;
	keep_items(list->sets, page);
	next = json_string(json_member(page, "metadata", json_type_object), "continue");
	free(*token);
	*token = next && *next ? strdup(next) : NULL;
	if (next && *next && !*token)
		abort();
	json_object_put(page);
	return 0;
}

static int read_pages(struct set_lists *lists, struct set_list *list, struct error *err)
{
	_cleanup_free_ char *token = NULL;

	for (int i = 0; i < PAGES_MAX; i++) {
		if (read_page(lists, list, &token, err) < 0)
			return -1;
		if (!token)
			return 0;
	}
	return error_set(err, ERROR_INTERNAL, "the list has no end");
}

/* Pages of one list are of one moment. Where the server has dropped that, it is begun again. */
static void read_list(struct set_lists *lists, struct set_list *list)
{
	struct error err;
	int tries = 0;

	do {
		store_free(list->sets);
		list->sets = store_new(NULL, NULL);
		err = (struct error){.kind = ERROR_NONE};
	} while (read_pages(lists, list, &err) < 0 && err.kind == ERROR_EXPIRED &&
		 ++tries < TRIES_MAX);
	if (err.kind)
		error_prefix(&err, "list statefulsets of namespace %s", list->namespace);
	list->err = err;
}

/* With the lock held: what nobody can use any more. */
static void forget_old(struct set_lists *lists)
{
	struct lh_entry *slot = lists->table->head, *next;
	int64_t now = now_ns();

	for (; slot; slot = next) {
		const struct set_list *list = lh_entry_v(slot);

		next = slot->next;
		if (list->ended && now - list->began_ns > GOOD_NS)
			forget(lists, slot);
	}
}

/* With the lock held: a list for the caller to read, as the newest of its namespace. */
static struct set_list *add_list(struct set_lists *lists, const char *namespace)
{
	struct set_list *list = calloc(1, sizeof(*list));

	if (!list)
		abort();
	list->namespace = strdup(namespace);
	list->sets = store_new(NULL, NULL);
	list->refs = 2; /* the table's and the caller's */
	list->began_ns = NOT_BEGUN;
	if (!list->namespace || lh_table_insert(lists->table, list->namespace, list) < 0)
		abort();
	return list;
}

/* With the lock held, which is let go meanwhile: read LIST, but not before EARLIEST_NS. */
static void run_list(struct set_lists *lists, struct set_list *list, int64_t earliest_ns)
{
	struct lh_entry *slot;

	pthread_mutex_unlock(&lists->lock);
	sleep_until(earliest_ns);
	pthread_mutex_lock(&lists->lock);
	list->began_ns = now_ns();
	pthread_mutex_unlock(&lists->lock);
	read_list(lists, list);
	pthread_mutex_lock(&lists->lock);
	list->ended = true;
	/* Those who wait are told of a failure; who comes later tries anew. */
	slot = lh_table_lookup_entry(lists->table, list->namespace);
	if (list->err.kind && slot && lh_entry_v(slot) == list)
		forget(lists, slot);
	pthread_cond_broadcast(&lists->ended);
}

/* With the lock held: the newest list if it is, or will be, good enough, for the caller to wait
 * for; else a new one, read. */
static struct set_list *find_list(struct set_lists *lists, const char *namespace, int64_t since_ns)
{
	struct set_list *list;
	struct lh_entry *slot;
	int64_t earliest_ns = 0;

	forget_old(lists);
	while ((slot = lh_table_lookup_entry(lists->table, namespace))) {
		list = (struct set_list *)lh_entry_v(slot);
		if (list->began_ns >= since_ns) {
			list->refs++;
			return list;
		}
		if (list->ended) {
			earliest_ns = list->began_ns + GAP_NS;
			forget(lists, slot);
			break;
		}
		pthread_cond_wait(&lists->ended, &lists->lock);
	}
	list = add_list(lists, namespace);
	run_list(lists, list, earliest_ns);
	return list;
}

int set_lists_get(struct set_lists *lists, const char *namespace, int64_t since_ns,
	struct set_list **ret_list, struct error *err)
{
	struct set_list *list;
	int result = 0;

	pthread_mutex_lock(&lists->lock);
	list = find_list(lists, namespace, since_ns);
	while (!list->ended)
		pthread_cond_wait(&lists->ended, &lists->lock);
	if (list->err.kind) {
		if (err)
			*err = list->err;
		unref(list);
		result = -1;
	} else {
		*ret_list = list;
	}
	pthread_mutex_unlock(&lists->lock);
	return result;
}

void set_list_put(struct set_lists *lists, struct set_list *list)
{
	pthread_mutex_lock(&lists->lock);
	unref(list);
	pthread_mutex_unlock(&lists->lock);
}

struct store *set_list_sets(const struct set_list *list)
{
	return list->sets;
}
