/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether who comes with a token may do something: the API server is asked whose token it is, and
 * whether that user may do as much to an object of the cluster. Nothing is kept.
 */
#ifndef ORDINAL_ACCESS_REVIEW_H
#define ORDINAL_ACCESS_REVIEW_H

#include "error.h"
#include "rest_client.h"

/* Whether the owner of TOKEN, whose name goes to *RET_USER for the caller to free, may do VERB to
 * RESOURCE, of the core group and in no namespace. ERROR_UNAUTHORIZED: the token is nobody's;
 * ERROR_FORBIDDEN: its owner may not; ERROR_UNAVAILABLE: the API server did not say. No error's
 * text holds the token. Makes two requests, and waits for each for a few seconds. */
int access_review_ask(const struct kube_api *api, const char *token, const char *verb,
	const char *resource, char **ret_user, struct error *err);

#endif
