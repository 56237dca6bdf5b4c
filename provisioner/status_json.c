/* SPDX-License-Identifier: Apache-2.0 */
#include "status_json.h"

#include <string.h>

#include "names.h"
#include "quantity.h"
#include "utf8.h"

struct writer {
	const struct status_facts *facts;
	FILE *out;
	bool truncated;
	int64_t missing; /* replicas without a claim */
};

/* How many bytes of TEXT, from its beginning, may stand in a string as they are: most texts are
 * such bytes alone, and there may be a hundred thousand of them. */
static size_t count_plain(const char *text)
{
	size_t count = 0;

	while (text[count] >= 0x20 && text[count] < 0x7f && !strchr("\"\\<>&", text[count]))
		count++;
	return count;
}

/* One other character of TEXT, of LENGTH bytes; 0: it is none. */
static void write_character(FILE *out, const char *text, size_t length)
{
	if (!length)
		fputs("\\ufffd", out);
	else if (length == 1)
		fprintf(out, "\\u%04x", (unsigned char)*text);
	else
		fwrite_unlocked(text, 1, length, out);
}

static void write_text(FILE *out, const char *text)
{
	fputc_unlocked('"', out);
	for (;;) {
		size_t length = count_plain(text);

		fwrite_unlocked(text, 1, length, out);
		text += length;
		if (!*text)
			break;
		length = utf8_length(text);
		write_character(out, text, length);
		text += length ? length : 1;
	}
	fputc_unlocked('"', out);
}

/* A member behind others; none where TEXT is NULL or "". */
static void write_member(FILE *out, const char *key, const char *text)
{
	if (!text || !*text)
		return;
	fputs_unlocked(",\"", out);
	fputs_unlocked(key, out);
	fputs_unlocked("\":", out);
	write_text(out, text);
}

static void write_number(FILE *out, const char *key, int64_t number)
{
	fprintf(out, ",\"%s\":%lld", key, (long long)number);
}

/* The node whose disk has the volume, where it is on just one. */
static const char *node_of(const struct volume *volume)
{
	const struct node_term *term = volume->node_terms;

	if (volume->node_term_count != 1 || term->count != 1 ||
		term->requirements[0].values.count != 1)
		return NULL;
	return term->requirements[0].values.items[0];
}

/* Why a claim that nobody complained about has no volume. */
static void write_waiting(const struct writer *writer, const struct claim *claim)
{
	_cleanup_object_ struct storage_class *class =
		store_get(writer->facts->controller->classes, claim->class_name);

	if (!class)
		write_member(writer->out, "reason", "its storage class does not exist");
	else if (class->wait_for_first_consumer && !*claim->selected_node)
		write_member(
			writer->out, "reason", "it waits until a pod that uses it is scheduled");
}

static void write_reason(const struct writer *writer, const struct status_cell *cell)
{
	struct status_note note;

	if ((cell->claim &&
		    status_notes_get(writer->facts->notes, cell->claim->object.uid, &note)) ||
		(cell->volume &&
			status_notes_get(writer->facts->notes, cell->volume->object.uid, &note))) {
		write_member(writer->out, "reason", note.text);
		write_number(writer->out, "told", note.at);
	} else if (cell->claim && cell->state == STATUS_PENDING) {
		write_waiting(writer, cell->claim);
	}
}

static void write_sizes(FILE *out, const struct status_cell *cell)
{
	int64_t bytes = cell->volume ? cell->volume->resize.capacity : -1, asked;

	if (bytes >= 0)
		write_number(out, "bytes", bytes);
	if (cell->claim && quantity_parse(cell->claim->requested, &asked, NULL) == 0 &&
		asked != bytes)
		write_number(out, "asked", asked);
}

static void write_claim(FILE *out, const struct claim *claim, bool has_volume)
{
	write_member(out, "claim", claim->object.name);
	write_member(out, "class", claim->class_name);
	if (has_volume)
		return;
	write_member(out, "volume", claim->volume_name);
	write_member(out, "node", claim->selected_node);
	if (claim->object.created)
		write_number(out, "created", claim->object.created);
}

static void write_volume(FILE *out, const struct volume *volume, bool has_claim)
{
	write_member(out, "class", has_claim ? NULL : volume->class_name);
	write_member(out, "volume", volume->object.name);
	write_member(out, "path", volume->path);
	write_member(out, "node", node_of(volume));
	if (volume->object.created)
		write_number(out, "created", volume->object.created);
}

static void write_cell(struct writer *writer, const struct status_cell *cell, bool in_set)
{
	FILE *out = writer->out;

	fprintf(out, "{\"state\":\"%s\"", status_sets_state_name(cell->state));
	if (in_set) {
		write_member(out, "template", cell->template);
		write_number(out, "ordinal", cell->ordinal);
	}
	if (cell->claim && !in_set)
		write_member(out, "namespace", cell->claim->object.namespace);
	if (cell->claim)
		write_claim(out, cell->claim, cell->volume != NULL);
	if (cell->volume)
		write_volume(out, cell->volume, cell->claim != NULL);
	write_sizes(out, cell);
	write_reason(writer, cell);
	fputc('}', out);
}

/* What is too much is left out, and said to be. */
static bool is_full(struct writer *writer)
{
	if (!writer->truncated && (size_t)ftello(writer->out) > writer->facts->size_max)
		writer->truncated = true;
	return writer->truncated;
}

static void write_cells(struct writer *writer, const struct status_set *set, const char *key)
{
	fprintf(writer->out, ",\"%s\":[", key);
	for (size_t i = 0; i < set->count && !is_full(writer); i++) {
		if (i)
			fputs(",\n", writer->out);
		write_cell(writer, &set->cells[i], set->name != NULL);
	}
	fputc(']', writer->out);
}

static void write_run(
	struct writer *writer, bool *is_first, const char *template, int64_t from, int64_t end)
{
	if (from >= end)
		return;
	writer->missing += end - from;
	fputs(*is_first ? "{\"template\":" : ",{\"template\":", writer->out);
	*is_first = false;
	write_text(writer->out, template);
	write_number(writer->out, "from", from);
	write_number(writer->out, "to", end - 1);
	fputc('}', writer->out);
}

/* The ordinals without anything, as runs: a set may ask for two thousand million replicas. */
static void write_missing(struct writer *writer, const struct status_set *set)
{
	const struct status_cell *cell = set->cells, *last = cell + set->count;
	bool is_first = true;
	int64_t first, end;

	status_sets_range(set, &first, &end);
	fputs(",\"missing\":[", writer->out);
	for (size_t i = 0; i < set->templates.count; i++) {
		const char *template = set->templates.items[i];
		int64_t next = first;

		for (; cell < last && !strcmp(cell->template, template); cell++) {
			write_run(writer, &is_first, template, next,
				cell->ordinal < end ? cell->ordinal : end);
			if (cell->ordinal >= next)
				next = cell->ordinal + 1;
		}
		write_run(writer, &is_first, template, next, end);
	}
	fputc(']', writer->out);
}

static void write_set(struct writer *writer, const struct status_set *set)
{
	FILE *out = writer->out;
	int64_t first, end;

	status_sets_range(set, &first, &end);
	fputs("{\"namespace\":", out);
	write_text(out, set->namespace);
	write_member(out, "name", set->name);
	fprintf(out, ",\"exists\":%s", set->set ? "true" : "false");
	write_number(out, "first", first);
	write_number(out, "replicas", end - first);
	fputs(",\"templates\":[", out);
	for (size_t i = 0; i < set->templates.count; i++) {
		if (i)
			fputc(',', out);
		write_text(out, set->templates.items[i]);
	}
	fputc(']', out);
	write_missing(writer, set);
	write_cells(writer, set, "cells");
	fputc('}', out);
}

static void write_states(const struct writer *writer, const struct status_sets *sets)
{
	fputs(",\"states\":{", writer->out);
	for (int state = 0; state < STATUS_STATES; state++)
		fprintf(writer->out, "\"%s\":%zu,",
			status_sets_state_name((enum status_state)state), sets->states[state]);
	fprintf(writer->out, "\"missing\":%lld}", (long long)writer->missing);
}

void status_json_write(const struct status_sets *sets, const struct status_facts *facts, FILE *out)
{
	struct writer writer = {.facts = facts, .out = out};

	fputs("{\"driver\":", out);
	write_text(out, facts->controller->driver.info.name);
	write_member(out, "version", ORDINAL_VERSION);
	write_member(out, "instance", facts->instance);
	write_number(out, "time", facts->now);
	fprintf(out, ",\"synced\":%s,\"working\":%s", facts->synced ? "true" : "false",
		facts->working ? "true" : "false");
	fputs(",\"sets\":[", out);
	for (size_t i = 0; i < sets->count && !is_full(&writer); i++) {
		if (i)
			fputs(",\n", out);
		write_set(&writer, sets->items[i]);
	}
	fputc(']', out);
	write_cells(&writer, &sets->others, "others");
	write_states(&writer, sets);
	fprintf(out, ",\"truncated\":%s}\n", writer.truncated ? "true" : "false");
}
