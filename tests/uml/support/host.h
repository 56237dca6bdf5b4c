/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a test in a guest asks of the machine that the guest runs on: `answer` in guests_test.sh is
 * the list, for example "ganesha hang" or "guest 2 ls /mnt".
 */
#ifndef ORDINAL_TEST_UML_HOST_H
#define ORDINAL_TEST_UML_HOST_H

#include <stddef.h>

/* Ask for WHAT, of one line, and wait until it is done: its exit code. What it printed is in RET,
 * cut to SIZE, where that is not NULL. Fails the running cmocka test where nobody answers. One
 * thread. */
int host_ask(char *ret, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same; fails the running test, telling what was printed, unless the exit code is 0. */
void host_do(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
