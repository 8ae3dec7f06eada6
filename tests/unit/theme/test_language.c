/* What templates mean. SPDX-License-Identifier: Apache-2.0 */
#include "template.h"
#include <stdio.h>

Test(language, writes_values)
{
    EXPECT_ALL({"a{{ x }}b", "{\"x\": 1}", "a1b"}, {"{{ x }}", "{\"x\": null}", ""},
               {"{{ x }}", "{}", ""}, {"{{ x }}", "{\"x\": true}", "true"},
               {"{{ x }}", "{\"x\": 1.5}", "1.5"}, {"{{ 2.0 }}", NULL, "2.0"},
               {"{{ 'it' }}{{ \"that's\" }}", NULL, "itthat&#39;s"}, {"{{ -7 }}", NULL, "-7"},
               {"{{ x }}", "{\"x\": [1, \"<\", null, true]}", "1&lt;true"},
               {"{{ x }}", "{\"x\": \"<b>&\"}", "&lt;b&gt;&amp;"}, {"{{ nil }}", NULL, ""},
               {"{{ (1..3) }}", NULL, "123"}, {"", NULL, ""}, {"{ { % }", NULL, "{ { % }"});
}

Test(language, follows_paths)
{
    static const char data[] = "{\"a\": {\"b\": [10, {\"c\": \"deep\"}], \"size\": \"own\", "
                               "\"k-1\": 5}, \"n\": 1, \"key\": \"b\", \"s\": \"aäb\"}";
    const struct example examples[] = {
        {"{{ a.b[0] }}", data, "10"},       {"{{ a.b[1].c }}", data, "deep"},
        {"{{ a.b[n].c }}", data, "deep"},   {"{{ a[key][0] }}", data, "10"},
        {"{{ a['b'].first }}", data, "10"}, {"{{ a.b.last.c }}", data, "deep"},
        {"{{ a.b.size }}", data, "2"},      {"{{ a.size }}", data, "own"},
        {"{{ a.b[-1].c }}", data, "deep"},  {"{{ a.b[-3] }}", data, ""},
        {"{{ a.x.y.z }}", data, ""},        {"{{ a.b[9] }}", data, ""},
        {"{{ s.size }}", data, "3"},        {"{{ a.k-1 }}", data, "5"},
        {"{{ n.size }}", data, "0"},        {"{{ a.b['x'] }}", data, ""},
    };
    expect_all(examples, sizeof(examples) / sizeof(examples[0]));
}

Test(language, chooses_branches)
{
    EXPECT_ALL(
        {"{% if x %}y{% else %}n{% endif %}", "{\"x\": 0}", "y"},
        {"{% if x %}y{% else %}n{% endif %}", "{\"x\": \"\"}", "y"},
        {"{% if x %}y{% else %}n{% endif %}", "{\"x\": false}", "n"},
        {"{% if x %}y{% else %}n{% endif %}", "{\"x\": null}", "n"},
        {"{% if x %}y{% endif %}", "{}", ""},
        {"{% if x == 1 %}a{% elsif x == 2 %}b{% elsif x == 3 %}c{% else %}d{% endif %}",
         "{\"x\": 3}", "c"},
        {"{% unless x %}y{% else %}n{% endunless %}", "{\"x\": false}", "y"},
        {"{% unless x %}y{% elsif true %}n{% endunless %}", "{\"x\": 1}", "n"},
        {"{% case x %}{% when 1 %}a{% when 2, 3 or 4 %}b{% else %}c{% endcase %}", "{\"x\": 4}",
         "b"},
        {"{% case x %}\n {% when 'a' %}1{% when 'b' %}2{% endcase %}", "{\"x\": \"b\"}", "2"},
        {"{% case x %}{% when 1 %}a{% endcase %}", "{\"x\": 2}", ""},
        {"{% case x %}{% when nil %}nil{% else %}e{% endcase %}", "{}", "nil"});
}

Test(language, compares)
{
    static const struct {
        const char *condition;
        bool holds;
    } cases[] = {
        {"1 == 1", true},
        {"1 == 1.0", true},
        {"1 == '1'", false},
        {"1 != 2", true},
        {"1 <> 1", false},
        {"1 < 2", true},
        {"2 <= 2", true},
        {"3 > 2.5", true},
        {"2 >= 3", false},
        {"'a' < 'b'", true},
        {"'ab' > 'a'", true},
        {"'a' < 1", false},
        {"nil < 1", false},
        {"nil == x", true},
        {"x == empty", false},
        {"'' == empty", true},
        {"list == empty", false},
        {"none == empty", true},
        {"' ' == blank", true},
        {"x == blank", true},
        {"'a' == blank", false},
        {"false == blank", true},
        {"list contains 2", true},
        {"list contains 9", false},
        {"'hello' contains 'ell'", true},
        {"'hello' contains 'x'", false},
        {"nil contains 'x'", false},
        {"'hello' contains ''", true},
        {"object contains 'k'", true},
        {"true and false", false},
        {"true or false", true},
        {"price == price", true},
        {"price < dear", true},
        {"price > dear", false},
        {"price == dear", false},
        {"price < foreign", false},
        {"price > foreign", false},
        /* read from the right: false and (true or true), true or (true and false) */
        {"false and true or true", false},
        {"true or true and false", true},
    };
    static const char data[] = "{\"list\": [1, 2], \"none\": [], \"object\": {\"k\": 1},"
                               "\"price\": {\"amount\": 5, \"currency\": \"EUR\"},"
                               "\"dear\": {\"amount\": 9, \"currency\": \"EUR\"},"
                               "\"foreign\": {\"amount\": 9, \"currency\": \"USD\"}}";

    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char source[200];
        snprintf(source, sizeof(source), "{%% if %s %%}y{%% else %%}n{%% endif %%}",
                 cases[i].condition);
        expect_render(source, data, cases[i].holds ? "y" : "n");
    }
}

Test(language, repeats)
{
    EXPECT_ALL(
        {"{% for i in (1..3) %}{{ i }},{% endfor %}", NULL, "1,2,3,"},
        {"{% for i in x limit: 2 %}{{ i }}{% endfor %}", "{\"x\": [1, 2, 3]}", "12"},
        {"{% for i in x offset: 1 %}{{ i }}{% endfor %}", "{\"x\": [1, 2, 3]}", "23"},
        {"{% for i in x limit: 2 offset: 1 reversed %}{{ i }}{% endfor %}", "{\"x\": [1, 2, 3, 4]}",
         "32"},
        {"{% for i in x, limit: n %}{{ i }}{% endfor %}", "{\"x\": [1, 2], \"n\": 1}", "1"},
        {"{% for i in x %}{{ i }}{% else %}none{% endfor %}", "{\"x\": []}", "none"},
        {"{% for i in x %}{{ i }}{% else %}none{% endfor %}", "{}", "none"},
        {"{% for i in (3..1) %}{{ i }}{% else %}none{% endfor %}", NULL, "none"},
        {"{% for p in x %}{{ p[0] }}={{ p.last }};{% endfor %}", "{\"x\": {\"a\": 1, \"b\": 2}}",
         "a=1;b=2;"},
        {"{% for i in (1..9) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 4 %}{% break %}"
         "{% endif %}{{ i }}{% endfor %}.",
         NULL, "13."},
        {"{% for i in (1..2) %}{{ forloop.index }}{{ forloop.index0 }}{{ forloop.rindex }}"
         "{{ forloop.rindex0 }}{{ forloop.first }}{{ forloop.last }}{{ forloop.length }} "
         "{% endfor %}",
         NULL, "1021truefalse2 2110falsetrue2 "},
        {"{% for i in (1..2) %}{% for k in (1..2) %}{{ forloop.parentloop.index }}"
         "{{ forloop.index }} {% endfor %}{% endfor %}",
         NULL, "11 12 21 22 "},
        {"{% assign i = 'out' %}{% for i in (1..2) %}{% endfor %}{{ i }}{{ forloop.index }}", NULL,
         "out"},
        {"{% for i in (1..2) %}{% for k in (1..5) %}{% break %}{% endfor %}{{ i }}{% endfor %}",
         NULL, "12"},
        {"{% for i in x offset: 5 %}{{ i }}{% else %}none{% endfor %}", "{\"x\": [1]}", "none"},
        {"{% for i in x limit: 0 %}{{ i }}{% else %}none{% endfor %}", "{\"x\": [1]}", "none"},
        {"{% assign y = x | split: ',' %}{% for i in y reversed %}{{ i }}{% endfor %}",
         "{\"x\": \"a,b\"}", "ba"});
}

Test(language, keeps_variables)
{
    EXPECT_ALL(
        {"{% assign x = 5 %}{{ x }}", NULL, "5"},
        {"{% assign x = y | upcase | append: '!' %}{{ x }}", "{\"y\": \"a\"}", "A!"},
        {"{% assign x = nil %}[{{ x }}]", "{\"x\": 1}", "[]"},
        {"{{ x }}{% assign x = 2 %}{{ x }}", "{\"x\": 1}", "12"},
        {"{% capture x %}<b>{{ y }}</b>{% endcapture %}{{ x }}{{ x }}", "{\"y\": \"<\"}",
         "<b>&lt;</b><b>&lt;</b>"},
        {"{% increment a %}{% increment a %}{% decrement b %}{% decrement b %}", NULL, "01-1-2"},
        {"{% for i in (1..4) %}{% cycle 'a', 'b', 'c' %}{% endfor %}", NULL, "abca"},
        {"{% cycle 'g': 'a', 'b' %}{% cycle 'g': 'a', 'b' %}{% cycle 'h': 'a', 'b' %}", NULL,
         "aba"},
        {"{% echo x | upcase %}", "{\"x\": \"a\"}", "A"},
        {"{% for i in (1..2) %}{% assign last = forloop %}{% endfor %}{{ last.index }}", NULL, ""});
}

Test(language, has_comments_and_raw_text)
{
    EXPECT_ALL({"a{% comment %}{{ x | nope }}{% if %}{% endcomment %}b", NULL, "ab"},
               {"a{% comment %}{% comment %}{% endcomment %}x{% endcomment %}b", NULL, "ab"},
               {"a{% # don't %}b", NULL, "ab"}, {"a{% doc %}@param x{% enddoc %}b", NULL, "ab"},
               {"{% raw %}{{ x }}{% y %}{% endraw %}", NULL, "{{ x }}{% y %}"},
               {"a {%- raw -%} {{ {%- endraw -%} b", NULL, "a{{b"});
}

Test(language, trims_white_space_where_asked)
{
    EXPECT_ALL({"a {{- x -}} b", "{\"x\": 1}", "a1b"}, {"a {{ x -}} b", "{\"x\": 1}", "a 1b"},
               {"a\n\t{%- if x -%}\n y \n{%- endif -%}\nb", "{\"x\": 1}", "ayb"},
               {"{%- assign x = 1 %}\n{{ x }}", NULL, "\n1"}, {" {{- 1 }} {{ 2 -}} ", NULL, "1 2"});
}

Test(language, runs_the_lines_of_a_liquid_tag)
{
    expect_render("{% liquid\n"
                  "  assign n = 2\n"
                  "  # a comment\n"
                  "  for i in (1..n)\n"
                  "    if i == 1\n"
                  "      echo 'one'\n"
                  "    else\n"
                  "      echo i | append: '!'\n"
                  "    endif\n"
                  "  endfor\n"
                  "  comment\n"
                  "    anything\n"
                  "  endcomment\n"
                  "  case n\n"
                  "    when 2\n"
                  "      echo ' two'\n"
                  "  endcase\n"
                  "%}.",
                  "{}", "one2! two.");
}

Test(language, writes_a_form_and_nothing_else)
{
    EXPECT_ALL({"{% form '/cart/lines', class: 'buy', id: x %}<b>{{ x }}</b>{% endform %}",
                "{\"x\": \"\\\"q\"}",
                "<form method=\"post\" action=\"/cart/lines\" class=\"buy\" "
                "id=\"&quot;q\"><b>&quot;q</b></form>"},
               {"{% form action: x, novalidate: true, hidden: nil %}{% endform %}",
                "{\"x\": \"javascript:alert(1)\"}",
                "<form method=\"post\" action=\"#\" novalidate=\"\"></form>"});
}

Test(language, strings_may_hold_delimiters)
{
    EXPECT_ALL({"{{ '}}' }}{{ \"%}\" }}", NULL, "}}%}"},
               {"{% assign x = '%}' %}{{ x }}", NULL, "%}"});
}
