/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must hold of a base between two calls, whatever happened before: its records and its
 * directories are about the same volumes, and nothing is half made. Checks fail the running test.
 */
#ifndef ORDINAL_TEST_BASE_CHECK_H
#define ORDINAL_TEST_BASE_CHECK_H

#include <stddef.h>

struct base_check {
	const char *foreign; /* a path below the base that is no volume's; NULL: none */
	size_t records;      /* how many there must be, bases below this one left out */
};

/* Compare the tree below BASE with the records in it, and with those of the bases below it. Empty
 * directories above what once was a volume are no fault: a crash leaves them. */
void base_check(const char *base, const struct base_check *check);

/* How many files below BASE hold TEXT; the last one's path below BASE goes to RET[SIZE]. */
size_t base_count(const char *base, const char *text, char *ret, size_t size);

/* The directory, below BASE, of the only file that holds TEXT. In a static buffer. */
const char *base_find(const char *base, const char *text);

/* Remove the tree PATH; or all that the directory PATH holds. */
void base_remove(const char *path);
void base_clear(const char *path);

#endif
