/* theme/write.c: values into HTML, each as its place demands.
 * SPDX-License-Identifier: Apache-2.0 */
#include "context.h"
#include "render.h"
#include "text.h"

/* What each byte needs inside HTML: 0 itself, 1 an entity, 2 an entity unless entities are kept. */
static const uint8_t needs[256] = {
    ['<'] = 1, ['>'] = 1, ['"'] = 1, ['\''] = 1, ['&'] = 2,
};

void write_raw(struct render *r, stoa_str s, uint32_t pos)
{
    struct stoa_buf *out = r->out;

    if (s.len > r->out_max - out->len) {
        render_fail(r, STOA_E_TOO_LARGE, pos, "the page is longer than allowed");
        return;
    }
    if (s.len == 0)
        return;
    memcpy(stoa_buf_reserve(out, s.len), s.ptr, s.len);
    out->len += s.len;
}

static void write_escaped(struct render *r, stoa_str s, bool keep_amp, uint32_t pos)
{
    uint8_t skip = keep_amp ? 1 : 2;
    uint64_t from = 0;

    for (uint64_t i = 0; i < s.len; i++) {
        uint8_t need = needs[(unsigned char)s.ptr[i]];
        if (need == 0 || need > skip)
            continue;
        write_raw(r, (stoa_str){s.ptr + from, i - from}, pos);
        write_raw(r, stoa_str_of(text_entity(s.ptr[i], keep_amp)), pos);
        from = i + 1;
    }
    write_raw(r, (stoa_str){s.ptr + from, s.len - from}, pos);
}

/* Each address of a srcset stands before a comma or at its start. */
static bool srcset_is_safe(stoa_str s, bool strict)
{
    while (s.len > 0)
        if (!text_url_is_safe(stoa_str_cut(&s, ','), strict))
            return false;
    return true;
}

static void write_str(struct render *r, struct value v, uint8_t mode, uint32_t pos)
{
    bool html = v.kind == VALUE_HTML;
    stoa_str s = value_str(v);

    if (mode == CONTEXT_JSON || (mode == CONTEXT_TEXT && html)) {
        write_raw(r, s, pos);
        return;
    }
    if ((mode == CONTEXT_URL && !text_url_is_safe(s, html)) ||
        (mode == CONTEXT_SRCSET && !srcset_is_safe(s, html)))
        s = STOA_STR("#");
    write_escaped(r, s, html, pos);
}

static void write_array(struct render *r, struct value v, uint8_t mode, uint32_t pos)
{
    struct value_walk walk;
    struct value element;

    value_walk_init(&walk, v);
    while (r->stop != RENDER_FAILED && render_pay(r, 1, pos) &&
           value_walk_next(&walk, &r->memory, &element)) {
        if (value_is_array(element)) {
            render_fail(r, STOA_E_INVALID, pos, "an array inside an array cannot be written");
            return;
        }
        write_value(r, element, mode, pos);
    }
}

void write_value(struct render *r, struct value v, uint8_t mode, uint32_t pos)
{
    char buf[40];

    switch (v.kind) {
    case VALUE_TEXT:
    case VALUE_HTML:
        write_str(r, v, mode, pos);
        return;
    case VALUE_INT:
    case VALUE_REAL:
        write_raw(r, (stoa_str){buf, value_number_text(v, buf)}, pos);
        return;
    case VALUE_BOOL:
        write_raw(r, v.as.yes ? STOA_STR("true") : STOA_STR("false"), pos);
        return;
    case VALUE_UNSET:
    case VALUE_NIL:
    case VALUE_EMPTY:
    case VALUE_BLANK:
        return;
    default:
        break;
    }
    if (value_is_array(v))
        write_array(r, v, mode, pos);
    else
        render_fail(r, STOA_E_INVALID, pos, "%s cannot be written; %s", value_kind_name(v),
                    value_is_money(v) ? "use the money filter" : "name a member, or use json");
}
