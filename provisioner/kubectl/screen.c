/* SPDX-License-Identifier: Apache-2.0 */
#include "screen.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "utf8.h"

static const char *const codes[] = {
	[SCREEN_GREEN] = "\x1b[32m",
	[SCREEN_YELLOW] = "\x1b[33m",
	[SCREEN_RED] = "\x1b[31m",
	[SCREEN_BOLD] = "\x1b[1m",
};

struct screen screen_on(FILE *out)
{
	const char *no = getenv("NO_COLOR"), *terminal = getenv("TERM");

	return (struct screen){
		.out = out,
		.colours = (!no || !*no) && terminal && *terminal && strcmp(terminal, "dumb") &&
			   isatty(fileno(out)),
	};
}

/* The character of LENGTH bytes that TEXT begins with, which is UTF-8. */
static uint32_t decode(const char *text, size_t length)
{
	uint32_t code = (unsigned char)text[0];

	if (length > 1)
		code &= 0x7fu >> length;
	for (size_t i = 1; i < length; i++)
		code = code << 6 | ((unsigned char)text[i] & 0x3f);
	return code;
}

/* Control characters, line ends that are none in ASCII, and what is not seen or changes the order
 * in which the rest is seen. */
static bool is_unsafe(uint32_t code)
{
	static const uint32_t ranges[][2] = {
		{0x00, 0x1f},
		{0x7f, 0x9f},
		{0xad, 0xad},
		{0x61c, 0x61c},
		{0x180e, 0x180e},
		{0x200b, 0x200f},
		{0x2028, 0x202e},
		{0x2060, 0x206f},
		{0xfeff, 0xfeff},
		{0xfff9, 0xfffb},
		{0xe0000, 0xe0fff},
	};

	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		if (code >= ranges[i][0] && code <= ranges[i][1])
			return true;
	return false;
}

/* Beyond 16 bits JSON writes two halves. */
static void put_unicode(FILE *out, uint32_t code)
{
	if (code > 0xffff)
		fprintf(out, "\\u%04x\\u%04x", 0xd800 + ((code - 0x10000) >> 10),
			0xdc00 + ((code - 0x10000) & 0x3ff));
	else
		fprintf(out, "\\u%04x", code);
}

/* Write what TEXT begins with; how many bytes that was. */
static size_t put_character(FILE *out, const char *text)
{
	size_t length = utf8_length(text);
	uint32_t code = length ? decode(text, length) : 0;

	if (!length)
		fprintf(out, "\\x%02x", (unsigned char)*text);
	else if (is_unsafe(code) && code < 0x80)
		fprintf(out, "\\x%02x", code);
	else if (is_unsafe(code))
		put_unicode(out, code);
	else
		fwrite(text, 1, length, out);
	return length ? length : 1;
}

char *screen_clean(const char *text)
{
	char *clean = NULL;
	size_t size;
	FILE *out = open_memstream(&clean, &size);

	if (!out)
		abort();
	while (*text)
		text += put_character(out, text);
	fclose(out);
	return clean;
}

size_t screen_width(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

void screen_write(const struct screen *screen, enum screen_colour colour, const char *text)
{
	_cleanup_free_ char *clean = screen_clean(text);
	bool coloured = screen->colours && colour != SCREEN_PLAIN;

	if (coloured)
		fputs(codes[colour], screen->out);
	fputs(clean, screen->out);
	if (coloured)
		fputs("\x1b[0m", screen->out);
}

/* All that is not ASCII is inside of strings, and so is DEL. */
void screen_write_json(const struct screen *screen, struct json_object *json)
{
	const char *text = json_object_to_json_string_ext(json,
		JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE);

	while (*text) {
		size_t length = utf8_length(text);
		uint32_t code = length ? decode(text, length) : 0xfffd;

		if (!length || (code >= 0x7f && is_unsafe(code)))
			put_unicode(screen->out, code);
		else
			fwrite(text, 1, length, screen->out);
		text += length ? length : 1;
	}
	fputc('\n', screen->out);
}
