/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of a kubeconfig that says which program makes the credentials.
 */
#ifndef ORDINAL_KUBE_EXEC_H
#define ORDINAL_KUBE_EXEC_H

#include "kube_config.h"
#include "yaml_value.h"

/* Read the mapping EXEC into CONFIG, which has its cluster already; CLUSTER is where that stands.
 * COMMAND is taken, and freed on failure too. ERROR_INVALID says which field is wrong. */
int kube_exec_read(struct yaml_value exec, char *command, struct yaml_value cluster,
	struct kube_config *config, struct error *err);

#endif
