/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The requests for which a driver may have made a volume that no PersistentVolume tells of yet, in
 * one ConfigMap of ours. A request is in it before the driver is called, and goes when its outcome
 * is settled: whoever leads next, after a crash at any point, repeats what it finds there, and a
 * claim that vanished meanwhile leaves nothing behind, with any driver.
 *
 * Requests that begin together are written together. Every write holds the resourceVersion of the
 * one before: a leader that was paused and comes back after another took over is refused, and so
 * cannot ask the driver for anything any more.
 *
 * Any thread may call.
 */
#ifndef ORDINAL_JOURNAL_H
#define ORDINAL_JOURNAL_H

#include "rest_client.h"
#include "volume_request.h"

struct journal;

struct journal_options {
	const char *namespace, *name; /* of the ConfigMap */
	const char *holder;           /* who writes it from now on: unique for each process */
	size_t max_bytes;             /* of all requests in it; 0: what a ConfigMap can hold */
};

/* What API stands for must outlive it. Caller frees. */
struct journal *journal_new(const struct kube_api *api, const struct journal_options *options);
void journal_free(struct journal *journal);
DEFINE_CLEANUP(struct journal *, journal_free);

/* Take the ConfigMap over, making it where there is none, and read what is in it. Before all that
 * follows. What an earlier version or another hand wrote and we do not understand is kept, and told
 * in the log. */
int journal_open(struct journal *journal, struct error *err);

/* Keep REQUEST, one more reference of it, in place of what its claim had before. When this returns
 * 0 it is on disk, and the driver may be called. ERROR_UNAVAILABLE where it could not be written or
 * the journal is full; ERROR_ABORTED where another process took the journal over. */
int journal_begin(struct journal *journal, struct volume_request *request, struct error *err);

/* The request of the claim CLAIM_UID, or NULL. Caller unrefs. */
struct volume_request *journal_find(struct journal *journal, const char *claim_uid);

/* What was asked for CLAIM_UID is settled. That is written with the next change, or by
 * journal_flush(): a process that dies before finds a request that it settles once more. */
void journal_settle(struct journal *journal, const char *claim_uid);

/* Whether all that is settled is written. */
bool journal_is_clean(struct journal *journal);

/* Write what is settled, if anything is. */
int journal_flush(struct journal *journal, struct error *err);

/* Write that CLAIM_UID is settled unless that is known to be written: before a volume's
 * PersistentVolume goes, or a later process would think that there never was one. */
int journal_forget(struct journal *journal, const char *claim_uid, struct error *err);

/* Whether there is a request of the claim CLAIM_UID. */
bool journal_has(struct journal *journal, const char *claim_uid);

/* Call FN with the UID of the claim of each request, under the journal's lock. */
void journal_each(
	struct journal *journal, void (*fn)(void *context, const char *claim_uid), void *context);

/* Whether a request is for the volume called NAME. */
bool journal_has_volume(struct journal *journal, const char *name);

/* How many requests there are. */
size_t journal_count(struct journal *journal);

#endif
