/* head.c: what search engines and messengers read of a page. Made here and not in themes, so that
 * no theme breaks it. SPDX-License-Identifier: Apache-2.0 */
#include "storefront.h"

void head_escape(struct stoa_buf *buf, stoa_str s)
{
    for (uint64_t i = 0; i < s.len; i++) {
        switch (s.ptr[i]) {
        case '&':
            stoa_buf_put(buf, STOA_STR("&amp;"));
            break;
        case '<':
            stoa_buf_put(buf, STOA_STR("&lt;"));
            break;
        case '>':
            stoa_buf_put(buf, STOA_STR("&gt;"));
            break;
        case '"':
            stoa_buf_put(buf, STOA_STR("&quot;"));
            break;
        case '\'':
            stoa_buf_put(buf, STOA_STR("&#39;"));
            break;
        default:
            stoa_buf_char(buf, s.ptr[i]);
        }
    }
}

/* before, the value escaped, after; nothing without a value. */
static void put_tag(struct stoa_buf *buf, const char *before, stoa_str value, const char *after)
{
    if (value.len == 0)
        return;
    stoa_buf_put(buf, stoa_str_of(before));
    head_escape(buf, value);
    stoa_buf_put(buf, stoa_str_of(after));
}

stoa_str head_html(struct stoa_arena *arena, const struct page_head *head, stoa_str shop_url,
                   stoa_str shop_name)
{
    stoa_str none = STOA_STR("");
    stoa_str url = head->path.len ? stoa_concat(arena, shop_url, head->path) : none;
    stoa_str image = head->image.len ? stoa_concat(arena, shop_url, head->image) : none;
    struct stoa_buf buf;

    stoa_buf_init(&buf, arena, 1024);
    put_tag(&buf, "<meta name=\"description\" content=\"", head->description, "\">\n");
    if (url.len == 0)
        stoa_buf_put(&buf, STOA_STR("<meta name=\"robots\" content=\"noindex\">\n"));
    put_tag(&buf, "<link rel=\"canonical\" href=\"", url, "\">\n");
    put_tag(&buf, "<meta property=\"og:url\" content=\"", url, "\">\n");
    put_tag(&buf, "<meta property=\"og:title\" content=\"", head->title, "\">\n");
    put_tag(&buf, "<meta property=\"og:site_name\" content=\"", shop_name, "\">\n");
    put_tag(&buf, "<meta property=\"og:image\" content=\"", image, "\">\n");
    if (head->refresh_s > 0) {
        stoa_buf_put(&buf, STOA_STR("<meta http-equiv=\"refresh\" content=\""));
        stoa_buf_int(&buf, head->refresh_s);
        stoa_buf_put(&buf, STOA_STR("\">\n"));
    }
    if (head->json_ld.len > 0) { /* '<' is escaped in it by stoa_json_format */
        stoa_buf_put(&buf, STOA_STR("<script type=\"application/ld+json\">"));
        stoa_buf_put(&buf, head->json_ld);
        stoa_buf_put(&buf, STOA_STR("</script>\n"));
    }
    return stoa_buf_str(&buf);
}

stoa_str head_price(struct stoa_arena *arena, stoa_money price)
{
    stoa_str text = stoa_money_format(arena, price), rest = text;

    return stoa_str_cut(&rest, ' ');
}

static struct stoa_json *ld_object(struct stoa_arena *arena, const char *type)
{
    return stoa_json_fields(arena, STOA_FIELDS(stoa_f("@type", stoa_z(type))));
}

static struct stoa_json *ld_offer(struct stoa_arena *arena, const struct stoa_json *product,
                                  stoa_str url)
{
    struct stoa_json *offer = ld_object(arena, "Offer");
    stoa_money price;

    if (stoa_json_money(product, "price", &price) == STOA_OK) {
        stoa_json_set_str(offer, "price", head_price(arena, price));
        stoa_json_set_str(offer, "priceCurrency", stoa_str_of(price.cur));
    }
    stoa_json_set_str(offer, "availability",
                      stoa_json_true(product, "in_stock")
                          ? STOA_STR("https://schema.org/InStock")
                          : STOA_STR("https://schema.org/OutOfStock"));
    stoa_json_set_str(offer, "url", url);
    return offer;
}

static struct stoa_json *ld_crumb(struct stoa_arena *arena, int64_t position, stoa_str name,
                                  stoa_str url)
{
    struct stoa_json *crumb = ld_object(arena, "ListItem");

    stoa_json_set_int(crumb, "position", position);
    stoa_json_set_str(crumb, "name", name);
    stoa_json_set_str(crumb, "item", url);
    return crumb;
}

static struct stoa_json *ld_crumbs(struct stoa_arena *arena, const struct stoa_json *product,
                                   stoa_str shop_url, stoa_str url)
{
    struct stoa_json *list = ld_object(arena, "BreadcrumbList");
    struct stoa_json *items = stoa_json_array(arena);
    stoa_str category = stoa_concat(arena, shop_url, STOA_STR("/categories/"),
                                    stoa_json_str(product, "category.slug"));

    stoa_json_push(items, ld_crumb(arena, 1, stoa_json_str(product, "category.name"), category));
    stoa_json_push(items, ld_crumb(arena, 2, stoa_json_str(product, "name"), url));
    stoa_json_set(list, "itemListElement", items);
    return list;
}

stoa_str head_product(struct stoa_arena *arena, const struct stoa_json *product, stoa_str shop_url)
{
    struct stoa_json *root = stoa_json_object(arena), *graph = stoa_json_array(arena);
    struct stoa_json *p = ld_object(arena, "Product");
    stoa_str url =
        stoa_concat(arena, shop_url, STOA_STR("/products/"), stoa_json_str(product, "slug"));
    struct stoa_buf buf;

    stoa_json_set_str(p, "name", stoa_json_str(product, "name"));
    stoa_json_set_str(p, "description", stoa_json_str(product, "summary"));
    stoa_json_set_str(p, "sku", stoa_json_str(product, "sku"));
    stoa_json_set_str(p, "image", stoa_concat(arena, shop_url, stoa_json_str(product, "image")));
    stoa_json_set(p, "offers", ld_offer(arena, product, url));
    stoa_json_push(graph, p);
    stoa_json_push(graph, ld_crumbs(arena, product, shop_url, url));
    stoa_json_set_str(root, "@context", STOA_STR("https://schema.org"));
    stoa_json_set(root, "@graph", graph);
    stoa_buf_init(&buf, arena, 1024);
    stoa_json_format(root, &buf);
    return stoa_buf_str(&buf);
}
