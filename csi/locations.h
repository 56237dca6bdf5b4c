/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bases that a class names, of which each volume lies in one: usually there is only one, and
 * with the parameter `servers` there are several. Pure functions.
 */
#ifndef ORDINAL_LOCATIONS_H
#define ORDINAL_LOCATIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "location.h"

/* All of them are asked before a volume is made. */
#define LOCATIONS_MAX 32

struct parameters;

/* Zeroed memory is an empty list; at most LOCATIONS_MAX. */
struct locations {
	struct location *items;
	size_t count;
};

void locations_done(struct locations *locations);

/* Add LOCATION, for which there must be room. */
void locations_add(struct locations *locations, const struct location *location);

/* Add what TEXT says, "server:/share,[fd00::1]:/share,…", blanks around them allowed, each to be
 * mounted with OPTIONS (NULL: none). ERROR_INVALID says which entry is none, or is there twice. */
int locations_parse(
	struct locations *locations, const char *text, const char *options, struct error *err);

bool locations_have(const struct locations *locations, const struct location *location);

/* The index of the one where a new volume goes: ordinal n of a set to n mod the count, so that its
 * replicas share none while there are enough; any other by the hash of its claim, or of its name,
 * which is NAME_HASH, where there is no claim. LOCATIONS is not empty. */
size_t locations_choose(const struct locations *locations, const struct parameters *parameters,
	const struct volume_hash *name_hash);

#endif
