/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes to the terminal. Names, paths and messages come from the cluster, where others wrote
 * them: what a terminal would obey, or what shows a text as another one, is written as an escape.
 */
#ifndef ORDINAL_KUBECTL_SCREEN_H
#define ORDINAL_KUBECTL_SCREEN_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>

enum screen_colour { SCREEN_PLAIN, SCREEN_GREEN, SCREEN_YELLOW, SCREEN_RED, SCREEN_BOLD };

struct screen {
	FILE *out;
	bool colours;
};

/* OUT, in colours if it is a terminal that has them and NO_COLOR is not set (no-color.org). */
struct screen screen_on(FILE *out);

/* TEXT without what a terminal obeys: control characters, invisible ones and those that change the
 * direction of writing as \xNN or \uNNNN, bytes that are no UTF-8 as \xNN. Caller frees. */
char *screen_clean(const char *text);

/* How many columns TEXT, which is clean, takes. */
size_t screen_width(const char *text);

/* Write TEXT, cleaned, in COLOUR. */
void screen_write(const struct screen *screen, enum screen_colour colour, const char *text);

/* Write JSON in lines of its own; what JSON leaves as it is and a terminal obeys as \uNNNN, which
 * is the same JSON. */
void screen_write_json(const struct screen *screen, struct json_object *json);

#endif
