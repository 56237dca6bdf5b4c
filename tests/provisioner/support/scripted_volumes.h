/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The volumes of the scripted driver: a table, kept in a file where they are to outlive it. The
 * file is only ever appended to, a line a change, so that a driver that is killed loses nothing.
 */
#ifndef ORDINAL_TESTS_SCRIPTED_VOLUMES_H
#define ORDINAL_TESTS_SCRIPTED_VOLUMES_H

#include <stdint.h>
#include <stdio.h>

#include "error.h"

struct scripted_volume {
	char *name;
	char *handle; /* never that of a volume before, also of the same name */
	int64_t bytes;
};

/* Not safe for threads: the driver has a lock. */
struct scripted_volumes {
	struct scripted_volume *items;
	size_t count;
	unsigned serial; /* of the last handle */
	FILE *file;      /* or NULL */
};

/* FILE may be NULL. */
int scripted_volumes_open(struct scripted_volumes *volumes, const char *file, struct error *err);
void scripted_volumes_close(struct scripted_volumes *volumes);

/* The volume called NAME, which is made where there is none. ERROR_ALREADY_EXISTS where there is
 * one that is smaller. Borrowed until the next change. */
const struct scripted_volume *scripted_volumes_make(
	struct scripted_volumes *volumes, const char *name, int64_t bytes, struct error *err);

const struct scripted_volume *scripted_volumes_by_name(
	const struct scripted_volumes *volumes, const char *name);
const struct scripted_volume *scripted_volumes_by_handle(
	const struct scripted_volumes *volumes, const char *handle);

/* Grow the volume with HANDLE; it never shrinks. ERROR_NOT_FOUND. */
int scripted_volumes_grow(
	struct scripted_volumes *volumes, const char *handle, int64_t bytes, struct error *err);

/* Nothing happens where there is none. */
void scripted_volumes_delete(struct scripted_volumes *volumes, const char *handle);

#endif
