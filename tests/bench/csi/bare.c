/* SPDX-License-Identifier: Apache-2.0 */
#include "bare.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "failure.h"

#define RECORD_BYTES 600

struct name {
	char text[32];
};

static struct name name_of(unsigned long number, const char *suffix)
{
	struct name name;

	snprintf(name.text, sizeof(name.text), "%lu%s", number, suffix);
	return name;
}

static int make_dir(const struct bare *bare, const char *name)
{
	_cleanup_free_ char *path = NULL;
	int fd;

	if (asprintf(&path, "%s/%s", bare->path, name) < 0)
		abort();
	mkdir(path, 0755);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		failure_exit("make %s", path);
	return fd;
}

void bare_init(struct bare *bare, const struct scratch *scratch, const char *name)
{
	bare->path = scratch_directory(scratch, name);
	bare->data = make_dir(bare, "data");
	bare->records = make_dir(bare, "records");
	bare->trash = make_dir(bare, "trash");
}

void bare_done(struct bare *bare)
{
	close(bare->data);
	close(bare->records);
	close(bare->trash);
	scratch_remove_tree(bare->path);
	free(bare->path);
}

void bare_create(void *context, unsigned long number)
{
	static const char record[RECORD_BYTES];
	const struct bare *bare = context;
	struct name name = name_of(number, ""), new_name = name_of(number, ".new");
	int fd;

	if (mkdirat(bare->data, name.text, 0755) < 0)
		failure_exit("make a directory");
	fd = openat(bare->records, new_name.text, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, record, sizeof(record)) != sizeof(record) || fsync(fd) < 0 ||
		renameat(bare->records, new_name.text, bare->records, name.text) < 0)
		failure_exit("write a file");
	close(fd);
}

void bare_delete(void *context, unsigned long number)
{
	const struct bare *bare = context;
	struct name name = name_of(number, "");

	if (renameat(bare->data, name.text, bare->trash, name.text) < 0)
		failure_exit("rename a directory");
	if (unlinkat(bare->records, name.text, 0) < 0 || fsync(bare->records) < 0)
		failure_exit("remove a file");
}

void bare_bind(const char *source, const char *target)
{
	if (mkdir(target, 0750) < 0 || mount(source, target, NULL, MS_BIND, NULL) < 0)
		failure_exit("bind %s", target);
}

void bare_unbind(const char *target)
{
	if (umount(target) < 0 || rmdir(target) < 0)
		failure_exit("unmount %s", target);
}
