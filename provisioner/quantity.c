/* SPDX-License-Identifier: Apache-2.0 */
#include "quantity.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"

/* More digits than this are refused, so that digits times the largest suffix fit 128 bits. */
#define DIGITS_MAX 18

static const struct {
	const char *name;
	int binary;  /* power of two, or */
	int decimal; /* power of ten */
} suffixes[] = {
	{"", 0, 0},
	{"Ki", 10, 0},
	{"Mi", 20, 0},
	{"Gi", 30, 0},
	{"Ti", 40, 0},
	{"Pi", 50, 0},
	{"Ei", 60, 0},
	{"n", 0, -9},
	{"u", 0, -6},
	{"m", 0, -3},
	{"k", 0, 3},
	{"M", 0, 6},
	{"G", 0, 9},
	{"T", 0, 12},
	{"P", 0, 15},
	{"E", 0, 18},
};

/* Read digits with at most one point; *RET_SCALE counts those behind it. */
static const char *read_number(const char *at, uint64_t *ret_digits, int *ret_scale, int *ret_count)
{
	bool behind_point = false;

	*ret_digits = 0;
	*ret_scale = 0;
	*ret_count = 0;
	for (; isdigit((unsigned char)*at) || (*at == '.' && !behind_point); at++) {
		if (*at == '.') {
			behind_point = true;
			continue;
		}
		*ret_scale += behind_point;
		*ret_count += 1;
		if (*ret_digits < 1000000000000000000ULL)
			*ret_digits = *ret_digits * 10 + (uint64_t)(*at - '0');
	}
	return at;
}

/* The powers behind a suffix; exponents ("e3", "E-2") are powers of ten. */
static int read_suffix(const char *at, int *ret_binary, int *ret_decimal)
{
	int length = 0;

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		if (!strcmp(at, suffixes[i].name)) {
			*ret_binary = suffixes[i].binary;
			*ret_decimal = suffixes[i].decimal;
			return 0;
		}
	}
	if ((*at != 'e' && *at != 'E') || strlen(at) > 4 || isspace((unsigned char)at[1]))
		return -1;
	*ret_binary = 0;
	if (sscanf(at + 1, "%d%n", ret_decimal, &length) != 1 || at[1 + length])
		return -1;
	return 0;
}

static int scale(uint64_t digits, int binary, int decimal, int64_t *ret_bytes)
{
	unsigned __int128 value = (unsigned __int128)digits << binary;

	for (; decimal > 0 && value && value <= INT64_MAX; decimal--)
		value *= 10;
	if (decimal < 0) {
		unsigned __int128 divisor = 1;

		for (; decimal < 0 && divisor < value; decimal++)
			divisor *= 10;
		value = (value + divisor - 1) / divisor;
	}
	if (value > INT64_MAX)
		return -1;
	*ret_bytes = (int64_t)value;
	return 0;
}

int quantity_parse(const char *text, int64_t *ret_bytes, struct error *err)
{
	uint64_t digits;
	int point, count, binary, decimal;
	const char *at = read_number(text + (*text == '+'), &digits, &point, &count);

	if (!count || read_suffix(at, &binary, &decimal) < 0)
		return error_set(err, ERROR_INVALID, "\"%s\" is not a size such as 10Gi", text);
	if (count > DIGITS_MAX + 1 || scale(digits, binary, decimal - point, ret_bytes) < 0)
		return error_set(err, ERROR_OUT_OF_RANGE,
			"size %s is more than %" PRId64 " bytes, or has too many digits", text,
			INT64_MAX);
	return 0;
}

void quantity_format(int64_t bytes, char *out, size_t size)
{
	size_t unit = 0;

	while (bytes && unit < 6 && bytes % 1024 == 0) {
		bytes /= 1024;
		unit++;
	}
	snprintf(out, size, "%" PRId64 "%s", bytes, suffixes[unit].name);
}
