/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of requests that the services share. Errors are ERROR_INVALID and name the field.
 */
#ifndef ORDINAL_REQUESTS_H
#define ORDINAL_REQUESTS_H

#include "backend.h"
#include "csi.pb-c.h"

/* CSI's limits, in bytes. */
#define REQUEST_TEXT_MAX 128
#define REQUEST_MAP_MAX  4096

/* VALUE is there, at most MAX bytes, and holds no control characters. */
int requests_check_text(const char *field, const char *value, size_t max, struct error *err);

/* All keys and values of a map together are at most REQUEST_MAP_MAX bytes. ENTRIES is an array of
 * pointers to map entries, as protobuf-c has them. */
int requests_check_map(const char *field, const void *entries, size_t count, struct error *err);

/* RANGE, which may be NULL, is not negative, and its limit is not below what is required. */
int requests_check_capacity(const Csi__V1__CapacityRange *range, struct error *err);

/* A volume of the back end can be used as CAPABILITY says; *RET_OPTIONS are its mount options. */
int requests_check_capability(const struct backend_ops *ops,
	const Csi__V1__VolumeCapability *capability, struct mount_options *ret_options,
	struct error *err);

/* The same for each of COUNT, of which there must be one at least; the options are those of the
 * first. */
int requests_check_capabilities(const struct backend_ops *ops,
	Csi__V1__VolumeCapability *const *capabilities, size_t count,
	struct mount_options *ret_options, struct error *err);

#endif
