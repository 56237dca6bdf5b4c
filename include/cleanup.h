/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scoped ownership: a local owns what it points to through _cleanup_(), and hands it over with
 * take_ptr() or take_fd(), which empty the local. Nothing here takes a lock or sets errno.
 */
#ifndef ORDINAL_CLEANUP_H
#define ORDINAL_CLEANUP_H

#include <errno.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Run FN(&variable) when the variable goes out of scope. */
#define _cleanup_(fn) __attribute__((__cleanup__(fn)))

/* Define FREE##p(TYPE **), which calls FREE on what a local of that type still owns. */
#define DEFINE_CLEANUP(type, free_fn)                                                              \
	static inline void free_fn##p(type *pointer)                                               \
	{                                                                                          \
		if (*pointer)                                                                      \
			free_fn(*pointer);                                                         \
	}                                                                                          \
	struct cleanup_needs_a_semicolon

static inline void cleanup_free(void *pointer)
{
	free(*(void **)pointer);
}

static inline void cleanup_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static inline void cleanup_fclose(FILE **file)
{
	if (*file)
		fclose(*file);
}

static inline void cleanup_closedir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

#define _cleanup_free_   _cleanup_(cleanup_free)
#define _cleanup_close_  _cleanup_(cleanup_close)
#define _cleanup_fclose_ _cleanup_(cleanup_fclose)

/* The pointer that *POINTER held; *POINTER is NULL afterwards. */
#define take_ptr(pointer)                                                                          \
	({                                                                                         \
		__auto_type taken_ = (pointer);                                                    \
		(pointer) = NULL;                                                                  \
		taken_;                                                                            \
	})

/* The descriptor that *FD held; *FD is -1 afterwards. */
static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#endif
