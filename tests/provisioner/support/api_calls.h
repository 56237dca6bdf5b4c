/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an HTTP request asks of the tests' API server, and its answer. No faults, no watches. Any
 * thread may call.
 */
#ifndef ORDINAL_TESTS_API_CALLS_H
#define ORDINAL_TESTS_API_CALLS_H

#include "api_http.h"

/* What a list or a watch is about; false where it asks for what is not understood. */
bool api_calls_selector(const struct api_http *http, const struct api_path *path,
	struct api_selector *ret_selector);

/* Do what HTTP asks for. PATH has no resource where the URL is none of a resource. */
struct api_answer api_calls_apply(
	struct api_objects *objects, const struct api_http *http, const struct api_path *path);

#endif
