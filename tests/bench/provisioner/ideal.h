/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client that nothing can beat that waits for the annotation: it makes a PersistentVolume the
 * moment that its claim is annotated, and removes it the moment that it is released. No driver, no
 * events, no rules.
 */
#ifndef ORDINAL_BENCH_IDEAL_H
#define ORDINAL_BENCH_IDEAL_H

#include "cluster.h"

struct ideal;

struct ideal *ideal_start(const struct cluster *cluster);
void ideal_stop(struct ideal *ideal);

#endif
