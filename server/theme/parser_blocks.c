/* theme/parser_blocks.c: the tags that hold other nodes. SPDX-License-Identifier: Apache-2.0 */
#include "compile.h"
#include "text.h"

static struct branch *new_branch(struct compiler *c, const struct branch ***tail)
{
    struct branch *branch = stoa_new(c->arena, struct branch);

    **tail = branch;
    *tail = &branch->next;
    return branch;
}

static void set_test(struct compiler *c, struct branch *branch, stoa_str text)
{
    const struct expr **tests = stoa_new_array(c->arena, const struct expr *, 1);
    struct scan scan;

    scan_init(&scan, c, text);
    tests[0] = expr_condition(&scan);
    scan_expect_end(&scan);
    branch->tests = tests;
    branch->test_count = 1;
}

/* One branch after another, each from the same place in the HTML. tag: what opens the next. */
struct branches {
    const struct tag *opener;
    struct context start, met;
    bool any_met, has_else;
    const struct branch **tail;
};

static void parse_branch(struct compiler *c, struct branches *b, struct tag *tag, const char *ends)
{
    struct branch *branch = new_branch(c, &b->tail);

    branch->negate = stoa_str_is(tag->name, "unless");
    b->has_else = stoa_str_is(tag->name, "else");
    if (!b->has_else)
        set_test(c, branch, tag->rest);
    c->context = b->start;
    branch->body = parser_body(c, b->opener, b->has_else ? strrchr(ends, ' ') + 1 : ends, tag);
    if (!c->failed)
        parser_join(c, &b->met, &b->any_met, b->opener);
}

static void parse_branches(struct compiler *c, const struct tag *opener, struct node_list *out,
                           const char *ends)
{
    struct node *node = parser_node(c, out, NODE_IF, opener->name.ptr);
    const char *close = strrchr(ends, ' ') + 1;
    struct branches b = {.opener = opener, .start = c->context};
    struct tag tag = *opener;

    b.tail = &node->as.branches.first;
    do
        parse_branch(c, &b, &tag, ends);
    while (!c->failed && !stoa_str_is(tag.name, close));
    if (c->failed)
        return;
    c->context = b.start;
    if (!b.has_else)
        parser_join(c, &b.met, &b.any_met, opener);
    c->context = b.met;
}

void tag_if(struct compiler *c, const struct tag *tag, struct node_list *out)
{
    parse_branches(c, tag, out, "elsif else endif");
}

void tag_unless(struct compiler *c, const struct tag *tag, struct node_list *out)
{
    parse_branches(c, tag, out, "elsif else endunless");
}

/* --- case --- */

static void set_when(struct compiler *c, struct branch *branch, stoa_str text)
{
    const struct expr *tests[COMPILE_TERMS_MAX], **kept;
    struct scan scan;
    uint32_t n = 0;

    scan_init(&scan, c, text);
    do {
        if (n == COMPILE_TERMS_MAX)
            compile_error(c, scan.where, "too many values");
        else
            tests[n++] = expr_value(&scan);
    } while (!c->failed && (scan_accept(&scan, ',') || scan_accept_name(&scan, "or")));
    scan_expect_end(&scan);
    kept = stoa_new_array(c->arena, const struct expr *, n);
    memcpy(kept, tests, n * sizeof(*kept));
    branch->tests = kept;
    branch->test_count = n;
}

static void parse_when(struct compiler *c, struct branches *b, struct tag *tag)
{
    struct branch *branch = new_branch(c, &b->tail);

    b->has_else = stoa_str_is(tag->name, "else");
    if (!b->has_else)
        set_when(c, branch, tag->rest);
    c->context = b->start;
    branch->body = parser_body(c, b->opener, b->has_else ? "endcase" : "when else endcase", tag);
    if (!c->failed)
        parser_join(c, &b->met, &b->any_met, b->opener);
}

/* What stands between case and its first when. */
static bool is_white(const struct node *node)
{
    return !node ||
           (node->kind == NODE_TEXT && !node->next && stoa_str_trim(node->as.text).len == 0);
}

void tag_case(struct compiler *c, const struct tag *opener, struct node_list *out)
{
    struct node *node = parser_node(c, out, NODE_CASE, opener->name.ptr);
    struct branches b = {.opener = opener, .start = c->context};
    struct scan scan;
    struct tag tag;

    scan_init(&scan, c, opener->rest);
    node->as.branches.subject = expr_value(&scan);
    scan_expect_end(&scan);
    if (!is_white(parser_body(c, opener, "when else endcase", &tag)))
        compile_error(c, opener->name.ptr, "something stands between case and its first when");
    b.tail = &node->as.branches.first;
    while (!c->failed && !stoa_str_is(tag.name, "endcase"))
        parse_when(c, &b, &tag);
    if (c->failed)
        return;
    c->context = b.start;
    if (!b.has_else)
        parser_join(c, &b.met, &b.any_met, opener);
    c->context = b.met;
}

/* --- for --- */

static void for_options(struct scan *scan, struct node_for *loop)
{
    while (!scan->c->failed && scan->kind != WORD_END) {
        scan_accept(scan, ',');
        if (scan_accept_name(scan, "reversed"))
            loop->reversed = true;
        else if (scan_accept_name(scan, "limit")) {
            scan_expect(scan, ':');
            loop->limit = expr_value(scan);
        } else if (scan_accept_name(scan, "offset")) {
            scan_expect(scan, ':');
            loop->offset = expr_value(scan);
        } else {
            scan_expect_end(scan);
            compile_hint(scan->c, "for takes limit:, offset: and reversed");
        }
    }
}

static void for_head(struct compiler *c, const struct tag *tag, struct node_for *loop)
{
    struct scan scan;

    scan_init(&scan, c, tag->rest);
    loop->slot = compile_slot(c, scan_expect_name(&scan, "the name of a variable"));
    loop->loop_slot = compile_slot(c, STOA_STR("forloop"));
    if (!scan_accept_name(&scan, "in"))
        compile_error(c, scan.where, "for is written: for NAME in ARRAY");
    loop->over = expr_value(&scan);
    for_options(&scan, loop);
}

/* The body may run never, once or often: what follows must hold for all three. */
static void for_body(struct compiler *c, const struct tag *tag, struct node_for *loop)
{
    struct context start = c->context, met;
    bool any_met = false;
    struct tag end;

    c->loops++;
    loop->body = parser_body(c, tag, "else endfor", &end);
    c->loops--;
    if (c->failed)
        return;
    parser_join(c, &met, &any_met, tag);
    c->context = start;
    if (stoa_str_is(end.name, "else"))
        loop->otherwise = parser_body(c, tag, "endfor", &end);
    if (!c->failed)
        parser_join(c, &met, &any_met, tag);
    c->context = start;
    if (!c->failed)
        parser_join(c, &met, &any_met, tag);
    c->context = met;
}

void tag_for(struct compiler *c, const struct tag *tag, struct node_list *out)
{
    struct node *node = parser_node(c, out, NODE_FOR, tag->name.ptr);
    struct node_for *loop = stoa_new(c->arena, struct node_for);

    node->as.loop = loop;
    for_head(c, tag, loop);
    if (!c->failed)
        for_body(c, tag, loop);
}

/* --- capture, form --- */

void tag_capture(struct compiler *c, const struct tag *tag, struct node_list *out)
{
    struct node *node = parser_node(c, out, NODE_CAPTURE, tag->name.ptr);
    struct context outside = c->context;
    struct scan scan;
    struct tag end;

    scan_init(&scan, c, tag->rest);
    node->slot =
        compile_slot(c, scan.kind == WORD_STRING ? scan.word : scan_expect_name(&scan, "a name"));
    c->context = (struct context){0};
    node->as.body = parser_body(c, tag, "endcapture", &end);
    if (!c->failed && !context_is_between_elements(&c->context))
        compile_error(c, end.name.ptr, "a capture holds whole elements");
    c->context = outside;
}

static bool form_refuses(stoa_str name)
{
    return stoa_str_eq_nocase(name, STOA_STR("method")) ||
           stoa_str_eq_nocase(name, STOA_STR("style")) ||
           stoa_str_eq_nocase(stoa_str_sub(name, 0, 2), STOA_STR("on"));
}

static void form_args(struct compiler *c, const struct tag *tag, struct node_form *form)
{
    struct arg *args;
    struct scan scan;
    uint32_t kept = 0;

    scan_init(&scan, c, tag->rest);
    if (scan.kind != WORD_END && !expr_is_arg(&scan)) {
        form->action = expr_value(&scan);
        scan_accept(&scan, ',');
    }
    args = expr_args(&scan, &form->arg_count);
    scan_expect_end(&scan);
    for (uint32_t i = 0; i < form->arg_count; i++) {
        stoa_str name = args[i].name;
        if (stoa_str_is(name, "action"))
            form->action = args[i].value;
        else if (form_refuses(name))
            compile_error(c, name.ptr, "form does not take '%.*s'", (int)name.len, name.ptr);
        else
            args[kept++] = args[i];
    }
    form->args = args;
    form->arg_count = kept;
}

void tag_form(struct compiler *c, const struct tag *tag, struct node_list *out)
{
    struct node *node = parser_node(c, out, NODE_FORM, tag->name.ptr);
    struct node_form *form = stoa_new(c->arena, struct node_form);
    struct tag end;

    node->as.form = form;
    if (!parser_wants_elements(c, tag))
        return;
    form_args(c, tag, form);
    if (!form->action) {
        compile_error(c, tag->name.ptr, "form needs the address it posts to");
        compile_hint(c, "write {%% form '/cart/lines', class: 'buy' %%}");
    }
    form->body = parser_body(c, tag, "endform", &end);
    if (!c->failed && !context_is_between_elements(&c->context))
        compile_error(c, end.name.ptr, "a form holds whole elements");
}
