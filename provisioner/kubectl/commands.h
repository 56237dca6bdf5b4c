/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands, one file each. What they find goes to SCREEN, notes to standard error.
 */
#ifndef ORDINAL_KUBECTL_COMMANDS_H
#define ORDINAL_KUBECTL_COMMANDS_H

#include "cluster.h"
#include "screen.h"

/* What every command is given. */
struct command_context {
	const struct arguments *arguments;
	const struct cluster *cluster;
	struct screen screen;
	time_t now;
};

/* 0, or -1 with what went wrong; *RET_CODE, which is 0, is changed where the command did its work
 * and found that something is not as it should be. */
typedef int command_fn(const struct command_context *context, int *ret_code, struct error *err);

command_fn get_command_run;
command_fn archive_command_list;
command_fn archive_command_restore;
command_fn archive_command_remove;
command_fn doctor_command_run;

#endif
