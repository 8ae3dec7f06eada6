/* Values in every place of HTML: never out of their place. SPDX-License-Identifier: Apache-2.0 */
#include "template.h"
#include <stdio.h>

static const char *const payloads[] = {
    "<script>alert(1)</script>",
    "\"><script>alert(1)</script>",
    "'><img src=x onerror=alert(1)>",
    "\" onmouseover=\"alert(1)",
    "' onfocus='alert(1)' autofocus='",
    "</title><script>alert(1)</script>",
    "</textarea><svg onload=alert(1)>",
    "</script><script>alert(1)</script>",
    "<!--",
    "-->",
    "]]><script>",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    " javascript:alert(1)",
    "java\tscript:alert(1)",
    "java\nscript:alert(1)",
    "\x01javascript:alert(1)",
    "javascript\x7f:alert(1)",
    "javascript&colon;alert(1)",
    "&#106;avascript:alert(1)",
    "&#x6a;avascript&#58;alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "DATA:text/html;base64,PHNjcmlwdD4=",
    "vbscript:msgbox(1)",
    "view-source:http://x",
    "blob:http://x/1",
    "file:///etc/passwd",
    "ftp://x/",
    ":alert(1)",
    "x:y",
    "{{ 7 | times: 7 }}",
    "\xe2\x80\xa8",
    "`${alert(1)}`",
    "\\\"><b>",
    "&quot;><b>",
    "a b=c",
};
enum { PAYLOADS = sizeof(payloads) / sizeof(payloads[0]) };

/* Renders with {{ x }} as a payload; what stands between [ and ] is its trace. */
static void render_payload(const char *source, const char *payload, struct rendered *ret,
                           stoa_str *trace)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct stoa_json *data = stoa_json_object(arena);
    const char *open, *close;
    struct stoa_buf out;

    stoa_json_set_str(data, "x", stoa_str_of(payload));
    stoa_buf_init(&out, arena, 256);
    ret->err = theme_render_text(stoa_str_of(source), data, NULL, &out, &ret->diag);
    cr_assert(ret->err == STOA_OK, "%s: %s", source, ret->diag.message);
    memcpy(ret->text, out.ptr, out.len);
    ret->text[out.len] = 0;
    open = strchr(ret->text, '[');
    close = strrchr(ret->text, ']');
    cr_assert(open && close, "%s", ret->text);
    *trace = (stoa_str){open + 1, (uint64_t)(close - open - 1)};
    stoa_arena_destroy(arena);
}

static bool has_any(stoa_str s, const char *chars)
{
    for (uint64_t i = 0; i < s.len; i++)
        if (strchr(chars, s.ptr[i]))
            return true;
    return false;
}

Test(context, no_payload_leaves_text_or_a_quoted_attribute)
{
    static const char *const places[] = {
        "<p>[{{ x }}]</p>",
        "<p title=\"[{{ x }}]\">",
        "<p title='[{{ x }}]'>",
        "<input value=\"a[{{ x }}]b\" class='c'>",
        "<title>[{{ x }}]</title>",
        "<textarea name=\"t\">[{{ x }}]</textarea>",
        "<div data-note=\"[{{ x }}]\">",
        "<p>[{{ x | append: x }}]",
        "<p>[{{ x | escape }}]",
        "<p title=\"[{{ x | escape }}]\">",
        "<p>[{{ x | newline_to_br | strip_html }}]",
        "<p>[{{ x | escape_once | upcase }}]",
        "<p>[{% assign y = x | split: ' ' %}{{ y | join: x }}]",
        "<p title=\"[{% capture y %}{{ x }}{% endcapture %}{{ y }}]\">",
        "{% capture y %}{{ x }}{% endcapture %}<p title='[{{ y | append: x }}]'>",
        "<p class=\"[{% if true %}{{ x }}{% endif %}]\">",
        "<p>[{% cycle x, x %}]",
        "<p title=\"[{% cycle x %}]\">",
        "{% form '/a', id: x %}[{{ x }}]{% endform %}",
        "<meta content=\"[{{ x }}]\">",
        "<svg><text>[{{ x }}]</text></svg>",
        "<p>a < b [{{ x }}]",
        "<p title = \"[{{ x }}]\" hidden>",
        "<noscript><p>[{{ x }}]</p></noscript>",
    };
    for (uint32_t p = 0; p < sizeof(places) / sizeof(places[0]); p++) {
        for (uint32_t i = 0; i < PAYLOADS; i++) {
            struct rendered r;
            stoa_str trace;
            render_payload(places[p], payloads[i], &r, &trace);
            cr_expect(!has_any(trace, "<>\"'"), "%s with %s: %s", places[p], payloads[i], r.text);
        }
    }
}

static bool starts_with_one_of(const char *s, const char *const *starts)
{
    for (; *starts; starts++)
        if (strncasecmp(s, *starts, strlen(*starts)) == 0)
            return true;
    return false;
}

/* What a browser would make of an attribute's value: entities decoded, white space dropped. An
 * entity before the path that escaping did not make might be a letter or a colon. */
static bool runs_code(stoa_str value)
{
    static const char *const schemes[] = {"http:", "https:", "mailto:", "tel:", NULL};
    static const char *const escapes[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;", NULL};
    char clean[1024];
    uint64_t n = 0;

    for (uint64_t i = 0; i < value.len && n + 1 < sizeof(clean); i++)
        if ((unsigned char)value.ptr[i] > ' ' && value.ptr[i] != 0x7f)
            clean[n++] = value.ptr[i];
    clean[n] = 0;
    for (const char *at = clean; *at && !strchr("/?#", *at); at++) {
        if (*at == ':')
            return !starts_with_one_of(clean, schemes);
        if (starts_with_one_of(at, escapes))
            at = strchr(at, ';');
        else if (*at == '&')
            return true;
    }
    return false;
}

Test(context, no_payload_gives_an_address_another_scheme)
{
    static const char *const places[] = {
        "<a href=\"{{ x }}\">",
        "<a href='{{ x }}'>",
        "<img src=\"{{ x }}\" alt=\"\">",
        "<form action=\"{{ x }}\">",
        "<button formaction=\"{{ x }}\">",
        "<video poster=\"{{ x }}\">",
        "<object data=\"{{ x }}\">",
        "<a xlink:href=\"{{ x }}\">",
        "<p data-url=\"{{ x }}\">",
        "<animate to=\"{{ x }}\">",
        "<a href=\"{% if true %}{{ x }}{% endif %}\">",
        "<a href=\"{% if false %}/y{% else %}{{ x }}{% endif %}\">",
        "<a href=\"{% for i in (1..1) %}{{ x }}{% endfor %}\">",
        "<a href=\"{{ x | escape }}\">",
        "<a href=\"{% capture y %}{{ x }}{% endcapture %}{{ y }}\">",
        "<a href=\"{{ x }}{{ x }}\">",
        "<a href=\"  {{ x }}\">",
        "<a HREF=\"{{ x }}\">",
        "<link rel=\"next\" href=\"{{ x }}\">",
        "<a href=\"{{ 'java' }}{{ x }}\">",
        "<a href=\"java{{ x }}\">",
    };
    for (uint32_t p = 0; p < sizeof(places) / sizeof(places[0]); p++) {
        for (uint32_t i = 0; i < PAYLOADS; i++) {
            struct rendered r;
            char source[300];
            stoa_str trace, value;
            const char *quote;
            snprintf(source, sizeof(source), "[%s]", places[p]);
            render_payload(source, payloads[i], &r, &trace);
            quote = strpbrk(r.text, "\"'");
            if (strstr(source, "rel="))
                quote = strpbrk(strstr(r.text, "href"), "\"");
            value = (stoa_str){quote + 1, (uint64_t)(strchr(quote + 1, *quote) - quote - 1)};
            cr_expect(!runs_code(value), "%s with %s: %s", source, payloads[i], r.text);
            cr_expect(!has_any(value, "<>"), "%s", r.text);
        }
    }
}

Test(context, split_schemes_do_not_come_together)
{
    EXPECT_ALL(
        {"<a href=\"{{ a }}{{ b }}\">", "{\"a\": \"java\", \"b\": \"script:alert(1)\"}",
         "<a href=\"java#\">"},
        {"<a href=\"{{ a }}{{ b }}\">", "{\"a\": \"javascript\", \"b\": \":alert(1)\"}",
         "<a href=\"javascript#\">"},
        {"<a href=\"{% for i in a %}{{ i }}{% endfor %}\">",
         "{\"a\": [\"javascript\", \":alert(1)\"]}", "<a href=\"javascript#\">"},
        {"<a href=\"/{{ a }}{{ b }}\">", "{\"a\": \"x:\", \"b\": \"y:z\"}", "<a href=\"/x:y:z\">"});
}

Test(context, good_addresses_stay)
{
    EXPECT_ALL({"<a href=\"{{ x }}\">", "{\"x\": \"https://a.b/c?d=e&f#g\"}",
                "<a href=\"https://a.b/c?d=e&amp;f#g\">"},
               {"<a href=\"{{ x }}\">", "{\"x\": \"/products/a:b\"}", "<a href=\"/products/a:b\">"},
               {"<a href=\"{{ x }}\">", "{\"x\": \"mailto:a@b.c\"}", "<a href=\"mailto:a@b.c\">"},
               {"<a href=\"/products/{{ x }}\">", "{\"x\": \"a:b\"}", "<a href=\"/products/a:b\">"},
               {"<a href=\"mailto:{{ x }}\">", "{\"x\": \"a@b.c\"}", "<a href=\"mailto:a@b.c\">"},
               {"<a href=\"#{{ x }}\">", "{\"x\": \"a:b\"}", "<a href=\"#a:b\">"},
               {"<a href=\"{% if y %}/en{% endif %}/x?q={{ x }}\">", "{\"x\": \"a:b\"}",
                "<a href=\"/x?q=a:b\">"},
               {"<img srcset=\"{{ x }} 1x, {{ x }} 2x\">", "{\"x\": \"/a.png\"}",
                "<img srcset=\"/a.png 1x, /a.png 2x\">"},
               {"<img srcset=\"{{ x }}\">", "{\"x\": \"/a.png 1x, javascript:alert(1) 2x\"}",
                "<img srcset=\"#\">"});
}

Test(context, values_are_refused_where_none_is_safe)
{
    static const struct {
        const char *source, *message, *hint;
    } cases[] = {
        {"<p class={{ x }}>", "without quotes", "put quotes around it"},
        {"<p class=a{{ x }}>", "without quotes", "put quotes around it"},
        {"<p {{ x }}>", "attribute's name", "name=\"{{ value }}\""},
        {"<p a{{ x }}=\"1\">", "attribute's name", NULL},
        {"<p data-{{ x }}=\"1\">", "attribute's name", NULL},
        {"<p a {{ x }}>", "attribute's name", NULL},
        {"<p a=\"b\"{{ x }}>", "attribute's name", NULL},
        {"<{{ x }}>", "tag's name", "{% if %}"},
        {"<h{{ x }}>", "tag's name", NULL},
        {"</{{ x }}>", "tag's name", NULL},
        {"</p {{ x }}>", "attribute's name", NULL},
        {"<!-- {{ x }} -->", "comment", "{% comment %}"},
        {"<!--> a --{{ x }}", NULL, NULL},
        {"<!doctype {{ x }}>", "declaration", NULL},
        {"<?xml {{ x }}>", "declaration", NULL},
        {"<iframe srcdoc=\"{{ x }}\"></iframe>", "srcdoc", NULL},
        {"<iframe>{{ x }}</iframe>", "no value can be made safe", NULL},
        {"<xmp>{{ x }}</xmp>", "no value can be made safe", NULL},
        {"<plaintext>{{ x }}", "no value can be made safe", NULL},
        {"<script src=\"/a.js\">{{ x }}</script>", "stays empty", NULL},
        {"<script type=\"{{ x }}\"></script>", "type of a script", NULL},
        {"<script type=\"application/json\">{{ x }}</script>", "json filter", "| json"},
        {"<script type=\"application/json\">{{ x | json | upcase }}</script>", "json filter", NULL},
        {"<script type=\"application/json\">{% cycle x %}</script>", "no value", NULL},
    };
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (cases[i].message)
            expect_error(cases[i].source, "{\"x\": 1}", cases[i].message, cases[i].hint);
}

Test(context, what_the_csp_would_drop_is_refused_with_or_without_values)
{
    static const char *const sources[] = {
        "<script>alert(1)</script>",
        "<script>{{ x }}</script>",
        "<SCRIPT>x</SCRIPT>",
        "<script defer>x</script>",
        "<script type=\"module\">x</script>",
        "<script type=\"text/javascript\">{{ x | json }}</script>",
        "<style>p { color: {{ x }} }</style>",
        "<style>p { color: red }</style>",
        "<p style=\"color: red\">",
        "<p style=\"color: {{ x }}\">",
        "<p style='{{ x }}'>",
        "<p onclick=\"go()\">",
        "<p onclick=\"go('{{ x }}')\">",
        "<p ONCLICK='{{ x | json }}'>",
        "<body onload={{ x }}>",
        "<svg/onload=alert(1)>",
        "<script src=\"/a.js\">alert(1)</script>",
    };
    for (uint32_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
        expect_error(sources[i], "{\"x\": 1}", "", "assets/");
    expect_error("<meta http-equiv=\"refresh\" content=\"0;url={{ x }}\">", "{}", "http-equiv",
                 NULL);
    expect_error("<a href=\"javascript:void(0)\">", "{}", "scheme is not allowed", "https");
    expect_error("<a href=\" java\nscript:void(0)\">", "{}", "scheme is not allowed", NULL);
    expect_error("<a href=\"{{ x }}:void(0)\">", "{}", "scheme is not allowed", NULL);
    expect_error("<img src=\"data:image/png;base64,x\">", "{}", "scheme is not allowed", NULL);
}

Test(context, branches_end_where_they_began_to_differ)
{
    static const char *const refused[] = {
        "{% if x %}<p title=\"{% endif %}{{ x }}",
        "{% if x %}<p title=\"{% else %}<p title='{% endif %}{{ x }}'>",
        "<p title=\"{% if x %}\"{% endif %}>",
        "{% for i in x %}<p {% endfor %}>",
        "{% for i in x %}\"{% endfor %}<p>{% unless x %}<p {% endunless %}",
        "{% case x %}{% when 1 %}<a href=\"{% when 2 %}<a title=\"{% endcase %}\">",
        "{% if x %}<script type=\"application/json\">{% endif %}</script>",
        "{% capture y %}<p {% endcapture %}",
        "{% form '/x' %}<p {% endform %}",
        "<p title=\"",
        "<p",
        "<textarea>",
        "<!-- ",
        "<a {% if x %}href{% else %}src{% endif %}=\"{{ x }}\">",
        "<a {% if x %}on{% endif %}click=\"{{ x }}\">",
        "<a {% if x %}a{% else %}b{% endif %}c>",
        "<s{% if x %} a{% endif %}cript>",
        "<script {% if x %}src=\"/a\"{% endif %}></script>",
        "<p title=\"{% section 'x' %}\">",
        "<p {% form '/x' %}{% endform %}>",
    };
    for (uint32_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        expect_error(refused[i], "{\"x\": 1}", "", NULL);
}

Test(context, branches_inside_tags_may_hold_whole_attributes)
{
    EXPECT_ALL({"<p{% if x %} class=\"{{ x }}\"{% endif %}>", "{\"x\": 1}", "<p class=\"1\">"},
               {"<input {% if x %}checked{% endif %} value=\"{{ x }}\">", "{\"x\": 1}",
                "<input checked value=\"1\">"},
               {"<input{% if x %} checked{% else %} hidden{% endif %}>", "{}", "<input hidden>"},
               {"<a class=\"a{% if x %} b{% endif %}\"{% unless x %} hidden{% endunless %}>x</a>",
                "{}", "<a class=\"a\" hidden>x</a>"},
               {"<p{% for i in x %} data-{% endfor %}>", "{}", "<p>"},
               {"{% if x %}<p>{% else %}<div>{% endif %}{{ x }}", "{\"x\": \"<\"}", "<p>&lt;"});
}

Test(context, constant_markup_is_left_alone)
{
    static const char page[] =
        "<!DOCTYPE html><!-- a > b --><html><head><title>a<b</title>"
        "<script src=\"/a.js\" defer> </script><script type=\"application/json\">{\"a\":1}</script>"
        "</head><body><br/><img src=x alt><p class=a>1 < 2 && 3 > 2</p><textarea>"
        "</p></textarea></body></html>";
    expect_render(page, "{}", page);
}
