/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include <ftw.h>
#include <string.h>
#include <time.h>

#define WAIT_MS 20000

void check_text(const char *name, const char *got, const char *wanted, const char *file, int line)
{
	if (got == wanted || (got && wanted && !strcmp(got, wanted)))
		return;
	print_error("%s: got:    %s\n%s: wanted: %s\n", name, got ? got : "nothing", name,
		wanted ? wanted : "nothing");
	_fail(file, line);
}

struct json_object *json_of(const char *text)
{
	_cleanup_free_ char *quoted = strdup(text);
	struct json_object *json;

	for (char *at = quoted; *at; at++)
		if (*at == '\'')
			*at = '"';
	json = json_tokener_parse(quoted);
	if (!json) {
		print_error("not JSON: %s\n", quoted);
		abort();
	}
	return json;
}

void *object_of(const struct object_type *type, const char *text)
{
	struct json_object *json = json_of(text);
	struct error err;
	struct object *object = object_parse(type, json, &err);

	json_object_put(json);
	if (!object) {
		print_error("no snapshot: %s\n", err.text);
		abort();
	}
	return object;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool wait_until(bool (*condition)(void *context), void *context)
{
	const struct timespec pause = {0, 1000000};
	int64_t deadline = now_ms() + WAIT_MS;

	while (!condition(context)) {
		if (now_ms() > deadline)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

char *write_file(const char *folder, const char *name, const char *text)
{
	_cleanup_fclose_ FILE *file = NULL;
	char *path;

	if (asprintf(&path, "%s/%s", folder, name) < 0)
		abort();
	file = fopen(path, "we");
	if (!file || fputs(text, file) < 0)
		abort();
	return path;
}

char *make_folder(void)
{
	char *folder = strdup("/tmp/ordinal-test-XXXXXX");

	if (!folder || !mkdtemp(folder))
		abort();
	return folder;
}

static int remove_entry(const char *path, const struct stat *status, int flag, struct FTW *walk)
{
	(void)status;
	(void)flag;
	(void)walk;
	return remove(path);
}

void remove_folder(char *folder)
{
	if (nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS) < 0)
		abort();
	free(folder);
}
