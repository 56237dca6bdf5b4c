/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that is measured, as a child process that dies with the benchmark.
 */
#ifndef ORDINAL_BENCH_PROCESS_H
#define ORDINAL_BENCH_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

struct process {
	const char *program;
	pid_t pid;
};

/* Memory in bytes, as /proc/PID/status has it. */
struct process_memory {
	double anonymous; /* RssAnon */
	double resident;  /* VmRSS */
};

/* Start ARGV, which ends with NULL, and whose first is the program's path; what it says on standard
 * error is added to the file LOG. Only from the benchmark's main thread. */
void process_start(struct process *process, const char *log, char *const argv[]);

/* End the benchmark unless the process is alive. */
void process_check(const struct process *process);

/* End it with SIGTERM, and wait for that. */
void process_stop(struct process *process);

struct process_memory process_memory(const struct process *process);

/* Processor time of all its threads so far, user and system, in seconds. */
double process_cpu_seconds(const struct process *process);

/* Wait until somebody listens on the unix socket PATH: gRPC's client would wait long before it
 * tries again. */
void process_wait_listens(const struct process *process, const char *path);

/* Print the end of the file LOG to standard error, below its NAME. */
void process_show_log(const char *name, const char *log);

#endif
