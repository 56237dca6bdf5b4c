/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the API server is and how to authenticate to it: from a kubeconfig file, or, inside a pod,
 * from its service account.
 */
#ifndef ORDINAL_KUBE_CONFIG_H
#define ORDINAL_KUBE_CONFIG_H

#include <stdbool.h>

#include "cleanup.h"
#include "error.h"
#include "exec_credential.h"

/* Something that is given inline or as a file, or not at all. */
struct kube_blob {
	char *data; /* PEM text, or NULL */
	char *file; /* absolute path, or NULL; read again with each new connection */
};

struct kube_config {
	char *server;          /* "https://host:port", without a slash at the end */
	char *tls_server_name; /* expected in the certificate instead of the host, or NULL */
	struct kube_blob ca, certificate, key;
	char *token;      /* a fixed bearer token, or NULL */
	char *token_file; /* of a token that rotates, or NULL */
	struct exec_plugin
		*exec;   /* what makes the credentials, or NULL; only without those above */
	bool insecure;   /* do not verify the server */
	char *namespace; /* of the context, or of the pod; NULL: not said */
};

/* Load PATH; with PATH NULL that of $KUBECONFIG; without that, inside a pod, the service account.
 * PATH may be several files, separated by colons: the first that has an entry wins. ERROR_INVALID
 * says which field is missing, wrong or not supported; ERROR_NOT_FOUND that there is no file.
 * Caller frees. */
int kube_config_load(const char *path, struct kube_config **ret_config, struct error *err);

/* The same with CONTEXT instead of the current one; NULL: that one. Inside a pod without a
 * kubeconfig there are no contexts: ERROR_INVALID. */
int kube_config_load_context(
	const char *path, const char *context, struct kube_config **ret_config, struct error *err);
void kube_config_free(struct kube_config *config);
DEFINE_CLEANUP(struct kube_config *, kube_config_free);

/* The configuration of a pod whose service account's files are in FOLDER. Caller frees. */
int kube_config_in_cluster(const char *folder, struct kube_config **ret_config, struct error *err);

/* The bearer token of this moment, read from its file; NULL where none is used. Caller frees. */
int kube_config_token(const struct kube_config *config, char **ret_token, struct error *err);

#endif
