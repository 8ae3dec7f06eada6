/* stoa/time.h: instants are milliseconds since 1970-01-01T00:00:00Z, always UTC.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef STOA_TIME_H
#define STOA_TIME_H

#include "str.h"

typedef int64_t stoa_ms; /* an instant in UTC, or a duration */

struct stoa_req;

/* Now, as the request's clock has it (settable in tests). */
STOA_API stoa_ms stoa_now(struct stoa_req *req);
/* "2026-11-22T17:44:35.120Z" (RFC 3339). */
STOA_API stoa_str stoa_time_format(struct stoa_arena *arena, stoa_ms t);
/* RFC 3339 with Z or an offset. STOA_E_INVALID otherwise. */
STOA_NODISCARD STOA_API stoa_err stoa_time_parse(stoa_str text, stoa_ms *ret);

#endif
