/* SPDX-License-Identifier: Apache-2.0 */
#include "base_tree.h"

#include <stdio.h>
#include <string.h>

#include "log.h"

/* Open the base below OUTER that the record of HASH speaks of. */
static int open_nested(
	struct bases *bases, struct base *outer, const struct volume_hash *hash, struct error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;
	_cleanup_(export_leave) struct export_pass pass = {0};
	struct location location = outer->location;
	size_t length = strlen(location.share);
	struct base *base;

	if (catalog_read(outer->catalog, hash, &record, err) < 0)
		return error_prefix(err, "%s", outer->name);
	snprintf(location.share + length, sizeof(location.share) - length, "/%s", record->path);
	if (bases_get(bases, &location, false, &base, err) < 0 || base_enter(base, &pass, err) < 0)
		return error_prefix(err,
			"a base below %s (if it is gone for good, remove %s/.ordinal/volumes/%s.json)",
			outer->name, outer->name, hash->text);
	return base_tree_open_below(bases, base, err);
}

/* The bases below BASE as its records on disk say, while another process keeps the inventory. */
static int open_recorded(struct bases *bases, struct base *base, struct error *err)
{
	_cleanup_free_ struct volume_hash *hashes = NULL;
	size_t count;
	int result = 0;

	if (catalog_list(base->catalog, &hashes, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		_cleanup_(record_freep) struct record *record = NULL;
		struct error later;

		if (catalog_read(base->catalog, &hashes[i], &record, &later) == 0 &&
			record->state == RECORD_BASE &&
			open_nested(bases, base, &hashes[i], err) < 0)
			result = -1;
	}
	return result;
}

/* Become the writer of BASE, if that can be, and open the bases below it that its catalog knows:
 * all of them, though one fails. */
int base_tree_open_below(struct bases *bases, struct base *base, struct error *err)
{
	struct volume_hash hash;
	struct error later;
	int result = 0;

	if (base_become_writer(base, NULL, &later) < 0)
		return open_recorded(bases, base, err);
	for (size_t i = 0; inventory_nested_base(&base->inventory, i, &hash); i++)
		if (open_nested(bases, base, &hash, err) < 0)
			result = -1;
	return result;
}

/* Open all bases that were ever made, except first ones that are not there. */
int base_tree_open(struct bases *bases, struct error *err)
{
	struct location location;
	struct base *base;
	struct error later;
	int result = 0;

	for (int i = 0; bases->backend->ops->known(bases->backend, i, &location); i++) {
		_cleanup_(export_leave) struct export_pass pass = {0};

		if (bases_get(bases, &location, false, &base, &later) == 0 &&
			(base_enter(base, &pass, err) < 0 ||
				base_tree_open_below(bases, base, err) < 0))
			result = -1;
	}
	return result;
}

/* The record by which a base that encloses the one at LOCATION knows it. No volume is called that:
 * names hold no control characters. */
static struct volume_hash entry_hash(const struct location *location)
{
	_cleanup_free_ char *name = NULL;
	struct volume_hash hash;

	if (asprintf(&name, "\nbase %s", location->share) < 0)
		abort();
	volume_id_hash(name, &hash);
	return hash;
}

/* Keep the volumes of the base OUTER away from the base at LOCATION, which is PATH below it, and
 * let it be found there after a restart. */
static int enter_base(struct bases *bases, struct base *outer, const char *path,
	const struct location *location, struct error *err)
{
	_cleanup_(export_leave) struct export_pass pass = {0};
	struct volume_hash hash = entry_hash(location);
	struct record record = {
		.state = RECORD_BASE,
		.mode = -1,
		.uid = -1,
		.gid = -1,
		.name = (char *)location->share,
		.place = (char *)path,
		.path = (char *)path,
	};
	struct error later;
	bool now;

	if (base_enter(outer, &pass, err) < 0 || base_become_writer(outer, &now, err) < 0 ||
		inventory_reserve(&outer->inventory, path, &hash, err) < 0)
		return -1;
	if (now && base_tree_open_below(bases, outer, &later) < 0)
		log_warn("%s", later.text);
	if (catalog_has_record(outer->catalog, &hash))
		return 0;
	return catalog_write(outer->catalog, &hash, &record, err);
}

/* What LOCATION is called below the base OUTER; NULL where it does not lie there. */
static const char *path_below(const struct base *outer, const struct location *location)
{
	size_t length = strlen(outer->location.share);

	if (strcmp(outer->location.server, location->server) ||
		strncmp(outer->location.share, location->share, length) ||
		location->share[length] != '/')
		return NULL;
	return location->share + length + 1;
}

static int enter_enclosing_bases(
	struct bases *bases, const struct location *location, struct error *err)
{
	struct location root;
	struct base *base;

	if (bases->backend->ops->enclosing(bases->backend, location, &root) &&
		bases_get(bases, &root, true, &base, err) < 0)
		return -1;
	for (base = NULL; (base = bases_next(bases, base));) {
		const char *path = path_below(base, location);

		if (path && enter_base(bases, base, path, location, err) < 0)
			return error_prefix(err, "parameter path %s lies in the base %s",
				location->share, base->name);
	}
	return 0;
}

/* Whether a base that encloses LOCATION has it in its catalog, or may have. */
static bool is_entered(struct bases *bases, const struct location *location)
{
	struct volume_hash hash = entry_hash(location);
	struct error later;

	for (struct base *base = NULL; (base = bases_next(bases, base));) {
		_cleanup_(export_leave) struct export_pass pass = {0};

		if (path_below(base, location) && (base_enter(base, &pass, &later) < 0 ||
							  catalog_has_record(base->catalog, &hash)))
			return true;
	}
	return false;
}

/* Nothing lies at LOCATION: take the entries back. */
static void leave_enclosing_bases(struct bases *bases, const struct location *location)
{
	struct volume_hash hash = entry_hash(location);
	struct error later;

	for (struct base *base = NULL; (base = bases_next(bases, base));) {
		_cleanup_(export_leave) struct export_pass pass = {0};

		if (path_below(base, location) && base_enter(base, &pass, &later) == 0 &&
			catalog_remove(base->catalog, &hash, &later) == 0)
			inventory_forget(&base->inventory, &hash);
	}
}

/* Open the base at LOCATION, or make it. */
static int make_base(struct bases *bases, const struct location *location, struct base **ret_base,
	struct error *err)
{
	struct error later;

	if (bases_get(bases, location, false, ret_base, &later) == 0)
		return 0;
	if (bases_get(bases, location, true, ret_base, err) < 0)
		return -1;
	log_info("%s: a new base; if volumes were there before, its disk is not mounted",
		(*ret_base)->name);
	return 0;
}

int base_tree_make(struct bases *bases, const struct location *location, struct base **ret_base,
	struct error *err)
{
	bool entered;

	if (bases_has(bases, location))
		return bases_get(bases, location, true, ret_base, err);
	entered = is_entered(bases, location);
	if (enter_enclosing_bases(bases, location, err) < 0)
		return -1;
	if (make_base(bases, location, ret_base, err) == 0)
		return 0;
	if (!entered)
		leave_enclosing_bases(bases, location);
	return -1;
}
