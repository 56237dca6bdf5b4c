/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The second client of an NFS server: the running test program once more, in guest 2, with the
 * driver's own code. And the mounts that both guests have of guest 1's /srv, one for each version
 * of NFS, each with a base of its own.
 */
#ifndef ORDINAL_TEST_UML_PEER_H
#define ORDINAL_TEST_UML_PEER_H

#include <stddef.h>

#include "catalog.h"

struct version {
	const char *options; /* for mount and class */
	const char *base;    /* the base directory, by the mount, in either guest */
	int minor;           /* of NFSv4; -1: NFSv3 */
};

#define PEER_VERSIONS 4
extern const struct version peer_versions[PEER_VERSIONS];

/* Mount all versions in this guest, or in guest 2, and unmount them. */
void peer_mount_here(void);
void peer_mount_there(void);
void peer_unmount_here(void);
void peer_unmount_there(void);

/* What guest 2 does with the catalog of a base; each fails the running test unless it succeeds but
 * peer_try(), which returns the exit code, and what was said, in RET.
 *
 *   lock BASE               take the lock, and give it up
 *   fill BASE FROM COUNT    the same, and write records of volumes with the numbers FROM...
 *   replace BASE COUNT      the same, of one volume, again and again, with the capacities 1...
 *   create OPTIONS NAME PATH   make a volume at guest-1:/srv as a driver, mounted with OPTIONS
 */
void peer_do(const char *format, ...) __attribute__((format(printf, 1, 2)));
int peer_try(char *ret, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Let a process there hold the locks of BASES, separated by spaces, until peer_end(). */
void peer_hold(const char *bases);
void peer_end(void);

/* A record that shows whether it is whole: large, and full of NUMBER. PATH is where its text lies
 * then. */
#define PEER_PATH_SIZE 6002
struct record peer_record(int number, char path[PEER_PATH_SIZE]);
bool peer_is_whole(const struct record *record);
struct volume_hash peer_hash(int number);

#endif
