/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A CSI driver in memory that keeps CSI's promises (idempotent by name, one call a volume at a
 * time), and whose calls fail by a seed wherever a driver's may: before they did anything, or
 * after. It outlives the provisioner. Any thread may call.
 */
#ifndef ORDINAL_TESTS_FAKE_DRIVER_H
#define ORDINAL_TESTS_FAKE_DRIVER_H

#include "csi_client.h"

struct fake_driver_options {
	const char *name;       /* NULL: "d.example.com" */
	uint64_t seed;          /* of the faults */
	unsigned int intensity; /* how many of a thousand calls go wrong */
	unsigned int slow_ms;   /* some calls take up to so long; 0: none waits */
	bool topology;          /* volumes are where they were asked for */
	bool ours;              /* it takes the ordinal.dev/ parameters */
	/* Asked before each call; a kind is the error that it fails with, having done nothing.
	 * Volumes are named by name in "create", by handle else. May be NULL. */
	enum error_kind (*decide)(void *context, const char *call, const char *volume);
	void *context;
};

struct fake_driver;

/* OPTIONS may be NULL. Caller frees, when no call is under way. */
struct fake_driver *fake_driver_new(const struct fake_driver_options *options);
void fake_driver_free(struct fake_driver *driver);
DEFINE_CLEANUP(struct fake_driver *, fake_driver_free);

/* The table for DRIVER, which must outlive it. */
struct csi_driver fake_driver_table(struct fake_driver *driver);

/* From now on nothing goes wrong. */
void fake_driver_stop_faults(struct fake_driver *driver);

struct fake_driver_counts {
	size_t creates, deletes, expands; /* calls */
	size_t faults;                    /* of them, how many failed by the seed */
	size_t made, removed;             /* volumes */
	size_t mismatches;                /* a name was asked for again with other parameters */
	size_t overlaps; /* a volume was called for while another call for it went on */
	size_t volumes;  /* that exist */
};

struct fake_driver_counts fake_driver_count(struct fake_driver *driver);

/* Whether a volume of that NAME exists; its handle, and how it was asked for, in words. */
bool fake_driver_has(struct fake_driver *driver, const char *name);
char *fake_driver_handle(struct fake_driver *driver, const char *name);  /* "": none */
char *fake_driver_request(struct fake_driver *driver, const char *name); /* caller frees both */

/* The size of the volume called NAME; -1: there is none. */
int64_t fake_driver_bytes(struct fake_driver *driver, const char *name);

/* The names of all volumes that exist, a line each. Caller frees. */
char *fake_driver_names(struct fake_driver *driver);

/* How NAME was asked for when it did not match what it is; "" if that did not happen. Caller
 * frees. */
char *fake_driver_mismatch(struct fake_driver *driver);

#endif
