/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every test of the provisioner needs: cmocka, JSON and snapshots from readable text, and
 * bounded waits.
 */
#ifndef ORDINAL_TESTS_TESTING_H
#define ORDINAL_TESTS_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "objects.h"

/* Fail and name the row of a table that is to blame. On the test's own thread only. */
#define assert_case(name, condition)                                                               \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fail_msg("%s: not so: %s", name, #condition);                              \
	} while (0)

/* The same for two strings; either may be NULL. */
#define assert_case_text(name, got, wanted) check_text(name, got, wanted, __FILE__, __LINE__)
void check_text(const char *name, const char *got, const char *wanted, const char *file, int line);

/* JSON from TEXT, in which ' stands for ". Aborts where it is no JSON. Caller puts. */
struct json_object *json_of(const char *text);

/* A snapshot from such text. Aborts where it makes none. Caller unrefs. */
void *object_of(const struct object_type *type, const char *text);

/* Wait, for at most 20 seconds, until CONDITION holds; whether it does. */
bool wait_until(bool (*condition)(void *context), void *context);

/* Write TEXT to FOLDER/NAME, whose path is returned. Caller frees. */
char *write_file(const char *folder, const char *name, const char *text);

/* A new temporary folder, and its removal with all that is in it. Caller frees the name. */
char *make_folder(void);
void remove_folder(char *folder);

#endif
