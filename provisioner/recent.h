/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The UIDs of objects that we have just ended, for as long as a cache may still tell of them: what
 * is known to be over need not be asked for again. Any thread may call.
 */
#ifndef ORDINAL_RECENT_H
#define ORDINAL_RECENT_H

#include <stdbool.h>

#include "cleanup.h"

struct recent;

/* Caller frees. */
struct recent *recent_new(void);
void recent_free(struct recent *recent);
DEFINE_CLEANUP(struct recent *, recent_free);

/* Remember UID for half a minute, or until as many came after it as fit in. */
void recent_add(struct recent *recent, const char *uid);

/* Whether UID is remembered. Where RECENT is NULL, here as above, none is. */
bool recent_has(struct recent *recent, const char *uid);

#endif
