/* SPDX-License-Identifier: Apache-2.0 */
#include "figures.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"

void figures_bytes(int64_t bytes, char out[static FIGURES_MAX])
{
	static const char *const units[] = {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};
	double value = (double)bytes;
	size_t unit = 0;

	out[0] = '\0';
	if (bytes < 0)
		return;
	/* 1023.5 would be written as 1024. */
	for (; value >= 1023.5 && unit + 1 < ARRAY_SIZE(units); unit++)
		value /= 1024;
	if (value < 9.95)
		value = (double)(int)(value * 10 + 0.5) / 10;
	if (value >= 9.95 || value - (int)value < 0.05)
		snprintf(out, FIGURES_MAX, "%.0f%s", value, units[unit]);
	else
		snprintf(out, FIGURES_MAX, "%.1f%s", value, units[unit]);
}

void figures_age(int64_t seconds, char out[static FIGURES_MAX])
{
	static const struct {
		int64_t from, unit;
		char letter;
	} units[] = {
		{2 * 365 * 86400, 365 * 86400, 'y'},
		{2 * 86400, 86400, 'd'},
		{2 * 3600, 3600, 'h'},
		{2 * 60, 60, 'm'},
		{0, 1, 's'},
	};

	out[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(units) && seconds >= 0; i++) {
		if (seconds < units[i].from)
			continue;
		snprintf(out, FIGURES_MAX, "%" PRId64 "%c", seconds / units[i].unit,
			units[i].letter);
		return;
	}
}

time_t figures_time(const char *text)
{
	struct tm utc = {0};
	const char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &utc) : NULL;

	if (rest && *rest == '.')
		rest += 1 + strspn(rest + 1, "0123456789");
	return rest && !strcmp(rest, "Z") ? timegm(&utc) : -1;
}
