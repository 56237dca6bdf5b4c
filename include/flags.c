/* SPDX-License-Identifier: Apache-2.0 */
#include "flags.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "names.h"

#define HELP    1
#define VERSION 2
#define FIRST   3 /* value of the first table entry in struct option */

static const char *const placeholders[] = {
	[FLAG_STRING] = "=VALUE",
	[FLAG_BOOL] = "[=true|false]",
	[FLAG_INT] = "=NUMBER",
	[FLAG_DURATION] = "=DURATION",
	[FLAG_CHOICE] = "=",
	[FLAG_STRINGS] = "=VALUE",
};

static void print_flag(FILE *out, const struct flag *flag)
{
	fprintf(out, "  --%s%s%s\n        %s", flag->name, placeholders[flag->type],
		flag->type == FLAG_CHOICE ? flag->choices : "", flag->help);
	if (flag->type == FLAG_STRINGS)
		fputs(" May be given several times.", out);
	fputc('\n', out);
}

static _Noreturn void print_help(const char *program, const char *summary, const struct flag *flags)
{
	printf("%s: %s\n\nusage: %s [flags]\n\n", program, summary, program);
	for (; flags->name; flags++)
		print_flag(stdout, flags);
	fputs("  --version\n        Print the version and exit.\n"
	      "  --help\n        Print this help and exit.\n",
		stdout);
	exit(0);
}

static _Noreturn void reject_command_line(const char *program, const char *what, const char *which)
{
	fprintf(stderr, "%s: %s%s\nTry '%s --help'.\n", program, what, which, program);
	exit(2);
}

void flags_reject(const char *program, const struct flag *flags, const char *name, const char *what)
{
	fprintf(stderr, "%s: --%s: %s\n", program, name, what);
	for (; flags->name; flags++)
		if (!strcmp(flags->name, name))
			print_flag(stderr, flags);
	exit(2);
}

int flags_parse_duration(const char *text, int *ret_ms, struct error *err)
{
	static const struct {
		const char *name;
		long ms;
	} units[] = {{"ms", 1}, {"h", 3600000}, {"m", 60000}, {"s", 1000}};
	long long total = 0;
	const char *at = text;

	do {
		long long number = 0;
		size_t unit = 0;

		if (*at < '0' || *at > '9')
			return error_set(err, ERROR_INVALID,
				"\"%s\" is not a duration such as 500ms, 10s or 1h30m", text);
		for (; *at >= '0' && *at <= '9' && number <= INT_MAX; at++)
			number = number * 10 + (*at - '0');
		while (unit < ARRAY_SIZE(units) &&
			strncmp(at, units[unit].name, strlen(units[unit].name)))
			unit++;
		if (unit == ARRAY_SIZE(units))
			return error_set(err, ERROR_INVALID,
				"\"%s\" lacks a unit: write 500ms, 10s or 1h30m", text);
		at += strlen(units[unit].name);
		total += number * units[unit].ms;
		if (total > INT_MAX)
			return error_set(err, ERROR_INVALID, "\"%s\" is too long", text);
	} while (*at);
	*ret_ms = (int)total;
	return 0;
}

static int parse_bool(const char *text, bool *ret, struct error *err)
{
	if (!text || !strcmp(text, "true") || !strcmp(text, "1"))
		*ret = true;
	else if (!strcmp(text, "false") || !strcmp(text, "0"))
		*ret = false;
	else
		return error_set(err, ERROR_INVALID, "\"%s\" is neither true nor false", text);
	return 0;
}

static int parse_int(const char *text, int *ret, struct error *err)
{
	char *end;
	long number;

	errno = 0;
	number = strtol(text, &end, 10);
	if (end == text || *end || errno || number > INT_MAX || number < INT_MIN)
		return error_set(err, ERROR_INVALID, "\"%s\" is not a number", text);
	*ret = (int)number;
	return 0;
}

static int parse_choice(const struct flag *flag, const char *text, int *ret, struct error *err)
{
	const char *at = flag->choices;
	int index = 0;

	for (; at && !strchr(text, '|'); at = strchr(at, '|'), index++) {
		at += *at == '|';
		if (!strchr(text, '|') && !strncmp(at, text, strlen(text)) &&
			strchr("|", at[strlen(text)])) {
			*ret = index;
			return 0;
		}
	}
	return error_set(err, ERROR_INVALID, "\"%s\" is not one of %s", text, flag->choices);
}

static int add_string(struct flag_strings *list, const char *text, struct error *err)
{
	if (list->count == FLAG_STRINGS_MAX)
		return error_set(err, ERROR_INVALID, "given more than %d times", FLAG_STRINGS_MAX);
	list->values[list->count++] = text;
	return 0;
}

static int check_range(const struct flag *flag, int number, struct error *err)
{
	if ((flag->min || flag->max) && (number < flag->min || number > flag->max))
		return error_set(err, ERROR_INVALID, "must be from %d to %d%s", flag->min,
			flag->max, flag->type == FLAG_DURATION ? " ms" : "");
	return 0;
}

static int set_flag(const struct flag *flag, const char *text, struct error *err)
{
	switch (flag->type) {
	case FLAG_STRING:
		*(const char **)flag->value = text;
		return 0;
	case FLAG_BOOL:
		return parse_bool(text, flag->value, err);
	case FLAG_INT:
		if (parse_int(text, flag->value, err) < 0)
			return -1;
		return check_range(flag, *(int *)flag->value, err);
	case FLAG_DURATION:
		if (flags_parse_duration(text, flag->value, err) < 0)
			return -1;
		return check_range(flag, *(int *)flag->value, err);
	case FLAG_CHOICE:
		return parse_choice(flag, text, flag->value, err);
	case FLAG_STRINGS:
		return add_string(flag->value, text, err);
	}
	return error_set(err, ERROR_INTERNAL, "flag of an unknown type");
}

static struct option *make_options(const struct flag *flags)
{
	struct option *options;
	size_t count = 0;

	while (flags[count].name)
		count++;
	options = calloc(count + 3, sizeof(*options));
	if (!options)
		abort();
	for (size_t i = 0; i < count; i++)
		options[i] = (struct option){flags[i].name,
			flags[i].type == FLAG_BOOL ? optional_argument : required_argument, NULL,
			FIRST + (int)i};
	options[count] = (struct option){"help", no_argument, NULL, HELP};
	options[count + 1] = (struct option){"version", no_argument, NULL, VERSION};
	return options;
}

void flags_parse(
	const char *program, const char *summary, const struct flag *flags, int argc, char **argv)
{
	_cleanup_free_ struct option *options = make_options(flags);
	struct error err;
	int found, at = 1; /* which argument is looked at: optind may already be behind it */

	optind = 0;
	opterr = 0;
	while ((found = getopt_long(argc, argv, "+:", options, NULL)) != -1) {
		if (found == HELP)
			print_help(program, summary, flags);
		if (found == VERSION) {
			printf("%s %s\n", program, ORDINAL_VERSION);
			exit(0);
		}
		if (found == ':' && optopt >= FIRST)
			flags_reject(program, flags, flags[optopt - FIRST].name, "needs a value");
		if (found < FIRST || found == '?' || found == ':')
			reject_command_line(program, "unknown flag ", argv[at]);
		if (set_flag(&flags[found - FIRST], optarg, &err) < 0)
			flags_reject(program, flags, flags[found - FIRST].name, err.text);
		at = optind;
	}
	if (optind < argc)
		reject_command_line(program, "takes no arguments, only flags: ", argv[optind]);
}
