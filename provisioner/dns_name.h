/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two shapes of names that Kubernetes objects have (RFC 1123). Names that a user wrote where
 * the API server does not look at them must pass here before they become part of a URL.
 */
#ifndef ORDINAL_DNS_NAME_H
#define ORDINAL_DNS_NAME_H

#include <stdbool.h>

/* Namespaces: a-z, 0-9 and inner dashes, at most 63 of them. */
bool dns_name_is_label(const char *text);

/* Most other objects: such parts, joined by dots, at most 253 characters in all. */
bool dns_name_is_subdomain(const char *text);

#endif
