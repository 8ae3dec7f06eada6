/* theme/filters_string.c: text to text. Only what is said to make html does.
 * SPDX-License-Identifier: Apache-2.0 */
#include "filters.h"
#include "text.h"

static bool input_text(struct filter_call *call, stoa_str *ret)
{
    return filter_text(call, call->input, ret);
}

/* Puts v into out as html: text is escaped on the way. */
static bool put_html(struct filter_out *out, struct value v)
{
    stoa_str s;

    if (v.kind == VALUE_HTML) {
        filter_put(out, value_str(v));
        return true;
    }
    if (!filter_text(out->call, v, &s))
        return false;
    filter_put_escaped(out, s);
    return true;
}

static struct value joined(struct filter_call *call, struct value a, struct value b)
{
    struct filter_out out = {.call = call};
    stoa_str left, right;

    if (a.kind == VALUE_HTML || b.kind == VALUE_HTML) /* what is html stays html */
        return put_html(&out, a) && put_html(&out, b) ? filter_out_html(&out) : value_nil();
    if (!filter_text(call, a, &left) || !filter_text(call, b, &right))
        return value_nil();
    filter_put(&out, left);
    filter_put(&out, right);
    return filter_out_text(&out);
}

struct value filter_do_append(struct filter_call *call)
{
    return joined(call, call->input, call->args[0]);
}

struct value filter_do_prepend(struct filter_call *call)
{
    return joined(call, call->args[0], call->input);
}

/* --- case --- */

static struct value recased(struct filter_call *call, uint32_t (*first)(uint32_t),
                            uint32_t (*rest)(uint32_t))
{
    struct filter_out out = {.call = call};
    uint64_t at = 0;
    char buf[4];
    stoa_str s;

    if (!input_text(call, &s))
        return value_nil();
    while (at < s.len && !out.failed) {
        uint32_t c = text_next_char(s, &at);
        c = out.len == 0 ? first(c) : rest(c);
        filter_put(&out, (stoa_str){buf, text_put_char(buf, c)});
    }
    return filter_out_text(&out);
}

struct value filter_do_upcase(struct filter_call *call)
{
    return recased(call, text_upper, text_upper);
}

struct value filter_do_downcase(struct filter_call *call)
{
    return recased(call, text_lower, text_lower);
}

struct value filter_do_capitalize(struct filter_call *call)
{
    return recased(call, text_upper, text_lower);
}

/* --- white space --- */

static struct value stripped(struct filter_call *call, bool left, bool right)
{
    bool html = call->input.kind == VALUE_HTML; /* cutting space off leaves html html */
    stoa_str s;

    if (html)
        s = value_str(call->input);
    else if (!input_text(call, &s))
        return value_nil();
    while (left && s.len > 0 && text_is_space(s.ptr[0]))
        s = (stoa_str){s.ptr + 1, s.len - 1};
    while (right && s.len > 0 && text_is_space(s.ptr[s.len - 1]))
        s.len--;
    return html ? value_html(s) : value_text(s);
}

struct value filter_do_strip(struct filter_call *call)
{
    return stripped(call, true, true);
}

struct value filter_do_lstrip(struct filter_call *call)
{
    return stripped(call, true, false);
}

struct value filter_do_rstrip(struct filter_call *call)
{
    return stripped(call, false, true);
}

struct value filter_do_strip_newlines(struct filter_call *call)
{
    struct filter_out out = {.call = call};
    stoa_str s;

    if (!input_text(call, &s))
        return value_nil();
    for (uint64_t i = 0; i < s.len && !out.failed; i++)
        if (s.ptr[i] != '\n' && s.ptr[i] != '\r')
            filter_put_char(&out, s.ptr[i]);
    return filter_out_text(&out);
}

/* html: the text escaped, and a <br> before each line's end. */
struct value filter_do_newline_to_br(struct filter_call *call)
{
    struct filter_out out = {.call = call};
    stoa_str s;

    if (!input_text(call, &s))
        return value_nil();
    while (s.ptr && !out.failed) {
        filter_put_escaped(&out, stoa_str_cut(&s, '\n'));
        if (s.ptr)
            filter_put(&out, STOA_STR("<br>\n"));
    }
    return filter_out_html(&out);
}

/* --- markup --- */

/* Tags cut out, and scripts, styles and comments whole. The result is text all the same. */
struct value filter_do_strip_html(struct filter_call *call)
{
    struct filter_out out = {.call = call};
    stoa_str s = {"", 0};
    bool inside = false;

    if (call->input.kind == VALUE_HTML)
        s = value_str(call->input);
    else if (!input_text(call, &s))
        return value_nil();
    for (uint64_t i = 0; i < s.len && !out.failed; i++) {
        if (s.ptr[i] == '<')
            inside = true;
        else if (s.ptr[i] == '>' && inside)
            inside = false;
        else if (!inside)
            filter_put_char(&out, s.ptr[i]);
    }
    if (call->input.kind != VALUE_HTML)
        return filter_out_text(&out);
    return filter_text(call, filter_out_html(&out), &s) ? value_text(s) : value_nil();
}

struct value filter_do_escape(struct filter_call *call)
{
    struct filter_out out = {.call = call};

    return put_html(&out, call->input) ? filter_out_html(&out) : value_nil();
}

/* Length of an entity at the start of s, or 0. */
static uint64_t entity_len(stoa_str s)
{
    uint64_t i = 1;

    if (s.len > 1 && s.ptr[1] == '#')
        i++;
    while (i < s.len && i < 12 &&
           ((s.ptr[i] >= 'a' && s.ptr[i] <= 'z') || (s.ptr[i] >= 'A' && s.ptr[i] <= 'Z') ||
            (s.ptr[i] >= '0' && s.ptr[i] <= '9')))
        i++;
    return i > 1 && i < s.len && s.ptr[i] == ';' ? i + 1 : 0;
}

struct value filter_do_escape_once(struct filter_call *call)
{
    struct filter_out out = {.call = call};
    stoa_str s;

    if (call->input.kind == VALUE_HTML)
        return call->input;
    if (!input_text(call, &s))
        return value_nil();
    for (uint64_t i = 0; i < s.len && !out.failed;) {
        stoa_str left = {s.ptr + i, s.len - i};
        uint64_t entity = s.ptr[i] == '&' ? entity_len(left) : 0;
        if (entity > 0)
            filter_put(&out, stoa_str_sub(left, 0, entity));
        else
            filter_put_escaped(&out, stoa_str_sub(left, 0, 1));
        i += entity > 0 ? entity : 1;
    }
    return filter_out_html(&out);
}

/* The parser lets it stand behind members only that are the host's html. */
struct value filter_do_raw(struct filter_call *call)
{
    if (value_is_str(call->input))
        return value_html(value_str(call->input));
    return call->input.kind == VALUE_NIL
               ? call->input
               : filter_fail(call, "raw is for text, not %s", value_kind_name(call->input));
}

/* --- replacing --- */

enum which { ALL, FIRST, LAST };

static struct value replaced(struct filter_call *call, struct value by, enum which which)
{
    struct filter_out out = {.call = call};
    stoa_str s, needle, with;
    uint64_t from = 0;
    int64_t at;

    if (!input_text(call, &s) || !filter_text(call, call->args[0], &needle) ||
        !filter_text(call, by, &with))
        return value_nil();
    at = which == LAST ? text_find_last(s, needle) : text_find(s, needle, 0);
    while (at >= 0 && !out.failed) {
        filter_put(&out, stoa_str_sub(s, from, (uint64_t)at - from));
        filter_put(&out, with);
        from = (uint64_t)at + needle.len;
        at = which == ALL ? text_find(s, needle, from) : -1;
    }
    filter_put(&out, stoa_str_sub(s, from, s.len - from));
    return filter_out_text(&out);
}

struct value filter_do_replace(struct filter_call *call)
{
    return replaced(call, call->args[1], ALL);
}

struct value filter_do_replace_first(struct filter_call *call)
{
    return replaced(call, call->args[1], FIRST);
}

struct value filter_do_replace_last(struct filter_call *call)
{
    return replaced(call, call->args[1], LAST);
}

struct value filter_do_remove(struct filter_call *call)
{
    return replaced(call, value_nil(), ALL);
}

struct value filter_do_remove_first(struct filter_call *call)
{
    return replaced(call, value_nil(), FIRST);
}

struct value filter_do_remove_last(struct filter_call *call)
{
    return replaced(call, value_nil(), LAST);
}

/* --- cutting --- */

/* What marks the cut: the second argument, or three dots. */
static bool ellipsis(struct filter_call *call, stoa_str *ret)
{
    *ret = STOA_STR("...");
    return call->arg_count < 2 || filter_text(call, call->args[1], ret);
}

/* At most so many characters (50), the ellipsis among them. */
struct value filter_do_truncate(struct filter_call *call)
{
    struct filter_out out = {.call = call};
    stoa_str s, end;
    int64_t most;
    uint64_t room;

    if (!input_text(call, &s) || !filter_int(call, call->args[0], 50, &most) ||
        !ellipsis(call, &end))
        return value_nil();
    if (most < 0)
        most = 0;
    if (text_chars(s) <= (uint64_t)most)
        return value_text(s);
    room = text_chars(end) < (uint64_t)most ? (uint64_t)most - text_chars(end) : 0;
    filter_put(&out, stoa_str_sub(s, 0, text_offset(s, room)));
    filter_put(&out, end);
    return filter_out_text(&out);
}

struct value filter_do_truncatewords(struct filter_call *call)
{
    struct filter_out out = {.call = call};
    stoa_str s, end;
    int64_t most, words = 0;
    uint64_t at = 0, cut = 0;

    if (!input_text(call, &s) || !filter_int(call, call->args[0], 15, &most) ||
        !ellipsis(call, &end))
        return value_nil();
    if (most < 1)
        most = 1;
    while (at < s.len && words <= most) {
        cut = words < most ? at : cut;
        while (at < s.len && text_is_space(s.ptr[at]))
            at++;
        words += at < s.len;
        while (at < s.len && !text_is_space(s.ptr[at]))
            at++;
        cut = words <= most ? at : cut;
    }
    if (words <= most)
        return value_text(s);
    filter_put(&out, stoa_str_sub(s, 0, cut));
    filter_put(&out, end);
    return filter_out_text(&out);
}

static struct value slice_of_text(struct filter_call *call, int64_t from, int64_t len)
{
    int64_t chars;
    uint64_t start, end;
    stoa_str s;

    if (!input_text(call, &s))
        return value_nil();
    chars = (int64_t)text_chars(s);
    from = from < 0 ? from + chars : from;
    if (from < 0 || from > chars || len <= 0)
        return value_text(STOA_STR(""));
    len = len > chars - from ? chars - from : len;
    start = text_offset(s, (uint64_t)from);
    end = text_offset(s, (uint64_t)(from + len));
    return value_text(stoa_str_sub(s, start, end - start));
}

static struct value slice_of_array(struct filter_call *call, int64_t from, int64_t len)
{
    const struct value *items;
    uint32_t count;

    if (!filter_items(call, &items, &count))
        return value_nil();
    from = from < 0 ? from + count : from;
    if (from < 0 || from >= count || len <= 0)
        return value_list(items, 0);
    len = len > count - from ? count - from : len;
    return value_list(items + from, (uint32_t)len);
}

struct value filter_do_slice(struct filter_call *call)
{
    int64_t from, len;

    if (!filter_int(call, call->args[0], 0, &from) || !filter_int(call, call->args[1], 1, &len))
        return value_nil();
    return value_is_array(call->input) ? slice_of_array(call, from, len)
                                       : slice_of_text(call, from, len);
}

static uint64_t count_parts(stoa_str s, stoa_str sep)
{
    uint64_t parts = 1;

    if (sep.len == 0)
        return text_chars(s);
    for (int64_t at = text_find(s, sep, 0); at >= 0; at = text_find(s, sep, (uint64_t)at + sep.len))
        parts++;
    return parts;
}

static uint64_t part_end(stoa_str s, stoa_str sep, uint64_t from)
{
    int64_t at;

    if (sep.len == 0) {
        (void)text_next_char(s, &from);
        return from;
    }
    at = text_find(s, sep, from);
    return at < 0 ? s.len : (uint64_t)at;
}

struct value filter_do_split(struct filter_call *call)
{
    struct value *items;
    uint64_t count, from = 0;
    stoa_str s, sep;

    if (!input_text(call, &s) || !filter_text(call, call->args[0], &sep))
        return value_nil();
    count = s.len == 0 ? 0 : count_parts(s, sep);
    if (!filter_pay(call, count) || !(items = filter_new_items(call, count)))
        return value_nil();
    for (uint64_t i = 0; i < count; i++) {
        uint64_t end = part_end(s, sep, from);
        items[i] = value_text(stoa_str_sub(s, from, end - from));
        from = end + sep.len;
    }
    while (count > 0 && items[count - 1].len == 0) /* as in Liquid: no empty parts at the end */
        count--;
    return value_list(items, (uint32_t)count);
}

/* --- addresses --- */

/* "Blue Mug, 3 l" becomes "blue-mug-3-l". Letters beyond ASCII stay. */
struct value filter_do_handleize(struct filter_call *call)
{
    struct filter_out out = {.call = call};
    bool gap = false;
    uint64_t at = 0;
    char buf[4];
    stoa_str s;

    if (!input_text(call, &s))
        return value_nil();
    while (at < s.len && !out.failed) {
        uint32_t c = text_lower(text_next_char(s, &at));
        bool keep = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c >= 0xC0;
        if (keep && gap && out.len > 0)
            filter_put_char(&out, '-');
        if (keep)
            filter_put(&out, (stoa_str){buf, text_put_char(buf, c)});
        gap = !keep;
    }
    return filter_out_text(&out);
}

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '~';
}

struct value filter_do_url_encode(struct filter_call *call)
{
    static const char hex[] = "0123456789ABCDEF";
    struct filter_out out = {.call = call};
    stoa_str s;

    if (!input_text(call, &s))
        return value_nil();
    for (uint64_t i = 0; i < s.len && !out.failed; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        char escape[3] = {'%', hex[c >> 4], hex[c & 15]};
        filter_put(&out, is_unreserved((char)c) ? (stoa_str){&s.ptr[i], 1} : (stoa_str){escape, 3});
    }
    return filter_out_text(&out);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 32);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

struct value filter_do_url_decode(struct filter_call *call)
{
    struct filter_out out = {.call = call};
    struct value ret;
    stoa_str s;

    if (!input_text(call, &s))
        return value_nil();
    for (uint64_t i = 0; i < s.len && !out.failed; i++) {
        int high = i + 2 < s.len && s.ptr[i] == '%' ? hex_digit(s.ptr[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(s.ptr[i + 2]) : -1;
        if (low >= 0)
            i += 2;
        filter_put_char(&out, low >= 0          ? (char)(high * 16 + low)
                              : s.ptr[i] == '+' ? ' '
                                                : s.ptr[i]);
    }
    ret = filter_out_text(&out);
    return stoa_str_is_utf8(value_str(ret)) ? ret : value_text(s);
}
