/* What search engines read. SPDX-License-Identifier: Apache-2.0 */
#include "../storefront.h"
#include <criterion/criterion.h>

static struct stoa_arena *arena;

static void begin(void)
{
    arena = stoa_arena_create();
}

static void end(void)
{
    stoa_arena_destroy(arena);
}

TestSuite(head, .init = begin, .fini = end);

static bool holds(stoa_str html, const char *part)
{
    return memmem(html.ptr, html.len, part, strlen(part)) != NULL;
}

static stoa_str html_of(struct page_head head)
{
    return head_html(arena, &head, STOA_STR("http://shop.example"), STOA_STR("A & B"));
}

Test(head, escapes_whatever_it_is_told)
{
    stoa_str html = html_of((struct page_head){.title = STOA_STR("<b>\"x\" & 'y'"),
                                               .path = STOA_STR("/p?a=\"><script>")});

    cr_assert(holds(html, "content=\"&lt;b&gt;&quot;x&quot; &amp; &#39;y&#39;\""));
    cr_assert(holds(html, "content=\"A &amp; B\""));
    cr_assert_not(holds(html, "<script>"));
}

Test(head, keeps_pages_without_an_address_out_of_search_engines)
{
    cr_assert(holds(html_of((struct page_head){.title = STOA_STR("Cart")}), "noindex"));
    cr_assert_not(holds(html_of((struct page_head){.path = STOA_STR("/")}), "noindex"));
    cr_assert(holds(html_of((struct page_head){.path = STOA_STR("/products/mug")}),
                    "rel=\"canonical\" href=\"http://shop.example/products/mug\""));
}

Test(head, writes_prices_as_schema_org_wants_them)
{
    cr_assert(stoa_str_is(head_price(arena, stoa_money_of(1999, "EUR")), "19.99"));
    cr_assert(stoa_str_is(head_price(arena, stoa_money_of(500, "JPY")), "500"));
}

Test(head, describes_a_product_in_json_that_may_stand_in_html)
{
    const struct stoa_json *product, *ld;
    stoa_str text;

    cr_assert_eq(
        stoa_json_parse(arena,
                        STOA_STR("{\"name\":\"</script>\",\"slug\":\"mug\",\"sku\":\"M\","
                                 "\"price\":{\"amount\":1999,\"currency\":\"EUR\"},"
                                 "\"in_stock\":true,\"category\":{\"slug\":\"t\",\"name\":\"T\"}}"),
                        NULL, &product),
        STOA_OK);
    text = head_product(arena, product, STOA_STR("http://shop.example"));
    cr_assert_not(holds(text, "</script>"));
    cr_assert_eq(stoa_json_parse(arena, text, NULL, &ld), STOA_OK);
    cr_assert(stoa_str_is(stoa_json_str(ld, "@graph.0.offers.price"), "19.99"));
    cr_assert(stoa_str_is(stoa_json_str(ld, "@graph.0.offers.availability"),
                          "https://schema.org/InStock"));
    cr_assert(stoa_str_is(stoa_json_str(ld, "@graph.1.itemListElement.1.item"),
                          "http://shop.example/products/mug"));
}
