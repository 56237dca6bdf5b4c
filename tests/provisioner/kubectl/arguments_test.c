/* SPDX-License-Identifier: Apache-2.0 */
#include "arguments.h"

#include <string.h>

#include "testing.h"

#define WORDS_MAX 10

/* Words as argv: split at spaces; "''" is an empty one. */
static int split(char *text, char *argv[static WORDS_MAX + 2])
{
	int argc = 1;
	char *saved;

	argv[0] = (char *)"kubectl-ordinal";
	for (char *at = strtok_r(text, " ", &saved); at && argc <= WORDS_MAX;
		at = strtok_r(NULL, " ", &saved))
		argv[argc++] = strcmp(at, "''") ? at : at + 2;
	argv[argc] = NULL;
	return argc;
}

#define DEFAULTS NULL, NULL, NULL, false, false

static const struct {
	const char *line;
	enum arguments_command command;
	const char *operand, *namespace, *context;
	bool all, json;
} good[] = {
	{"", COMMAND_HELP, DEFAULTS},
	{"--help", COMMAND_HELP, DEFAULTS},
	{"archive --help", COMMAND_HELP, DEFAULTS},
	{"get -h", COMMAND_HELP, DEFAULTS},
	{"help", COMMAND_HELP, DEFAULTS},
	{"help doctor", COMMAND_HELP, "doctor", NULL, NULL, false, false},
	{"--version", COMMAND_VERSION, DEFAULTS},
	{"version", COMMAND_VERSION, DEFAULTS},
	{"get", COMMAND_GET, DEFAULTS},
	{"get web", COMMAND_GET, "web", NULL, NULL, false, false},
	{"get web -n shop", COMMAND_GET, "web", "shop", NULL, false, false},
	{"-n shop get web", COMMAND_GET, "web", "shop", NULL, false, false},
	{"get -n=shop", COMMAND_GET, NULL, "shop", NULL, false, false},
	{"get -nshop web -ojson", COMMAND_GET, "web", "shop", NULL, false, true},
	{"get --namespace shop", COMMAND_GET, NULL, "shop", NULL, false, false},
	{"get --namespace=shop", COMMAND_GET, NULL, "shop", NULL, false, false},
	{"get -A -o json", COMMAND_GET, NULL, NULL, NULL, true, true},
	{"get -Ao json", COMMAND_GET, NULL, NULL, NULL, true, true},
	{"get --context c --output=json", COMMAND_GET, NULL, NULL, "c", false, true},
	{"get -- web", COMMAND_GET, "web", NULL, NULL, false, false},
	{"archive list", COMMAND_ARCHIVE_LIST, DEFAULTS},
	{"archive -n shop list", COMMAND_ARCHIVE_LIST, NULL, "shop", NULL, false, false},
	{"archive restore 1:x", COMMAND_ARCHIVE_RESTORE, "1:x", NULL, NULL, false, false},
	{"archive rm 1:x --yes", COMMAND_ARCHIVE_RM, "1:x", NULL, NULL, false, false},
	{"doctor", COMMAND_DOCTOR, DEFAULTS},
	{"completion zsh", COMMAND_COMPLETION, "zsh", NULL, NULL, false, false},
};

static void test_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		_cleanup_free_ char *line = strdup(good[i].line);
		char *argv[WORDS_MAX + 2];
		int argc = split(line, argv);
		struct arguments arguments;
		struct error err = {.text = ""};

		if (arguments_parse(&arguments, argc, argv, &err) < 0)
			fail_msg("%s: %s", good[i].line, err.text);
		assert_case(good[i].line, arguments.command == good[i].command);
		assert_case_text(good[i].line, arguments.operand, good[i].operand);
		assert_case_text(good[i].line, arguments.namespace, good[i].namespace);
		assert_case_text(good[i].line, arguments.context, good[i].context);
		assert_case(good[i].line, arguments.all_namespaces == good[i].all);
		assert_case(good[i].line, arguments.json == good[i].json);
	}
}

static const struct {
	const char *line, *says;
} bad[] = {
	{"got", "\"got\" is no command"},
	{"archive", "archive: say list, restore or rm"},
	{"archive remove x", "archive: say list, restore or rm"},
	{"archive restore", "\"archive restore\" needs ID"},
	{"archive rm a b", "too many arguments for \"archive rm\""},
	{"archive list x", "too many arguments for \"archive list\""},
	{"get a b", "too many arguments for \"get\""},
	{"get a b c d e", "too many arguments"},
	{"get ../x", "\"../x\" is not a StatefulSet's name"},
	{"get Web", "\"Web\" is not a StatefulSet's name"},
	{"get -n ../x", "--namespace: \"../x\" is not a namespace's name"},
	{"get -n a.b", "--namespace: \"a.b\" is not a namespace's name"},
	{"get -n ''", "--namespace: needs a value"},
	{"get -n", "--namespace: needs a value"},
	{"get --context", "--context: needs a value"},
	{"get -n a -A", "either -n or -A"},
	{"get -o yaml", "--output: \"yaml\" is not json"},
	{"get --frob", "unknown flag --frob"},
	{"get -x", "unknown flag -x"},
	{"get --frob=1 web", "unknown flag --frob=1"},
	{"get --yes", "--yes is no flag of \"get\""},
	{"doctor --size 1Gi", "--size is no flag of \"doctor\""},
	{"archive rm x --class c", "--class is no flag of \"archive rm\""},
	{"doctor --provisioner-namespace a/b", "--provisioner-namespace: \"a/b\" is not"},
	{"completion", "\"completion\" needs bash|zsh"},
	{"completion fish", "\"fish\" is neither bash nor zsh"},
};

static void test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_free_ char *line = strdup(bad[i].line);
		char *argv[WORDS_MAX + 2];
		int argc = split(line, argv);
		struct arguments arguments;
		struct error err = {.text = ""};

		assert_case(bad[i].line, arguments_parse(&arguments, argc, argv, &err) < 0);
		if (!strstr(err.text, bad[i].says))
			fail_msg("%s: %s", bad[i].line, err.text);
	}
}

static void test_restore(void **state)
{
	char line[] = "archive restore 1:x --class fast --size 2Gi --claim c --token-file t "
		      "--kubeconfig k";
	char *argv[WORDS_MAX + 5];
	struct arguments arguments;
	int argc = 1;
	char *saved;

	(void)state;
	argv[0] = (char *)"kubectl-ordinal";
	for (char *at = strtok_r(line, " ", &saved); at; at = strtok_r(NULL, " ", &saved))
		argv[argc++] = at;
	argv[argc] = NULL;
	assert_int_equal(arguments_parse(&arguments, argc, argv, NULL), 0);
	assert_string_equal(arguments.class, "fast");
	assert_string_equal(arguments.size, "2Gi");
	assert_string_equal(arguments.claim, "c");
	assert_string_equal(arguments.token_file, "t");
	assert_string_equal(arguments.kubeconfig, "k");
	assert_null(arguments.provisioner_namespace);
}

static void test_help(void **state)
{
	char *argv[] = {(char *)"k", (char *)"doctor", (char *)"--help", NULL};
	struct arguments arguments;

	(void)state;
	assert_int_equal(arguments_parse(&arguments, 3, argv, NULL), 0);
	assert_ptr_equal(strstr(arguments_help(&arguments), "usage: kubectl ordinal doctor"),
		arguments_help(&arguments));
	assert_int_equal(arguments_parse(&arguments, 1, argv, NULL), 0);
	assert_non_null(strstr(arguments_help(&arguments), "Exit codes:"));
}

/* The last word is the one that is being written; "''" is nothing yet. */
static const struct {
	const char *line, *offers;
} completions[] = {
	{"", "get\narchive\ndoctor\ncompletion\nversion\nhelp\n"},
	{"''", "get\narchive\ndoctor\ncompletion\nversion\nhelp\n"},
	{"d", "doctor\n"},
	{"x", ""},
	{"archive ''", "list\nrestore\nrm\n"},
	{"archive r", "restore\nrm\n"},
	{"completion ''", "bash\nzsh\n"},
	{"completion z", "zsh\n"},
	{"get -o ''", "json\n"},
	{"get --c", "--context\n"},
	{"archive rm --y", "--yes\n"},
	{"get --y", ""},
	{"get web x", ""},
};

static void test_completion(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(completions); i++) {
		_cleanup_free_ char *line = strdup(completions[i].line), *offers = NULL;
		char *argv[WORDS_MAX + 2];
		int argc = split(line, argv);

		offers = arguments_complete(argc - 1, argv + 1);
		assert_case_text(completions[i].line, offers, completions[i].offers);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_restore),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_completion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
