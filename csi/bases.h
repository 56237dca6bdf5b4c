/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The base directories that this process has opened, each with its catalog. A base stays open until
 * the process ends. Any thread may call.
 */
#ifndef ORDINAL_BASES_H
#define ORDINAL_BASES_H

#include <pthread.h>
#include <sys/queue.h>

#include "backend.h"
#include "catalog.h"

struct base {
	struct location location;
	int fd; /* the directory, O_RDONLY */
	struct catalog *catalog;
	SLIST_ENTRY(base) link;
};

struct bases {
	const struct backend *backend;
	pthread_mutex_t mutex; /* guards the list; its entries do not change */
	SLIST_HEAD(base_list, base) list;
};

void bases_init(struct bases *bases, const struct backend *backend);
void bases_done(struct bases *bases);

/* Find or open a base. Where the directory or its catalog is missing, it is made with CREATE, and
 * ERROR_FAILED_PRECONDITION without: an unmounted disk must not look like one without volumes.
 * Borrowed until bases_done(). */
int bases_get(struct bases *bases, const struct location *location, bool create,
	struct base **ret_base, struct error *err);

/* The open base after BASE, or the first for NULL; NULL after the last. */
struct base *bases_next(struct bases *bases, const struct base *base);

#endif
