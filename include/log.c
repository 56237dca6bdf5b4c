/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "utf8.h"

#define LINE_MAX_BYTES 4096
#define ESCAPE_MAX     8 /* bytes that one byte of a text may become, and a bit */
#define END_MAX        3 /* what every line ends with: "}\n */

static enum log_level log_chosen = LOG_LEVEL_INFO;
static int log_threshold = LOG_LEVEL_INFO; /* atomic */
static enum log_format log_style = LOG_FORMAT_TEXT;

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_init(enum log_level level, enum log_format format)
{
	log_chosen = level;
	__atomic_store_n(&log_threshold, (int)level, __ATOMIC_RELAXED);
	log_style = format;
}

static size_t timestamp(char *out, size_t size)
{
	struct timespec now;
	struct tm utc;
	size_t length;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	length = strftime(out, size, "%Y-%m-%dT%H:%M:%S", &utc);
	return length +
	       (size_t)snprintf(out + length, size - length, ".%03ldZ", now.tv_nsec / 1000000);
}

/* A line that is being written. */
struct line {
	size_t used;
	char text[LINE_MAX_BYTES];
};

static void append(struct line *line, const char *text)
{
	size_t length = strlen(text);

	memcpy(line->text + line->used, text, length);
	line->used += length;
}

/* Append TEXT as far as it fits, with control bytes and what is not UTF-8 (and, where it is
 * QUOTED, quotes and backslashes) escaped as JSON does. */
static void append_escaped(struct line *line, const char *text, bool quoted)
{
	while (*text && line->used + ESCAPE_MAX + END_MAX < sizeof(line->text)) {
		size_t length = utf8_length(text);
		unsigned char byte = (unsigned char)*text;

		if (length == 0 || byte < 0x20 || byte == 0x7f) {
			line->used += (size_t)snprintf(
				line->text + line->used, ESCAPE_MAX, "\\u%04x", byte);
			text++;
			continue;
		}
		if (quoted && (byte == '"' || byte == '\\'))
			line->text[line->used++] = '\\';
		memcpy(line->text + line->used, text, length);
		line->used += length;
		text += length;
	}
}

static void append_quoted(struct line *line, const char *text)
{
	append(line, "\"");
	append_escaped(line, text, true);
	append(line, "\"");
}

/* Whether TEXT as a value would not be told from what is around it. */
static bool needs_quotes(const char *text)
{
	if (!*text)
		return true;
	for (; *text; text += utf8_length(text))
		if (utf8_length(text) == 0 || strchr(" \"=\\\177", *text) ||
			(unsigned char)*text < 0x20)
			return true;
	return false;
}

static void append_field(struct line *line, const struct log_field *field)
{
	const char *text = field->text ? field->text : "";
	bool json = log_style == LOG_FORMAT_JSON;
	char number[32];

	/* Name and quotes at the very least, or nothing of it. */
	if (line->used + strlen(field->name) + sizeof(number) + ESCAPE_MAX + END_MAX >
		sizeof(line->text))
		return;
	append(line, json ? ",\"" : " ");
	append(line, field->name);
	append(line, json ? "\":" : "=");
	if (field->is_number) {
		snprintf(number, sizeof(number), "%lld", field->number);
		append(line, number);
	} else if (json || needs_quotes(text)) {
		append_quoted(line, text);
	} else {
		append_escaped(line, text, false);
	}
}

static void write_line(
	enum log_level level, const char *message, const struct log_field *fields, size_t count)
{
	bool json = log_style == LOG_FORMAT_JSON;
	struct line line;
	char when[32];

	timestamp(when, sizeof(when));
	line.used = (size_t)snprintf(line.text, sizeof(line.text),
		json ? "{\"time\":\"%s\",\"level\":\"%s\",\"msg\":" : "%s %-5s ", when,
		level_names[level]);
	if (json)
		append_quoted(&line, message);
	else
		append_escaped(&line, message, false);
	for (size_t i = 0; i < count; i++)
		append_field(&line, &fields[i]);
	append(&line, json ? "}\n" : "\n");
	/* One write a line: lines of several threads never mix. Nothing can be done if it fails. */
	if (write(STDERR_FILENO, line.text, line.used) < 0)
		return;
}

static bool is_wanted(enum log_level level)
{
	return (int)level >= __atomic_load_n(&log_threshold, __ATOMIC_RELAXED);
}

void log_write(enum log_level level, const char *format, ...)
{
	char message[2048];
	va_list args;

	if (!is_wanted(level))
		return;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	write_line(level, message, NULL, 0);
}

void log_write_fields(
	enum log_level level, const char *message, const struct log_field *fields, size_t count)
{
	if (is_wanted(level))
		write_line(level, message, fields, count);
}

void log_cycle_level(void)
{
	enum log_level other = log_chosen == LOG_LEVEL_DEBUG ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG;
	enum log_level level = __atomic_load_n(&log_threshold, __ATOMIC_RELAXED) == (int)log_chosen
				       ? other
				       : log_chosen;

	__atomic_store_n(&log_threshold, (int)level, __ATOMIC_RELAXED);
	/* Whoever asked for it has to see it, whatever the level. */
	write_line(
		LOG_LEVEL_INFO, "log level changed", &LOG_STR("log_level", level_names[level]), 1);
}
