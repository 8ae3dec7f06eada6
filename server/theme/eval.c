/* theme/eval.c: what an expression is worth. SPDX-License-Identifier: Apache-2.0 */
#include "filters.h"
#include "locale.h"
#include "tree.h"

/* --- variables --- */

/* Names that stand for something even when the data has no such member. */
static struct value builtin(struct render *r, stoa_str name)
{
    if (stoa_str_is(name, "theme"))
        return value_of_json(r->theme ? r->theme->about : NULL);
    if (stoa_str_is(name, "template"))
        return value_text(stoa_str_of(r->page_name));
    if (stoa_str_is(name, "locale"))
        return value_text(stoa_str_of(r->locale));
    if (stoa_str_is(name, "text_direction"))
        return value_text(locale_is_rtl(r->locale) ? STOA_STR("rtl") : STOA_STR("ltr"));
    return value_nil();
}

struct value eval_slot(struct render *r, uint16_t slot)
{
    struct value *v = &r->frame->slots[slot];
    const struct stoa_json *global;

    if (v->kind != VALUE_UNSET)
        return *v;
    global = stoa_json_member(r->data, r->frame->tpl->slots[slot]);
    *v = global ? value_of_json(global) : builtin(r, r->frame->tpl->slots[slot]);
    return *v;
}

/* --- paths --- */

static struct value loop_member(const struct value_loop *loop, stoa_str name)
{
    if (stoa_str_is(name, "index"))
        return value_int((int64_t)loop->index + 1);
    if (stoa_str_is(name, "index0"))
        return value_int(loop->index);
    if (stoa_str_is(name, "rindex"))
        return value_int((int64_t)loop->count - loop->index);
    if (stoa_str_is(name, "rindex0"))
        return value_int((int64_t)loop->count - loop->index - 1);
    if (stoa_str_is(name, "first"))
        return value_bool(loop->index == 0);
    if (stoa_str_is(name, "last"))
        return value_bool(loop->index + 1 == loop->count);
    if (stoa_str_is(name, "length"))
        return value_int(loop->count);
    if (stoa_str_is(name, "parentloop") && loop->parent)
        return (struct value){.kind = VALUE_LOOP, .as.loop = loop->parent};
    return value_nil();
}

static struct value at_signed(struct value v, int64_t index)
{
    if (index < 0)
        index += (int64_t)value_size(v);
    return index < 0 ? value_nil() : value_at(v, (uint64_t)index);
}

static struct value step_index(struct value v, struct value index)
{
    if (index.kind == VALUE_INT && value_is_array(v))
        return at_signed(v, index.as.whole);
    return value_is_str(index) ? value_member(v, value_str(index)) : value_nil();
}

static struct value step_name(struct value v, const struct path_step *step)
{
    struct value member;

    if (v.kind == VALUE_LOOP)
        return loop_member(v.as.loop, step->name);
    member = value_member(v, step->name);
    if (member.kind != VALUE_NIL || step->kind == STEP_NAME || v.kind == VALUE_NIL)
        return member;
    if (step->kind == STEP_SIZE)
        return value_int((int64_t)value_size(v));
    return value_is_array(v) ? at_signed(v, step->kind == STEP_FIRST ? 0 : -1) : value_nil();
}

static struct value eval_path(struct render *r, const struct expr *expr)
{
    const struct path_step *step = expr->as.path.steps;
    const struct path_step *end = step + expr->as.path.count;
    struct value v = eval_slot(r, expr->slot);

    for (; step < end && v.kind != VALUE_NIL; step++) {
        if (step->kind == STEP_INDEX)
            v = step_index(v, eval(r, step->index));
        else
            v = step_name(v, step);
    }
    return v;
}

/* --- the rest --- */

static struct value eval_literal(struct render *r, const struct expr *expr)
{
    return expr->as.literal;
}

static int64_t range_end(struct value v)
{
    struct value number;
    if (!value_number(v, &number))
        return 0;
    if (number.kind == VALUE_INT)
        return number.as.whole;
    if (number.as.real > 1e15 || number.as.real < -1e15)
        return number.as.real > 0 ? INT64_MAX : INT64_MIN;
    return (int64_t)number.as.real;
}

static struct value eval_global(struct render *r, const struct expr *expr)
{
    return value_of_json(stoa_json_member(r->data, r->frame->tpl->slots[expr->slot]));
}

static struct value eval_range(struct render *r, const struct expr *expr)
{
    struct value_range *range = render_take(r, sizeof(*range), expr->pos);

    if (!range)
        return value_nil();
    range->from = range_end(eval(r, expr->as.pair.left));
    range->to = range_end(eval(r, expr->as.pair.right));
    return (struct value){.kind = VALUE_RANGE, .as.range = range};
}

static bool order_holds(uint8_t op, int order)
{
    switch (op) {
    case COMPARE_LT:
        return order < 0;
    case COMPARE_GT:
        return order > 0;
    case COMPARE_LE:
        return order <= 0;
    default:
        return order >= 0;
    }
}

static struct value eval_compare(struct render *r, const struct expr *expr)
{
    struct value left = eval(r, expr->as.pair.left), right = eval(r, expr->as.pair.right);
    int order;

    if (!render_pay(r, 1 + (left.len + right.len) / 64, expr->pos))
        return value_nil();
    if (expr->op == COMPARE_EQ || expr->op == COMPARE_NE)
        return value_bool(value_equal(left, right) == (expr->op == COMPARE_EQ));
    if (expr->op == COMPARE_CONTAINS) {
        if (value_is_array(left) &&
            !render_pay(r, value_size(left) * (1 + right.len / 64), expr->pos))
            return value_nil();
        return value_bool(value_contains(left, right));
    }
    return value_bool(value_order(left, right, &order) && order_holds(expr->op, order));
}

static struct value eval_and(struct render *r, const struct expr *expr)
{
    if (!value_is_true(eval(r, expr->as.pair.left)))
        return value_bool(false);
    return value_bool(value_is_true(eval(r, expr->as.pair.right)));
}

static struct value eval_or(struct render *r, const struct expr *expr)
{
    if (value_is_true(eval(r, expr->as.pair.left)))
        return value_bool(true);
    return value_bool(value_is_true(eval(r, expr->as.pair.right)));
}

static struct value eval_filter(struct render *r, const struct expr *expr)
{
    const struct expr_filter *filter = expr->as.filter;
    struct value named[FILTER_NAMED_MAX];
    struct filter_call call = {.render = r, .pos = expr->pos, .expr = filter, .named = named};

    call.input = eval(r, filter->input);
    for (uint32_t i = 0; i < FILTER_ARGS_MAX; i++)
        call.args[i] = i < filter->arg_count ? eval(r, filter->args[i]) : value_nil();
    for (uint32_t i = 0; i < filter->named_count; i++)
        named[i] = eval(r, filter->named[i].value);
    call.arg_count = filter->arg_count;
    if (r->stop == RENDER_FAILED || !render_pay(r, 1, expr->pos))
        return value_nil();
    return filter_run(filter->filter, &call);
}

static struct value (*const evals[EXPR_KINDS])(struct render *, const struct expr *) = {
    [EXPR_GLOBAL] = eval_global, [EXPR_LITERAL] = eval_literal, [EXPR_PATH] = eval_path,
    [EXPR_RANGE] = eval_range,   [EXPR_COMPARE] = eval_compare, [EXPR_AND] = eval_and,
    [EXPR_OR] = eval_or,         [EXPR_FILTER] = eval_filter,
};

struct value eval(struct render *r, const struct expr *expr)
{
    return evals[expr->kind](r, expr);
}
