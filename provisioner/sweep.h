/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes of our own driver that nobody knows any more: left by what no journal saw, or by a
 * PersistentVolume that was removed by hand. They are reported, or archived, so that their data can
 * still be had. One that somebody might know is never touched.
 */
#ifndef ORDINAL_SWEEP_H
#define ORDINAL_SWEEP_H

#include "controller.h"

/* How long a volume must have been without an owner, in milliseconds, before it counts, unless
 * --sweep-grace says otherwise. */
#define SWEEP_GRACE_MS (10 * 60 * 1000)

enum sweep_mode { SWEEP_REPORT, SWEEP_ARCHIVE, SWEEP_OFF };

struct sweep_options {
	enum sweep_mode mode;
	const char *cluster_uid; /* UID of namespace kube-system; NULL or "": nothing is ours */
	const char *volume_name_prefix;
	int64_t grace_ms;
	/* Whether a request about the volume of this name is under way. The entry of one that is
	 * created goes only after its PersistentVolume is there. */
	bool (*journaled)(void *context, const char *volume_name);
	void *context;
	int64_t (*now_ms)(void); /* of a clock that never goes back, and goes on in suspend */
};

struct sweep;

/* CONTROLLER and what OPTIONS points to must outlive the sweep. Caller frees. */
struct sweep *sweep_new(const struct controller *controller, const struct sweep_options *options);
void sweep_free(struct sweep *sweep);
DEFINE_CLEANUP(struct sweep *, sweep_free);

/* One pass over what the driver lists. An orphan is a volume
 * - of our own driver, with our cluster's UID, and with a PersistentVolume's name that has our
 *   prefix;
 * - whose PersistentVolume is neither in the cache nor, asked right now, at the API server;
 * - whose handle no PersistentVolume in the cache has;
 * - that no journal entry knows, and no claim in the cache may still get;
 * - of which all this was so in every whole pass for grace_ms, and in two passes at least.
 * Each is a line in the log; with SWEEP_ARCHIVE it is archived, asking again before each step; what
 * fails there is a line in the log, too. Fails, having learned nothing, when the driver does not
 * list or the API server does not answer. For the leader only, once the caches are whole; one pass
 * at a time, on any thread. */
int sweep_run(struct sweep *sweep, struct error *err);

/* How many orphans the last whole pass left. Any thread may ask. */
size_t sweep_orphans(const struct sweep *sweep);

#endif
