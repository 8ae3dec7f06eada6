/* theme/parser_tags.c: the table of tags, and the tags that stand alone.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compile.h"
#include "tree.h"

static void tag_assign(struct compiler *c, const struct tag *tag, struct node_list *out)
{
    struct node *node = parser_node(c, out, NODE_ASSIGN, tag->name.ptr);
    struct scan scan;

    scan_init(&scan, c, tag->rest);
    node->slot = compile_slot(c, scan_expect_name(&scan, "the name of a variable"));
    scan_expect(&scan, '=');
    node->as.expr = expr_filtered(&scan);
    scan_expect_end(&scan);
}

static void count_tag(struct compiler *c, const struct tag *tag, struct node_list *out, int8_t step)
{
    struct node *node = parser_node(c, out, NODE_COUNT, tag->name.ptr);
    enum context_mode mode;
    struct context_error error = {0};
    struct scan scan;

    scan_init(&scan, c, tag->rest);
    node->slot = compile_counter(c, scan_expect_name(&scan, "the name of a counter"));
    node->step = step;
    scan_expect_end(&scan);
    if (!context_value(&c->context, &mode, &error))
        compile_error(c, tag->name.ptr, "%s", error.message);
}

static void tag_increment(struct compiler *c, const struct tag *tag, struct node_list *out)
{
    count_tag(c, tag, out, 1);
}

static void tag_decrement(struct compiler *c, const struct tag *tag, struct node_list *out)
{
    count_tag(c, tag, out, -1);
}

static uint32_t cycle_values(struct scan *scan, const struct expr **values)
{
    uint32_t n = 0;

    do {
        if (n == COMPILE_TERMS_MAX)
            compile_error(scan->c, scan->where, "too many values");
        else
            values[n++] = expr_value(scan);
    } while (!scan->c->failed && scan_accept(scan, ','));
    return n;
}

/* cycle 'a', 'b' or cycle group: 'a', 'b'. Cycles of one group (or with the same values) go on
 * from each other. */
static void tag_cycle(struct compiler *c, const struct tag *tag, struct node_list *out)
{
    const struct expr *values[COMPILE_TERMS_MAX], **kept;
    struct node *node = parser_node(c, out, NODE_CYCLE, tag->name.ptr);
    struct context_error error = {0};
    enum context_mode mode;
    struct scan scan;
    stoa_str key = tag->rest;
    uint32_t n;

    scan_init(&scan, c, tag->rest);
    n = cycle_values(&scan, values);
    if (n == 1 && scan_is_mark(&scan, ':')) {
        key = (stoa_str){tag->rest.ptr, (uint64_t)(scan.where - tag->rest.ptr)};
        scan_next(&scan);
        n = cycle_values(&scan, values);
    }
    scan_expect_end(&scan);
    kept = stoa_new_array(c->arena, const struct expr *, n);
    memcpy(kept, values, n * sizeof(*kept));
    node->as.cycle.values = kept;
    node->as.cycle.count = n;
    node->slot = compile_counter(c, stoa_concat(c->arena, STOA_STR("cycle "), key));
    if (!context_value(&c->context, &mode, &error) || mode == CONTEXT_JSON)
        compile_error(c, tag->name.ptr, "no value may be written here");
    node->mode = (uint8_t)mode;
}

static void tag_echo(struct compiler *c, const struct tag *tag, struct node_list *out)
{
    if (tag->rest.len == 0)
        compile_error(c, tag->name.ptr, "echo needs a value");
    else
        parser_output(c, out, tag->rest);
}

static void loop_exit(struct compiler *c, const struct tag *tag, struct node_list *out,
                      enum node_kind kind)
{
    parser_node(c, out, kind, tag->name.ptr);
    if (c->loops == 0)
        compile_error(c, tag->name.ptr, "'%.*s' stands inside for only", (int)tag->name.len,
                      tag->name.ptr);
}

static void tag_break(struct compiler *c, const struct tag *tag, struct node_list *out)
{
    loop_exit(c, tag, out, NODE_BREAK);
}

static void tag_continue(struct compiler *c, const struct tag *tag, struct node_list *out)
{
    loop_exit(c, tag, out, NODE_CONTINUE);
}

static void tag_comment(struct compiler *c, const struct tag *tag, struct node_list *out)
{
    char end[16] = "end";
    struct token token;
    stoa_str name;

    memcpy(end + 3, tag->name.ptr, tag->name.len);
    end[3 + tag->name.len] = 0;
    if (c->lines.len == 0) {
        (void)lexer_raw(c, tag, end, true);
        return;
    }
    do { /* inside a liquid tag */
        lexer_next(c, &token);
        name = stoa_str_sub(token.body, 0, strlen(end));
    } while (!c->failed && token.kind == TOKEN_TAG && !stoa_str_is(name, end));
}

static void tag_line_comment(struct compiler *c, const struct tag *tag, struct node_list *out) {}

static void tag_raw(struct compiler *c, const struct tag *tag, struct node_list *out)
{
    parser_text(c, out, lexer_raw(c, tag, "endraw", false));
}

static void tag_liquid(struct compiler *c, const struct tag *tag, struct node_list *out)
{
    if (c->lines.len > 0)
        compile_error(c, tag->name.ptr, "liquid stands in no other liquid tag");
    c->lines = tag->rest;
}

static void tag_schema(struct compiler *c, const struct tag *tag, struct node_list *out)
{
    stoa_str text = lexer_raw(c, tag, "endschema", false);

    if (c->failed)
        return;
    if (c->tpl->place != PLACE_SECTION || c->depth > 1)
        compile_error(c, tag->name.ptr, "schema stands in sections only, outside of blocks");
    else if (c->tpl->schema)
        compile_error(c, tag->name.ptr, "a section has one schema");
    else
        tree_read_schema(c, text);
}

static stoa_str literal_name(struct compiler *c, struct scan *scan, const struct tag *tag)
{
    stoa_str name = scan->word;

    if (scan->kind != WORD_STRING)
        compile_error(c, scan->where, "'%.*s' needs a name in quotes", (int)tag->name.len,
                      tag->name.ptr);
    scan_next(scan);
    return name;
}

static void tag_section(struct compiler *c, const struct tag *tag, struct node_list *out)
{
    struct node *node = parser_node(c, out, NODE_SECTION, tag->name.ptr);
    struct scan scan;
    stoa_str name;

    scan_init(&scan, c, tag->rest);
    name = literal_name(c, &scan, tag);
    scan_expect_end(&scan);
    if (c->failed || !parser_wants_elements(c, tag))
        return;
    if (c->tpl->place == PLACE_SECTION || c->tpl->place == PLACE_SNIPPET) {
        compile_error(c, tag->name.ptr, "sections stand in layouts and templates only");
        compile_hint(c, "use a snippet: {%% render '%.*s' %%}", (int)name.len, name.ptr);
        return;
    }
    node->as.section = tree_find_template(c, PLACE_SECTION, name);
}

/* with VALUE as NAME, for ARRAY as NAME */
static void render_subject(struct scan *scan, struct node_render *render)
{
    render->each = scan_accept_name(scan, "for");
    if (!render->each && !scan_accept_name(scan, "with"))
        return;
    render->with = expr_value(scan);
    if (scan_accept_name(scan, "as"))
        render->alias = scan_expect_name(scan, "a name");
}

static void tag_render(struct compiler *c, const struct tag *tag, struct node_list *out)
{
    struct node *node = parser_node(c, out, NODE_RENDER, tag->name.ptr);
    struct node_render *render = stoa_new(c->arena, struct node_render);
    struct scan scan;
    stoa_str name;

    scan_init(&scan, c, tag->rest);
    name = literal_name(c, &scan, tag);
    render->alias = name;
    render_subject(&scan, render);
    scan_accept(&scan, ',');
    render->args = expr_args(&scan, &render->arg_count);
    scan_expect_end(&scan);
    node->as.render = render;
    if (c->failed || !parser_wants_elements(c, tag))
        return;
    render->target = tree_find_template(c, PLACE_SNIPPET, name);
    render->next = *c->links;
    *c->links = render;
}

static void tag_include(struct compiler *c, const struct tag *tag, struct node_list *out)
{
    compile_error(c, tag->name.ptr, "there is no include");
    compile_hint(c, "use render, and pass what the snippet needs: {%% render 'x', item: item %%}");
}

const struct tag_kind tag_kinds[] = {
    {"if", tag_if},
    {"unless", tag_unless},
    {"case", tag_case},
    {"for", tag_for},
    {"break", tag_break},
    {"continue", tag_continue},
    {"assign", tag_assign},
    {"capture", tag_capture},
    {"increment", tag_increment},
    {"decrement", tag_decrement},
    {"cycle", tag_cycle},
    {"echo", tag_echo},
    {"liquid", tag_liquid},
    {"render", tag_render},
    {"section", tag_section},
    {"form", tag_form},
    {"schema", tag_schema},
    {"raw", tag_raw},
    {"comment", tag_comment},
    {"doc", tag_comment},
    {"#", tag_line_comment},
    {"include", tag_include},
};
const uint32_t tag_kind_count = sizeof(tag_kinds) / sizeof(tag_kinds[0]);
