/* SPDX-License-Identifier: Apache-2.0 */
/* Strings of one's own. Pure functions. */
#ifndef ORDINAL_TEXT_H
#define ORDINAL_TEXT_H

/* A copy of TEXT, or NULL for NULL; without memory the process ends. Caller frees. */
char *text_copy(const char *text);

#endif
