/* SPDX-License-Identifier: Apache-2.0 */
#include "copying.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "copy_tree.h"
#include "remove_tree.h"
#include "tree_listing.h"

bool copying_observe(void *context)
{
	struct copying *observer = context;

	observer->count++;
	if (observer->disturb)
		observer->disturb(observer);
	return observer->count != observer->limit;
}

int copying_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	return fd;
}

void copying_make(const char *where)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/from", where);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/to", where);
	assert_int_equal(mkdir(path, 0755), 0);
}

int copying_run(const char *where, struct copying *observer, struct error *err)
{
	const struct beneath_watch watch = {copying_observe, observer};
	char from_path[256], to_path[256];
	_cleanup_close_ int from = -1, to = -1;

	snprintf(from_path, sizeof(from_path), "%s/from", where);
	snprintf(to_path, sizeof(to_path), "%s/to", where);
	from = copying_open(from_path);
	to = copying_open(to_path);
	return copy_tree(from, to, &watch, err);
}

void copying_all(const char *where)
{
	struct copying observer = {0};
	struct error err = {0};

	if (copying_run(where, &observer, &err) < 0)
		fail_msg("%s", err.text);
}

void copying_check_same(const char *where)
{
	char path[256];
	_cleanup_free_ char *from = NULL, *to = NULL;

	snprintf(path, sizeof(path), "%s/from", where);
	from = tree_listing(path);
	snprintf(path, sizeof(path), "%s/to", where);
	to = tree_listing(path);
	assert_string_equal(from, to);
}

void copying_clear(const char *where)
{
	struct copying observer = {0};
	const struct beneath_watch watch = {copying_observe, &observer};
	_cleanup_close_ int dir = copying_open(where);
	struct error err;

	if (remove_tree(dir, "from", &watch, &err) < 0 || remove_tree(dir, "to", &watch, &err) < 0)
		fail_msg("%s", err.text);
}

void copying_write(int dir, const char *name, off_t offset, size_t length)
{
	_cleanup_close_ int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	_cleanup_free_ char *bytes = malloc(length);

	memset(bytes, name[0], length);
	assert_int_equal(pwrite(fd, bytes, length, offset), length);
}

void copying_plant_chain(int from, int levels, int files)
{
	int dir = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (int i = 0; i < levels; i++) {
		int next;

		for (int file = 0; file < files; file++) {
			char name[16];

			snprintf(name, sizeof(name), "%d", file);
			copying_write(dir, name, 0, 1);
			if (file == files / 2)
				assert_int_equal(mkdirat(dir, "m", 0755), 0);
		}
		if (!files)
			assert_int_equal(mkdirat(dir, "m", 0755), 0);
		next = openat(dir, "m", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(dir);
		dir = next;
	}
	close(dir);
}
