/* theme/parser.c: the stream of text, outputs and tags; parser_tags.c and parser_blocks.c know each
 * tag. SPDX-License-Identifier: Apache-2.0 */
#include "compile.h"
#include "filters.h"
#include "text.h"

struct node *parser_node(struct compiler *c, struct node_list *out, enum node_kind kind,
                         const char *where)
{
    struct node *node = stoa_new(c->arena, struct node);

    node->kind = (uint8_t)kind;
    node->pos = compile_pos(c, where);
    if (out->last)
        out->last->next = node;
    else
        out->first = node;
    out->last = node;
    return node;
}

static void context_failed(struct compiler *c, const char *where, const struct context_error *error)
{
    compile_error(c, where, "%s", error->message);
    if (error->hint)
        compile_hint(c, "%s", error->hint);
}

void parser_text(struct compiler *c, struct node_list *out, stoa_str text)
{
    struct context_error error = {0};

    if (text.len == 0)
        return;
    if (!context_feed(&c->context, text, &error)) {
        context_failed(c, text.ptr + error.offset, &error);
        return;
    }
    parser_node(c, out, NODE_TEXT, text.ptr)->as.text = text;
}

/* content_for_layout and content_for_header are places, not values. */
static bool layout_output(struct compiler *c, struct node_list *out, const struct expr *expr,
                          const char *where)
{
    bool content, plain = expr->kind == EXPR_PATH && expr->as.path.count == 0;
    stoa_str name = plain ? c->slots[expr->slot] : (stoa_str){NULL, 0};

    content = stoa_str_is(name, "content_for_layout");
    if (!content && !stoa_str_is(name, "content_for_header"))
        return false;
    if (c->tpl->place != PLACE_LAYOUT || !context_is_between_elements(&c->context)) {
        compile_error(c, where, "'%.*s' stands in a layout, between elements", (int)name.len,
                      name.ptr);
        return true;
    }
    if (content && (c->has_content || c->loops > 0)) {
        compile_error(c, where, "content_for_layout stands in a layout once");
        return true;
    }
    c->has_content |= content;
    parser_node(c, out, content ? NODE_LAYOUT_CONTENT : NODE_LAYOUT_HEADER, where);
    return true;
}

void parser_output(struct compiler *c, struct node_list *out, stoa_str body)
{
    struct context_error error = {0};
    enum context_mode mode;
    const struct expr *expr;
    struct node *node;
    struct scan scan;

    scan_init(&scan, c, body);
    expr = expr_filtered(&scan);
    scan_expect_end(&scan);
    if (c->failed || layout_output(c, out, expr, body.ptr))
        return;
    if (!context_value(&c->context, &mode, &error)) {
        context_failed(c, body.ptr, &error);
        return;
    }
    if (mode == CONTEXT_JSON &&
        (expr->kind != EXPR_FILTER || !filter_makes_json(expr->as.filter->filter))) {
        compile_error(c, body.ptr, "inside a JSON script a value ends with the json filter");
        compile_hint(c, "write {{ value | json }}, without quotes around it");
        return;
    }
    node = parser_node(c, out, NODE_OUTPUT, body.ptr);
    node->mode = (uint8_t)mode;
    node->as.expr = expr;
}

static bool name_in_list(const char *list, stoa_str name)
{
    stoa_str rest = stoa_str_of(list);
    while (rest.len > 0)
        if (stoa_str_eq(stoa_str_cut(&rest, ' '), name))
            return name.len > 0;
    return false;
}

static void split_tag(struct compiler *c, stoa_str body, struct tag *tag)
{
    uint64_t len = 0;

    if (body.len > 0 && body.ptr[0] == '#')
        len = 1;
    else
        while (len < body.len && !text_is_space(body.ptr[len]) && body.ptr[len] != ':')
            len++;
    *tag = (struct tag){.name = {body.ptr, len}, .pos = compile_pos(c, body.ptr)};
    tag->rest = stoa_str_trim((stoa_str){body.ptr + len, body.len - len});
}

static void unknown_tag(struct compiler *c, const struct tag *tag, const struct tag *opener)
{
    const char *names[64], *near;
    uint32_t count = 0;
    bool is_end = stoa_str_starts(tag->name, STOA_STR("end")) || stoa_str_is(tag->name, "else") ||
                  stoa_str_is(tag->name, "elsif") || stoa_str_is(tag->name, "when");

    for (; count < tag_kind_count; count++)
        names[count] = tag_kinds[count].name;
    near = is_end ? NULL : diag_did_you_mean(stoa_cstr(c->arena, tag->name), names, count);
    if (!is_end)
        compile_error(c, tag->name.ptr, "unknown tag '%.*s'", (int)tag->name.len, tag->name.ptr);
    else if (!opener)
        compile_error(c, tag->name.ptr, "'%.*s' closes nothing", (int)tag->name.len, tag->name.ptr);
    else
        compile_error(c, tag->name.ptr, "'%.*s' stands inside '%.*s'", (int)tag->name.len,
                      tag->name.ptr, (int)opener->name.len, opener->name.ptr);
    if (near)
        compile_hint(c, "did you mean '%s'?", near);
    else if (opener)
        compile_hint(c, "close '%.*s' first", (int)opener->name.len, opener->name.ptr);
}

static void parse_tag(struct compiler *c, const struct tag *tag, const struct tag *opener,
                      struct node_list *out)
{
    for (uint32_t i = 0; i < tag_kind_count; i++) {
        if (stoa_str_is(tag->name, tag_kinds[i].name)) {
            tag_kinds[i].parse(c, tag, out);
            return;
        }
    }
    unknown_tag(c, tag, opener);
}

static void parse_token(struct compiler *c, const struct token *token, const struct tag *opener,
                        struct node_list *out)
{
    struct tag tag;

    if (token->kind == TOKEN_TEXT) {
        parser_text(c, out, token->body);
    } else if (token->kind == TOKEN_OUTPUT) {
        parser_output(c, out, token->body);
    } else {
        split_tag(c, token->body, &tag);
        parse_tag(c, &tag, opener, out);
    }
}

static void unclosed(struct compiler *c, const struct tag *opener)
{
    compile_error(c, opener->name.ptr, "'%.*s' is never closed", (int)opener->name.len,
                  opener->name.ptr);
    compile_hint(c, "write {%% end%.*s %%} where it ends", (int)opener->name.len, opener->name.ptr);
}

const struct node *parser_body(struct compiler *c, const struct tag *opener, const char *ends,
                               struct tag *end)
{
    struct node_list list = {0};
    struct token token;

    *end = (struct tag){.name = {c->at, 0}};
    if (++c->depth > COMPILE_NESTING_MAX)
        compile_error(c, opener ? opener->name.ptr : c->at, "blocks nest at most %d deep",
                      COMPILE_NESTING_MAX);
    for (;;) {
        lexer_next(c, &token);
        if (c->failed || token.kind == TOKEN_END)
            break;
        if (token.kind == TOKEN_TAG) {
            split_tag(c, token.body, end);
            if (name_in_list(ends, end->name))
                break;
        }
        parse_token(c, &token, opener, &list);
    }
    if (opener && token.kind == TOKEN_END)
        unclosed(c, opener);
    c->depth--;
    return list.first;
}

bool parser_wants_elements(struct compiler *c, const struct tag *tag)
{
    if (context_is_between_elements(&c->context))
        return true;
    compile_error(c, tag->name.ptr, "'%.*s' stands between elements only", (int)tag->name.len,
                  tag->name.ptr);
    compile_hint(c, "not inside a tag, an attribute, <title>, <textarea> or <script>");
    return false;
}

void parser_join(struct compiler *c, struct context *into, bool *met, const struct tag *tag)
{
    if (!*met)
        *into = c->context;
    else if (!context_join(into, &c->context)) {
        compile_error(c, tag->name.ptr,
                      "the ways through this '%.*s' end in different places of the HTML",
                      (int)tag->name.len, tag->name.ptr);
        compile_hint(c, "open and close each tag, quote and script within one branch");
    }
    *met = true;
}
