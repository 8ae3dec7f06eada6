/* What each filter makes. SPDX-License-Identifier: Apache-2.0 */
#include "template.h"

Test(filters, change_text)
{
    EXPECT_ALL(
        {"{{ 'a' | append: 'b' | prepend: 'c' }}", NULL, "cab"},
        {"{{ 'straße Äöü Ω Ж ž' | upcase }}", NULL, "STRAßE ÄÖÜ Ω Ж Ž"},
        {"{{ 'ÀB ΑΣ ЯЁ' | downcase }}", NULL, "àb ασ яё"},
        {"{{ 'élan VITAL' | capitalize }}", NULL, "Élan vital"},
        {"[{{ '  a b ' | strip }}][{{ ' a ' | lstrip }}][{{ ' a ' | rstrip }}]", NULL,
         "[a b][a ][ a]"},
        {"{{ '<p>a<b>c</b></p>' | strip_html }}", NULL, "ac"},
        {"{{ x | strip_newlines }}", "{\"x\": \"a\\r\\nb\"}", "ab"},
        {"{{ x | newline_to_br }}", "{\"x\": \"a<\\nb\"}", "a&lt;<br>\nb"},
        {"{{ 'a&b' | escape }}", NULL, "a&amp;b"},
        {"{{ 'a&b' | escape | escape }}", NULL, "a&amp;b"},
        {"{{ '1 < 2 &amp; 3' | escape_once }}", NULL, "1 &lt; 2 &amp; 3"},
        {"{{ 'aXbX' | replace: 'X', '-' }}", NULL, "a-b-"},
        {"{{ 'aXbX' | replace_first: 'X', '-' }}{{ 'aXbX' | replace_last: 'X', '-' }}", NULL,
         "a-bXaXb-"},
        {"{{ 'aXbX' | remove: 'X' }}{{ 'aXbX' | remove_first: 'X' }}{{ 'XaX' | remove_last: 'X' }}",
         NULL, "ababXXa"},
        {"{{ 'abc' | replace: '', '-' }}", NULL, "abc"},
        {"{{ 'Ground control' | truncate: 9 }}", NULL, "Ground..."},
        {"{{ 'äöüß' | truncate: 3, '…' }}", NULL, "äö…"}, {"{{ 'ab' | truncate: 2 }}", NULL, "ab"},
        {"{{ 'abcdef' | truncate: 2 }}", NULL, "..."},
        {"{{ 'one two three' | truncatewords: 2 }}", NULL, "one two..."},
        {"{{ ' one  two ' | truncatewords: 2 }}", NULL, " one  two "},
        {"{{ 'abcd' | slice: 1, 2 }}{{ 'äbc' | slice: 0 }}{{ 'abc' | slice: -2, 9 }}", NULL,
         "bcäbc"},
        {"[{{ 'abc' | slice: 5 }}]", NULL, "[]"},
        {"{{ 'Blue Mug, 3 l!' | handleize }}", NULL, "blue-mug-3-l"},
        {"{{ ' A--B ' | handle }}", NULL, "a-b"},
        {"{{ 'a b&c/ä' | url_encode }}", NULL, "a%20b%26c%2F%C3%A4"},
        {"{{ 'a+b%26%zz' | url_decode }}", NULL, "a b&amp;%zz"},
        {"{{ '%ff' | url_decode }}", NULL, "%ff"}, {"{{ nil | upcase }}", NULL, ""},
        {"{{ 12 | append: 3 }}", NULL, "123"});
}

Test(filters, keep_text_and_html_apart)
{
    static const char data[] = "{\"x\": \"<i>\", \"p\": {\"d_html\": \"<u>&amp;</u>\"}}";
    const struct example examples[] = {
        {"{{ p.d_html }}", data, "&lt;u&gt;&amp;amp;&lt;/u&gt;"},
        {"{{ p.d_html | raw }}", data, "<u>&amp;</u>"},
        {"{{ p.d_html | raw | append: x }}", data, "<u>&amp;</u>&lt;i&gt;"},
        {"{{ x | append: x }}", data, "&lt;i&gt;&lt;i&gt;"},
        {"{{ p.d_html | raw | strip_html }}", data, "&amp;"},
        {"{{ p.d_html | raw | upcase }}", data, "&lt;U&gt;&amp;&lt;/U&gt;"},
        {"{% capture c %}<b>{{ x }}</b>{% endcapture %}{{ c | strip }}", data, "<b>&lt;i&gt;</b>"},
        {"{% capture c %}{{ x }}{% endcapture %}{{ c | replace: '<', '(' }}", data, "(i&gt;"},
        {"{% capture c %}<b>{{ x }}</b>{% endcapture %}<a title=\"{{ c }}\">", data,
         "<a title=\"&lt;b&gt;&lt;i&gt;&lt;/b&gt;\">"},
        {"{% assign a = x | split: '@' %}{% capture c %}<b></b>{% endcapture %}"
         "{{ a | join: c }}{{ a | concat: a | join: c }}",
         data, "&lt;i&gt;&lt;i&gt;&lt;b&gt;&lt;/b&gt;&lt;i&gt;"},
    };
    expect_all(examples, sizeof(examples) / sizeof(examples[0]));
}

Test(filters, work_on_arrays)
{
    static const char data[] =
        "{\"n\": [3, 1, 2], \"s\": [\"b\", \"A\", \"a\"], \"dup\": [1, 2, 1, null],"
        "\"p\": [{\"t\": \"x\", \"n\": 2, \"on\": true, \"by\": {\"k\": \"u\"}},"
        "{\"t\": \"y\", \"n\": 1, \"by\": {\"k\": \"v\"}},"
        "{\"t\": \"x\", \"n\": 5, \"on\": false, \"by\": {\"k\": \"u\"}}]}";
    const struct example examples[] = {
        {"{{ n | size }}{{ 'äb' | size }}{{ nil | size }}", data, "320"},
        {"{{ n | first }}{{ n | last }}", data, "32"},
        {"{{ n | join }}|{{ n | join: ', ' }}|{{ 'x' | join }}", data, "3 1 2|3, 1, 2|x"},
        {"{{ n | reverse | join: '' }}", data, "213"},
        {"{{ n | sort | join: '' }}{{ s | sort | join: '' }}", data, "123Aab"},
        {"{{ s | sort_natural | join: '' }}", data, "Aab"},
        {"{{ dup | uniq | compact | join: '' }}", data, "12"},
        {"{{ dup | sort | size }}", data, "4"},
        {"{{ n | concat: s | join: '' }}", data, "312bAa"},
        {"{{ p | map: 't' | join: '' }}{{ p | map: 'by.k' | join: '' }}", data, "xyxuvu"},
        {"{{ p | where: 't', 'x' | map: 'n' | join: ',' }}", data, "2,5"},
        {"{{ p | where: 'on' | size }}{{ p | reject: 'on' | size }}", data, "12"},
        {"{% assign f = p | find: 't', 'y' %}{{ f.n }}", data, "1"},
        {"{{ p | sort: 'n' | map: 'n' | join: '' }}", data, "125"},
        {"{{ n | sum }}{{ p | sum: 'n' }}{{ 'a' | sum }}", "{\"n\": [1.5, 2], \"p\": []}", NULL},
        {"{{ n | sum }},{{ p | sum: 'n' }}", data, "6,8"},
        {"{% assign g = p | group_by: 't' %}{% for x in g %}{{ x.name }}:{{ x.items | size }}:"
         "{{ x.items | map: 'n' | join: '+' }};{% endfor %}",
         data, "x:2:2+5;y:1:1;"},
        {"{{ 'a,b,,c,,' | split: ',' | size }}{{ 'äb' | split: '' | join: '.' }}", data, "4ä.b"},
        {"{{ n | slice: 1, 2 | join: '' }}", data, "12"},
        {"{{ (1..4) | reverse | join: '' }}", data, "4321"},
    };
    for (uint32_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++)
        if (examples[i].wanted)
            expect_render(examples[i].source, examples[i].data, examples[i].wanted);
    expect_error("{{ 'a' | sum }}", "{}", "sum wants numbers", NULL);
}

Test(filters, compute_with_numbers)
{
    EXPECT_ALL({"{{ 1 | plus: 2 }}{{ '3' | plus: '4' }}{{ 1 | plus: 0.5 }}", NULL, "371.5"},
               {"{{ 1 | minus: 2 }}{{ 3 | times: 4 }}", NULL, "-112"},
               {"{{ 7 | divided_by: 2 }}{{ -7 | divided_by: 2 }}{{ 7 | divided_by: 2.0 }}", NULL,
                "3-43.5"},
               {"{{ 7 | modulo: 3 }}{{ -7 | modulo: 3 }}{{ 7 | modulo: -3 }}", NULL, "12-2"},
               {"{{ -5 | abs }}{{ 1.2 | ceil }}{{ 1.8 | floor }}{{ 1.5 | round }}", NULL, "5212"},
               {"{{ 1.2345 | round: 2 }}{{ 5 | round }}", NULL, "1.235"},
               {"{{ 5 | at_least: 7 }}{{ 5 | at_most: 3 }}", NULL, "73"},
               {"{{ 'x' | plus: 1 }}{{ nil | plus: 1 }}", NULL, "11"});
}

Test(filters, refuse_arithmetic_that_has_no_answer)
{
    static const char money[] = "{\"p\": {\"amount\": 1, \"currency\": \"EUR\"}}";

    expect_error("{{ 1 | divided_by: 0 }}", "{}", "division by zero", NULL);
    expect_error("{{ 1 | modulo: 0 }}", "{}", "division by zero", NULL);
    expect_error("{{ 9223372036854775807 | plus: 1 }}", "{}", "too large", NULL);
    expect_error("{{ 9223372036854775807 | times: 2 }}", "{}", "too large", NULL);
    expect_error("{{ -9223372036854775808 | divided_by: -1 }}", "{}", "too large", NULL);
    expect_error("{{ -9223372036854775808 | abs }}", "{}", "too large", NULL);
    expect_error("{{ p | times: 2 }}", money, "the shop computes prices", NULL);
    expect_error("{{ p }}", money, "use the money filter", NULL);
    expect_error("{{ 5 | money }}", "{}", "money wants", NULL);
}

Test(filters, give_defaults)
{
    EXPECT_ALL({"{{ x | default: 'd' }}", "{\"x\": null}", "d"},
               {"{{ x | default: 'd' }}", "{\"x\": \"\"}", "d"},
               {"{{ x | default: 'd' }}", "{\"x\": []}", "d"},
               {"{{ x | default: 'd' }}", "{\"x\": false}", "d"},
               {"{{ x | default: 'd', allow_false: true }}", "{\"x\": false}", "false"},
               {"{{ x | default: 'd' }}", "{\"x\": 0}", "0"});
}

Test(filters, write_json_that_may_stand_in_a_script)
{
    EXPECT_ALL(
        {"<script type=\"application/json\">{{ x | json }}</script>",
         "{\"x\": {\"a\": [1, null, \"</script>\"]}}",
         "<script type=\"application/json\">{\"a\":[1,null,\"\\u003c/script\\u003e\"]}</script>"},
        {"<script type='application/ld+json'>{{ 'a' | append: x | json }}</script>",
         "{\"x\": \"<!--\\\"\\u2028\"}",
         "<script type='application/ld+json'>\"a\\u003c!--\\u0022\\u2028\"</script>"},
        {"<p data-x=\"{{ x | json }}\">", "{\"x\": [\"'\"]}", "<p data-x=\"[&quot;&#39;&quot;]\">"},
        {"{% assign g = x | group_by: 'k' %}{{ g | json | replace: '\"', '' }}",
         "{\"x\": [{\"k\": 1}]}", "[{name:1,items:[{k:1}]}]"},
        {"{{ 1.5 | json }}{{ nil | json }}{{ true | json }}", NULL, "1.5nulltrue"});
}

Test(filters, write_dates)
{
    static const char t[] = "{\"t\": \"2026-11-02T07:04:35Z\", \"old\": -86400000}";
    const struct example examples[] = {
        {"{{ t | date: '%Y-%m-%d %H:%M:%S' }}", t, "2026-11-02 07:04:35"},
        {"{{ t | date: '%-d. %B %y, %b %e' }}", t, "2. November 26, Nov  2"},
        {"{{ t | date: '%A %a %j %u %w' }}", t, "Monday Mon 306 1 1"},
        {"{{ t | date: '%I:%M %p %l%P %F %T %%' }}", t, "07:04 AM  7am 2026-11-02 07:04:35 %"},
        {"{{ old | date: '%F %a' }}", t, "1969-12-31 Wed"},
        {"{{ 951782400000 | date: '%F %j' }}", t, "2000-02-29 060"},
        {"[{{ nil | date: '%F' }}]", t, "[]"},
    };
    expect_all(examples, sizeof(examples) / sizeof(examples[0]));
    expect_error("{{ 'yesterday' | date: '%F' }}", "{}", "date wants an instant", NULL);
    expect_error("{{ t | date: '%Q' }}", t, "date knows no '%Q'", NULL);
    expect_error("{{ 9223372036854775807 | date: '%F' }}", "{}", "out of range", NULL);
}

Test(filters, point_at_images)
{
    EXPECT_ALL({"<img src=\"{{ x | image_url: width: 200 }}\">", "{\"x\": {\"url\": \"/m/a.jpg\"}}",
                "<img src=\"/m/a.jpg?width=200\">"},
               {"<img src=\"{{ x | image_url: width: 200, height: 10 }}\">", "{\"x\": \"/a?b\"}",
                "<img src=\"/a?b&amp;width=200&amp;height=10\">"},
               {"[{{ nil | image_url }}]", NULL, "[]"});
}
