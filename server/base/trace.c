/* base/trace.c: W3C Trace Context. SPDX-License-Identifier: Apache-2.0 */
#include "base/trace.h"
#include "base/hex.h"
#include "base/random.h"

enum { HEADER = 55, SAMPLED = 1 };

static void new_span(char ret[17])
{
    uint64_t id = random_fast(); /* never 0: that would be invalid */
    hex_encode(&id, sizeof(id), ret);
    ret[16] = '\0';
}

static void new_trace(struct trace *ret)
{
    uint64_t id[2] = {random_fast(), random_fast()};

    hex_encode(id, sizeof(id), ret->trace_id);
    ret->trace_id[32] = '\0';
    ret->parent_id[0] = '\0';
    ret->flags = SAMPLED;
}

static bool all_zero(stoa_str digits)
{
    for (uint64_t i = 0; i < digits.len; i++)
        if (digits.ptr[i] != '0')
            return false;
    return true;
}

/* Versions after 00 may go on behind a '-'; what is known of them stands where it does in 00. */
static bool has_form(stoa_str text, uint8_t *version)
{
    if (text.len < HEADER || text.ptr[2] != '-' || text.ptr[35] != '-' || text.ptr[52] != '-')
        return false;
    if (!hex_decode(stoa_str_sub(text, 0, 2), version, 1) || *version == 0xff)
        return false;
    return text.len == HEADER || (*version > 0 && text.ptr[HEADER] == '-');
}

static bool continue_trace(stoa_str text, struct trace *ret)
{
    uint8_t version, flags;

    if (!has_form(text, &version))
        return false;
    stoa_str trace_id = stoa_str_sub(text, 3, 32), parent_id = stoa_str_sub(text, 36, 16);
    if (!hex_is(trace_id) || all_zero(trace_id) || !hex_is(parent_id) || all_zero(parent_id))
        return false;
    if (!hex_decode(stoa_str_sub(text, 53, 2), &flags, 1))
        return false;
    memcpy(ret->trace_id, trace_id.ptr, 32);
    ret->trace_id[32] = '\0';
    memcpy(ret->parent_id, parent_id.ptr, 16);
    ret->parent_id[16] = '\0';
    ret->flags = flags & SAMPLED; /* the others have no meaning yet and must not be passed on */
    return true;
}

void trace_start(stoa_str traceparent, struct trace *ret)
{
    if (!continue_trace(traceparent, ret))
        new_trace(ret);
    new_span(ret->span_id);
}

void trace_child(const struct trace *parent, struct trace *ret)
{
    struct trace child = *parent;

    memcpy(child.parent_id, parent->span_id, sizeof(child.parent_id));
    new_span(child.span_id);
    *ret = child;
}

void trace_format(const struct trace *trace, char ret[56])
{
    memcpy(ret, "00-", 3);
    memcpy(ret + 3, trace->trace_id, 32);
    ret[35] = '-';
    memcpy(ret + 36, trace->span_id, 16);
    ret[52] = '-';
    hex_encode(&trace->flags, 1, ret + 53);
    ret[55] = '\0';
}
