/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the objects are called that a provisioner keeps for itself: after its driver, and after its
 * node where each has an instance of its own.
 */
#ifndef ORDINAL_OBJECT_NAMES_H
#define ORDINAL_OBJECT_NAMES_H

/* The Lease, called as csi-provisioner calls its own, so that never both lead. NODE may be NULL.
 * Caller frees. */
char *object_names_lease(const char *driver, const char *node);

/* The ConfigMap that has the journal, in the lower case that the API server asks for. Likewise. */
char *object_names_journal(const char *driver, const char *node);

#endif
