/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <cmocka.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "flags.h"

#define ARGS_MAX 24

static struct values {
	const char *text;
	bool boolean;
	int number, duration, choice;
	struct flag_strings strings;
} values;

static const struct flag flags[] = {
	{"text", FLAG_STRING, &values.text, "Help of text.", 0, 0, NULL},
	{"boolean", FLAG_BOOL, &values.boolean, "Help of boolean.", 0, 0, NULL},
	{"number", FLAG_INT, &values.number, "Help of number.", 1, 10, NULL},
	{"any", FLAG_INT, &values.number, "Help of any.", 0, 0, NULL},
	{"duration", FLAG_DURATION, &values.duration, "Help of duration.", 0, 60000, NULL},
	{"choice", FLAG_CHOICE, &values.choice, "Help of choice.", 0, 0, "one|two|three"},
	{"strings", FLAG_STRINGS, &values.strings, "Help of strings.", 0, 0, NULL},
	{0},
};

static void parse(const char *const *args)
{
	char *argv[ARGS_MAX + 2] = {(char *)"program"};
	int argc = 1;

	memset(&values, 0, sizeof(values));
	for (; args[argc - 1]; argc++)
		argv[argc] = (char *)args[argc - 1];
	flags_parse("program", "does things", flags, argc, argv);
}

#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

static void test_values(void **state)
{
	(void)state;
	PARSE("--text=a=b", "--boolean", "--number", "10", "--duration=1m", "--choice=two",
		"--strings=x", "--strings=y");
	assert_string_equal(values.text, "a=b");
	assert_true(values.boolean);
	assert_int_equal(values.number, 10);
	assert_int_equal(values.duration, 60000);
	assert_int_equal(values.choice, 1);
	assert_int_equal(values.strings.count, 2);
	assert_string_equal(values.strings.values[1], "y");

	PARSE("--boolean=false", "--text=", "--any=-5", "--choice=three");
	assert_false(values.boolean);
	assert_string_equal(values.text, "");
	assert_int_equal(values.number, -5);
	assert_int_equal(values.choice, 2);
}

/* Parse in a child; returns its exit code, and what it printed. */
static int parse_in_child(const char *const *args, char *output, size_t size)
{
	int out[2], status;
	size_t length = 0;
	ssize_t got;
	pid_t child;

	assert_int_equal(pipe(out), 0);
	fflush(NULL);
	child = fork();
	if (child == 0) {
		dup2(out[1], STDOUT_FILENO);
		dup2(out[1], STDERR_FILENO);
		parse(args);
		_exit(100);
	}
	close(out[1]);
	while ((got = read(out[0], output + length, size - length - 1)) > 0)
		length += (size_t)got;
	output[length] = '\0';
	close(out[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WEXITSTATUS(status);
}

static void test_refusals(void **state)
{
	static const struct {
		const char *args[ARGS_MAX];
		int code;
		const char *text;
	} cases[] = {
		{{"--unknown"}, 2, "unknown flag --unknown"},
		{{"--unknown=3"}, 2, "unknown flag --unknown=3"},
		{{"-x"}, 2, "unknown flag -x"},
		{{"word"}, 2, "takes no arguments, only flags: word"},
		{{"--text"}, 2, "--text: needs a value"},
		{{"--number=0"}, 2, "--number: must be from 1 to 10"},
		{{"--number=11"}, 2, "Help of number."},
		{{"--number=x"}, 2, "\"x\" is not a number"},
		{{"--number="}, 2, "is not a number"},
		{{"--number=99999999999"}, 2, "is not a number"},
		{{"--duration=61s"}, 2, "to 60000 ms"},
		{{"--duration=5"}, 2, "lacks a unit"},
		{{"--boolean=maybe"}, 2, "neither true nor false"},
		{{"--choice=four"}, 2, "not one of one|two|three"},
		{{"--choice=t"}, 2, "not one of"},
		{{"--choice="}, 2, "not one of"},
		{{"--choice=one|two"}, 2, "not one of"},
		{{"--strings=1", "--strings=2", "--strings=3", "--strings=4", "--strings=5",
			 "--strings=6", "--strings=7", "--strings=8", "--strings=9", "--strings=10",
			 "--strings=11", "--strings=12", "--strings=13", "--strings=14",
			 "--strings=15", "--strings=16", "--strings=17"},
			2, "more than 16 times"},
		{{"--help"}, 0, "--choice=one|two|three"},
		{{"--version"}, 0, "program 0."},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char output[4096];
		int code = parse_in_child(cases[i].args, output, sizeof(output));

		if (code != cases[i].code || !strstr(output, cases[i].text))
			fail_msg("case %zu: exit %d: %s", i, code, output);
	}
}

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		int ms; /* -1: refused */
	} cases[] = {
		{"0s", 0},
		{"500ms", 500},
		{"10s", 10000},
		{"1h30m", 5400000},
		{"1m1s1ms", 61001},
		{"24h", 86400000},
		{"576h", 2073600000},
		{"", -1},
		{"5", -1},
		{"s", -1},
		{"-5s", -1},
		{"5 s", -1},
		{"5s ", -1},
		{"5d", -1},
		{"600h", -1},
		{"99999999999999999999h", -1},
		{"576h576h", -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err;
		int ms = -1;
		int result = flags_parse_duration(cases[i].text, &ms, &err);

		if (ms != cases[i].ms || (result < 0) != (cases[i].ms < 0))
			fail_msg("\"%s\": %d ms", cases[i].text, ms);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_durations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
