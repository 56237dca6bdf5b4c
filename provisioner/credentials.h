/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What requests authenticate with at this moment: tokens and certificates that are fixed, read
 * again from their file, or made by a program, and got anew when they age or are refused.
 */
#ifndef ORDINAL_CREDENTIALS_H
#define ORDINAL_CREDENTIALS_H

#include <curl/curl.h>

#include "kube_config.h"

struct credentials;

/* CONFIG must outlive it. A token's file is read again after FILE_AGE_S seconds; 0: 60. Caller
 * frees. */
struct credentials *credentials_new(const struct kube_config *config, int file_age_s);
void credentials_free(struct credentials *credentials);
DEFINE_CLEANUP(struct credentials *, credentials_free);

/* Set HANDLE up to use them; *RET_GENERATION tells which they are. While a program makes new ones,
 * which may take its time, all wait for it. Fails with ERROR_UNAVAILABLE. Any thread may call. */
int credentials_apply(
	struct credentials *credentials, CURL *handle, unsigned *ret_generation, struct error *err);

/* The server refused those of GENERATION: get others, unless that has happened since. */
void credentials_refuse(struct credentials *credentials, unsigned generation);

#endif
