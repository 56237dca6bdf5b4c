/* SPDX-License-Identifier: Apache-2.0 */
#include "completion.h"

#include <string.h>

/* kubectl itself asks a program kubectl_complete-ordinal for what follows "kubectl ordinal", which
 * is this program under another name; these are for the name that it has without kubectl. */
static const char bash_script[] = "# bash completion for kubectl-ordinal\n"
				  "_kubectl_ordinal() {\n"
				  "  local IFS=$'\\n'\n"
				  "  COMPREPLY=($(kubectl-ordinal " COMPLETION_WORD
				  " \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null))\n"
				  "}\n"
				  "complete -o default -F _kubectl_ordinal kubectl-ordinal\n";

static const char zsh_script[] = "#compdef kubectl-ordinal\n"
				 "_kubectl_ordinal() {\n"
				 "  local -a found\n"
				 "  found=(${(f)\"$(kubectl-ordinal " COMPLETION_WORD
				 " \"${(@)words[2,CURRENT]}\" 2>/dev/null)\"})\n"
				 "  compadd -a found\n"
				 "}\n"
				 "compdef _kubectl_ordinal kubectl-ordinal\n";

const char *completion_script(const char *shell)
{
	return strcmp(shell, "zsh") ? bash_script : zsh_script;
}
