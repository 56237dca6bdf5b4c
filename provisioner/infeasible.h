/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Claims of which is known that they cannot be served as they are: they are tried again rarely,
 * unless their class was replaced by another one of its name. Any thread may call.
 */
#ifndef ORDINAL_INFEASIBLE_H
#define ORDINAL_INFEASIBLE_H

#include <stdint.h>

#include "cleanup.h"

struct infeasible;

/* Caller frees. */
struct infeasible *infeasible_new(void);
void infeasible_free(struct infeasible *infeasible);
DEFINE_CLEANUP(struct infeasible *, infeasible_free);

/* The claim UID, with the class that has CLASS_UID, is not worth a try for WAIT_MS milliseconds. */
void infeasible_set(
	struct infeasible *infeasible, const char *uid, const char *class_uid, int64_t wait_ms);

/* How many milliseconds the claim UID still has to wait with the class CLASS_UID; 0: none. */
int64_t infeasible_wait(struct infeasible *infeasible, const char *uid, const char *class_uid);

/* Forget the claim UID. */
void infeasible_clear(struct infeasible *infeasible, const char *uid);

#endif
