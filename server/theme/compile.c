/* theme/compile.c: one template from text to tree; errors with their place.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compile.h"
#include <stdarg.h>
#include <stdio.h>

int32_t template_slot(const struct template *tpl, stoa_str name)
{
    for (uint32_t i = 0; i < tpl->slot_count; i++)
        if (stoa_str_eq(tpl->slots[i], name))
            return (int32_t)i;
    return -1;
}

void template_place_of(const struct template *tpl, uint32_t pos, uint32_t *line, uint32_t *column,
                       stoa_str *text)
{
    stoa_str s = tpl->source;
    uint64_t start = 0, end;

    *line = 1;
    if (pos > s.len)
        pos = (uint32_t)s.len;
    for (uint64_t i = 0; i < pos; i++) {
        if (s.ptr[i] == '\n') {
            (*line)++;
            start = i + 1;
        }
    }
    *column = 1;
    for (uint64_t i = start; i < pos; i++)
        *column += ((unsigned char)s.ptr[i] & 0xC0) != 0x80;
    for (end = start; end < s.len && s.ptr[end] != '\n' && s.ptr[end] != '\r';)
        end++;
    *text = (stoa_str){s.ptr + start, end - start};
}

void compile_error(struct compiler *c, const char *where, const char *format, ...)
{
    char message[sizeof(c->diag->message)];
    uint32_t line, column;
    stoa_str text;
    va_list args;

    if (c->failed)
        return;
    c->failed = true;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    template_place_of(c->tpl, compile_pos(c, where), &line, &column, &text);
    diag_set(c->diag, c->tpl->file, line, column, "%s", message);
    snprintf(c->diag->source, sizeof(c->diag->source), "%.*s",
             (int)(text.len < sizeof(c->diag->source) ? text.len : sizeof(c->diag->source)),
             text.ptr ? text.ptr : "");
}

void compile_hint(struct compiler *c, const char *format, ...)
{
    char hint[sizeof(c->diag->hint)];
    va_list args;

    if (c->diag->hint[0])
        return;
    va_start(args, format);
    vsnprintf(hint, sizeof(hint), format, args);
    va_end(args);
    diag_hint(c->diag, "%s", hint);
}

static uint16_t intern(struct compiler *c, stoa_str *names, uint32_t *count, stoa_str name)
{
    for (uint32_t i = 0; i < *count; i++)
        if (stoa_str_eq(names[i], name))
            return (uint16_t)i;
    if (*count == COMPILE_SLOTS_MAX) {
        compile_error(c, c->tpl->source.ptr, "more than %d variables in one template",
                      COMPILE_SLOTS_MAX);
        compile_hint(c, "move a part into a snippet");
        return 0;
    }
    names[*count] = name;
    return (uint16_t)(*count)++;
}

uint16_t compile_slot(struct compiler *c, stoa_str name)
{
    return intern(c, c->slots, &c->slot_count, name);
}

uint16_t compile_counter(struct compiler *c, stoa_str key)
{
    return intern(c, c->counters, &c->counter_count, key);
}

static bool source_is_fit(struct compiler *c)
{
    stoa_str source = c->tpl->source;

    if (source.len > COMPILE_SOURCE_MAX) {
        diag_set(c->diag, c->tpl->file, 0, 0, "a template holds at most %d KiB",
                 COMPILE_SOURCE_MAX / 1024);
        diag_hint(c->diag, "move parts into snippets");
    } else if (!stoa_str_is_utf8(source)) {
        diag_set(c->diag, c->tpl->file, 0, 0, "this is not UTF-8 text");
        diag_hint(c->diag, "save the file as UTF-8");
    } else {
        return true;
    }
    c->failed = true;
    return false;
}

static void keep_names(struct compiler *c)
{
    stoa_str *slots = stoa_new_array(c->arena, stoa_str, c->slot_count + 1);

    memcpy(slots, c->slots, c->slot_count * sizeof(*slots));
    c->tpl->slots = slots;
    c->tpl->slot_count = c->slot_count;
    c->tpl->counter_count = c->counter_count;
}

static void check_end(struct compiler *c)
{
    if (!context_is_between_elements(&c->context)) {
        compile_error(c, c->end, "the template ends inside a tag, an attribute or a script");
        compile_hint(c, "each template holds whole tags; <script>, <title> and <textarea> are "
                        "closed where they are opened");
    }
    if (c->tpl->place == PLACE_LAYOUT && !c->has_content) {
        compile_error(c, c->end, "the layout has no {{ content_for_layout }}");
        compile_hint(c, "write it where the page's sections belong");
    }
}

stoa_err compile_template(struct compiler *c, struct template *tpl)
{
    struct tag end;

    c->tpl = tpl;
    c->at = tpl->source.ptr;
    c->end = tpl->source.ptr + tpl->source.len;
    c->context = (struct context){0};
    c->lines = (stoa_str){NULL, 0};
    c->trim = c->failed = c->has_content = false;
    c->depth = c->loops = c->slot_count = c->counter_count = 0;
    if (source_is_fit(c)) {
        tpl->body = parser_body(c, NULL, "", &end);
        check_end(c);
        keep_names(c);
    }
    return c->failed ? STOA_E_INVALID : STOA_OK;
}

void compile_link(struct node_render *links)
{
    for (struct node_render *link = links; link; link = link->next) {
        for (uint32_t i = 0; i < link->arg_count; i++)
            link->args[i].slot = template_slot(link->target, link->args[i].name);
        link->alias_slot = template_slot(link->target, link->alias);
        link->loop_slot = template_slot(link->target, STOA_STR("forloop"));
    }
}
