/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The product: driver and provisioner, as child processes.
 */
#ifndef ORDINAL_BENCH_STACK_H
#define ORDINAL_BENCH_STACK_H

#include "figures.h"
#include "process.h"

struct stack {
	struct process driver, provisioner;
	double started; /* when the provisioner was, on the clock of measure_now() */
};

/* Start the driver on a base that is kept, and then the provisioner, in the mode of that number. */
void stack_start(struct stack *stack, const struct bench *bench, int mode);
void stack_stop(struct stack *stack);

/* How many modes the provisioner has, and what they are called. */
int stack_modes(const struct bench *bench);
const char *stack_mode_name(const struct bench *bench, int mode);

/* Whether the provisioner does not wait for the annotation in this mode. */
bool stack_is_eager(const struct bench *bench, int mode);

/* Let the provisioner make and remove one volume, so that it is known to work. */
void stack_warm(const struct bench *bench);

void stack_show_logs(const struct bench *bench);

#endif
