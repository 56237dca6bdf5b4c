/* SPDX-License-Identifier: Apache-2.0 */
#include "table.h"

#include <string.h>

#define GAP 3 /* between two columns */

struct cell {
	char *text; /* clean */
	size_t width;
	enum screen_colour colour;
};

struct table {
	const char *const *headings;
	size_t columns;
	struct cell *cells;
	size_t count, room;
};

struct table *table_new(const char *const *headings)
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table)
		abort();
	table->headings = headings;
	while (headings[table->columns])
		table->columns++;
	return table;
}

void table_free(struct table *table)
{
	for (size_t i = 0; i < table->count; i++)
		free(table->cells[i].text);
	free(table->cells);
	free(table);
}

void table_add_coloured(struct table *table, const char *text, enum screen_colour colour)
{
	struct cell *cell;

	if (table->count == table->room) {
		table->room = table->room ? table->room * 2 : 64;
		table->cells = reallocarray(table->cells, table->room, sizeof(*table->cells));
		if (!table->cells)
			abort();
	}
	cell = &table->cells[table->count++];
	cell->text = screen_clean(text && *text ? text : "-");
	cell->width = screen_width(cell->text);
	cell->colour = colour;
}

void table_add(struct table *table, const char *text)
{
	table_add_coloured(table, text, SCREEN_PLAIN);
}

static size_t column_width(const struct table *table, size_t column)
{
	size_t width = screen_width(table->headings[column]);

	for (size_t i = column; i < table->count; i += table->columns)
		if (table->cells[i].width > width)
			width = table->cells[i].width;
	return width;
}

/* A cell, and the space up to the next one; behind the last there is none. */
static void print_cell(const struct screen *screen, const char *text, enum screen_colour colour,
	size_t padding, bool last)
{
	screen_write(screen, colour, text);
	if (last)
		fputc('\n', screen->out);
	else
		fprintf(screen->out, "%*s", (int)padding + GAP, "");
}

void table_print(const struct table *table, const struct screen *screen)
{
	_cleanup_free_ size_t *widths = calloc(table->columns, sizeof(*widths));

	if (!widths)
		abort();
	for (size_t i = 0; i < table->columns; i++) {
		widths[i] = column_width(table, i);
		print_cell(screen, table->headings[i], SCREEN_BOLD,
			widths[i] - screen_width(table->headings[i]), i + 1 == table->columns);
	}
	for (size_t i = 0; i < table->count; i++) {
		const struct cell *cell = &table->cells[i];
		size_t column = i % table->columns;

		print_cell(screen, cell->text, cell->colour, widths[column] - cell->width,
			column + 1 == table->columns);
	}
}
