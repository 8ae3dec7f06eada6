/* theme/render.c: walks a template's tree. One function per kind of node, small frames: this runs
 * on a fiber's stack. SPDX-License-Identifier: Apache-2.0 */
#include "render.h"
#include "context.h"
#include "tree.h"
#include <stdarg.h>
#include <stdio.h>

static void render_nodes(struct render *r, const struct node *node);

void render_init(struct render *r, const struct theme_limits *limits, struct stoa_buf *out,
                 struct diag *diag)
{
    *r = (struct render){
        .out = out,
        .out_max = out->len + limits->output_max,
        .fuel = limits->fuel,
        .depth_max = limits->depth_max,
        .loop_max = limits->loop_max,
        .page_name = "",
        .locale = "en",
        .diag = diag,
    };
    memory_init(&r->memory, limits->memory_max);
}

void render_finish(struct render *r)
{
    memory_finish(&r->memory);
}

/* --- failures and limits --- */

/* Apart, so that its buffers are on no other frame's account. */
__attribute__((noinline)) static void tell(struct render *r, uint32_t pos, const char *message)
{
    const struct template *tpl = r->frame ? r->frame->tpl : NULL;
    uint32_t line = 0, column = 0;
    stoa_str text = {NULL, 0};

    if (!r->diag || r->diag->message[0])
        return;
    if (tpl)
        template_place_of(tpl, pos, &line, &column, &text);
    diag_set(r->diag, tpl ? tpl->file : "", line, column, "%s", message);
    if (text.len >= sizeof(r->diag->source))
        text.len = sizeof(r->diag->source) - 1;
    if (text.len > 0)
        memcpy(r->diag->source, text.ptr, text.len);
    r->diag->source[text.len] = 0;
}

void render_fail(struct render *r, stoa_err err, uint32_t pos, const char *format, ...)
{
    char message[256];
    va_list args;

    if (r->stop == RENDER_FAILED)
        return;
    r->stop = RENDER_FAILED;
    r->err = err;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    tell(r, pos, message);
}

void *render_take(struct render *r, uint64_t size, uint32_t pos)
{
    void *ret = memory_take(&r->memory, size);
    if (!ret)
        render_fail(r, STOA_E_TOO_LARGE, pos, "more memory than allowed");
    return ret;
}

bool render_pay(struct render *r, uint64_t steps, uint32_t pos)
{
    if (r->stop == RENDER_FAILED)
        return false;
    if (steps > r->fuel) {
        r->fuel = 0;
        render_fail(r, STOA_E_TOO_LARGE, pos, "more steps than allowed");
        return false;
    }
    r->fuel -= steps;
    return true;
}

/* --- scopes --- */

static bool frame_open(struct render *r, const struct template *tpl, struct render_frame *frame)
{
    uint64_t slots = tpl->slot_count * sizeof(struct value);
    uint64_t counters = tpl->counter_count * sizeof(int64_t);
    char *bytes = memory_take(&r->memory, slots + counters + 1);

    if (!bytes) {
        render_fail(r, STOA_E_TOO_LARGE, 0, "more memory than allowed");
        return false;
    }
    memset(bytes, 0, slots + counters);
    frame->tpl = tpl;
    frame->slots = (struct value *)(void *)bytes;
    frame->counters = (int64_t *)(void *)(bytes + slots);
    return true;
}

/* Runs the template of a frame that is filled, in place of the one that runs now. */
static void run_frame(struct render *r, struct render_frame *frame)
{
    struct render_frame *outer = r->frame;

    if (r->depth >= r->depth_max) {
        render_fail(r, STOA_E_DEPTH, 0, "'%s' is rendered too deep inside others",
                    frame->tpl->file);
        return;
    }
    r->depth++;
    r->frame = frame;
    render_nodes(r, frame->tpl->body);
    r->frame = outer;
    r->depth--;
    if (r->stop != RENDER_FAILED)
        r->stop = RENDER_ON;
}

void render_template(struct render *r, const struct template *tpl, struct value section)
{
    struct memory_mark mark = memory_mark(&r->memory);
    struct render_frame frame;
    int32_t slot = template_slot(tpl, STOA_STR("section"));

    if (frame_open(r, tpl, &frame)) {
        if (slot >= 0 && section.kind != VALUE_NIL)
            frame.slots[slot] = section;
        run_frame(r, &frame);
    }
    memory_release(&r->memory, mark);
}

/* A section may use half of what is left of steps and length, so that one that breaks leaves enough
 * for the rest of the page. */
void render_section(struct render *r, const struct template *tpl, struct value section)
{
    uint64_t kept = r->fuel - r->fuel / 2, out_max = r->out_max, start = r->out->len;
    uint32_t nesting = r->nesting;

    r->fuel /= 2;
    r->out_max = start + (out_max - start) / 2;
    render_template(r, tpl, section);
    r->fuel += kept;
    r->out_max = out_max;
    if (r->stop != RENDER_FAILED)
        return;
    r->out->len = start;
    r->nesting = nesting;
    r->stop = RENDER_ON;
    r->err = STOA_OK;
    r->broken++;
}

/* --- nodes --- */

static void node_text(struct render *r, const struct node *node)
{
    write_raw(r, node->as.text, node->pos);
}

static void node_output(struct render *r, const struct node *node)
{
    struct value v = eval(r, node->as.expr);
    if (r->stop == RENDER_ON)
        write_value(r, v, node->mode, node->pos);
}

static bool branch_holds(struct render *r, const struct branch *branch)
{
    if (branch->test_count == 0)
        return true;
    return value_is_true(eval(r, branch->tests[0])) != branch->negate;
}

static void node_if(struct render *r, const struct node *node)
{
    for (const struct branch *b = node->as.branches.first; b; b = b->next) {
        if (branch_holds(r, b)) {
            render_nodes(r, b->body);
            return;
        }
    }
}

static bool branch_matches(struct render *r, const struct branch *branch, struct value subject)
{
    for (uint32_t i = 0; i < branch->test_count; i++)
        if (render_pay(r, 1, branch->tests[i]->pos) &&
            value_equal(subject, eval(r, branch->tests[i])))
            return true;
    return branch->test_count == 0;
}

static void node_case(struct render *r, const struct node *node)
{
    struct value subject = eval(r, node->as.branches.subject);

    for (const struct branch *b = node->as.branches.first; b; b = b->next) {
        if (branch_matches(r, b, subject)) {
            render_nodes(r, b->body);
            return;
        }
    }
}

/* What a loop goes over, after offset, limit and reversed. */
struct loop_window {
    struct value *items;
    uint32_t count;
};

static uint64_t loop_bound(struct render *r, const struct expr *expr, uint64_t otherwise)
{
    struct value v = expr ? eval(r, expr) : value_nil(), number;

    if (v.kind == VALUE_NIL)
        return otherwise;
    if (!value_number(v, &number) || number.kind != VALUE_INT) {
        render_fail(r, STOA_E_INVALID, expr->pos, "limit and offset are whole numbers");
        return 0;
    }
    return number.as.whole < 0 ? 0 : (uint64_t)number.as.whole;
}

static bool loop_fill(struct render *r, struct value over, uint64_t offset,
                      struct loop_window *window)
{
    struct value_walk walk;
    struct value skipped;

    window->items = render_take(r, window->count * sizeof(struct value), 0);
    if (!window->items)
        return false;
    value_walk_init(&walk, over);
    if (over.kind == VALUE_JSON)
        for (uint64_t i = 0; i < offset && render_pay(r, 1, 0); i++)
            (void)value_walk_next(&walk, NULL, &skipped);
    else
        walk.index = offset;
    for (uint32_t i = 0; i < window->count; i++)
        if (!value_walk_next(&walk, &r->memory, &window->items[i]))
            window->items[i] = value_nil();
    return r->stop == RENDER_ON;
}

static bool loop_open(struct render *r, const struct node_for *loop, uint32_t pos,
                      struct loop_window *window)
{
    struct value over = eval(r, loop->over);
    uint64_t size = value_is_array(over) || value_is_object(over) ? value_size(over) : 0;
    uint64_t offset = loop_bound(r, loop->offset, 0);
    uint64_t limit = loop_bound(r, loop->limit, UINT64_MAX);

    size = offset < size ? size - offset : 0;
    size = limit < size ? limit : size;
    if (size > r->loop_max)
        render_fail(r, STOA_E_TOO_LARGE, pos, "a loop of %llu steps, more than %u",
                    (unsigned long long)size, r->loop_max);
    window->count = (uint32_t)size;
    return r->stop == RENDER_ON && loop_fill(r, over, offset, window);
}

static void loop_run(struct render *r, const struct node_for *loop,
                     const struct loop_window *window)
{
    struct value *slots = r->frame->slots;
    struct value_loop state = {.count = window->count};

    if (slots[loop->loop_slot].kind == VALUE_LOOP)
        state.parent = slots[loop->loop_slot].as.loop;
    for (uint32_t i = 0;
         i < window->count && r->stop == RENDER_ON && render_pay(r, 1, loop->over->pos); i++) {
        state.index = i;
        slots[loop->slot] = window->items[loop->reversed ? window->count - 1 - i : i];
        slots[loop->loop_slot] = (struct value){.kind = VALUE_LOOP, .as.loop = &state};
        render_nodes(r, loop->body);
        if (r->stop == RENDER_CONTINUE)
            r->stop = RENDER_ON;
    }
    if (r->stop == RENDER_BREAK)
        r->stop = RENDER_ON;
}

static void node_for(struct render *r, const struct node *node)
{
    const struct node_for *loop = node->as.loop;
    struct value *slots = r->frame->slots;
    struct value outer = slots[loop->slot], outer_loop = slots[loop->loop_slot];
    struct loop_window window;

    if (!loop_open(r, loop, node->pos, &window))
        return;
    if (window.count == 0) {
        render_nodes(r, loop->otherwise);
        return;
    }
    loop_run(r, loop, &window);
    slots[loop->slot] = outer;
    slots[loop->loop_slot] = outer_loop;
}

static void node_break(struct render *r, const struct node *node)
{
    r->stop = RENDER_BREAK;
}

static void node_continue(struct render *r, const struct node *node)
{
    r->stop = RENDER_CONTINUE;
}

static void node_assign(struct render *r, const struct node *node)
{
    struct value v = eval(r, node->as.expr);

    /* forloop would dangle after its loop */
    r->frame->slots[node->slot] = v.kind == VALUE_LOOP ? value_nil() : v;
}

static void node_capture(struct render *r, const struct node *node)
{
    uint64_t start = r->out->len, len;
    char *kept;

    render_nodes(r, node->as.body);
    if (r->stop == RENDER_FAILED)
        return;
    len = r->out->len - start;
    kept = render_take(r, len, node->pos);
    if (!kept)
        return;
    if (len > 0)
        memcpy(kept, r->out->ptr + start, len);
    r->out->len = start;
    r->frame->slots[node->slot] = value_html((stoa_str){kept, len});
}

static void node_count(struct render *r, const struct node *node)
{
    int64_t *counter = &r->frame->counters[node->slot];

    if (node->step < 0)
        *counter -= 1;
    write_value(r, value_int(*counter), CONTEXT_TEXT, node->pos);
    if (node->step > 0)
        *counter += 1;
}

static void node_cycle(struct render *r, const struct node *node)
{
    int64_t *counter = &r->frame->counters[node->slot];
    const struct expr *pick = node->as.cycle.values[*counter % node->as.cycle.count];

    *counter += 1;
    write_value(r, eval(r, pick), node->mode, node->pos);
}

/* --- snippets --- */

static void render_once(struct render *r, const struct node *node, struct value with,
                        const struct value_loop *loop)
{
    const struct node_render *render = node->as.render;
    struct memory_mark mark = memory_mark(&r->memory);
    struct render_frame frame;

    if (!frame_open(r, render->target, &frame))
        return;
    for (uint32_t i = 0; i < render->arg_count; i++)
        if (render->args[i].slot >= 0)
            frame.slots[render->args[i].slot] = eval(r, render->args[i].value);
    if (render->with && render->alias_slot >= 0)
        frame.slots[render->alias_slot] = with;
    if (loop && render->loop_slot >= 0)
        frame.slots[render->loop_slot] = (struct value){.kind = VALUE_LOOP, .as.loop = loop};
    if (r->stop == RENDER_ON)
        run_frame(r, &frame);
    memory_release(&r->memory, mark);
}

static void render_each(struct render *r, const struct node *node)
{
    const struct node_for over = {.over = node->as.render->with};
    struct loop_window window;
    struct value_loop loop;

    if (!loop_open(r, &over, node->pos, &window))
        return;
    loop = (struct value_loop){.count = window.count};
    for (; loop.index < loop.count && r->stop == RENDER_ON; loop.index++)
        render_once(r, node, window.items[loop.index], &loop);
}

static void node_render(struct render *r, const struct node *node)
{
    const struct node_render *render = node->as.render;

    if (render->each)
        render_each(r, node);
    else
        render_once(r, node, render->with ? eval(r, render->with) : value_nil(), NULL);
}

static void node_section(struct render *r, const struct node *node)
{
    const struct template *tpl = node->as.section;
    render_section(r, tpl, value_of_json(tpl->defaults));
}

static void node_form(struct render *r, const struct node *node)
{
    const struct node_form *form = node->as.form;

    write_raw(r, STOA_STR("<form method=\"post\" action=\""), node->pos);
    write_value(r, eval(r, form->action), CONTEXT_URL, node->pos);
    for (uint32_t i = 0; i < form->arg_count; i++) {
        struct value v = eval(r, form->args[i].value);
        if (!value_is_true(v))
            continue;
        write_raw(r, STOA_STR("\" "), node->pos);
        write_raw(r, form->args[i].name, node->pos);
        write_raw(r, STOA_STR("=\""), node->pos);
        write_value(r, v.kind == VALUE_BOOL ? value_nil() : v, CONTEXT_ATTRIBUTE, node->pos);
    }
    write_raw(r, STOA_STR("\">"), node->pos);
    render_nodes(r, form->body);
    write_raw(r, STOA_STR("</form>"), node->pos);
}

/* --- layouts --- */

static void node_layout_content(struct render *r, const struct node *node)
{
    const struct page *page = r->page;

    if (!page)
        return;
    if (page->plain)
        render_section(r, page->plain, value_nil());
    for (uint32_t i = 0; i < page->section_count; i++)
        render_section(r, page->sections[i].tpl, value_of_json(page->sections[i].object));
}

static void node_layout_header(struct render *r, const struct node *node)
{
    /* Made by the host: titles, canonical address, structured data. */
    write_raw(r, stoa_json_str(r->data, "head_html"), node->pos);
}

static void (*const renderers[NODE_KINDS])(struct render *, const struct node *) = {
    [NODE_TEXT] = node_text,
    [NODE_OUTPUT] = node_output,
    [NODE_IF] = node_if,
    [NODE_CASE] = node_case,
    [NODE_FOR] = node_for,
    [NODE_BREAK] = node_break,
    [NODE_CONTINUE] = node_continue,
    [NODE_ASSIGN] = node_assign,
    [NODE_CAPTURE] = node_capture,
    [NODE_COUNT] = node_count,
    [NODE_CYCLE] = node_cycle,
    [NODE_RENDER] = node_render,
    [NODE_SECTION] = node_section,
    [NODE_FORM] = node_form,
    [NODE_LAYOUT_CONTENT] = node_layout_content,
    [NODE_LAYOUT_HEADER] = node_layout_header,
};

static void render_nodes(struct render *r, const struct node *node)
{
    if (!node)
        return;
    if (r->nesting == RENDER_NESTING_MAX) {
        render_fail(r, STOA_E_DEPTH, node->pos, "blocks nest deeper than %d", RENDER_NESTING_MAX);
        return;
    }
    r->nesting++;
    for (; node && r->stop == RENDER_ON; node = node->next)
        if (render_pay(r, 1, node->pos))
            renderers[node->kind](r, node);
    r->nesting--;
}
