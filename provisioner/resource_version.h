/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may be told from two resourceVersions, which are the server's own affair.
 */
#ifndef ORDINAL_RESOURCE_VERSION_H
#define ORDINAL_RESOURCE_VERSION_H

#include <stdbool.h>

/* Whether VERSION is older than THAN as far as can be told: both are decimal numbers, as those of
 * etcd are, and it is the smaller. false where nothing can be told. */
bool resource_version_is_older(const char *version, const char *than);

#endif
