/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The template of a volume's path: text with ${variables}. Pure functions.
 */
#ifndef ORDINAL_PATH_PATTERN_H
#define ORDINAL_PATH_PATTERN_H

#include "error.h"

struct path_variable {
	const char *name;
	const char *value; /* NULL: a known variable that this volume has no value for */
};

/* Replace the variables in PATTERN; VARIABLES ends with an entry without a name. ERROR_INVALID for
 * a variable that is unknown or has no value, never an empty string; and for a value that holds a
 * control character, or a slash unless the pattern starts with the namespace: nobody reaches out of
 * his namespace by naming things. Caller frees. */
int path_pattern_expand(const char *pattern, const struct path_variable *variables, char **ret_path,
	struct error *err);

#endif
