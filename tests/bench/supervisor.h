/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a benchmark in a process and a mount namespace of its own, and outlives it: however it ends,
 * its processes and mounts are gone when supervisor_run() returns.
 */
#ifndef ORDINAL_BENCH_SUPERVISOR_H
#define ORDINAL_BENCH_SUPERVISOR_H

/* Run WORK in a child process; SIGINT, SIGTERM and SIGHUP end it. Every process that it starts has
 * to call supervisor_die_with_parent(). Returns the exit code: 0, 1 for a failure, 130 after a
 * signal. Before there are threads; SIGPIPE is ignored afterwards. */
int supervisor_run(void (*work)(void *context), void *context);

/* In a new process: end when the thread that forked it does. */
void supervisor_die_with_parent(void);

#endif
