/* number.h: whole numbers to and from decimal. SPDX-License-Identifier: Apache-2.0 */
#ifndef NUMBER_H
#define NUMBER_H

#include <stoa/str.h>

enum { NUMBER_INT_MAX = 20 }; /* "-9223372036854775808" */

/* An optional '-' and 1 or more digits, nothing else. False when it is not, or does not fit. */
bool number_parse_int(stoa_str text, int64_t *ret);
/* Writes v at out (NUMBER_INT_MAX bytes, no NUL) and returns how many bytes that took. */
uint32_t number_format_int(char *out, int64_t v);

#endif
