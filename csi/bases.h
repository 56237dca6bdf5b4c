/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The base directories that this process has opened, each with its catalog. A base stays open until
 * the process ends. Any thread may call.
 */
#ifndef ORDINAL_BASES_H
#define ORDINAL_BASES_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "backend.h"
#include "catalog.h"
#include "inventory.h"
#include "keylock.h"

struct base {
	struct location location;
	char name[LOCATION_NAME_MAX + 1]; /* for messages */
	int fd;                           /* the directory, O_RDONLY */
	struct export *export;            /* that it is; NULL for a host path */
	atomic_bool lost;  /* it is forgotten by the server, or its lock is another process': a new
			    * one is opened in its place */
	atomic_int copies; /* that are made there, where it is an export */
	atomic_llong
		used; /* when somebody was to change it last, in seconds of the monotonic clock */
	struct catalog *catalog;
	struct syncer *syncer;      /* of all bases; borrowed */
	struct inventory inventory; /* the writer's */
	pthread_mutex_t takeover;   /* held while data of a retired volume find a new owner or go */
	pthread_mutex_t mutex;      /* held while WRITER changes */
	atomic_bool writer;
	SLIST_ENTRY(base) link;
};

struct bases {
	const struct backend *backend;
	struct syncer *syncer;
	struct keylock opening; /* by name: bases that are being opened */
	pthread_mutex_t mutex;  /* guards the list; its entries do not change */
	SLIST_HEAD(base_list, base) list;
};

void bases_init(struct bases *bases, const struct backend *backend);
void bases_done(struct bases *bases);

/* Find or open a base. Where the directory or its catalog is missing, it is made with CREATE, and
 * ERROR_FAILED_PRECONDITION without: an unmounted disk must not look like one without volumes.
 * Borrowed until bases_done(). */
int bases_get(struct bases *bases, const struct location *location, bool create,
	struct base **ret_base, struct error *err);

/* Be inside the calls of BASE's file system: those of an export, whose server may hang, are bounded
 * as export_enter() says. Caller calls export_leave(). */
int base_enter(struct base *base, struct export_pass *pass, struct error *err);

/* Put what a system call said of BASE in words for its administrator. A base that its server has
 * forgotten is opened anew by the next call. Returns -1. */
int base_explain(struct base *base, struct error *err);

/* Whether a base is open. */
bool bases_has(struct bases *bases, const struct location *location);

/* Take the lock of BASE's catalog and read it, or see that it is held still. *RET_NOW, where it is
 * not NULL, says whether this call took it. ERROR_UNAVAILABLE says which process has the lock, or
 * what is wrong with the records. */
int base_become_writer(struct base *base, bool *ret_now, struct error *err);

/* The same for the writer, once more in the middle of what takes long. When the lock was lost the
 * next call opens the base anew. */
int base_stay_writer(struct base *base, struct error *err);
bool base_is_writer(struct base *base);

/* Give the lock of an export to a process that has asked for it, where this one was not called for
 * BASE_IDLE seconds and nobody but the caller, with PASS, is inside: as when another provisioner
 * leads now. Whether that was done; base_become_writer() asks for it in turn. */
#define BASE_IDLE 5
bool base_give_way(struct base *base, const struct export_pass *pass);

/* The open base after BASE, or the first for NULL; NULL after the last. */
struct base *bases_next(struct bases *bases, const struct base *base);

#endif
