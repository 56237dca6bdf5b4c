/* SPDX-License-Identifier: Apache-2.0 */
#include "scripted_volumes.h"

#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

static char *copy(const char *text)
{
	char *made = strdup(text);

	if (!made)
		abort();
	return made;
}

static struct scripted_volume *find(const struct scripted_volumes *volumes, const char *handle)
{
	for (size_t i = 0; i < volumes->count; i++)
		if (!strcmp(volumes->items[i].handle, handle))
			return &volumes->items[i];
	return NULL;
}

static struct scripted_volume *add(
	struct scripted_volumes *volumes, const char *handle, const char *name)
{
	struct scripted_volume *volume;

	volumes->items = reallocarray(volumes->items, volumes->count + 1, sizeof(*volumes->items));
	if (!volumes->items)
		abort();
	volume = &volumes->items[volumes->count++];
	*volume = (struct scripted_volume){.name = copy(name), .handle = copy(handle)};
	return volume;
}

static void drop(struct scripted_volumes *volumes, struct scripted_volume *volume)
{
	free(volume->name);
	free(volume->handle);
	*volume = volumes->items[--volumes->count];
}

/* A line is "BYTES HANDLE NAME"; without a volume it is "-1 HANDLE NAME". */
static void note(
	struct scripted_volumes *volumes, const struct scripted_volume *volume, int64_t bytes)
{
	if (!volumes->file)
		return;
	fprintf(volumes->file, "%lld %s %s\n", (long long)bytes, volume->handle, volume->name);
	if (fflush(volumes->file))
		abort();
}

static void replay(struct scripted_volumes *volumes, const char *line)
{
	struct scripted_volume *volume;
	char handle[64], name[256];
	unsigned serial;
	long long bytes;

	if (sscanf(line, "%lld %63s %255s", &bytes, handle, name) != 3 ||
		sscanf(handle, "h%u", &serial) != 1)
		return; /* cut short by the end of the one who wrote it */
	if (serial > volumes->serial)
		volumes->serial = serial;
	volume = find(volumes, handle);
	if (!volume && bytes >= 0)
		volume = add(volumes, handle, name);
	if (volume && bytes < 0)
		drop(volumes, volume);
	else if (volume)
		volume->bytes = bytes;
}

int scripted_volumes_open(struct scripted_volumes *volumes, const char *file, struct error *err)
{
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	*volumes = (struct scripted_volumes){.count = 0};
	if (!file)
		return 0;
	volumes->file = fopen(file, "a+e");
	if (!volumes->file)
		return error_set_errno(err, errno, "%s", file);
	rewind(volumes->file);
	while (getline(&line, &size, volumes->file) > 0)
		replay(volumes, line);
	fseek(volumes->file, 0, SEEK_END);
	return 0;
}

void scripted_volumes_close(struct scripted_volumes *volumes)
{
	while (volumes->count)
		drop(volumes, &volumes->items[volumes->count - 1]);
	free(volumes->items);
	if (volumes->file)
		fclose(volumes->file);
}

const struct scripted_volume *scripted_volumes_by_name(
	const struct scripted_volumes *volumes, const char *name)
{
	for (size_t i = 0; i < volumes->count; i++)
		if (!strcmp(volumes->items[i].name, name))
			return &volumes->items[i];
	return NULL;
}

const struct scripted_volume *scripted_volumes_by_handle(
	const struct scripted_volumes *volumes, const char *handle)
{
	return find(volumes, handle);
}

const struct scripted_volume *scripted_volumes_make(
	struct scripted_volumes *volumes, const char *name, int64_t bytes, struct error *err)
{
	const struct scripted_volume *there = scripted_volumes_by_name(volumes, name);
	struct scripted_volume *volume;
	char handle[32];

	if (there && there->bytes < bytes) {
		error_set(err, ERROR_ALREADY_EXISTS, "volume %s is there, and smaller", name);
		return NULL;
	}
	if (there)
		return there;
	snprintf(handle, sizeof(handle), "h%u", ++volumes->serial);
	volume = add(volumes, handle, name);
	volume->bytes = bytes;
	note(volumes, volume, bytes);
	return volume;
}

int scripted_volumes_grow(
	struct scripted_volumes *volumes, const char *handle, int64_t bytes, struct error *err)
{
	struct scripted_volume *volume = find(volumes, handle);

	if (!volume)
		return error_set(err, ERROR_NOT_FOUND, "no volume %s", handle);
	if (bytes > volume->bytes) {
		volume->bytes = bytes;
		note(volumes, volume, bytes);
	}
	return 0;
}

void scripted_volumes_delete(struct scripted_volumes *volumes, const char *handle)
{
	struct scripted_volume *volume = find(volumes, handle);

	if (!volume)
		return;
	note(volumes, volume, -1);
	drop(volumes, volume);
}
