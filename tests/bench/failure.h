/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a benchmark that cannot run. Nothing is cleaned up here: the supervisor does that.
 */
#ifndef ORDINAL_BENCH_FAILURE_H
#define ORDINAL_BENCH_FAILURE_H

/* Print "<program>: <text>" to standard error, with ": <strerror>" unless errno is 0, and end the
 * process with 1, at once. */
void failure_exit(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif
