/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process does until it is killed, at every point at which it can be, and what must hold
 * when the next one has repeated it, or has done something else instead.
 */
#ifndef ORDINAL_TEST_STORY_H
#define ORDINAL_TEST_STORY_H

#include "base_check.h"
#include "scene.h"

/* What is killed, and what must hold after it. */
struct story {
	void (*prepare)(struct fixture *fixture, struct volumes *volumes);
	void (*stopped)(struct fixture *fixture); /* NULL; nobody has the base open */
	int (*operation)(struct volumes *volumes, struct error *err);
	void (*then)(struct fixture *fixture, struct volumes *volumes); /* when repeated */
	struct base_check check;

	/* What the caller does instead of repeating. */
	int (*otherwise)(struct volumes *volumes, struct error *err);
	void (*then_otherwise)(struct fixture *fixture, struct volumes *volumes);
	struct base_check check_otherwise;
};

/* Go through STORY: the caller repeats or does something else, and is killed once more at it, or is
 * not. */
void story_run(struct fixture *fixture, const struct story *story);

/* The same, where the caller does something else, and is not killed at it. */
void story_run_otherwise(struct fixture *fixture, const struct story *story);

#endif
