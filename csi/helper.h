/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work that may hang for ever, because a server does not answer, in a process of its own with a
 * time limit: the program PROGRAM-helper beside this one, or, where that is missing, this one
 * started anew. Its own threads would stay in the kernel.
 */
#ifndef ORDINAL_HELPER_H
#define ORDINAL_HELPER_H

#include <stdbool.h>

#include "error.h"

/* One piece of work. */
struct helper {
	const char *verb; /* "check PATH", "mount PATH NAME OPTIONS", "unmount PATH FLAGS" */
	const char *arguments[3]; /* NULL where there are less */
	int limit_ms;             /* 0: there is no time left to do it */

	/* Called once the process has ended: later, in another thread, where it could not be killed
	 * in time. */
	void (*ended)(void *context);
	void *context;
};

/* Do it. ERROR_UNAVAILABLE when it is not done within its limit; the error does not say of what.
 * Any thread may call. */
int helper_run(const struct helper *helper, struct error *err);

/* Whether this process is one; then helper_main() does the work and returns the exit code. */
bool helper_is_asked_for(int argc, char **argv);
int helper_main(int argc, char **argv);

#endif
