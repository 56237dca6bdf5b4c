/* SPDX-License-Identifier: Apache-2.0 */
#include "base_check.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "fixture.h"
#include "record.h"
#include "remove_tree.h"

#define PATHS_MAX 1024

/* Directories that records speak of, below one directory. */
struct paths {
	char *path[PATHS_MAX];
	bool seen[PATHS_MAX];
	size_t count;
};

struct state {
	const char *base;
	const struct base_check *check;
	struct paths places, archives, bases;
	size_t records;
};

static void add(struct paths *paths, const char *path)
{
	assert_true(paths->count < PATHS_MAX);
	paths->path[paths->count++] = strdup(path);
}

static void paths_done(struct paths *paths)
{
	for (size_t i = 0; i < paths->count; i++)
		free(paths->path[i]);
}

static bool is_above(const char *path, const char *other)
{
	size_t length = strlen(path);

	return !strncmp(path, other, length) && other[length] == '/';
}

/* The next entry of DIR but "." and "..". */
static struct dirent *next(DIR *dir)
{
	struct dirent *entry;

	while ((entry = readdir(dir)) &&
		(!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")))
		;
	return entry;
}

static bool is_dir(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* Whether there is nothing but directories at PATH and below it. */
static bool is_hollow(const char *path)
{
	_cleanup_(cleanup_closedir) DIR *dir = is_dir(path) ? opendir(path) : NULL;
	struct dirent *entry;

	if (!dir)
		return false;
	while ((entry = next(dir))) {
		_cleanup_free_ char *below = NULL;

		assert_true(asprintf(&below, "%s/%s", path, entry->d_name) > 0);
		if (!is_hollow(below))
			return false;
	}
	return true;
}

static void take_record(struct state *state, const struct record *record, const char *file)
{
	switch (record->state) {
	case RECORD_READY:
	case RECORD_RETAINED:
		add(&state->places, record->path);
		break;
	case RECORD_ARCHIVED:
		assert_non_null(record->archive);
		add(&state->archives, record->archive);
		break;
	case RECORD_BASE:
		add(&state->places, record->path);
		add(&state->bases, record->path);
		return;
	default:
		fail_msg("%s is in no state that lasts", file);
	}
	state->records++;
}

static void read_record(struct state *state, const char *file)
{
	_cleanup_(record_freep) struct record *record = NULL;
	_cleanup_fclose_ FILE *stream = fopen(file, "r");
	char text[8192];
	struct error err;

	assert_non_null(stream);
	if (record_decode(text, fread(text, 1, sizeof(text), stream), &record, &err) < 0)
		fail_msg("%s: %s", file, err.text);
	take_record(state, record, file);
}

static void read_records(struct state *state)
{
	_cleanup_(cleanup_closedir) DIR *dir = NULL;
	_cleanup_free_ char *path = NULL;
	struct dirent *entry;

	assert_true(asprintf(&path, "%s/.ordinal/volumes", state->base) > 0);
	dir = opendir(path);
	while (dir && (entry = next(dir))) {
		_cleanup_free_ char *file = NULL;

		assert_true(asprintf(&file, "%s/%s", path, entry->d_name) > 0);
		if (strlen(entry->d_name) != VOLUME_HASH_LENGTH + strlen(".json") ||
			strcmp(entry->d_name + VOLUME_HASH_LENGTH, ".json"))
			fail_msg("%s is left over", file);
		read_record(state, file);
	}
}

/* What PATHS says of PATH: 0 that it is one of them, 1 that it is above one, -1 nothing. */
static int place_of(struct paths *paths, const char *path)
{
	int found = -1;

	for (size_t i = 0; i < paths->count; i++) {
		if (!strcmp(paths->path[i], path)) {
			paths->seen[i] = true;
			return 0;
		}
		if (is_above(path, paths->path[i]))
			found = 1;
	}
	return found;
}

/* Where the foreign data are among PATHS; NULL for none. */
static const char *foreign_of(const struct state *state, const struct paths *paths)
{
	return paths == &state->places ? state->check->foreign : NULL;
}

/* Compare what is in TOP/BELOW with PATHS, which are paths below TOP. */
static void walk(const struct state *state, struct paths *paths, const char *top, const char *below)
{
	_cleanup_(cleanup_closedir) DIR *dir = NULL;
	_cleanup_free_ char *path = NULL;
	const char *foreign = foreign_of(state, paths);
	struct dirent *entry;

	assert_true(asprintf(&path, "%s/%s", top, below) > 0);
	dir = opendir(path);
	while (dir && (entry = next(dir))) {
		_cleanup_free_ char *full = NULL, *relative = NULL;
		int place;

		assert_true(asprintf(&full, "%s/%s", path, entry->d_name) > 0);
		assert_true(
			asprintf(&relative, "%s%s%s", below, *below ? "/" : "", entry->d_name) > 0);
		if (!strcmp(relative, ".ordinal") || (foreign && !strcmp(relative, foreign)))
			continue;
		place = place_of(paths, relative);
		if (place == 1 || (place < 0 && foreign && is_above(relative, foreign)))
			walk(state, paths, top, relative);
		else if (place < 0 && !is_hollow(full))
			fail_msg("%s is no volume's", full);
	}
}

static void check_all_seen(const struct paths *paths, const char *top)
{
	for (size_t i = 0; i < paths->count; i++)
		if (!paths->seen[i])
			fail_msg("%s lacks %s, which a record speaks of", top, paths->path[i]);
}

static void check_empty(const char *path)
{
	_cleanup_(cleanup_closedir) DIR *dir = opendir(path);

	if (dir && next(dir))
		fail_msg("%s is not empty", path);
}

static void check_bases(const struct state *state)
{
	for (size_t i = 0; i < state->bases.count; i++) {
		_cleanup_free_ char *nested = NULL;

		assert_true(asprintf(&nested, "%s/%s", state->base, state->bases.path[i]) > 0);
		base_check(nested, &(struct base_check){.records = (size_t)-1});
	}
}

void base_check(const char *base, const struct base_check *check)
{
	struct state state = {.base = base, .check = check};
	_cleanup_free_ char *archive = NULL, *trash = NULL;

	assert_true(asprintf(&archive, "%s/.ordinal/archive", base) > 0);
	assert_true(asprintf(&trash, "%s/.ordinal/trash", base) > 0);
	read_records(&state);
	walk(&state, &state.places, base, "");
	walk(&state, &state.archives, archive, "");
	check_all_seen(&state.places, base);
	check_all_seen(&state.archives, archive);
	check_empty(trash);
	check_bases(&state);
	if (check->records != (size_t)-1 && state.records != check->records)
		fail_msg("%s has %zu records, but %zu are right", base, state.records,
			check->records);
	paths_done(&state.places);
	paths_done(&state.archives);
	paths_done(&state.bases);
}

static bool holds(const char *file, const char *text)
{
	_cleanup_fclose_ FILE *stream = fopen(file, "r");
	char found[256] = "";

	assert_non_null(stream);
	return fread(found, 1, sizeof(found) - 1, stream) == strlen(text) && !strcmp(found, text);
}

/* The same for the directory BASE/BELOW. */
static size_t count_in(
	const char *base, const char *below, const char *text, char *ret, size_t size)
{
	_cleanup_(cleanup_closedir) DIR *dir = NULL;
	_cleanup_free_ char *path = NULL;
	struct dirent *entry;
	size_t count = 0;

	assert_true(asprintf(&path, "%s/%s", base, below) > 0);
	dir = opendir(path);
	while (dir && (entry = next(dir))) {
		_cleanup_free_ char *relative = NULL, *full = NULL;

		assert_true(
			asprintf(&relative, "%s%s%s", below, *below ? "/" : "", entry->d_name) > 0);
		assert_true(asprintf(&full, "%s/%s", base, relative) > 0);
		if (is_dir(full)) {
			count += count_in(base, relative, text, ret, size);
		} else if (holds(full, text)) {
			snprintf(ret, size, "%s", relative);
			count++;
		}
	}
	return count;
}

size_t base_count(const char *base, const char *text, char *ret, size_t size)
{
	return count_in(base, "", text, ret, size);
}

const char *base_find(const char *base, const char *text)
{
	static char path[8192];
	size_t count = base_count(base, text, path, sizeof(path));

	if (count != 1)
		fail_msg("%zu files below %s hold \"%s\"", count, base, text);
	*strrchr(path, '/') = '\0';
	return path;
}

static bool go_on(void *context)
{
	(void)context;
	return true;
}

static void remove_in(int dir, const char *name)
{
	const struct beneath_watch watch = {go_on, NULL};
	struct error err;

	if (remove_tree(dir, name, &watch, &err) < 0)
		fail_msg("%s", err.text);
}

void base_remove(const char *path)
{
	_cleanup_free_ char *parent = strdup(path);
	_cleanup_close_ int dir = -1;

	*strrchr(parent, '/') = '\0';
	dir = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	remove_in(dir, strrchr(path, '/') + 1);
}

void base_clear(const char *path)
{
	_cleanup_(cleanup_closedir) DIR *dir = opendir(path);
	struct dirent *entry;

	assert_non_null(dir);
	/* No call of the driver's may be about that name. */
	(void)renameat(dirfd(dir), ".ordinal", dirfd(dir), "forgotten");
	while ((entry = next(dir)))
		remove_in(dirfd(dir), entry->d_name);
}
