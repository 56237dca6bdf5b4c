/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which failures are worth a line in the log: one that lasts is told once, and then once a minute.
 * For one thread.
 */
#ifndef ORDINAL_FAILURE_LOG_H
#define ORDINAL_FAILURE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"

/* Starts zeroed. */
struct failure_log {
	struct error last;
	int64_t last_ms;
};

/* Whether ERR, at the time NOW_MS, is to be told; if so it is remembered. Texts that differ only in
 * their numbers are the same failure: libcurl's tell milliseconds. */
bool failure_log_is_new(struct failure_log *log, const struct error *err, int64_t now_ms);

/* It is over: the next is new, whatever it says. */
void failure_log_forget(struct failure_log *log);

#endif
