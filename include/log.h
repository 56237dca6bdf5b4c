/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log: one line an entry on standard error, as text or JSON. Only the top of a thread of work
 * logs; functions below it return their errors. Any thread may log; lines never mix.
 */
#ifndef ORDINAL_LOG_H
#define ORDINAL_LOG_H

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Choose what is written and how. Called once, before other threads start. */
void log_init(enum log_level level, enum log_format format);

/* Write one entry. Bytes that would break the line are escaped: texts come from the network. */
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...)  log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)

#endif
