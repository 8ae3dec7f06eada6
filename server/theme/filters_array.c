/* theme/filters_array.c: arrays, and picking from arrays of objects.
 * SPDX-License-Identifier: Apache-2.0 */
#include "filters.h"
#include "text.h"

struct value filter_do_size(struct filter_call *call)
{
    return value_int((int64_t)value_size(call->input));
}

struct value filter_do_first(struct filter_call *call)
{
    return value_is_array(call->input) ? value_at(call->input, 0) : value_nil();
}

struct value filter_do_last(struct filter_call *call)
{
    uint64_t size = value_size(call->input);
    return value_is_array(call->input) && size > 0 ? value_at(call->input, size - 1) : value_nil();
}

static bool any_html(const struct value *items, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (items[i].kind == VALUE_HTML)
            return true;
    return false;
}

static bool put_item(struct filter_out *out, struct value v, bool html)
{
    stoa_str s;

    if (html && v.kind == VALUE_HTML) {
        filter_put(out, value_str(v));
        return true;
    }
    if (!filter_text(out->call, v, &s))
        return false;
    if (html)
        filter_put_escaped(out, s);
    else
        filter_put(out, s);
    return !out->failed;
}

/* html as soon as one element is: the others are escaped then. */
struct value filter_do_join(struct filter_call *call)
{
    struct filter_out out = {.call = call};
    struct value sep = call->arg_count > 0 ? call->args[0] : value_text(STOA_STR(" "));
    const struct value *items;
    uint32_t count;
    bool html;

    if (!filter_items(call, &items, &count))
        return value_nil();
    html = any_html(items, count);
    for (uint32_t i = 0; i < count; i++)
        if ((i > 0 && !put_item(&out, sep, html)) || !put_item(&out, items[i], html))
            return value_nil();
    return html ? filter_out_html(&out) : filter_out_text(&out);
}

struct value filter_do_reverse(struct filter_call *call)
{
    const struct value *items;
    struct value *to;
    uint32_t count;

    if (!filter_items(call, &items, &count) || !(to = filter_new_items(call, count)))
        return value_nil();
    for (uint32_t i = 0; i < count; i++)
        to[i] = items[count - 1 - i];
    return value_list(to, count);
}

struct value filter_do_concat(struct filter_call *call)
{
    const struct value *items;
    uint64_t more = value_size(call->args[0]);
    struct value *to;
    uint32_t count;

    if (!value_is_array(call->args[0]))
        return filter_fail(call, "concat wants an array, not %s", value_kind_name(call->args[0]));
    if (!filter_items(call, &items, &count) || !filter_pay(call, more) ||
        !(to = filter_new_items(call, count + more)))
        return value_nil();
    if (count > 0)
        memcpy(to, items, count * sizeof(*to));
    for (uint64_t i = 0; i < more; i++)
        to[count + i] = value_at(call->args[0], i);
    return value_list(to, count + (uint32_t)more);
}

/* --- by a member: "price" or "seller.name" --- */

static struct value member_of(struct value v, stoa_str path)
{
    while (path.len > 0 && v.kind != VALUE_NIL)
        v = value_member(v, stoa_str_cut(&path, '.'));
    return v;
}

/* What is compared: the member, when one is named, or the element itself. */
static bool key_path(struct filter_call *call, uint32_t arg, stoa_str *ret)
{
    *ret = (stoa_str){NULL, 0};
    return call->arg_count <= arg || filter_text(call, call->args[arg], ret);
}

struct value filter_do_map(struct filter_call *call)
{
    const struct value *items;
    struct value *to;
    uint32_t count;
    stoa_str path;

    if (!key_path(call, 0, &path) || !filter_items(call, &items, &count) ||
        !(to = filter_new_items(call, count)))
        return value_nil();
    for (uint32_t i = 0; i < count; i++)
        to[i] = member_of(items[i], path);
    return value_list(to, count);
}

/* What comparing with v once costs beyond one step. */
static uint64_t text_cost(struct value v)
{
    return value_is_str(v) ? v.len / 64 : 0;
}

/* With a second argument: the member equals it. Without: the member is true. */
static bool holds(struct filter_call *call, struct value item, stoa_str path)
{
    struct value v = member_of(item, path);
    return call->arg_count < 2 ? value_is_true(v) : value_equal(v, call->args[1]);
}

static struct value selected(struct filter_call *call, bool wanted)
{
    const struct value *items;
    struct value *to;
    uint32_t count, n = 0;
    stoa_str path;

    if (!key_path(call, 0, &path) || !filter_items(call, &items, &count) ||
        !filter_pay(call, count * text_cost(call->args[1])) ||
        !(to = filter_new_items(call, count)))
        return value_nil();
    for (uint32_t i = 0; i < count; i++)
        if (holds(call, items[i], path) == wanted)
            to[n++] = items[i];
    return value_list(to, n);
}

struct value filter_do_where(struct filter_call *call)
{
    return selected(call, true);
}

struct value filter_do_reject(struct filter_call *call)
{
    return selected(call, false);
}

struct value filter_do_find(struct filter_call *call)
{
    struct value found = selected(call, true);
    return value_at(found, 0);
}

struct value filter_do_compact(struct filter_call *call)
{
    const struct value *items;
    struct value *to;
    uint32_t count, n = 0;
    stoa_str path;

    if (!key_path(call, 0, &path) || !filter_items(call, &items, &count) ||
        !(to = filter_new_items(call, count)))
        return value_nil();
    for (uint32_t i = 0; i < count; i++)
        if (member_of(items[i], path).kind != VALUE_NIL)
            to[n++] = items[i];
    return value_list(to, n);
}

/* Each element is compared with those kept: the fuel pays for the square. */
struct value filter_do_uniq(struct filter_call *call)
{
    const struct value *items;
    struct value *to;
    uint32_t count, n = 0;
    stoa_str path;

    if (!key_path(call, 0, &path) || !filter_items(call, &items, &count) ||
        !(to = filter_new_items(call, count)))
        return value_nil();
    for (uint32_t i = 0; i < count; i++) {
        struct value key = member_of(items[i], path);
        uint32_t k = 0;
        if (!filter_pay(call, n / 8 + (uint64_t)n * text_cost(key)))
            return value_nil();
        while (k < n && !value_equal(member_of(to[k], path), key))
            k++;
        if (k == n)
            to[n++] = items[i];
    }
    return value_list(to, n);
}

struct value filter_do_sum(struct filter_call *call)
{
    const struct value *items;
    struct value number;
    int64_t whole = 0;
    double real = 0;
    bool is_real = false;
    uint32_t count;
    stoa_str path;

    if (!key_path(call, 0, &path) || !filter_items(call, &items, &count))
        return value_nil();
    for (uint32_t i = 0; i < count; i++) {
        if (!value_number(member_of(items[i], path), &number))
            return filter_fail(call, "sum wants numbers; money is summed by the shop");
        is_real |= number.kind == VALUE_REAL;
        real += number.kind == VALUE_REAL ? number.as.real : (double)number.as.whole;
        if (number.kind == VALUE_INT && __builtin_add_overflow(whole, number.as.whole, &whole))
            return filter_fail(call, "this sum is too large");
    }
    return is_real ? value_real(real) : value_int(whole);
}

/* --- sorting --- */

/* nil comes last; what has no order stays as it was. */
static int natural_order(struct value a, struct value b)
{
    int order = 0;

    if (a.kind == VALUE_NIL || b.kind == VALUE_NIL)
        return (a.kind == VALUE_NIL) - (b.kind == VALUE_NIL);
    return value_order(a, b, &order) ? order : 0;
}

static int caseless_order(struct value a, struct value b)
{
    uint64_t i = 0, k = 0;

    if (!value_is_str(a) || !value_is_str(b))
        return natural_order(a, b);
    while (i < a.len && k < b.len) {
        uint32_t left = text_lower(text_next_char(value_str(a), &i));
        uint32_t right = text_lower(text_next_char(value_str(b), &k));
        if (left != right)
            return left < right ? -1 : 1;
    }
    return (i < a.len) - (k < b.len);
}

struct sorting {
    struct value *items, *spare;
    int (*order)(struct value, struct value);
    stoa_str path;
};

static void merge(const struct sorting *s, uint32_t from, uint32_t middle, uint32_t to)
{
    uint32_t left = from, right = middle;

    for (uint32_t i = from; i < to; i++) {
        bool take_left = right == to;
        if (left < middle && right < to)
            take_left = s->order(member_of(s->items[left], s->path),
                                 member_of(s->items[right], s->path)) <= 0;
        s->spare[i] = take_left ? s->items[left++] : s->items[right++];
    }
    memcpy(s->items + from, s->spare + from, (to - from) * sizeof(*s->items));
}

/* Stable, without recursion: pairs, fours, eights, … */
static struct value sorted(struct filter_call *call, int (*order)(struct value, struct value))
{
    struct sorting s = {.order = order};
    const struct value *items;
    uint64_t cost = 0;
    uint32_t count;

    if (!key_path(call, 0, &s.path) || !filter_items(call, &items, &count) ||
        !(s.items = filter_new_items(call, count)) || !(s.spare = filter_new_items(call, count)))
        return value_nil();
    if (count > 0)
        memcpy(s.items, items, count * sizeof(*items));
    for (uint32_t i = 0; i < count; i++)
        cost += 1 + text_cost(member_of(items[i], s.path));
    for (uint64_t width = 1; width < count; width *= 2) {
        if (!filter_pay(call, cost))
            return value_nil();
        for (uint64_t from = 0; from + width < count; from += 2 * width) {
            uint64_t to = from + 2 * width < count ? from + 2 * width : count;
            merge(&s, (uint32_t)from, (uint32_t)(from + width), (uint32_t)to);
        }
    }
    return value_list(s.items, count);
}

struct value filter_do_sort(struct filter_call *call)
{
    return sorted(call, natural_order);
}

struct value filter_do_sort_natural(struct filter_call *call)
{
    return sorted(call, caseless_order);
}

/* --- grouping --- */

static struct value group_object(struct filter_call *call, struct value name,
                                 const struct value *items, uint32_t count)
{
    struct value *pairs = filter_new_items(call, 4);

    if (!pairs)
        return value_nil();
    pairs[0] = value_text(STOA_STR("name"));
    pairs[1] = name;
    pairs[2] = value_text(STOA_STR("items"));
    pairs[3] = value_list(items, count);
    return (struct value){.kind = VALUE_MAP, .len = 2, .as.items = pairs};
}

/* [{name, items}], in the order in which names first occur. Members of one group are moved together
 * to the front of what is left. */
struct value filter_do_group_by(struct filter_call *call)
{
    const struct value *items;
    struct value *left, *groups;
    uint32_t count, n = 0;
    stoa_str path;

    if (!key_path(call, 0, &path) || !filter_items(call, &items, &count) ||
        !(left = filter_new_items(call, count)) || !(groups = filter_new_items(call, count)))
        return value_nil();
    if (count > 0)
        memcpy(left, items, count * sizeof(*left));
    for (uint32_t from = 0, size; from < count; from += size) {
        struct value name = member_of(left[from], path);
        size = 0;
        for (uint32_t i = from; i < count && filter_pay(call, 1); i++) {
            struct value item = left[i];
            if (!value_equal(member_of(item, path), name))
                continue;
            if (!filter_pay(call, (i - from - size) / 16))
                return value_nil();
            memmove(left + from + size + 1, left + from + size, (i - from - size) * sizeof(*left));
            left[from + size++] = item;
        }
        if (size == 0)
            return value_nil();
        groups[n++] = group_object(call, name, left + from, size);
    }
    return value_list(groups, n);
}
