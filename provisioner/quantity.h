/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubernetes quantities ("1Gi", "1.5G", "1e9", "500m") as whole bytes and back: what
 * apimachinery's resource.Quantity reads and writes.
 */
#ifndef ORDINAL_QUANTITY_H
#define ORDINAL_QUANTITY_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

/* Bytes of TEXT, fractions rounded up. ERROR_INVALID for what is no quantity or is negative,
 * ERROR_OUT_OF_RANGE beyond 2^63 - 1. */
int quantity_parse(const char *text, int64_t *ret_bytes, struct error *err);

/* BYTES, not negative, with the largest binary suffix that loses nothing: 1073741824 is "1Gi". */
void quantity_format(int64_t bytes, char *out, size_t size);

#endif
