/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lock of a base, by which one process of all machines changes what lies there. On NFS a lock
 * that was taken can be gone: the server has given it to another one after it heard nothing of this
 * machine for the time of a lease, or was started anew. So its holder asks again before each
 * change, and the file tells whether somebody else had it meanwhile. Who does not get it leaves a
 * file `wanted` beside it, so that a holder that has nothing to do can give way: of two
 * provisioners the one that leads is the one whose driver is called.
 */
#ifndef ORDINAL_BASE_LOCK_H
#define ORDINAL_BASE_LOCK_H

#include <pthread.h>
#include <stdbool.h>

#include "error.h"

#define BASE_LOCK_SIGN_MAX 160

struct base_lock {
	int fd;                        /* of the file while it is held, or -1 */
	int dir;                       /* where the file is; borrowed */
	char sign[BASE_LOCK_SIGN_MAX]; /* what the file says while it is ours */

	pthread_mutex_t mutex; /* guards the rest */
	pthread_cond_t done;   /* the server was asked */
	bool running;
	unsigned long begun, ended; /* questions */
	struct error lost;          /* why it is not held any more */
};

void base_lock_init(struct base_lock *lock);
void base_lock_done(struct base_lock *lock);

/* Take the lock on the file `lock` in DIR, which is made, and sign it; DIR stays open as long as it
 * is held. ERROR_UNAVAILABLE says which process has it; ERROR_FAILED_PRECONDITION where no lock is
 * possible, or would not reach other machines. One thread at a time. */
int base_lock_take(struct base_lock *lock, int dir, struct error *err);

/* Whether a process that did not get the lock in DIR has asked for it since this was called last.
 */
bool base_lock_wanted(int dir);

/* Whether it is held still: by the server's word, of one question for all who ask at a time. If
 * not, ERROR_UNAVAILABLE, and for ever: what was read under the lock is old. Any thread may call.
 */
int base_lock_check(struct base_lock *lock, struct error *err);

/* Give it up, if it is held. Any thread may call. */
void base_lock_release(struct base_lock *lock);

#endif
