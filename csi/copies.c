/* SPDX-License-Identifier: Apache-2.0 */
#include "copies.h"

#include <fcntl.h>
#include <string.h>

#include "beneath.h"
#include "snapshots.h"

/* A copy for which no size is asked gets the source's. */
static int fit(struct creation *creation, int64_t capacity, struct error *err)
{
	if (!creation->required)
		creation->required = capacity;
	if (creation->required < capacity ||
		(creation->limit && creation->limit < creation->required))
		return error_set(err, ERROR_OUT_OF_RANGE,
			"%s has %lld bytes, and a copy cannot have less: ask for as many",
			creation->source->id, (long long)capacity);
	return 0;
}

/* Open the volume that is to be copied. */
static int open_source(struct volumes *volumes, struct creation *creation,
	struct clone_source *source, struct error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;
	struct base *base;

	if (volumes_read(volumes, source->id, creation->base, &source->pass, &base, &record, err) <
			0 ||
		fit(creation, record->capacity, err) < 0)
		return -1;
	return beneath_open_dir(base->fd, record->path, O_RDONLY, &source->fd, err);
}

static int lock_source(struct volumes *volumes, const struct creation *creation,
	const struct volume_id *id, struct clone_source *source, struct error *err)
{
	if (!strcmp(id->hash.text, creation->hash.text))
		return error_set(err, ERROR_INVALID, "a volume cannot be the copy of itself");
	return keylock_share(&volumes->busy, id->hash.text, &source->held, err);
}

/* The same of a snapshot. */
static int open_snapshot(struct volumes *volumes, struct creation *creation,
	struct clone_source *source, struct error *err)
{
	int64_t capacity;

	if (snapshots_open(volumes, creation->base, creation->parameters, source, &capacity, err) <
		0)
		return -1;
	return fit(creation, capacity, err);
}

int copies_create(struct volumes *volumes, const struct volume_request *request,
	const struct creation *plain, struct record **ret_record, struct error *err)
{
	_cleanup_(clone_source_done) struct clone_source source = {
		.id = request->source,
		.fd = -1,
		.allow_live = request->parameters->allow_live_copy,
	};
	_cleanup_(record_freep) struct record *begun = NULL;
	struct creation creation = *plain;
	bool snapshot = volume_id_is_snapshot(request->source);
	struct volume_id id;
	struct error later;

	creation.source = &source;
	if (catalog_read(creation.base->catalog, &creation.hash, &begun, &later) == 0 &&
		begun->state == RECORD_READY)
		return creation_run(&creation, ret_record, err);
	if (!snapshot && (volume_id_parse(request->source, &id, err) < 0 ||
				 lock_source(volumes, &creation, &id, &source, err) < 0))
		return -1;
	if ((snapshot ? open_snapshot : open_source)(volumes, &creation, &source, err) == 0)
		return creation_run(&creation, ret_record, err);
	if (begun && begun->state == RECORD_CREATING &&
		creation_forget(creation.base, &creation.hash, begun, &later) < 0)
		err->kind = ERROR_ABORTED;
	return -1;
}
