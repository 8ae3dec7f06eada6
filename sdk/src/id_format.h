/* id_format.h: how ids are written, without clock or chance (both are the host's).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ID_FORMAT_H
#define ID_FORMAT_H

#include <stoa/str.h>

enum { ID_PREFIX_MAX = 8, ID_BODY = 26, ID_MAX = ID_PREFIX_MAX + 1 + ID_BODY };

/* 128 bits as 26 characters of Crockford's alphabet in lower case, no NUL. Sorts as the bytes do.
 */
void id_encode(const uint8_t bits[16], char ret[ID_BODY]);
/* prefix_ and the UUIDv7 (RFC 9562 §5.7) of that instant and chance. prefix: 1 to 8 lower-case
 * letters, asserted. ms before 1970 or after 10889 is cut to 48 bits. */
stoa_str id_format(struct stoa_arena *arena, const char *prefix, int64_t ms,
                   const uint8_t chance[10]);

#endif
