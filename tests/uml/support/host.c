/* SPDX-License-Identifier: Apache-2.0 */
#include "host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* Where guests.sh looks, and how long an answer may take. */
#define ASKED    "/share/asked"
#define ANSWER   "/share/answer"
#define PAUSE_US 10000
#define PAUSES   (120 * 100)

#define TEXT_MAX 4096

static void put_question(const char *format, va_list args)
{
	FILE *file = fopen(ASKED ".new", "w");

	assert_non_null(file);
	vfprintf(file, format, args);
	fputc('\n', file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(rename(ASKED ".new", ASKED), 0);
}

/* The exit code follows what was printed, on a line of its own. */
static int read_answer(char *text, size_t size)
{
	FILE *file = NULL;
	char *line;
	size_t length;

	for (int i = 0; !file && i < PAUSES; i++, usleep(PAUSE_US))
		file = fopen(ANSWER, "r");
	if (!file)
		fail_msg("the machine outside does not answer");
	length = fread(text, 1, size - 1, file);
	fclose(file);
	unlink(ANSWER);
	while (length && text[length - 1] == '\n')
		length--;
	text[length] = '\0';
	line = strrchr(text, '\n');
	assert_non_null(line);
	*line = '\0';
	return atoi(line + 1);
}

static int ask(char *text, size_t size, const char *format, va_list args)
{
	put_question(format, args);
	return read_answer(text, size);
}

int host_ask(char *ret, size_t size, const char *format, ...)
{
	char text[TEXT_MAX];
	va_list args;
	int code;

	va_start(args, format);
	code = ask(text, sizeof(text), format, args);
	va_end(args);
	if (ret)
		snprintf(ret, size, "%s", text);
	return code;
}

void host_do(const char *format, ...)
{
	char text[TEXT_MAX];
	va_list args;

	va_start(args, format);
	if (ask(text, sizeof(text), format, args))
		fail_msg("outside of the guest: %s", text);
	va_end(args);
}
