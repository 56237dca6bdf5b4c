/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Completion for shells: a script that asks the program itself what may come next.
 */
#ifndef ORDINAL_KUBECTL_COMPLETION_H
#define ORDINAL_KUBECTL_COMPLETION_H

/* The word by which the scripts ask; the words of the command line so far follow it. */
#define COMPLETION_WORD "__complete"

/* The script for SHELL, "bash" or "zsh". Static memory. */
const char *completion_script(const char *shell);

#endif
