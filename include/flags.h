/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command line flags from a table, read by getopt_long: --name=value, --name value, and for
 * booleans also a bare --name. Used once, by main, before other threads start.
 */
#ifndef ORDINAL_FLAGS_H
#define ORDINAL_FLAGS_H

#include <stdbool.h>

#include "error.h"

enum flag_type {
	FLAG_STRING,   /* const char **: borrowed from argv */
	FLAG_BOOL,     /* bool * */
	FLAG_INT,      /* int *, from .min to .max */
	FLAG_DURATION, /* int *: milliseconds; written as Go does: 500ms, 10s, 5m, 1h30m */
	FLAG_CHOICE,   /* int *: index into .choices */
	FLAG_STRINGS,  /* struct flag_strings *: may be given several times */
};

#define FLAG_STRINGS_MAX 16

struct flag_strings {
	const char *values[FLAG_STRINGS_MAX];
	int count;
};

struct flag {
	const char *name;
	enum flag_type type;
	void *value;         /* holds the default before parsing */
	const char *help;    /* one sentence */
	int min, max;        /* FLAG_INT and FLAG_DURATION; both 0: any */
	const char *choices; /* FLAG_CHOICE: "text|json" */
};

/* Parse ARGV by FLAGS, which ends with an entry without a name. --help prints the help to standard
 * output and exits 0; --version prints PROGRAM and its version and exits 0. On a wrong flag prints
 * what is wrong, with that flag's help, to standard error and exits 2: a command line that is not
 * understood must never run. */
void flags_parse(
	const char *program, const char *summary, const struct flag *flags, int argc, char **argv);

/* Print "PROGRAM: --NAME: <what>" and the help of that flag to standard error, and exit 2. */
_Noreturn void flags_reject(
	const char *program, const struct flag *flags, const char *name, const char *what);

/* Milliseconds of a Go duration. ERROR_INVALID for anything else, or beyond 24 days. */
int flags_parse_duration(const char *text, int *ret_ms, struct error *err);

#endif
