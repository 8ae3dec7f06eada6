/* buf_private.h: writing into a buffer where it is hot. SPDX-License-Identifier: Apache-2.0 */
#ifndef BUF_PRIVATE_H
#define BUF_PRIVATE_H

#include <stoa/str.h>

/* stoa_buf_reserve(), which what mostly has room need not call. */
static inline char *buf_room(struct stoa_buf *out, uint64_t more)
{
    return __builtin_expect(out->cap - out->len >= more, 1) ? out->ptr + out->len
                                                            : stoa_buf_reserve(out, more);
}

#endif
