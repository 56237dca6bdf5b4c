/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A directory tree as text, so that a test can tell whether anything in it has changed, or whether
 * two trees are the same.
 */
#ifndef ORDINAL_TEST_TREE_LISTING_H
#define ORDINAL_TEST_TREE_LISTING_H

/* One line for each entry below PATH, sorted: its path, type, mode, owners, links, size, time of
 * modification, device number, and contents or target. Fails the test where it cannot be read.
 * Caller frees. */
char *tree_listing(const char *path);

/* The same without the times. */
char *tree_listing_untimed(const char *path);

#endif
