/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What copy_tree.h does with one file: its contents, as fast as the file system can, and what the
 * inode says of it. Both behave as system calls do: -1 and errno. Any thread may call.
 */
#ifndef ORDINAL_COPY_FILE_H
#define ORDINAL_COPY_FILE_H

#include <sys/stat.h>

#include "beneath.h"

/* The most data that is copied between two looks at a watch. */
#define COPY_FILE_STEP (4 * 1024 * 1024)

/* Copy the first SIZE bytes of the file FROM to the empty file TO: by a shared clone where there
 * are such, else what is not a hole, inside the kernel where it can. Calls WATCH after every
 * COPY_FILE_STEP: ECANCELED when it says so. Where FROM has become shorter, the rest is a hole. */
int copy_file_contents(int from, int to, off_t size, const struct beneath_watch *watch);

/* Give the file or directory TO the owners, mode and times in STATUS, and of FROM's extended
 * attributes ACLs, capabilities and the user's. */
int copy_file_attributes(int from, int to, const struct stat *status);

#endif
