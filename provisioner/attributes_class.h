/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VolumeAttributesClasses (storage.k8s.io): parameters of a volume that can be changed while it
 * lives, which a claim names.
 */
#ifndef ORDINAL_ATTRIBUTES_CLASS_H
#define ORDINAL_ATTRIBUTES_CLASS_H

#include "controller.h"

/* Read the parameters of the class NAME, for the driver of CONTROLLER. ERROR_FAILED_PRECONDITION
 * where there is no such class, ERROR_INVALID where it is another driver's, or the driver cannot
 * modify volumes. Caller frees with string_map_done(). Any thread may call. */
int attributes_class_read(const struct controller *controller, const char *name,
	struct string_map *ret_parameters, struct error *err);

#endif
