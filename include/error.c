/* SPDX-License-Identifier: Apache-2.0 */
#include "error.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"

static const struct {
	const char *name;
	int grpc; /* google.rpc.Code */
} kinds[] = {
	[ERROR_NONE] = {"NONE", 0},
	[ERROR_NOT_FOUND] = {"NOT_FOUND", 5},
	[ERROR_ALREADY_EXISTS] = {"ALREADY_EXISTS", 6},
	[ERROR_CONFLICT] = {"CONFLICT", 10},
	[ERROR_EXPIRED] = {"EXPIRED", 10},
	[ERROR_INVALID] = {"INVALID", 3},
	[ERROR_UNAUTHORIZED] = {"UNAUTHORIZED", 16},
	[ERROR_FORBIDDEN] = {"FORBIDDEN", 7},
	[ERROR_TOO_MANY_REQUESTS] = {"TOO_MANY_REQUESTS", 8},
	[ERROR_TIMEOUT] = {"TIMEOUT", 4},
	[ERROR_CANCELLED] = {"CANCELLED", 1},
	[ERROR_UNAVAILABLE] = {"UNAVAILABLE", 14},
	[ERROR_ABORTED] = {"ABORTED", 10},
	[ERROR_FAILED_PRECONDITION] = {"FAILED_PRECONDITION", 9},
	[ERROR_OUT_OF_RANGE] = {"OUT_OF_RANGE", 11},
	[ERROR_EXHAUSTED] = {"EXHAUSTED", 8},
	[ERROR_UNIMPLEMENTED] = {"UNIMPLEMENTED", 12},
	[ERROR_IO] = {"IO", 13},
	[ERROR_INTERNAL] = {"INTERNAL", 13},
};

static enum error_kind kind_from_errno(int errnum)
{
	switch (errnum) {
	case ENOENT:
	case ENOTDIR:
		return ERROR_NOT_FOUND;
	case EEXIST:
	case ENOTEMPTY:
		return ERROR_ALREADY_EXISTS;
	case EACCES:
	case EPERM:
		return ERROR_FORBIDDEN;
	case EROFS:
		return ERROR_FAILED_PRECONDITION;
	case ENOSPC:
	case EDQUOT:
	case ENOMEM:
		return ERROR_EXHAUSTED;
	case ENAMETOOLONG:
	case EINVAL:
	case ELOOP:
	case EXDEV:
		return ERROR_INVALID;
	case ETIMEDOUT:
		return ERROR_TIMEOUT;
	case EAGAIN:
	case ECONNREFUSED:
	case ENOTCONN:
	case EHOSTUNREACH:
		return ERROR_UNAVAILABLE;
	default:
		return ERROR_IO;
	}
}

/* A text that was cut may have lost the rest of its last UTF-8 character. Peers refuse a message
 * that is not UTF-8 as a whole. */
static void drop_cut_character(struct error *err)
{
	size_t start = sizeof(err->text) - 1, length;
	unsigned char lead;

	if (strlen(err->text) != start)
		return;
	while (start > sizeof(err->text) - 5 && (err->text[--start] & 0xc0) == 0x80)
		;
	lead = (unsigned char)err->text[start];
	length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
	if (start + length > sizeof(err->text) - 1)
		err->text[start] = '\0';
}

/* Texts quote what peers say, and go to terminals and events. */
static void drop_control_characters(struct error *err)
{
	for (char *at = err->text; *at; at++)
		if (iscntrl((unsigned char)*at))
			*at = isspace((unsigned char)*at) ? ' ' : '?';
}

static void clean(struct error *err)
{
	drop_cut_character(err);
	drop_control_characters(err);
}

int error_set(struct error *err, enum error_kind kind, const char *format, ...)
{
	va_list args;

	if (!err)
		return -1;
	err->kind = kind;
	err->errnum = 0;
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	clean(err);
	return -1;
}

int error_set_errno(struct error *err, int errnum, const char *format, ...)
{
	const char *description = strerrordesc_np(errnum);
	va_list args;
	size_t length;

	if (!err)
		return -1;
	err->kind = kind_from_errno(errnum);
	err->errnum = errnum;
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	length = strlen(err->text);
	if (description)
		snprintf(err->text + length, sizeof(err->text) - length, ": %s", description);
	else
		snprintf(err->text + length, sizeof(err->text) - length, ": error %d", errnum);
	clean(err);
	return -1;
}

int error_prefix(struct error *err, const char *format, ...)
{
	struct error old;
	va_list args;
	size_t length;

	if (!err)
		return -1;
	old = *err;
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	length = strlen(err->text);
	snprintf(err->text + length, sizeof(err->text) - length, ": %s", old.text);
	clean(err);
	return -1;
}

const char *error_kind_name(enum error_kind kind)
{
	return (size_t)kind < ARRAY_SIZE(kinds) ? kinds[kind].name : "UNKNOWN";
}

int error_kind_to_grpc(enum error_kind kind)
{
	return (size_t)kind < ARRAY_SIZE(kinds) ? kinds[kind].grpc : 13;
}

enum error_kind error_kind_from_grpc(int code)
{
	/* The kinds that a status code stands for; 8 and 10 have several on our side. */
	static const enum error_kind from[] = {
		ERROR_NONE,
		ERROR_CANCELLED,
		ERROR_INTERNAL, /* UNKNOWN */
		ERROR_INVALID,
		ERROR_TIMEOUT,
		ERROR_NOT_FOUND,
		ERROR_ALREADY_EXISTS,
		ERROR_FORBIDDEN,
		ERROR_EXHAUSTED,
		ERROR_FAILED_PRECONDITION,
		ERROR_ABORTED,
		ERROR_OUT_OF_RANGE,
		ERROR_UNIMPLEMENTED,
		ERROR_INTERNAL,
		ERROR_UNAVAILABLE,
		ERROR_INTERNAL, /* DATA_LOSS */
		ERROR_UNAUTHORIZED,
	};

	return code >= 0 && (size_t)code < ARRAY_SIZE(from) ? from[code] : ERROR_INTERNAL;
}

enum error_kind error_kind_from_http(long status)
{
	switch (status) {
	case 400:
	case 422:
		return ERROR_INVALID;
	case 401:
		return ERROR_UNAUTHORIZED;
	case 403:
		return ERROR_FORBIDDEN;
	case 404:
		return ERROR_NOT_FOUND;
	case 409:
		return ERROR_CONFLICT;
	case 410:
		return ERROR_EXPIRED;
	case 408:
	case 504:
		return ERROR_TIMEOUT;
	case 429:
		return ERROR_TOO_MANY_REQUESTS;
	case 500:
	case 502:
	case 503:
		return ERROR_UNAVAILABLE;
	default:
		return ERROR_INTERNAL;
	}
}
