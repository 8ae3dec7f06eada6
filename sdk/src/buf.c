/* buf.c: a buffer that grows in its arena. SPDX-License-Identifier: Apache-2.0 */
#include "arena_private.h"
#include "number.h"
#include <stoa/str.h>

void stoa_buf_init(struct stoa_buf *buf, struct stoa_arena *arena, uint64_t hint)
{
    *buf = (struct stoa_buf){.arena = arena};
    if (hint)
        stoa_buf_reserve(buf, hint);
}

/* Doubles, so that what was outgrown is at most as much as what is kept. */
static void grow(struct stoa_buf *buf, uint64_t need)
{
    uint64_t cap = buf->cap < 64 ? 128 : buf->cap * 2;
    if (cap < need)
        cap = need;

    char *wider = arena_take(buf->arena, cap);
    if (buf->len)
        memcpy(wider, buf->ptr, buf->len);
    buf->ptr = wider;
    buf->cap = cap;
}

char *stoa_buf_reserve(struct stoa_buf *buf, uint64_t more)
{
    stoa_assert(more <= ARENA_TAKE_MAX);
    if (buf->cap - buf->len < more)
        grow(buf, buf->len + more);
    return buf->ptr + buf->len;
}

void stoa_buf_put(struct stoa_buf *buf, stoa_str s)
{
    if (!s.len)
        return;
    memcpy(stoa_buf_reserve(buf, s.len), s.ptr, s.len);
    buf->len += s.len;
}

void stoa_buf_char(struct stoa_buf *buf, char c)
{
    *stoa_buf_reserve(buf, 1) = c;
    buf->len++;
}

void stoa_buf_int(struct stoa_buf *buf, int64_t v)
{
    buf->len += number_format_int(stoa_buf_reserve(buf, NUMBER_INT_MAX), v);
}
