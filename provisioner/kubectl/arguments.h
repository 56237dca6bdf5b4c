/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line: a command of one or two words, what it is about, and flags, in any order, as
 * kubectl's own commands have them.
 */
#ifndef ORDINAL_KUBECTL_ARGUMENTS_H
#define ORDINAL_KUBECTL_ARGUMENTS_H

#include <stdbool.h>

#include "error.h"

enum arguments_command {
	COMMAND_GET,
	COMMAND_ARCHIVE_LIST,
	COMMAND_ARCHIVE_RESTORE,
	COMMAND_ARCHIVE_RM,
	COMMAND_DOCTOR,
	COMMAND_COMPLETION,
	COMMAND_HELP,
	COMMAND_VERSION,
};

struct arguments {
	enum arguments_command command;
	const char *topic;   /* of COMMAND_HELP: a command's words, or NULL */
	const char *operand; /* the set, archive or shell; NULL: none */
	const char *kubeconfig, *context, *namespace;
	const char *provisioner_namespace;
	const char *token_file;
	const char *class, *size, *claim; /* of what is restored; NULL: by itself */
	bool all_namespaces, json, yes, help;
};

/* Read ARGV. What is not understood is ERROR_INVALID, with a text that says what would be: such a
 * command line must never run. All is borrowed from ARGV. */
int arguments_parse(struct arguments *ret, int argc, char **argv, struct error *err);

/* The help of a command, or, with NULL, of all; borrowed for ever. */
const char *arguments_help(const struct arguments *arguments);

/* The commands and flags that begin with what the last of WORDS begins with, a line each: what may
 * stand there, behind those before. Caller frees. */
char *arguments_complete(int count, char **words);

#endif
