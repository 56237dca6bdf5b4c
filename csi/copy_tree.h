/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A copy of a whole tree that others may change meanwhile. As beneath.h, it never follows a link
 * nor crosses a mount point; it needs a bounded number of descriptors and no recursion however deep
 * the tree is, and ends whatever is done to the source.
 */
#ifndef ORDINAL_COPY_TREE_H
#define ORDINAL_COPY_TREE_H

#include "beneath.h"

/* Copy what the directory FROM_DIR holds into the empty directory TO_DIR, which nobody else may
 * reach; both are open for reading, and their own modes, owners and times are left alone. Calls
 * WATCH after each entry, and within large files. On failure what is there already stays, for the
 * caller to remove; on success nothing is on disk for certain before a syncfs().
 *
 * Kept are modes, owners, times of access and modification, extended attributes of files and
 * directories (ACLs, capabilities, user.*), holes, links, FIFOs, device nodes, and hard links
 * between files: for as long as it works, TO_DIR holds a directory .ordinal-links-* with one more
 * link to each such file, so that their number costs no memory; beyond what the file system allows
 * for one file they become several. Not kept: sockets, which are left out, immutable and
 * append-only flags, and labels (security.*, trusted.*).
 *
 * Errors name the path in the tree, cut and printable. ECANCELED when WATCH says so; EXDEV where
 * something is mounted; ERROR_ABORTED when directories were moved or names came back while it went
 * over them; ENAMETOOLONG for a tree of more than 65536 levels. Any thread may call. */
int copy_tree(int from_dir, int to_dir, const struct beneath_watch *watch, struct error *err);

#endif
