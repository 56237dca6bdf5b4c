/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that is killed, or a call that fails, at the Nth call that changes the file system:
 * for tests that go through all of them.
 */
#ifndef ORDINAL_TEST_KILLER_H
#define ORDINAL_TEST_KILLER_H

#include <stdbool.h>

enum killer_mode {
	KILLER_BEFORE, /* SIGKILL instead of the call */
	KILLER_AFTER,  /* SIGKILL right after it; only half of what is to be written is */
};

/* Run WORK, which returns 0 or -1, in a process of its own that is killed at the call POINT, from 0
 * on, of all its threads. Whether it was killed: false when WORK ended before. Fails the test when
 * WORK does. No thread of the caller's may be alive. */
bool killer_run(int point, enum killer_mode mode, int (*work)(void *context), void *context);

/* From now on the call POINT of this thread fails with ERRNUM, once; -1 ends it. Whether the one
 * before was reached. */
bool killer_fail(int point, int errnum);

/* How many points on the next one is that is tried, where it is USUAL on this machine: over a real
 * server, in a guest, only some are. */
int killer_stride(int usual);

#endif
