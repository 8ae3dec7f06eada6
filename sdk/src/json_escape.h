/* json_escape.h: a string's bytes as they stand between a JSON text's quotes; for the formatter
 * and the log. SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_ESCAPE_H
#define JSON_ESCAPE_H

#include <stoa/str.h>

enum { JSON_ESCAPE_FACTOR = 6 }; /* a byte becomes at most \u00XX */

/* Writes at out, which has room for JSON_ESCAPE_FACTOR bytes for each of s, and returns the end of
 * what was written. Always well-formed UTF-8: what is none becomes U+FFFD. */
char *json_escape(char *out, stoa_str s);
/* Copies the ASCII that stands for itself, from *p on, to out, which has room for all up to end. *p
 * is then at the first byte that is something else, or end. Returns the end of what was written. */
char *json_copy_clean(char *out, const unsigned char **p, const unsigned char *end);
/* Where the bytes from p on end that stand for themselves: at the first to escape, the first that
 * is no UTF-8, or end. */
const unsigned char *json_clean_end(const unsigned char *p, const unsigned char *end);

#endif
