/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disaster recovery: a new cluster on the disk of one that is gone. What are volumes to the catalog
 * are nobody's any more, and a claim of the same place may have their data where its class says
 * reuseAcrossNamespaces.
 */
#ifndef ORDINAL_INHERIT_H
#define ORDINAL_INHERIT_H

#include "bases.h"

/* Have the volume of another cluster at RECORD's place in its set, where there is one, be one that
 * is retained, so that it can be claimed. Only such that were there when this process began:
 * clusters do not share a base. ERROR_FAILED_PRECONDITION, and nothing done, where it is mounted on
 * this node, or larger than RECORD's. Under the takeover mutex of BASE. */
int inherit_place(struct base *base, const struct record *record, struct error *err);

#endif
