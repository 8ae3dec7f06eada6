/* base/diag.h: an error in a file: where, what, and how to mend it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_DIAG_H
#define BASE_DIAG_H

#include <stdint.h>
#include <stoa/str.h>

struct diag {
    char file[256];
    uint32_t line, column; /* from 1; 0 = the whole file */
    char message[400];
    char hint[240];   /* how to mend it; may be empty */
    char source[200]; /* the line itself, for the caret; may be empty */
};

void diag_set(struct diag *diag, const char *file, uint32_t line, uint32_t column,
              const char *format, ...) __attribute__((format(printf, 5, 6)));
void diag_hint(struct diag *diag, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "file:line:column: message; hint", and with source the line and a caret below it. */
void diag_format(const struct diag *diag, struct stoa_buf *out);
/* The candidate closest to word (Damerau-Levenshtein at most 2, or a third of its length), or NULL.
 */
const char *diag_did_you_mean(const char *word, const char *const *candidates, uint32_t count);

#endif
