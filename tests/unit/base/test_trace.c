/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"
#include "base/trace.h"
#include <criterion/criterion.h>

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"

static void is_new(const char *header)
{
    struct trace trace;

    trace_start(stoa_str_of(header), &trace);
    cr_assert_str_neq(trace.trace_id, TRACE, "%s", header);
    cr_assert_eq(strlen(trace.trace_id), 32);
    cr_assert(hex_is(stoa_str_of(trace.trace_id)));
    cr_assert_eq(strlen(trace.span_id), 16);
    cr_assert_str_empty(trace.parent_id);
    cr_assert_eq(trace.flags, 1);
}

static void continues(const char *header, uint8_t flags)
{
    struct trace trace;

    trace_start(stoa_str_of(header), &trace);
    cr_assert_str_eq(trace.trace_id, TRACE, "%s", header);
    cr_assert_str_eq(trace.parent_id, SPAN);
    cr_assert_str_neq(trace.span_id, SPAN);
    cr_assert_eq(strlen(trace.span_id), 16);
    cr_assert_eq(trace.flags, flags);
}

Test(trace, continues_a_valid_header)
{
    continues("00-" TRACE "-" SPAN "-01", 1);
    continues("00-" TRACE "-" SPAN "-00", 0);
    continues("00-" TRACE "-" SPAN "-ff", 1);
}

Test(trace, understands_later_versions)
{
    continues("cc-" TRACE "-" SPAN "-01", 1);
    continues("cc-" TRACE "-" SPAN "-01-what-the-future-brings", 1);
    is_new("cc-" TRACE "-" SPAN "-01.what");
    is_new("ff-" TRACE "-" SPAN "-01");
}

Test(trace, starts_anew_when_the_header_is_broken)
{
    is_new("");
    is_new(NULL);
    is_new("00");
    is_new("00-" TRACE "-" SPAN);
    is_new("00-" TRACE "-" SPAN "-1");
    is_new("00-" TRACE "-" SPAN "-01-more");
    is_new("00-" TRACE "-" SPAN "-0G");
    is_new("0x-" TRACE "-" SPAN "-01");
    is_new("00_" TRACE "-" SPAN "-01");
    is_new("00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01");
    is_new("00-00000000000000000000000000000000-" SPAN "-01");
    is_new("00-" TRACE "-0000000000000000-01");
    is_new("00-" TRACE "-00f067aa0ba902bz-01");
}

Test(trace, children_keep_the_trace_and_name_their_parent)
{
    struct trace parent, child;

    trace_start((stoa_str){NULL, 0}, &parent);
    trace_child(&parent, &child);
    cr_assert_str_eq(child.trace_id, parent.trace_id);
    cr_assert_str_eq(child.parent_id, parent.span_id);
    cr_assert_str_neq(child.span_id, parent.span_id);
}

Test(trace, writes_the_header_it_reads)
{
    struct trace trace, again;
    char header[56];

    trace_start(STOA_STR("00-" TRACE "-" SPAN "-01"), &trace);
    trace_format(&trace, header);
    cr_assert_eq(strlen(header), 55);
    trace_start(stoa_str_of(header), &again);
    cr_assert_str_eq(again.trace_id, TRACE);
    cr_assert_str_eq(again.parent_id, trace.span_id);
}
