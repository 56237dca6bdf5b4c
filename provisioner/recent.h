/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The UIDs of objects that something was done with lately, such as those that were ended while a
 * cache still tells of them. It is a help: the oldest are forgotten when there are many. Any thread
 * may call.
 */
#ifndef ORDINAL_RECENT_H
#define ORDINAL_RECENT_H

#include <stdbool.h>

#include "cleanup.h"

struct recent;

/* What is remembered for MAX_AGE_S seconds. Caller frees. */
struct recent *recent_new(int max_age_s);
void recent_free(struct recent *recent);
DEFINE_CLEANUP(struct recent *, recent_free);

/* Remember UID from now on. */
void recent_add(struct recent *recent, const char *uid);

/* Forget UID, if it is remembered. */
void recent_remove(struct recent *recent, const char *uid);

/* Whether UID is remembered. Where RECENT is NULL, here as above, none is. */
bool recent_has(struct recent *recent, const char *uid);

#endif
