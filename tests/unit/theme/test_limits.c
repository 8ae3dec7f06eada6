/* Nothing in a template can take more than it is given. SPDX-License-Identifier: Apache-2.0 */
#include "template.h"
#include <stdio.h>
#include <stdlib.h>

static void expect_limit(const char *source, const struct theme_limits *limits, const char *message)
{
    struct rendered r;

    render_text(source, "{\"x\": [1, 2, 3]}", limits, &r);
    cr_expect_eq(r.err, STOA_E_TOO_LARGE, "%s: %s", source, r.diag.message);
    cr_expect(strstr(r.diag.message, message), "%s says '%s'", source, r.diag.message);
    cr_expect_str_eq(r.text, "");
}

Test(limits, of_steps)
{
    struct theme_limits limits = theme_limits_default;

    limits.fuel = 1000;
    expect_limit("{% for i in (1..100) %}{% for k in (1..100) %}{% endfor %}{{ i }}{% endfor %}",
                 &limits, "more steps than allowed");
    expect_limit("{% for i in (1..100) %}{{ 'a' | upcase | downcase | upcase | downcase | upcase |"
                 " downcase | upcase | downcase | upcase | downcase }}{% endfor %}",
                 &limits, "more steps than allowed");
}

Test(limits, of_output)
{
    struct theme_limits limits = theme_limits_default;

    limits.output_max = 100;
    expect_limit("{% for i in (1..100) %}ab{% endfor %}", &limits, "longer than allowed");
    expect_limit("{% capture x %}{% for i in (1..100) %}ab{% endfor %}{% endcapture %}", &limits,
                 "longer than allowed");
    limits.output_max = 4;
    expect_render("{% for i in (1..2) %}ab{% endfor %}", "{}", "abab");
}

Test(limits, of_memory)
{
    struct theme_limits limits = theme_limits_default;

    limits.memory_max = 100000;
    expect_limit("{% assign s = 'aaaaaaaaaaaaaaaa' %}"
                 "{% for i in (1..30) %}{% assign s = s | append: s %}{% endfor %}",
                 &limits, "more memory than allowed");
    expect_limit(
        "{% assign s = x %}{% for i in (1..30) %}{% assign s = s | concat: s %}{% endfor %}",
        &limits, "more memory than allowed");
}

Test(limits, of_doubling_text_by_default)
{
    struct rendered r;

    render_text("{% assign s = 'aaaaaaaaaaaaaaaa' %}"
                "{% for i in (1..60) %}{% assign s = s | replace: 'a', 'aa' %}{% endfor %}{{ s }}",
                "{}", NULL, &r);
    cr_expect_eq(r.err, STOA_E_TOO_LARGE, "%s", r.diag.message);
}

Test(limits, of_loops)
{
    struct theme_limits limits = theme_limits_default;

    expect_limit("{% for i in (1..1001) %}{% endfor %}", NULL, "a loop of 1001 steps");
    expect_limit("{% for i in (1..9223372036854775807) %}{% endfor %}", NULL, "a loop of");
    expect_limit("{% for i in (-9223372036854775808..9223372036854775807) %}{% else %}n{% endfor %}"
                 "{{ (1..9223372036854775807) | join }}",
                 NULL, "");
    limits.loop_max = 2;
    expect_limit("{% for i in x %}{% endfor %}", &limits, "a loop of 3 steps, more than 2");
    expect_render("{% for i in (1..1000000) limit: 2 %}{{ i }}{% endfor %}", "{}", "12");
    expect_render("{% for i in (1..1000000) offset: 999999 %}{{ i }}{% endfor %}", "{}", "1000000");
}

static char *repeated(const char *start, const char *middle, const char *end, uint32_t times)
{
    char *ret = calloc(1, (strlen(start) + strlen(end)) * times + strlen(middle) + 1), *at = ret;

    for (uint32_t i = 0; i < times; i++)
        at = stpcpy(at, start);
    at = stpcpy(at, middle);
    for (uint32_t i = 0; i < times; i++)
        at = stpcpy(at, end);
    return ret;
}

Test(limits, of_nesting)
{
    char *fits = repeated("{% if true %}", "x", "{% endif %}", 63);
    char *deep = repeated("{% if true %}", "x", "{% endif %}", 64);
    char *brackets = repeated("x[", "0", "]", 100);
    char source[2000];

    expect_render(fits, "{}", "x");
    expect_error(deep, "{}", "nest at most 64 deep", NULL);
    snprintf(source, sizeof(source), "{{ %s }}", brackets);
    expect_error(source, "{}", "too deep", NULL);
    free(fits);
    free(deep);
    free(brackets);
}

Test(limits, of_conditions_paths_and_names)
{
    char *terms = repeated("a or ", "a", "", 64);
    char *steps = repeated("a.", "a", "", 70);
    char source[16384], *at = source;

    at = stpcpy(stpcpy(stpcpy(at, "{% if "), terms), " %}{% endif %}");
    expect_error(source, "{}", "too long", NULL);
    at = stpcpy(stpcpy(stpcpy(source, "{{ "), steps), " }}");
    expect_error(source, "{}", "too long", NULL);
    at = source;
    for (uint32_t i = 0; i < 257; i++)
        at += sprintf(at, "{{ v%u }}", i);
    expect_error(source, "{}", "more than 256 variables", "snippet");
    free(terms);
    free(steps);
}

Test(limits, of_a_templates_size)
{
    uint32_t size = 256 * 1024 + 1;
    char *source = malloc(size + 1);

    memset(source, 'x', size);
    source[size] = 0;
    expect_error(source, "{}", "at most 256 KiB", "snippets");
    free(source);
}
