/* SPDX-License-Identifier: Apache-2.0 */
#include "arguments.h"

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "dns_name.h"

/* Which commands a flag is for: bits by enum arguments_command. */
#define FOR(command) (1u << (command))
#define FOR_ARCHIVES                                                                               \
	(FOR(COMMAND_ARCHIVE_LIST) | FOR(COMMAND_ARCHIVE_RESTORE) | FOR(COMMAND_ARCHIVE_RM))
#define FOR_CLUSTER (FOR(COMMAND_GET) | FOR_ARCHIVES | FOR(COMMAND_DOCTOR))
#define FOR_ALL     (~0u)

enum operand { OPERAND_NONE, OPERAND_MAY, OPERAND_MUST };

static const struct command {
	const char *words; /* one or two */
	enum arguments_command command;
	enum operand operand;
	const char *operand_name; /* and what it may be, where that is known */
	const char *help;
} commands[] = {
	{"get", COMMAND_GET, OPERAND_MAY, "SET",
		"usage: kubectl ordinal get [SET] [-n NAMESPACE | -A] [-o json]\n"
		"\n"
		"The replicas of StatefulSets with their claims and where their data are, a line for each\n"
		"replica and template. USED is what kubelet measured while a pod has the volume mounted.\n"
		"\n"
		"States: Ready, NotReady and NoPod tell of the replica's pod; Kept: the set has fewer\n"
		"replicas now, or is gone; Released: the claim is gone, its PersistentVolume has the data;\n"
		"Pending, Lost, Terminating and Missing tell of the claim.\n"},
	{"archive list", COMMAND_ARCHIVE_LIST, OPERAND_NONE, "",
		"usage: kubectl ordinal archive list [-n NAMESPACE] [-o json]\n"
		"\n"
		"The archives of deleted volumes (onDelete: archive), oldest first; with -n only those of\n"
		"claims of that namespace.\n"},
	{"archive restore", COMMAND_ARCHIVE_RESTORE, OPERAND_MUST, "ID",
		"usage: kubectl ordinal archive restore ID [--claim NAME] [--class NAME] [--size SIZE]\n"
		"\n"
		"Create a claim whose volume begins with the archive's data. It is called as the replica's\n"
		"claim was, <template>-<set>-<ordinal>, and is of the class and size that the StatefulSet\n"
		"asks for, if the set is still there. A claim that exists already is never touched.\n"},
	{"archive rm", COMMAND_ARCHIVE_RM, OPERAND_MUST, "ID",
		"usage: kubectl ordinal archive rm ID [--yes]\n"
		"\n"
		"Delete an archive and its data, for ever. Asks first; where nobody can be asked, --yes must\n"
		"be given.\n"},
	{"doctor", COMMAND_DOCTOR, OPERAND_NONE, "",
		"usage: kubectl ordinal doctor [-o json]\n"
		"\n"
		"Look at classes, drivers, their registration on the nodes, servers, leases, claims and\n"
		"volumes, and say for each problem what to do. The exit code is 1 if there is one.\n"},
	{"completion", COMMAND_COMPLETION, OPERAND_MUST, "bash|zsh",
		"usage: kubectl ordinal completion bash|zsh\n"
		"\n"
		"Print a script for the shell's completion:\n"
		"\n"
		"    source <(kubectl ordinal completion bash)\n"},
	{"version", COMMAND_VERSION, OPERAND_NONE, "", "usage: kubectl ordinal version\n"},
	{"help", COMMAND_HELP, OPERAND_NONE, "", ""},
};

static const char general_help[] =
	"kubectl ordinal: the replicas of StatefulSets, their volumes, and what is wrong with them\n"
	"\n"
	"usage: kubectl ordinal get [SET]              replicas, claims, where the data are\n"
	"       kubectl ordinal archive list           data of deleted volumes\n"
	"       kubectl ordinal archive restore ID     a claim with such data\n"
	"       kubectl ordinal archive rm ID          such data deleted\n"
	"       kubectl ordinal doctor                 what is wrong, and what to do\n"
	"       kubectl ordinal completion bash|zsh    for the shell\n"
	"\n"
	"  -n, --namespace NAME            default: the context's\n"
	"  -A, --all-namespaces            of get: all of them\n"
	"  -o, --output json               JSON instead of a table\n"
	"      --kubeconfig FILE           default: $KUBECONFIG, else ~/.kube/config, else, in a pod, its\n"
	"                                  service account\n"
	"      --context NAME              default: the current one\n"
	"      --provisioner-namespace NAME  where Ordinal runs; default:\n"
	"                                  ordinal-system and nfs-dynamic\n"
	"      --token-file FILE           of archive: the token that the provisioner asks for; default:\n"
	"                                  $ORDINAL_TOKEN\n"
	"      --class NAME, --size SIZE, --claim NAME   of archive restore\n"
	"      --yes                       of archive rm: do not ask\n"
	"  -h, --help                      of a command: what it does\n"
	"      --version\n"
	"\n"
	"Exit codes: 0, 1 for a failure or a problem that was found, 2 for a wrong command line.\n";

enum flag_kind { FLAG_TEXT, FLAG_TRUE, FLAG_OUTPUT };

static const struct flag {
	const char *name;
	char letter; /* 0: none */
	enum flag_kind kind;
	size_t offset; /* of its field in struct arguments */
	unsigned commands;
} flags[] = {
	{"namespace", 'n', FLAG_TEXT, offsetof(struct arguments, namespace), FOR_CLUSTER},
	{"all-namespaces", 'A', FLAG_TRUE, offsetof(struct arguments, all_namespaces), FOR_CLUSTER},
	{"output", 'o', FLAG_OUTPUT, offsetof(struct arguments, json), FOR_CLUSTER},
	{"kubeconfig", 0, FLAG_TEXT, offsetof(struct arguments, kubeconfig), FOR_CLUSTER},
	{"context", 0, FLAG_TEXT, offsetof(struct arguments, context), FOR_CLUSTER},
	{"provisioner-namespace", 0, FLAG_TEXT, offsetof(struct arguments, provisioner_namespace),
		FOR_ARCHIVES | FOR(COMMAND_DOCTOR)},
	{"token-file", 0, FLAG_TEXT, offsetof(struct arguments, token_file), FOR_ARCHIVES},
	{"class", 0, FLAG_TEXT, offsetof(struct arguments, class), FOR(COMMAND_ARCHIVE_RESTORE)},
	{"size", 0, FLAG_TEXT, offsetof(struct arguments, size), FOR(COMMAND_ARCHIVE_RESTORE)},
	{"claim", 0, FLAG_TEXT, offsetof(struct arguments, claim), FOR(COMMAND_ARCHIVE_RESTORE)},
	{"yes", 'y', FLAG_TRUE, offsetof(struct arguments, yes), FOR(COMMAND_ARCHIVE_RM)},
	{"help", 'h', FLAG_TRUE, offsetof(struct arguments, help), FOR_ALL},
};

/* What was found: the words beside the flags, and which flags were given. */
struct parsing {
	struct arguments *arguments;
	const char *words[4];
	size_t word_count;
	unsigned given; /* bits by flag */
	bool version;
};

static int set_flag(
	struct parsing *parsing, const struct flag *flag, const char *value, struct error *err)
{
	char *field = (char *)parsing->arguments + flag->offset;

	parsing->given |= 1u << (flag - flags);
	if (flag->kind == FLAG_TEXT && !*value)
		return error_set(err, ERROR_INVALID, "--%s: needs a value", flag->name);
	if (flag->kind == FLAG_OUTPUT && strcmp(value, "json"))
		return error_set(err, ERROR_INVALID,
			"--output: \"%s\" is not json, which is all there is beside the table",
			value);
	if (flag->kind == FLAG_TEXT)
		*(const char **)field = value;
	else
		*(bool *)field = true;
	return 0;
}

#define FLAGS         ARRAY_SIZE(flags)
#define VALUE_VERSION ((int)FLAGS + 256)

static void make_options(
	struct option options[static FLAGS + 2], char letters[static 2 * FLAGS + 4])
{
	char *letter = letters;

	*letter++ = '-'; /* words may stand between flags, and are given as they come */
	*letter++ = ':';
	for (size_t i = 0; i < FLAGS; i++) {
		int takes = flags[i].kind == FLAG_TRUE ? no_argument : required_argument;

		options[i] = (struct option){flags[i].name, takes, NULL, (int)i + 256};
		if (!flags[i].letter)
			continue;
		*letter++ = flags[i].letter;
		if (takes == required_argument)
			*letter++ = ':';
	}
	options[FLAGS] = (struct option){"version", no_argument, NULL, VALUE_VERSION};
	options[FLAGS + 1] = (struct option){0};
	*letter = '\0';
}

static const struct flag *find_flag(int value)
{
	for (size_t i = 0; i < FLAGS; i++)
		if (value == (int)i + 256 || (flags[i].letter && value == flags[i].letter))
			return &flags[i];
	return NULL;
}

static int add_word(struct parsing *parsing, const char *word, struct error *err)
{
	if (parsing->word_count == ARRAY_SIZE(parsing->words))
		return error_set(err, ERROR_INVALID, "too many arguments: %s", word);
	parsing->words[parsing->word_count++] = word;
	return 0;
}

static int read_words(struct parsing *parsing, int argc, char **argv, struct error *err)
{
	char letters[2 * FLAGS + 4];
	struct option options[FLAGS + 2];
	int value, at = 1; /* which argument is looked at: optind may already be behind it */

	make_options(options, letters);
	optind = 0;
	opterr = 0;
	while ((value = getopt_long(argc, argv, letters, options, NULL)) != -1) {
		const struct flag *flag = find_flag(value == ':' ? optopt : value);

		if (flag && value == flag->letter && optarg && *optarg == '=')
			optarg++; /* -n=shop, as kubectl takes it */
		if (value == ':' && flag)
			return error_set(err, ERROR_INVALID, "--%s: needs a value", flag->name);
		if (value == VALUE_VERSION)
			parsing->version = true;
		else if (value == 1 && add_word(parsing, optarg, err) < 0)
			return -1;
		else if (value != 1 && !flag)
			return error_set(err, ERROR_INVALID, "unknown flag %s", argv[at]);
		else if (flag && set_flag(parsing, flag, optarg, err) < 0)
			return -1;
		at = optind;
	}
	for (; optind < argc; optind++) /* behind a "--" */
		if (add_word(parsing, argv[optind], err) < 0)
			return -1;
	return 0;
}

/* The command that WORDS begin with, and how many of them it takes. */
static const struct command *find_command(const char *const *words, size_t count, size_t *ret_taken)
{
	char two[64] = "";

	if (count > 1)
		snprintf(two, sizeof(two), "%s %s", words[0], words[1]);
	for (size_t i = 0; i < ARRAY_SIZE(commands) && count; i++) {
		if (!strcmp(commands[i].words, words[0]) || !strcmp(commands[i].words, two)) {
			*ret_taken = strchr(commands[i].words, ' ') ? 2 : 1;
			return &commands[i];
		}
	}
	return NULL;
}

static int check_flags(
	const struct parsing *parsing, const struct command *command, struct error *err)
{
	const struct arguments *arguments = parsing->arguments;

	for (size_t i = 0; i < FLAGS; i++)
		if ((parsing->given & 1u << i) && !(flags[i].commands & FOR(command->command)))
			return error_set(err, ERROR_INVALID, "--%s is no flag of \"%s\"",
				flags[i].name, command->words);
	if (arguments->namespace && arguments->all_namespaces)
		return error_set(err, ERROR_INVALID, "either -n or -A, not both");
	if (arguments->namespace && !dns_name_is_label(arguments->namespace))
		return error_set(err, ERROR_INVALID,
			"--namespace: \"%s\" is not a namespace's name", arguments->namespace);
	if (arguments->provisioner_namespace &&
		!dns_name_is_label(arguments->provisioner_namespace))
		return error_set(err, ERROR_INVALID,
			"--provisioner-namespace: \"%s\" is not a namespace's name",
			arguments->provisioner_namespace);
	return 0;
}

static int check_operand(
	struct arguments *arguments, const struct command *command, size_t count, struct error *err)
{
	if (command->operand == OPERAND_MUST && !count)
		return error_set(err, ERROR_INVALID, "\"%s\" needs %s", command->words,
			command->operand_name);
	if (count > (command->operand == OPERAND_NONE ? 0u : 1u))
		return error_set(
			err, ERROR_INVALID, "too many arguments for \"%s\"", command->words);
	if (command->command == COMMAND_COMPLETION && strcmp(arguments->operand, "bash") &&
		strcmp(arguments->operand, "zsh"))
		return error_set(
			err, ERROR_INVALID, "\"%s\" is neither bash nor zsh", arguments->operand);
	if (command->command == COMMAND_GET && count && !dns_name_is_subdomain(arguments->operand))
		return error_set(err, ERROR_INVALID, "\"%s\" is not a StatefulSet's name",
			arguments->operand);
	return 0;
}

static int unknown_command(const struct parsing *parsing, struct error *err)
{
	const char *word = parsing->words[0];

	if (!strcmp(word, "archive"))
		return error_set(err, ERROR_INVALID, "archive: say list, restore or rm");
	return error_set(err, ERROR_INVALID,
		"\"%s\" is no command: there are get, archive, doctor and completion", word);
}

static int interpret(struct parsing *parsing, struct error *err)
{
	struct arguments *arguments = parsing->arguments;
	size_t taken = 0;
	const struct command *command = find_command(parsing->words, parsing->word_count, &taken);

	arguments->command = parsing->version ? COMMAND_VERSION : COMMAND_HELP;
	if (parsing->version || !parsing->word_count)
		return 0;
	if (!command && arguments->help && !strcmp(parsing->words[0], "archive"))
		return 0;
	if (!command)
		return unknown_command(parsing, err);
	arguments->command = command->command;
	arguments->operand = parsing->word_count > taken ? parsing->words[taken] : NULL;
	if (arguments->help || command->command == COMMAND_HELP) {
		arguments->topic = command->help;
		arguments->command = COMMAND_HELP;
		return 0;
	}
	if (check_flags(parsing, command, err) < 0)
		return -1;
	return check_operand(arguments, command, parsing->word_count - taken, err);
}

int arguments_parse(struct arguments *ret, int argc, char **argv, struct error *err)
{
	struct parsing parsing = {.arguments = ret};

	*ret = (struct arguments){.command = COMMAND_HELP};
	if (read_words(&parsing, argc, argv, err) < 0)
		return -1;
	return interpret(&parsing, err);
}

const char *arguments_help(const struct arguments *arguments)
{
	return arguments->topic && *arguments->topic ? arguments->topic : general_help;
}

/* Write the first word of TEXT, if it begins with WORD. */
static void offer(FILE *out, const char *text, const char *word)
{
	if (!strncmp(text, word, strlen(word)))
		fprintf(out, "%.*s\n", (int)strcspn(text, " "), text);
}

static void offer_commands(FILE *out, const char *first, const char *word)
{
	const char *last = "";

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		const char *text = commands[i].words, *space = strchr(text, ' ');

		if (first && space && !strncmp(text, first, strlen(first)) &&
			strlen(first) == (size_t)(space - text))
			offer(out, space + 1, word);
		else if (!first && strncmp(text, last, strcspn(text, " ") + 1))
			offer(out, text, word);
		last = text;
	}
}

static void offer_flags(FILE *out, const struct command *command, const char *word)
{
	for (size_t i = 0; i < FLAGS; i++) {
		char text[64];

		snprintf(text, sizeof(text), "--%s", flags[i].name);
		if (!command || (flags[i].commands & FOR(command->command)))
			offer(out, text, word);
	}
}

char *arguments_complete(int count, char **words)
{
	const char *word = count ? words[count - 1] : "";
	const char *const *before = (const char *const *)words;
	size_t taken = 0, behind = count ? (size_t)count - 1 : 0;
	const struct command *command = find_command(before, behind, &taken);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	if (*word == '-')
		offer_flags(out, command, word);
	else if (behind && !strcmp(words[behind - 1], "-o"))
		offer(out, "json", word);
	else if (!command && behind <= 1)
		offer_commands(out, behind ? words[0] : NULL, word);
	else if (command && command->command == COMMAND_COMPLETION && behind == 1) {
		offer(out, "bash", word);
		offer(out, "zsh", word);
	}
	fclose(out);
	return text;
}
