/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table as kubectl prints them: a heading, and columns as wide as what is in them. Cells are
 * cleaned (screen.h).
 */
#ifndef ORDINAL_KUBECTL_TABLE_H
#define ORDINAL_KUBECTL_TABLE_H

#include "cleanup.h"
#include "screen.h"

struct table;

/* HEADINGS, which must outlive it, ends with a NULL. Caller frees. */
struct table *table_new(const char *const *headings);
void table_free(struct table *table);
DEFINE_CLEANUP(struct table *, table_free);

/* The next cell, which is copied; row by row. NULL and "" are shown as "-". */
void table_add(struct table *table, const char *text);
void table_add_coloured(struct table *table, const char *text, enum screen_colour colour);

void table_print(const struct table *table, const struct screen *screen);

#endif
