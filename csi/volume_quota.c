/* SPDX-License-Identifier: Apache-2.0 */
#include "volume_quota.h"

#include <fcntl.h>

#include "beneath.h"
#include "log.h"
#include "project.h"
#include "quota.h"

static bool has_project(const struct record *record)
{
	return record->project > 0;
}

/* Whether the volume is to have a quota. */
static int check_wanted(const struct base *base, const struct parameters *parameters,
	const struct record *record, bool *ret_wanted, struct error *err)
{
	struct error why;

	*ret_wanted = false;
	if (parameters->quota == QUOTA_NONE)
		return 0;
	if (quota_check(base->fd, &why) == 0) {
		*ret_wanted = record->capacity > 0;
		return 0;
	}
	if (why.kind != ERROR_UNIMPLEMENTED && why.kind != ERROR_FORBIDDEN) {
		if (err)
			*err = why;
		return -1;
	}
	if (parameters->quota == QUOTA_REQUIRED)
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"parameter quota: required, but nothing can enforce the size of a volume in %s: %s; "
			"or leave the parameter out",
			base->name, why.text);
	return 0;
}

int volume_quota_plan(const struct base *base, const struct parameters *parameters,
	struct record *record, struct error *err)
{
	bool wanted;

	if (record->predecessor || record->copied)
		return 0;
	if (check_wanted(base, parameters, record, &wanted, err) < 0)
		return -1;
	record->project = RECORD_NO_QUOTA;
	return wanted ? quota_choose(base->fd, &record->project, err) : 0;
}

int volume_quota_begin(const struct record *record, int fd, struct error *err)
{
	return has_project(record) ? quota_take(fd, record->project, err) : 0;
}

/* Give the data at FD, of which some or all belong to no project that is known, to a new one. */
static int adopt(struct record *record, int fd, const atomic_bool *stop, struct error *err)
{
	int64_t project;

	if (quota_choose(fd, &project, err) < 0 || quota_take_tree(fd, project, stop, err) < 0)
		return -1;
	record->project = project;
	return 0;
}

static bool is_theirs(const struct record *record, int fd)
{
	return has_project(record) && project_is(fd, (uint32_t)record->project);
}

static int take_over(const struct base *base, const struct parameters *parameters,
	struct record *record, int fd, const atomic_bool *stop, struct error *err)
{
	bool wanted;

	if (check_wanted(base, parameters, record, &wanted, err) < 0)
		return -1;
	if (wanted)
		return is_theirs(record, fd) ? 0 : adopt(record, fd, stop, err);
	if (is_theirs(record, fd) && quota_limit(fd, record->project, 0, err) < 0 &&
		err->kind != ERROR_UNIMPLEMENTED)
		return -1;
	record->project = RECORD_NO_QUOTA;
	return 0;
}

int volume_quota_apply(const struct base *base, const struct parameters *parameters,
	struct record *record, int fd, const atomic_bool *stop, bool *ret_changed,
	struct error *err)
{
	int64_t before = record->project;

	if (record->predecessor && take_over(base, parameters, record, fd, stop, err) < 0)
		return -1;
	*ret_changed = record->project != before;
	if (!has_project(record))
		return 0;
	/* On its way it may have got that of a directory that it was moved to. */
	if (!is_theirs(record, fd) && project_set(fd, (uint32_t)record->project) < 0)
		return error_set_errno(err, errno, "give the volume a project");
	return quota_limit(fd, record->project, record->capacity, err);
}

int volume_quota_grow(const struct base *base, struct record *record, int64_t capacity,
	const atomic_bool *stop, struct error *err)
{
	_cleanup_close_ int fd = -1;

	if (!has_project(record))
		return 0;
	if (beneath_open_dir(base->fd, record->path, O_RDONLY, &fd, err) < 0)
		return -1;
	/* A disk that was restored from a backup does not have it, nor one that lost its quotas. */
	if ((is_theirs(record, fd) || adopt(record, fd, stop, err) == 0) &&
		quota_limit(fd, record->project, capacity, err) == 0)
		return 0;
	if (err->kind != ERROR_UNIMPLEMENTED)
		return -1;
	log_warn("%s/%s: nothing enforces its size any more: %s", base->name, record->path,
		err->text);
	return 0;
}

/* Whether the limit of RECORD's project is that of the data at PATH, or of nothing. */
static bool may_lift(
	const struct base *base, int dir, const char *path, const struct record *record)
{
	_cleanup_close_ int fd = -1;
	uint64_t inodes;

	if (beneath_open_dir(dir, path, O_RDONLY, &fd, NULL) == 0 && is_theirs(record, fd))
		return true;
	return quota_inodes(base->fd, record->project, &inodes, NULL) == 0 && !inodes;
}

void volume_quota_lift(
	const struct base *base, int dir, const char *path, const struct record *record)
{
	struct error err;

	if (has_project(record) && may_lift(base, dir, path, record) &&
		quota_limit(base->fd, record->project, 0, &err) < 0)
		log_warn("%s/%s: its quota stays (project %lld): %s", base->name, record->path,
			(long long)record->project, err.text);
}

bool volume_quota_differs(const struct record *record, const struct parameters *parameters)
{
	return record->capacity &&
	       ((parameters->quota == QUOTA_REQUIRED && !has_project(record)) ||
		       (parameters->quota == QUOTA_NONE && has_project(record)));
}
