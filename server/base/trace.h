/* base/trace.h: W3C Trace Context (https://www.w3.org/TR/trace-context/): traceparent.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_TRACE_H
#define BASE_TRACE_H

#include <stoa/str.h>

struct trace {
    char trace_id[33];  /* 32 hex digits */
    char span_id[17];   /* 16 hex digits: this request */
    char parent_id[17]; /* empty when we are the first */
    uint8_t flags;
};
/* Continues a valid traceparent or starts a new trace. */
void trace_start(stoa_str traceparent, struct trace *ret);
void trace_child(const struct trace *parent, struct trace *ret);
/* "00-…-…-01": 55 characters and a NUL. */
void trace_format(const struct trace *trace, char ret[56]);

#endif
