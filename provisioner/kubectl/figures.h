/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sizes, times and ages as people read them.
 */
#ifndef ORDINAL_KUBECTL_FIGURES_H
#define ORDINAL_KUBECTL_FIGURES_H

#include <stdint.h>
#include <time.h>

#define FIGURES_MAX 32

/* BYTES with two or three digits and a binary suffix: "512", "1.5Ki", "20Gi"; "" for a negative
 * number. */
void figures_bytes(int64_t bytes, char out[static FIGURES_MAX]);

/* SECONDS as kubectl writes ages: "7s", "5m", "3h", "12d", "2y"; "" for a negative number. */
void figures_age(int64_t seconds, char out[static FIGURES_MAX]);

/* Seconds since 1970 of an RFC 3339 time in UTC, which may be NULL, with or without a fraction; -1
 * for what is none. */
time_t figures_time(const char *text);

#endif
