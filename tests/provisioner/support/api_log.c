/* SPDX-License-Identifier: Apache-2.0 */
#include "api_log.h"

#include <json-c/linkhash.h>
#include <string.h>

/* How often METHOD PATH came before. */
static size_t count_path(struct api_log *log, const char *method, const char *path)
{
	struct lh_entry *entry;
	char *key;
	size_t before = 0;

	if (asprintf(&key, "%s %s", method, path) < 0)
		abort();
	entry = lh_table_lookup_entry(log->paths, key);
	if (entry) {
		before = (size_t)(uintptr_t)lh_entry_v(entry);
		lh_table_delete_entry(log->paths, entry);
	}
	lh_table_insert(log->paths, key, (void *)(uintptr_t)(before + 1));
	return before;
}

static void free_key(struct lh_entry *entry)
{
	free(lh_entry_k(entry));
}

void api_log_init(struct api_log *log)
{
	*log = (struct api_log){.paths = lh_kchar_table_new(256, free_key)};
	pthread_mutex_init(&log->lock, NULL);
}

void api_log_done(struct api_log *log)
{
	for (size_t i = 0; i < log->count; i++)
		free(log->entries[i].line);
	free(log->entries);
	lh_table_free(log->paths);
	pthread_mutex_destroy(&log->lock);
}

static struct api_log_entry *add_entry(struct api_log *log)
{
	if (log->count == log->room) {
		log->room = log->room ? log->room * 2 : 256;
		log->entries = reallocarray(log->entries, log->room, sizeof(*log->entries));
		if (!log->entries)
			abort();
	}
	return &log->entries[log->count++];
}

void api_log_add(struct api_log *log, struct api_request *request)
{
	struct api_log_entry *entry;

	pthread_mutex_lock(&log->lock);
	request->sequence = log->count;
	request->nth = count_path(log, request->watch ? "WATCH" : request->method, request->path);
	entry = add_entry(log);
	*entry = (struct api_log_entry){.plural = request->plural};
	snprintf(entry->method, sizeof(entry->method), "%s",
		request->watch ? "WATCH" : request->method);
	if (asprintf(&entry->line, "%s %s%s%s", request->method, request->path,
		    *request->query ? "?" : "", request->query) < 0)
		abort();
	pthread_mutex_unlock(&log->lock);
}

void api_log_answered(struct api_log *log, size_t sequence, int code)
{
	pthread_mutex_lock(&log->lock);
	log->entries[sequence].code = code;
	pthread_mutex_unlock(&log->lock);
}

size_t api_log_count(struct api_log *log, const char *method, const char *plural)
{
	size_t count = 0;

	pthread_mutex_lock(&log->lock);
	for (size_t i = 0; i < log->count; i++)
		count += (!method || !strcmp(log->entries[i].method, method)) &&
			 (!plural || !strcmp(log->entries[i].plural, plural));
	pthread_mutex_unlock(&log->lock);
	return count;
}

char *api_log_line(struct api_log *log, size_t index, int *ret_code)
{
	char *line;

	pthread_mutex_lock(&log->lock);
	line = strdup(index < log->count ? log->entries[index].line : "");
	*ret_code = index < log->count ? log->entries[index].code : 0;
	pthread_mutex_unlock(&log->lock);
	return line;
}

char *api_log_text(struct api_log *log)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	pthread_mutex_lock(&log->lock);
	for (size_t i = 0; i < log->count; i++)
		fprintf(out, "%s %d\n", log->entries[i].line, log->entries[i].code);
	pthread_mutex_unlock(&log->lock);
	fclose(out);
	return text;
}
