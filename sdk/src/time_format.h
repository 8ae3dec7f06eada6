/* time_format.h: an instant's text without an arena, for the log. SPDX-License-Identifier:
 * Apache-2.0 */
#ifndef TIME_FORMAT_H
#define TIME_FORMAT_H

#include <stoa/time.h>

enum { TIME_TEXT = 24 }; /* "2026-11-22T17:44:35.120Z" */

/* No NUL. */
void time_format_text(stoa_ms t, char ret[TIME_TEXT]);

#endif
