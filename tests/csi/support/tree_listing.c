/* SPDX-License-Identifier: Apache-2.0 */
#include "tree_listing.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "fixture.h"

static void list_contents(FILE *out, const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	unsigned char buffer[65536];
	unsigned long hash = 5381;
	ssize_t length;

	assert_true(fd >= 0);
	while ((length = read(fd, buffer, sizeof(buffer))) > 0)
		for (ssize_t i = 0; i < length; i++)
			hash = hash * 33 + buffer[i];
	assert_int_equal(length, 0);
	fprintf(out, " %lx", hash);
}

static void list_entry(FILE *out, const char *path, const char *shown, const struct stat *status)
{
	char target[PATH_MAX] = "";
	bool is_dir = S_ISDIR(status->st_mode);

	fprintf(out, "%s %o %u:%u %lu %lld %u:%u", shown, status->st_mode, status->st_uid,
		status->st_gid, is_dir ? 0 : (unsigned long)status->st_nlink,
		is_dir ? 0 : (long long)status->st_size, major(status->st_rdev),
		minor(status->st_rdev));
	if (S_ISLNK(status->st_mode) && readlink(path, target, sizeof(target) - 1) > 0)
		fprintf(out, " -> %s", target);
	if (S_ISREG(status->st_mode))
		list_contents(out, path);
	fputc('\n', out);
}

static void list(FILE *out, const char *path, size_t top, bool timed)
{
	struct dirent **entries;
	int count = scandir(path, &entries, NULL, alphasort);

	assert_true(count >= 0);
	for (int i = 0; i < count; i++) {
		_cleanup_free_ char *below = NULL;
		struct stat status;
		bool dots = !strcmp(entries[i]->d_name, ".") || !strcmp(entries[i]->d_name, "..");

		assert_true(asprintf(&below, "%s/%s", path, entries[i]->d_name) > 0);
		free(entries[i]);
		if (dots)
			continue;
		assert_int_equal(lstat(below, &status), 0);
		if (timed)
			fprintf(out, "%lld.%09ld ", (long long)status.st_mtim.tv_sec,
				status.st_mtim.tv_nsec);
		list_entry(out, below, below + top, &status);
		if (S_ISDIR(status.st_mode))
			list(out, below, top, timed);
	}
	free(entries);
}

static char *listing(const char *path, bool timed)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	list(out, path, strlen(path), timed);
	fclose(out);
	return text;
}

char *tree_listing(const char *path)
{
	return listing(path, true);
}

char *tree_listing_untimed(const char *path)
{
	return listing(path, false);
}
