/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kubectl-ordinal: what kubectl runs for "kubectl ordinal". The command line, and exit codes.
 */
#include <signal.h>
#include <string.h>

#include "commands.h"
#include "completion.h"
#include "names.h"

#define PROGRAM  "kubectl-ordinal"
#define COMPLETE "kubectl_complete-ordinal" /* the name by which kubectl asks for completion */

/* What kubectl expects behind the words that it asked for: offer no files. */
#define NO_FILES ":4\n"

static command_fn *const commands[] = {
	[COMMAND_GET] = get_command_run,
	[COMMAND_ARCHIVE_LIST] = archive_command_list,
	[COMMAND_ARCHIVE_RESTORE] = archive_command_restore,
	[COMMAND_ARCHIVE_RM] = archive_command_remove,
	[COMMAND_DOCTOR] = doctor_command_run,
};

static void say_error(const struct error *err)
{
	const struct screen screen = screen_on(stderr);

	fputs(PROGRAM ": ", stderr);
	screen_write(&screen, SCREEN_PLAIN, err->text);
	fputc('\n', stderr);
}

static int run(const struct arguments *arguments)
{
	struct command_context context = {.arguments = arguments, .screen = screen_on(stdout)};
	struct error err = {.kind = ERROR_NONE};
	struct cluster cluster;
	int code = 0;

	if (cluster_open(&cluster, arguments, &err) < 0) {
		say_error(&err);
		return 1;
	}
	context.cluster = &cluster;
	context.now = time(NULL);
	if (commands[arguments->command](&context, &code, &err) < 0) {
		say_error(&err);
		code = 1;
	}
	cluster_close(&cluster);
	return code;
}

static int complete(int count, char **words, const char *end)
{
	_cleanup_free_ char *text = arguments_complete(count, words);

	printf("%s%s", text, end);
	return 0;
}

static int start(const struct arguments *arguments)
{
	switch (arguments->command) {
	case COMMAND_HELP:
		fputs(arguments_help(arguments), stdout);
		return 0;
	case COMMAND_VERSION:
		puts(PROGRAM " " ORDINAL_VERSION);
		return 0;
	case COMMAND_COMPLETION:
		fputs(completion_script(arguments->operand), stdout);
		return 0;
	default:
		return run(arguments);
	}
}

/* Output that did not arrive, on a full disk for example, is a failure. */
static int finish(int code)
{
	return fflush(stdout) == 0 && !ferror(stdout) ? code : 1;
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	struct arguments arguments;
	struct error err;
	int code;

	if (!strcmp(slash ? slash + 1 : argv[0], COMPLETE))
		return finish(complete(argc - 1, argv + 1, NO_FILES));
	if (argc > 1 && !strcmp(argv[1], COMPLETION_WORD))
		return finish(complete(argc - 2, argv + 2, ""));
	if (arguments_parse(&arguments, argc, argv, &err) < 0) {
		say_error(&err);
		fputs("Try 'kubectl ordinal --help'.\n", stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	code = start(&arguments);
	curl_global_cleanup();
	return finish(code);
}
