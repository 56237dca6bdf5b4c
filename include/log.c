/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static enum log_level log_threshold = LOG_LEVEL_INFO;
static enum log_format log_style = LOG_FORMAT_TEXT;

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_init(enum log_level level, enum log_format format)
{
	log_threshold = level;
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

/* The length of the UTF-8 character at TEXT, or 0 if there is none. */
static size_t character_length(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t length = *at < 0x80 ? 1 : *at < 0xc2 ? 0 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4;

	if (*at > 0xf4 || (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
		(at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	return length;
}

/* Append TEXT to OUT, at most SIZE bytes, with control bytes and what is not UTF-8 (and, for JSON,
 * quotes and backslashes) escaped as JSON does; returns the bytes written. */
static size_t escape(char *out, size_t size, const char *text)
{
	size_t used = 0;

	while (*text && used + 8 < size) {
		size_t length = character_length(text);
		unsigned char byte = (unsigned char)*text;

		if (length == 0 || byte < 0x20 || byte == 0x7f) {
			used += (size_t)snprintf(out + used, size - used, "\\u%04x", byte);
			text++;
			continue;
		}
		if (log_style == LOG_FORMAT_JSON && (byte == '"' || byte == '\\'))
			out[used++] = '\\';
		memcpy(out + used, text, length);
		used += length;
		text += length;
	}
	return used;
}

void log_write(enum log_level level, const char *format, ...)
{
	char message[2048], line[4096], when[32];
	const char *name = level_names[level];
	va_list args;
	size_t used;

	if (level < log_threshold)
		return;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	timestamp(when, sizeof(when));
	used = (size_t)snprintf(line, sizeof(line),
		log_style == LOG_FORMAT_JSON ? "{\"time\":\"%s\",\"level\":\"%s\",\"msg\":\""
					     : "%s %-5s ",
		when, name);
	used += escape(line + used, sizeof(line) - used - 3, message);
	if (log_style == LOG_FORMAT_JSON) {
		memcpy(line + used, "\"}", 2);
		used += 2;
	}
	line[used++] = '\n';
	/* One write a line: lines of several threads never mix. Nothing can be done if it fails. */
	if (write(STDERR_FILENO, line, used) < 0)
		return;
}
