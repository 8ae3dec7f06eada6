/* Errors say where and what to write instead. SPDX-License-Identifier: Apache-2.0 */
#include "template.h"

Test(errors, tell_line_column_source_and_hint)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct stoa_buf buf;
    struct rendered r;

    render_text("<p>\n  é{{ price | mony }}\n</p>", "{}", NULL, &r);
    cr_assert_eq(r.err, STOA_E_INVALID);
    cr_expect_eq(r.diag.line, 2u);
    cr_expect_eq(r.diag.column, 15u);
    cr_expect_str_eq(r.diag.file, "template");
    cr_expect_str_eq(r.diag.message, "unknown filter 'mony'");
    cr_expect_str_eq(r.diag.hint, "did you mean 'money'?");
    cr_expect_str_eq(r.diag.source, "  é{{ price | mony }}");
    stoa_buf_init(&buf, arena, 256);
    diag_format(&r.diag, &buf);
    stoa_buf_char(&buf, 0);
    cr_expect(strstr(buf.ptr, "template:2:15"), "%s", buf.ptr);
    stoa_arena_destroy(arena);
}

Test(errors, of_tags)
{
    expect_error("{% fi x %}", "{}", "unknown tag 'fi'", NULL);
    expect_error("{% asign x = 1 %}", "{}", "unknown tag 'asign'", "did you mean 'assign'?");
    expect_error("{% if x %}", "{}", "'if' is never closed", "endif");
    expect_error("{% for x in y %}{% if z %}{% endfor %}", "{}", "'endfor' stands inside 'if'",
                 "close 'if' first");
    expect_error("{% endif %}", "{}", "'endif' closes nothing", NULL);
    expect_error("{% else %}", "{}", "'else' closes nothing", NULL);
    expect_error("{% if %}{% endif %}", "{}", "a value is missing", NULL);
    expect_error("{% if a = b %}{% endif %}", "{}", "'=' is too much", "write ==");
    expect_error("{% if a | size > 1 %}{% endif %}", "{}", "'|' is too much", "assign");
    expect_error("{% if (a) %}{% endif %}", "{}", "'..'", NULL);
    expect_error("{% for x y %}{% endfor %}", "{}", "for NAME in ARRAY", NULL);
    expect_error("{% for x in y limit 3 %}{% endfor %}", "{}", "':'", NULL);
    expect_error("{% break %}", "{}", "'break' stands inside for only", NULL);
    expect_error("{% assign x %}", "{}", "'=' is missing", NULL);
    expect_error("{% assign 1 = 2 %}", "{}", "the name of a variable", NULL);
    expect_error("{% case x %}text{% when 1 %}{% endcase %}", "{}", "first when", NULL);
    expect_error("{% include 'x' %}", "{}", "there is no include", "render");
    expect_error("{% render 'x' %}", "{}", "there is no snippets/x.liquid", NULL);
    expect_error("{% render x %}", "{}", "needs a name in quotes", NULL);
    expect_error("{% section 'x' %}", "{}", "there is no sections/x.liquid", NULL);
    expect_error("{% schema %}{}{% endschema %}", "{}", "schema stands in sections only", NULL);
    expect_error("{% raw %}", "{}", "'raw' is never closed", "endraw");
    expect_error("{% comment %}", "{}", "'comment' is never closed", "endcomment");
    expect_error("{% form %}{% endform %}", "{}", "form needs the address", "{% form ");
    expect_error("{% form '/x', method: 'get' %}{% endform %}", "{}", "does not take 'method'",
                 NULL);
    expect_error("{% form '/x', OnClick: 'a()' %}{% endform %}", "{}", "does not take", NULL);
    expect_error("{{ content_for_layout }}", "{}", "stands in a layout", NULL);
}

Test(errors, of_expressions)
{
    expect_error("{{ x", "{}", "'{{' is never closed", "}}");
    expect_error("{% if x", "{}", "'{%' is never closed", "%}");
    expect_error("{{ 'x }}", "{}", "never closed", NULL);
    expect_error("{{ }}", "{}", "a value is missing", NULL);
    expect_error("{{ x | }}", "{}", "a filter's name is missing", NULL);
    expect_error("{{ x y }}", "{}", "'y' is too much", NULL);
    expect_error("{{ x. }}", "{}", "a name is missing", NULL);
    expect_error("{{ x[1 }}", "{}", "']' is missing", NULL);
    expect_error("{{ x | append }}", "{}", "'append' takes one argument", NULL);
    expect_error("{{ x | upcase: 1 }}", "{}", "'upcase' takes no argument", NULL);
    expect_error("{{ x | upcase: a: 1 }}", "{}", "'upcase' takes no named arguments", NULL);
    expect_error("{{ 99999999999999999999 }}", "{}", "this number is too large", NULL);
    expect_error("{{ x | t: a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, g: 7, h: 8, i: 9 }}", "{}",
                 "at most 8 named", NULL);
    expect_error("\xff", "{}", "not UTF-8", "UTF-8");
}

Test(errors, while_rendering_tell_the_place_too)
{
    struct rendered r;

    render_text("<p>\n{{ x | append: y }}", "{\"y\": {\"a\": 1}}", NULL, &r);
    cr_expect_eq(r.err, STOA_E_INVALID);
    cr_expect_eq(r.diag.line, 2u);
    cr_expect_eq(r.diag.column, 8u);
    cr_expect(strstr(r.diag.message, "text is wanted here, not an object"), "%s", r.diag.message);
    cr_expect_str_eq(r.text, "");
}

Test(errors, raw_is_for_html_of_the_host)
{
    static const char hint[] = "end in _html";

    expect_error("{{ x | raw }}", "{}", "raw is only for", hint);
    expect_error("{{ html | raw }}", "{}", "raw is only for", hint);
    expect_error("{{ 'x_html' | raw }}", "{}", "raw is only for", hint);
    expect_error("{{ p.title | raw }}", "{}", "raw is only for", hint);
    expect_error("{{ p['a_html'] | raw }}", "{}", "raw is only for", hint);
    expect_error("{{ request.query_html | raw }}", "{}", "raw is only for", hint);
    expect_error("{{ form.note_html | raw }}", "{}", "raw is only for", hint);
    expect_error("{{ p.a_html | append: 'x' | raw }}", "{}", "raw is only for", hint);
    expect_error("{{ '<b>' | raw }}", "{}", "raw is only for", hint);
}

Test(errors, raw_of_a_name_is_the_datas_member_and_no_variable)
{
    static const char data[] = "{\"x_html\": \"<b>\", \"evil\": \"<i>\"}";

    expect_render("{{ x_html | raw }}", data, "<b>");
    expect_render("{% assign x_html = evil %}{{ x_html | raw }}{{ x_html }}", data, "<b>&lt;i&gt;");
    expect_render("{% for y_html in (1..1) %}{{ y_html | raw }}{% endfor %}", data, "");
}
