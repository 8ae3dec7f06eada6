/* Themes as folders: loading, pages, sections, texts, assets. SPDX-License-Identifier: Apache-2.0
 */
#include "base/clock.h"
#include "base/file.h"
#include "template.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define PLAIN FIXTURES "/plain"
static const char data[] =
    "{\"shop\": {\"name\": \"S\"}, \"head_html\": \"<meta>\", \"n\": 1, \"name\": \"<A>\","
    "\"price\": {\"amount\": 123456, \"currency\": \"EUR\"},"
    "\"product\": {\"title\": \"Blue <Mug>\", \"price\": {\"amount\": 1999, \"currency\": "
    "\"EUR\"}}, \"products\": [{\"title\": \"P1\"}, {\"title\": \"P2\"}]}";

static struct theme *load(const char *folder)
{
    struct theme *theme = NULL;
    struct diag diag;
    stoa_err err = theme_load(folder, NULL, &diag, &theme);

    cr_assert(err == STOA_OK, "%s:%u:%u: %s", diag.file, diag.line, diag.column, diag.message);
    return theme;
}

struct drawn {
    stoa_err err;
    struct diag diag;
    uint32_t broken;
    char text[4096];
};

static void draw(const char *page, const char *locale, const struct theme_limits *limits,
                 struct drawn *ret)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct theme *theme = load(PLAIN);
    struct theme_page wanted = {page, locale, json_of(arena, data), limits};
    struct stoa_buf out;

    stoa_buf_init(&out, arena, 64);
    ret->err = theme_render(theme, &wanted, &out, &ret->broken, &ret->diag);
    cr_assert_lt(out.len, sizeof(ret->text));
    memcpy(ret->text, out.ptr, out.len);
    ret->text[out.len] = 0;
    theme_destroy(theme);
    stoa_arena_destroy(arena);
}

static void expect_unzipped(stoa_str gzip, stoa_str wanted)
{
    char inflated[4096];
    z_stream z = {0};

    z.next_in = (Bytef *)(uintptr_t)gzip.ptr;
    z.avail_in = (uInt)gzip.len;
    z.next_out = (Bytef *)inflated;
    z.avail_out = sizeof(inflated);
    cr_assert(inflateInit2(&z, 15 + 16) == Z_OK && inflate(&z, Z_FINISH) == Z_STREAM_END);
    cr_expect(stoa_str_eq(wanted, (stoa_str){inflated, z.total_out}));
    inflateEnd(&z);
}

static void expect_page(const char *page, const char *locale, const char *wanted)
{
    struct drawn d;

    draw(page, locale, NULL, &d);
    cr_expect(d.err == STOA_OK && d.broken == 0, "%s: %s", d.diag.file, d.diag.message);
    cr_expect_str_eq(d.text, wanted, "%s gave\n[%s]\nwanted\n[%s]", page, d.text, wanted);
}

Test(tree, renders_sections_inside_a_layout)
{
    struct theme *theme = load(PLAIN);
    struct theme_asset asset;
    char wanted[1000];

    cr_assert_str_eq(theme_name(theme), "Plain");
    cr_assert(theme_asset(theme, STOA_STR("base.css"), &asset) == STOA_OK);
    theme_destroy(theme);
    snprintf(wanted, sizeof(wanted),
             "<html lang=\"ar\" dir=\"rtl\"><head><meta><link rel=\"stylesheet\" "
             "href=\"/assets/base.%s.css\"></head>\n"
             "<body class=\"product\"><header>Hi &amp; bye</header>\n"
             "<main><h1>Blue &lt;Mug&gt;</h1><b>\xE2\x80\x8F"
             "19.99\xC2\xA0€</b>(note: &lt;hi&gt;)(note: none)<i>Bl.../3//S</i>\n\n"
             "</main>Plain</body></html>\n",
             "HASH");
    {
        struct drawn d;
        char *hash;
        draw("product", "ar", NULL, &d);
        cr_assert(d.err == STOA_OK && d.broken == 0, "%s", d.diag.message);
        hash = strstr(d.text, "base.");
        cr_assert(hash && strspn(hash + 5, "0123456789abcdef") == 8, "%s", d.text);
        memmove(hash + 9, hash + 13, strlen(hash + 13) + 1);
        memcpy(hash + 5, "HASH", 4);
        cr_expect_str_eq(d.text, wanted, "gave\n[%s]\nwanted\n[%s]", d.text, wanted);
    }
}

Test(tree, renders_without_a_layout)
{
    expect_page("alone", "en", "<header>Hi &amp; bye</header>");
}

Test(tree, says_when_there_is_no_page)
{
    struct drawn d;

    draw("nope", "en", NULL, &d);
    cr_expect_eq(d.err, STOA_E_NOT_FOUND);
    cr_expect_str_eq(d.text, "");
}

Test(tree, leaves_out_sections_that_fail_and_keeps_the_page)
{
    struct drawn d;

    draw("broken", "en", NULL, &d);
    cr_expect_eq(d.err, STOA_OK);
    cr_expect_eq(d.broken, 3u);
    cr_expect_str_eq(d.text, "[<header>Hi &amp; bye</header><header>last</header>]\n");
    cr_expect(strstr(d.diag.file, "sections/hungry.liquid"), "%s", d.diag.file);
    cr_expect_eq(d.diag.line, 1u);
    cr_expect_str_eq(d.diag.message, "more steps than allowed");
}

Test(tree, snippets_see_what_they_are_given_and_the_data)
{
    struct drawn d;

    draw("snippets", "en", NULL, &d);
    cr_expect_eq(d.err, STOA_OK);
    cr_expect(strstr(d.text, "<main><i>Bl...///S</i>\n<i>P1///S</i>\n<i>P2///S</i>\n"
                             "<i>Bl...///S</i>\nno\n</main>"),
              "%s", d.text);
}

Test(tree, snippets_that_render_themselves_end)
{
    struct drawn d;

    draw("endless", "en", NULL, &d);
    cr_expect_eq(d.err, STOA_OK);
    cr_expect_eq(d.broken, 1u);
    cr_expect(strstr(d.diag.message, "too deep"), "%s", d.diag.message);
    cr_expect(strstr(d.text, "<main></main>"), "%s", d.text);
}

Test(tree, a_layout_past_its_limits_is_an_error)
{
    struct theme_limits limits = theme_limits_default;
    struct drawn d;

    limits.output_max = 40;
    draw("product", "en", &limits, &d);
    cr_expect_eq(d.err, STOA_E_TOO_LARGE);
    cr_expect_str_eq(d.text, "");
}

static void expect_texts(const char *locale, const char *wanted)
{
    struct drawn d;

    draw("texts", locale, NULL, &d);
    cr_expect_eq(d.err, STOA_OK);
    cr_expect(strstr(d.text, wanted), "%s gave %s", locale, d.text);
}

Test(tree, speaks_the_locale_then_its_language_then_english)
{
    expect_texts("en", "Cart|1 item|Hello, &lt;A&gt;!|I accept <b>&lt;A&gt;</b>|Flat||€1,234.56|"
                       "1,234.56|5 March");
    expect_texts("de", "Warenkorb|1 Artikel|Hello, &lt;A&gt;!|I accept <b>&lt;A&gt;</b>|Flat||"
                       "1.234,56\xC2\xA0€|1.234,56|5 März");
    expect_texts("de-AT", "Warenkorb|");
    expect_texts("xx", "Cart|1 item|");
}

/* --- assets --- */

Test(tree, serves_assets_by_both_names)
{
    struct theme *theme = load(PLAIN);
    struct theme_asset plain, hashed;
    char page[200];
    stoa_str name;
    struct drawn d;

    cr_assert(theme_asset(theme, STOA_STR("base.css"), &plain) == STOA_OK);
    cr_expect(!plain.hashed);
    cr_expect_str_eq(plain.type, "text/css; charset=utf-8");
    draw("product", "en", NULL, &d);
    name = stoa_str_of(strstr(d.text, "/assets/") + 8);
    name.len = strcspn(name.ptr, "\"");
    snprintf(page, sizeof(page), "%.*s", (int)name.len, name.ptr);
    cr_assert(theme_asset(theme, stoa_str_of(page), &hashed) == STOA_OK, "%s", page);
    cr_expect(hashed.hashed);
    cr_expect(stoa_str_eq(plain.bytes, hashed.bytes));

    cr_assert(plain.gzip.len > 0 && plain.gzip.len < plain.bytes.len);
    expect_unzipped(plain.gzip, plain.bytes);

    cr_assert(theme_asset(theme, STOA_STR("one.js"), &plain) == STOA_OK);
    cr_expect_eq(plain.gzip.len, 0u);
    cr_assert(theme_asset(theme, STOA_STR("products/mug.svg"), &plain) == STOA_OK);
    cr_expect_str_eq(plain.type, "image/svg+xml");
    cr_expect_eq(theme_asset(theme, STOA_STR("../theme.json"), &plain), STOA_E_NOT_FOUND);
    cr_expect_eq(theme_asset(theme, STOA_STR(""), &plain), STOA_E_NOT_FOUND);
    theme_destroy(theme);
}

/* --- faults in a theme: a copy of the smallest one, with one file more --- */

static char folder[64];

static void put_file(const char *path, const char *text, uint64_t len)
{
    char full[200];
    FILE *file;

    snprintf(full, sizeof(full), "%s/%s", folder, path);
    file = fopen(full, "we");
    cr_assert(file && fwrite(text, 1, len, file) == len);
    fclose(file);
}

static void begin_theme(void)
{
    static const char *const folders[] = {"layout",   "templates", "sections",
                                          "snippets", "assets",    "locales"};
    char full[200];

    strcpy(folder, "/tmp/theme-XXXXXX");
    cr_assert(mkdtemp(folder));
    for (uint32_t i = 0; i < 6; i++) {
        snprintf(full, sizeof(full), "%s/%s", folder, folders[i]);
        cr_assert_eq(mkdir(full, 0700), 0);
    }
    put_file("theme.json", "{\"name\": \"T\"}", 13);
    put_file("layout/theme.liquid", "{{ content_for_layout }}", 24);
    put_file("sections/hero.liquid",
             "{% schema %}{\"settings\":[{\"id\":\"title\"}]}{% endschema %}", 56);
    put_file("snippets/card.liquid", "x", 1);
    put_file("locales/en.json", "{\"cart\": {\"title\": \"Cart\"}}", 27);
    put_file("assets/base.css", "x", 1);
}

static void end_theme(void)
{
    char command[100];

    snprintf(command, sizeof(command), "rm -r '%s'", folder);
    cr_assert_eq(system(command), 0);
}

/* With the times that the file had: only the bytes tell. */
static void put_quietly(const char *path, const char *text)
{
    char full[200];
    struct stat before;

    snprintf(full, sizeof full, "%s/%s", folder, path);
    cr_assert_eq(stat(full, &before), 0);
    put_file(path, text, strlen(text));
    cr_assert_eq(utimensat(AT_FDCWD, full, (struct timespec[]){before.st_atim, before.st_mtim}, 0),
                 0);
}

static struct theme *load_after(struct theme *last)
{
    struct theme *theme = last ? theme_share(last, folder) : NULL;
    struct diag diag;

    if (!theme)
        cr_assert_eq(theme_load(folder, last, &diag, &theme), STOA_OK, "%s: %s", diag.file,
                     diag.message);
    return theme;
}

Test(tree, the_same_bytes_are_the_same_theme)
{
    struct theme *first, *second;
    struct theme_asset asset;

    begin_theme();
    first = load_after(NULL);
    second = load_after(first);
    cr_expect_eq(first, second);
    theme_destroy(first);
    cr_expect(theme_asset(second, STOA_STR("base.css"), &asset) == STOA_OK);
    theme_destroy(second);
    end_theme();
}

/* From now on every file has been as it is for long. */
static struct theme *load_settled(void)
{
    clock_shift_for_test(FILE_SETTLED_MS);
    return load_after(NULL);
}

/* A file written twice at once may have one time: until it has another. */
static void put_later(const char *path, const char *text)
{
    struct stat before, after;
    char full[200];

    snprintf(full, sizeof full, "%s/%s", folder, path);
    cr_assert_eq(stat(full, &before), 0);
    do {
        put_quietly(path, text);
        cr_assert_eq(stat(full, &after), 0);
    } while (memcmp(&before.st_ctim, &after.st_ctim, sizeof after.st_ctim) == 0);
}

static uint64_t bytes_read(void)
{
    FILE *io = fopen("/proc/self/io", "r");
    char line[64];

    cr_assert(io && fgets(line, sizeof line, io) && strncmp(line, "rchar: ", 7) == 0);
    fclose(io);
    return strtoull(line + 7, NULL, 10);
}

Test(tree, a_theme_that_has_settled_is_not_read_again)
{
    enum { LARGE = 100000 };
    char *css = calloc(1, LARGE);
    struct theme *first, *second;
    uint64_t before;

    begin_theme();
    memset(css, 'x', LARGE);
    put_file("assets/large.css", css, LARGE);
    first = load_settled();
    before = bytes_read();
    second = load_after(first);
    cr_expect_eq(first, second);
    cr_expect_lt(bytes_read() - before, LARGE);
    theme_destroy(first);
    theme_destroy(second);
    free(css);
    end_theme();
}

/* Whatever changes, and with the last change a new file, makes another theme. first: destroyed. */
static void expect_all_to_be_noticed(struct theme *first,
                                     void (*change)(const char *path, const char *text))
{
    static const char *const files[][2] = {
        {"theme.json", "{\"name\": \"U\"}"},   {"layout/theme.liquid", "y{{ content_for_layout }}"},
        {"sections/hero.liquid", "y"},         {"snippets/card.liquid", "y"},
        {"locales/en.json", "{\"a\": \"b\"}"}, {"assets/base.css", "y"},
    };
    struct theme *second;

    for (uint32_t i = 0; i < sizeof files / sizeof *files; i++) {
        change(files[i][0], files[i][1]);
        second = load_after(first);
        cr_expect_neq(first, second, "%s", files[i][0]);
        theme_destroy(first);
        first = second;
    }
    put_file("assets/more.css", "", 0);
    second = load_after(first);
    cr_expect_neq(first, second, "a new file");
    theme_destroy(first);
    theme_destroy(second);
}

Test(tree, any_other_byte_is_another_theme)
{
    begin_theme();
    expect_all_to_be_noticed(load_after(NULL), put_quietly);
    end_theme();
}

Test(tree, one_that_has_settled_notices_each_change)
{
    begin_theme();
    expect_all_to_be_noticed(load_settled(), put_later);
    end_theme();
}

Test(tree, one_that_has_settled_notices_where_a_link_leads)
{
    char target[200], link[200];
    struct theme *first, *second;
    struct theme_asset asset;

    begin_theme();
    put_file("first.css", "a", 1);
    put_file("second.css", "b", 1);
    snprintf(target, sizeof target, "%s/target", folder);
    snprintf(link, sizeof link, "%s/assets/linked.css", folder);
    cr_assert_eq(symlink(target, link), 0); /* to nothing as yet */
    first = load_settled();
    cr_expect_eq(theme_asset(first, STOA_STR("linked.css"), &asset), STOA_E_NOT_FOUND);
    cr_assert_eq(symlink("first.css", target), 0);
    second = load_after(first);
    cr_assert_eq(theme_asset(second, STOA_STR("linked.css"), &asset), STOA_OK);
    theme_destroy(first);
    first = second;
    cr_assert_eq(unlink(target), 0);
    cr_assert_eq(symlink("second.css", target), 0);
    second = load_after(first);
    cr_assert_eq(theme_asset(second, STOA_STR("linked.css"), &asset), STOA_OK);
    cr_expect(stoa_str_is(asset.bytes, "b"));
    theme_destroy(first);
    theme_destroy(second);
    end_theme();
}

Test(tree, a_changed_asset_is_compressed_anew_and_others_are_not)
{
    char css[600], js[600];
    struct theme *first, *second;
    struct theme_asset before, same, changed;

    memset(css, 'c', sizeof css);
    memset(js, 'j', sizeof js);
    begin_theme();
    put_file("assets/long.css", css, sizeof css);
    put_file("assets/long.js", js, sizeof js);
    first = load_after(NULL);
    cr_assert(theme_asset(first, STOA_STR("long.css"), &before) == STOA_OK && before.gzip.len > 0);
    js[7] = 'J';
    put_file("assets/long.js", js, sizeof js);
    second = load_after(first);
    theme_destroy(first);
    cr_assert(theme_asset(second, STOA_STR("long.css"), &same) == STOA_OK && same.gzip.len > 0);
    cr_assert(theme_asset(second, STOA_STR("long.js"), &changed) == STOA_OK);
    cr_expect_eq(same.bytes.ptr[7], 'c');
    cr_expect_eq(changed.bytes.ptr[7], 'J');
    cr_expect(!stoa_str_eq(same.gzip, changed.gzip));
    expect_unzipped(changed.gzip, (stoa_str){js, sizeof js});
    expect_unzipped(same.gzip, (stoa_str){css, sizeof css});
    theme_destroy(second);
    end_theme();
}

static void expect_fault(const char *path, const char *text, const char *message, const char *hint)
{
    struct theme *theme = NULL;
    struct diag diag;
    stoa_err err;

    begin_theme();
    put_file(path, text, strlen(text));
    err = theme_load(folder, NULL, &diag, &theme);
    cr_expect_eq(err, STOA_E_INVALID, "%s is taken: %s", path, text);
    cr_expect_null(theme);
    cr_expect(strstr(diag.message, message), "%s: '%s', not '%s'", path, diag.message, message);
    cr_expect(strstr(diag.file, path), "'%s' for %s", diag.file, path);
    cr_expect(!hint || strstr(diag.hint, hint), "%s: hint '%s', not '%s'", path, diag.hint, hint);
    end_theme();
}

Test(tree, tells_faults_with_their_file)
{
    expect_fault("theme.json", "{}", "no name", "Aurora");
    expect_fault("theme.json", "{", "", NULL);
    expect_fault("layout/theme.liquid", "x", "no {{ content_for_layout }}", NULL);
    expect_fault("layout/theme.liquid", "{{ content_for_layout }}{{ content_for_layout }}", "once",
                 NULL);
    expect_fault("layout/theme.liquid", "<p title=\"{{ content_for_layout }}\">",
                 "between elements", NULL);
    expect_fault("sections/a.liquid", "{{ 'bse.css' | asset_url }}", "no assets/bse.css",
                 "did you mean 'base.css'?");
    expect_fault("sections/a.liquid", "{{ 'cart.titel' | t }}", "has no 'cart.titel'",
                 "did you mean 'cart.title'?");
    expect_fault("sections/a.liquid", "{% render 'crad' %}", "no snippets/crad.liquid",
                 "did you mean 'card'?");
    expect_fault("sections/a.liquid", "{% section 'hero' %}", "layouts and templates only",
                 "render 'hero'");
    expect_fault("sections/a.liquid", "{% schema %}{\"settings\": 1}{% endschema %}",
                 "settings is an array", NULL);
    expect_fault("sections/a.liquid", "{% schema %}{\"settings\": [{}]}{% endschema %}",
                 "a setting has no id", NULL);
    expect_fault("snippets/a.liquid", "{% schema %}{}{% endschema %}", "in sections only", NULL);
    expect_fault("templates/a.json", "{\"sections\": [{\"type\": \"nope\"}]}", "no section 'nope'",
                 NULL);
    expect_fault("templates/a.json", "{}", "'sections' is an array", NULL);
    expect_fault("templates/a.json", "{\"sections\": [], \"layuot\": \"x\"}", "'layuot'",
                 "layout and sections");
    expect_fault("templates/a.json", "{\"sections\": [], \"layout\": \"x\"}", "no layout 'x'",
                 NULL);
    expect_fault("templates/a.json",
                 "{\"sections\": [{\"type\": \"hero\", \"settings\": {\"titel\": 1}}]}",
                 "no setting 'titel'", "did you mean 'title'?");
    expect_fault("templates/a.json",
                 "{\"sections\": [{\"type\": \"hero\", \"blocks\": [{\"type\": \"x\"}]}]}",
                 "no block 'x'", NULL);
    expect_fault("locales/de.json", "{\"a\": 1}", "a text is wanted", NULL);
    expect_fault("assets/page.html", "<b>", "not served as an asset", NULL);
}

Test(tree, tells_where_a_schema_is_not_json)
{
    struct theme *theme = NULL;
    struct diag diag;

    begin_theme();
    put_file("sections/a.liquid", "<p>\n{% schema %}\n{\n  \"a\" 1\n}\n{% endschema %}", 43);
    cr_expect_eq(theme_load(folder, NULL, &diag, &theme), STOA_E_INVALID);
    cr_expect_eq(diag.line, 4u, "%u:%u %s", diag.line, diag.column, diag.message);
    end_theme();
}

Test(tree, a_page_has_one_template)
{
    struct theme *theme = NULL;
    struct diag diag;

    begin_theme();
    put_file("templates/a.liquid", "x", 1);
    put_file("templates/a.json", "{\"sections\": []}", 16);
    cr_expect_eq(theme_load(folder, NULL, &diag, &theme), STOA_E_INVALID);
    cr_expect(strstr(diag.message, "two templates 'a'"), "%s", diag.message);
    end_theme();
}

Test(tree, refuses_a_folder_that_is_not_there)
{
    struct theme *theme = NULL;
    struct diag diag;

    cr_expect_eq(theme_load("/nonexistent/theme", NULL, &diag, &theme), STOA_E_INVALID);
    cr_expect(strstr(diag.file, "theme.json") && strstr(diag.message, "cannot be read"));
}
