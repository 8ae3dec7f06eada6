/* notification/render.c: the confirmation mail. Amounts are printed from minor units, exactly.
 * SPDX-License-Identifier: Apache-2.0 */
#include "render.h"

#include <stoa/str.h>

/* Both forms of one mail, written side by side. */
struct page {
    struct stoa_arena *arena;
    struct stoa_buf text, html;
};

void render_escape(struct stoa_buf *out, stoa_str text)
{
    for (uint64_t i = 0; i < text.len; i++) {
        switch (text.ptr[i]) {
        case '<':
            stoa_buf_put(out, STOA_STR("&lt;"));
            break;
        case '>':
            stoa_buf_put(out, STOA_STR("&gt;"));
            break;
        case '&':
            stoa_buf_put(out, STOA_STR("&amp;"));
            break;
        case '"':
            stoa_buf_put(out, STOA_STR("&quot;"));
            break;
        case '\'':
            stoa_buf_put(out, STOA_STR("&#39;"));
            break;
        default:
            stoa_buf_char(out, text.ptr[i]);
        }
    }
}

static void put_text(struct page *page, stoa_str text)
{
    stoa_buf_put(&page->text, text);
    render_escape(&page->html, text);
}

static void put_paragraph(struct page *page, stoa_str text)
{
    stoa_buf_put(&page->html, STOA_STR("<p>"));
    put_text(page, text);
    stoa_buf_put(&page->html, STOA_STR("</p>\n"));
    stoa_buf_put(&page->text, STOA_STR("\n\n"));
}

static stoa_err put_row(struct page *page, stoa_str label, const struct stoa_json *json,
                        const char *path)
{
    stoa_money money;

    STOA_TRY(stoa_json_money(json, path, &money));
    stoa_buf_put(&page->html, STOA_STR("<tr><td>"));
    put_text(page, label);
    stoa_buf_put(&page->text, STOA_STR(": "));
    stoa_buf_put(&page->html, STOA_STR("</td><td align=\"right\">"));
    put_text(page, stoa_money_format(page->arena, money));
    stoa_buf_put(&page->html, STOA_STR("</td></tr>\n"));
    stoa_buf_char(&page->text, '\n');
    return STOA_OK;
}

static stoa_err put_lines(struct page *page, const struct stoa_json *order)
{
    const struct stoa_json *lines = stoa_json_get(order, "lines");

    if (stoa_json_count(lines) == 0)
        put_paragraph(
            page, stoa_concat(page->arena,
                              stoa_str_from_int(page->arena, stoa_json_int(order, "line_count", 0)),
                              STOA_STR(" products; the list is on the order's page.")));
    stoa_buf_put(&page->html, STOA_STR("<table>\n"));
    for (const struct stoa_json *e = stoa_json_first(lines); e; e = stoa_json_next(e)) {
        stoa_str label = stoa_concat(
            page->arena, stoa_str_from_int(page->arena, stoa_json_int(e, "quantity", 0)),
            STOA_STR(" x "), stoa_json_str(e, "name"));
        STOA_TRY(put_row(page, label, e, "amount"));
    }
    return STOA_OK;
}

static stoa_err put_sums(struct page *page, const struct stoa_json *order)
{
    const struct stoa_json *adjustments = stoa_json_get(order, "adjustments");

    for (const struct stoa_json *e = stoa_json_first(adjustments); e; e = stoa_json_next(e))
        STOA_TRY(put_row(page, stoa_json_str(e, "label"), e, "amount"));
    if (stoa_json_type(stoa_json_get(order, "shipping")) == STOA_JSON_OBJECT)
        STOA_TRY(put_row(page, stoa_json_str(order, "shipping.label"), order, "shipping.price"));
    STOA_TRY(put_row(page, STOA_STR("Total"), order, "total"));
    STOA_TRY(put_row(page, STOA_STR("Tax included"), order, "tax"));
    stoa_buf_put(&page->html, STOA_STR("</table>\n"));
    stoa_buf_char(&page->text, '\n');
    return STOA_OK;
}

static void put_address(struct page *page, const struct stoa_json *order)
{
    static const char *const parts[] = {"name",        "line1",  "line2",  "city",
                                        "postal_code", "region", "country"};
    const struct stoa_json *address = stoa_json_get(order, "shipping_address");

    put_paragraph(page, STOA_STR("It goes to:"));
    stoa_buf_put(&page->html, STOA_STR("<p>"));
    for (uint64_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        stoa_str part = stoa_json_str(address, parts[i]);
        if (part.len == 0)
            continue;
        put_text(page, part);
        stoa_buf_put(&page->html, STOA_STR("<br>\n"));
        stoa_buf_char(&page->text, '\n');
    }
    stoa_buf_put(&page->html, STOA_STR("</p>\n"));
    stoa_buf_char(&page->text, '\n');
}

static void put_link(struct page *page, const struct render_shop *shop,
                     const struct stoa_json *order)
{
    stoa_str token = stoa_json_str(order, "token");
    stoa_str link = stoa_concat(page->arena, shop->url, STOA_STR("/orders/"),
                                stoa_url_encode(page->arena, stoa_json_str(order, "number")));

    if (token.len > 0)
        link = stoa_concat(page->arena, link, STOA_STR("?token="),
                           stoa_url_encode(page->arena, token));
    stoa_buf_put(&page->text, STOA_STR("Your order: "));
    stoa_buf_put(&page->text, link);
    stoa_buf_put(&page->text, STOA_STR("\n\n"));
    stoa_buf_put(&page->html, STOA_STR("<p><a href=\""));
    render_escape(&page->html, link);
    stoa_buf_put(&page->html, STOA_STR("\">Your order</a></p>\n"));
}

stoa_err render_confirmation(struct stoa_arena *arena, const struct render_shop *shop,
                             const struct stoa_json *order, struct render_mail *ret)
{
    struct page page = {.arena = arena};
    stoa_str number = stoa_json_str(order, "number");

    if (number.len == 0)
        return STOA_E_INVALID;
    stoa_buf_init(&page.text, arena, 2048);
    stoa_buf_init(&page.html, arena, 4096);
    stoa_buf_put(&page.html, STOA_STR("<!DOCTYPE html>\n<html lang=\"en\"><head>"
                                      "<meta charset=\"utf-8\"><title>"));
    render_escape(&page.html, shop->name);
    stoa_buf_put(&page.html, STOA_STR("</title></head><body>\n"));
    put_paragraph(&page, stoa_concat(arena, STOA_STR("Thank you. We have received your order "),
                                     number, STOA_STR(" and its payment.")));
    STOA_TRY(put_lines(&page, order));
    STOA_TRY(put_sums(&page, order));
    put_address(&page, order);
    put_link(&page, shop, order);
    put_paragraph(&page, shop->name);
    stoa_buf_put(&page.html, STOA_STR("</body></html>\n"));
    *ret = (struct render_mail){.subject = stoa_concat(arena, STOA_STR("Your order "), number),
                                .text = stoa_buf_str(&page.text),
                                .html = stoa_buf_str(&page.html)};
    return STOA_OK;
}
