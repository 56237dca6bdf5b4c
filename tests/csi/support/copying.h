/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of copy_tree.h share: pairs of directories WHERE/from and WHERE/to, and copies
 * from the one to the other that are watched. Checks fail the running cmocka test.
 */
#ifndef ORDINAL_TEST_COPYING_H
#define ORDINAL_TEST_COPYING_H

#include "fixture.h"

#include <sys/types.h>

/* Counts the calls of its watch; ends the copy at LIMIT, and does something to the source at every
 * step. */
struct copying {
	unsigned count, limit;
	void (*disturb)(struct copying *observer);
	int from;
};

/* For a struct beneath_watch; the context is a struct copying. */
bool copying_observe(void *context);

/* Open the directory PATH for reading. */
int copying_open(const char *path);

/* Make <where>/from and <where>/to, empty, and remove them with all they hold. */
void copying_make(const char *where);
void copying_clear(const char *where);

/* Copy, as copy_tree() does; and the same if it must succeed. */
int copying_run(const char *where, struct copying *observer, struct error *err);
void copying_all(const char *where);

/* Both hold the same. */
void copying_check_same(const char *where);

/* Write LENGTH times the name's first byte to the file NAME, at OFFSET. */
void copying_write(int dir, const char *name, off_t offset, size_t length);

/* LEVELS directories in each other, each with FILES files besides the one that leads on. */
void copying_plant_chain(int from, int levels, int files);

#endif
