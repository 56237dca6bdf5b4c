/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcurl transfers of one thread, side by side. The kernel says which of them has news (epoll),
 * and only that one is looked at: curl_multi_perform() asks for each of them, and again before it
 * reads, which costs more than the news.
 *
 * But for transfers_wake() only one thread may call.
 */
#ifndef ORDINAL_TRANSFERS_H
#define ORDINAL_TRANSFERS_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "cleanup.h"

struct transfers;

/* Caller frees, after all handles were removed. */
struct transfers *transfers_new(void);
void transfers_free(struct transfers *transfers);
DEFINE_CLEANUP(struct transfers *, transfers_free);

/* Begin the transfer of HANDLE, which stays the caller's. */
void transfers_add(struct transfers *transfers, CURL *handle);

/* End it, whether it is done or not. */
void transfers_remove(struct transfers *transfers, CURL *handle);

/* Wait for news, for at most MAX_MS milliseconds or until woken, and go on with the transfers that
 * have some: their callbacks are called. */
void transfers_wait(struct transfers *transfers, int64_t max_ms);

/* A transfer that is done, and how it ended. Its handle has to be removed. false: there is none. */
bool transfers_next(struct transfers *transfers, CURL **ret_handle, CURLcode *ret_code);

/* End the wait that is under way, or else the next one at once. Any thread may call. */
void transfers_wake(struct transfers *transfers);

#endif
