/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log: one line a fact on standard error, as text or JSON. Only the top of a thread of work
 * logs; functions below it return their errors. Any thread may log; lines never mix.
 */
#ifndef ORDINAL_LOG_H
#define ORDINAL_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Choose what is written and how. Called once, before other threads start. */
void log_init(enum log_level level, enum log_format format);

/* Switch between the level that was chosen and debug (where debug was chosen: info), and say so in
 * the log. For SIGUSR1, but not inside a signal handler. Any thread may call. */
void log_cycle_level(void);

/* Write one entry. Bytes that would break the line are escaped: texts come from the network. */
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...)  log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)

/* One thing that is known about a fact. NAME is a constant: [a-z_]+, and not time, level or msg. */
struct log_field {
	const char *name;
	bool is_number;
	const char *text; /* NULL is "" */
	long long number;
};

#define LOG_STR(name, text)   ((struct log_field){name, false, text, 0})
#define LOG_INT(name, number) ((struct log_field){name, true, NULL, number})

/* log_event(LEVEL, MESSAGE, FIELDS...): a fact with its fields, at least one:
 *
 *   log_event(LOG_LEVEL_INFO, "claim provisioned", LOG_STR("claim", name), LOG_INT("bytes", n));
 *
 * writes "... info  claim provisioned claim=shop/c bytes=1", or members of the JSON. Values are
 * quoted where they hold spaces, quotes, = or what is no text. What does not fit into a line of 4
 * KiB is cut, and it stays what it is, a line of JSON for example. */
#define log_event(level, message, ...)                                                             \
	log_write_fields(level, message, (const struct log_field[]){__VA_ARGS__},                  \
		sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))
void log_write_fields(
	enum log_level level, const char *message, const struct log_field *fields, size_t count);

#endif
