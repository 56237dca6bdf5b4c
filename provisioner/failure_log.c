/* SPDX-License-Identifier: Apache-2.0 */
#include "failure_log.h"

#include <string.h>

#define INTERVAL_MS 60000

/* Whether two messages differ at most in their numbers. */
static bool same_words(const char *a, const char *b)
{
	static const char digits[] = "0123456789";

	for (;; a++, b++) {
		size_t number_a = strspn(a, digits), number_b = strspn(b, digits);

		a += number_a;
		b += number_b;
		if (!number_a != !number_b || *a != *b)
			return false;
		if (!*a)
			return true;
	}
}

bool failure_log_is_new(struct failure_log *log, const struct error *err, int64_t now_ms)
{
	if (same_words(log->last.text, err->text) && now_ms - log->last_ms < INTERVAL_MS)
		return false;
	log->last = *err;
	log->last_ms = now_ms;
	return true;
}

void failure_log_forget(struct failure_log *log)
{
	*log = (struct failure_log){.last_ms = 0};
}
