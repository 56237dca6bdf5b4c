/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one error value of this project: what kind of failure it is, so that callers can decide,
 * and a text for the person who has to mend it. Functions that can fail take a struct error as
 * their last parameter and return 0 or -1 (or NULL); each layer puts what it knows in front.
 *
 * A struct error is plain memory: no ownership, no locks; any thread may use its own.
 */
#ifndef ORDINAL_ERROR_H
#define ORDINAL_ERROR_H

enum error_kind {
	ERROR_NONE,
	ERROR_NOT_FOUND,
	ERROR_ALREADY_EXISTS,
	ERROR_CONFLICT, /* the object changed meanwhile (HTTP 409) */
	ERROR_EXPIRED,  /* the resourceVersion or the continue token is too old (HTTP 410) */
	ERROR_INVALID,
	ERROR_UNAUTHORIZED,
	ERROR_FORBIDDEN,
	ERROR_TOO_MANY_REQUESTS,
	ERROR_TIMEOUT,
	ERROR_CANCELLED,
	ERROR_UNAVAILABLE,
	ERROR_ABORTED,
	ERROR_FAILED_PRECONDITION,
	ERROR_OUT_OF_RANGE,
	ERROR_EXHAUSTED,
	ERROR_UNIMPLEMENTED,
	ERROR_IO,
	ERROR_INTERNAL,
};

struct error {
	enum error_kind kind;
	int errnum;     /* the errno behind it, or 0 */
	char text[768]; /* cut, never overflowed, where it would be longer */
};

/* Set *ERR and return -1, so that `return error_set(...)` reads as what it does. ERR may be NULL.
 */
int error_set(struct error *err, enum error_kind kind, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same from an errno: its kind follows from it, and ": <strerror>" is added to the text. */
int error_set_errno(struct error *err, int errnum, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Put "<text>: " in front of the text of *ERR, keep its kind, and return -1. ERR may be NULL. */
int error_prefix(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The kind's name as logs show it, "NOT_FOUND" for example. Static memory. */
const char *error_kind_name(enum error_kind kind);

/* The gRPC status code (google.rpc.Code) for a kind, and the kind for such a code. Unknown codes,
 * of which a hostile peer may send any, become ERROR_INTERNAL. */
int error_kind_to_grpc(enum error_kind kind);
enum error_kind error_kind_from_grpc(int code);

/* The kind for an HTTP status that is not a success, as the Kubernetes API uses them. */
enum error_kind error_kind_from_http(long status);

#endif
