/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials from a program that the kubeconfig names (client.authentication.k8s.io): run it, and
 * read what it prints. Bounded in time and in output.
 */
#ifndef ORDINAL_EXEC_CREDENTIAL_H
#define ORDINAL_EXEC_CREDENTIAL_H

#include "objects.h"

/* What the kubeconfig says of the program. */
struct exec_plugin {
	char *api_version;     /* "client.authentication.k8s.io/v1" or ".../v1beta1" */
	char *command;         /* with a slash a path, else looked up in $PATH */
	struct strings args;   /* without the command itself */
	struct string_map env; /* beside our own environment */
	char *install_hint;    /* for the error where there is no such command, or NULL */
	char *cluster;         /* what it is told of the cluster, as JSON, or NULL */
	int timeout_ms;        /* 0: 60 s */
};

void exec_plugin_free(struct exec_plugin *plugin);

/* What it printed: a token, a certificate with its key, or both. */
struct exec_credential {
	char *token, *certificate, *key; /* or NULL */
	int64_t expires;                 /* seconds since 1970; 0: it does not say */
};

void exec_credential_done(struct exec_credential *credential);

/* Run PLUGIN, which may take its time. On failure the text tells what it wrote to its standard
 * error. ERROR_UNAVAILABLE: it is missing or failed; ERROR_TIMEOUT; ERROR_INVALID: it printed
 * something else. Any thread may call. Caller calls exec_credential_done(). */
int exec_credential_run(const struct exec_plugin *plugin, struct exec_credential *ret_credential,
	struct error *err);

#endif
