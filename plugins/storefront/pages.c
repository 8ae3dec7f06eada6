/* pages.c: the pages that are the same for everyone: home, category, search, product. They are kept
 * as bytes by address, under the tags of what they show. SPDX-License-Identifier: Apache-2.0 */
#include "storefront.h"

#define LIST_TAGS "catalogue theme"

static stoa_err home_fresh(struct stoa_req *req, const struct storefront *sf)
{
    struct page_head head = {.title = stoa_shop_name(req),
                             .path = STOA_STR("/"),
                             .description = STOA_STR("Well-made things for the table, the home, "
                                                     "the desk and the outdoors.")};
    struct page_copy copy = {STOA_STR("/"), STOA_STR(LIST_TAGS), sf->page_ms};
    const struct stoa_json *list;
    struct stoa_json *data;

    STOA_TRY(page_fetch(req, "product", STOA_STR("/api/v1/products?limit=8"), &list));
    STOA_TRY(page_begin(req, &head, &data));
    stoa_json_set(data, "products", page_products(req, stoa_json_get(list, "items")));
    return page_send_kept(req, &copy, "index", data);
}

/* GET / */
stoa_err pages_home(struct stoa_req *req, void *self)
{
    if (page_send_copy(req, STOA_STR("/")) == STOA_OK)
        return STOA_OK;
    return page_finish(req, home_fresh(req, self));
}

/* How a list is sorted and where its page begins; only what is known becomes part of a key. */
struct listing {
    stoa_str sort;   /* "newest", "name", "price", "-price" */
    stoa_str cursor; /* empty: from the start */
};

static void listing_read(struct stoa_req *req, struct listing *ret)
{
    static const char *const sorts[] = {"newest", "name", "price", "-price"};
    stoa_str sort = stoa_req_query(req, "sort"), cursor = stoa_req_query(req, "cursor");

    *ret = (struct listing){.sort = STOA_STR("newest")};
    for (uint32_t i = 0; i < sizeof sorts / sizeof sorts[0]; i++)
        if (stoa_str_is(sort, sorts[i]))
            ret->sort = stoa_str_of(sorts[i]);
    if (stoa_id_is(cursor, "prd"))
        ret->cursor = cursor;
}

static stoa_str listing_query(struct stoa_arena *arena, const struct listing *l)
{
    return stoa_concat(arena, STOA_STR("sort="), l->sort,
                       l->cursor.len ? STOA_STR("&cursor=") : STOA_STR(""), l->cursor);
}

/* Products, the address of the next page, and how they are sorted. base ends with '?' or '&'. */
static void set_listing(struct stoa_req *req, struct stoa_json *data, const struct listing *l,
                        const struct stoa_json *list, stoa_str base)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    stoa_str next = stoa_json_str(list, "next_cursor");
    struct listing after = {l->sort, next};

    stoa_json_set(data, "products", page_products(req, stoa_json_get(list, "items")));
    stoa_json_set_str(data, "sort", l->sort);
    stoa_json_set_str(data, "next_url",
                      next.len ? stoa_concat(arena, base, listing_query(arena, &after))
                               : STOA_STR(""));
}

static const struct stoa_json *category_of(const struct stoa_json *data, stoa_str slug)
{
    const struct stoa_json *c = stoa_json_first(stoa_json_get(data, "categories"));

    for (; c; c = stoa_json_next(c))
        if (stoa_str_eq(stoa_json_str(c, "slug"), slug))
            return c;
    return NULL;
}

static stoa_err category_fresh(struct stoa_req *req, stoa_str slug, const struct listing *l,
                               const struct page_copy *copy)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    stoa_str path = stoa_concat(arena, STOA_STR("/categories/"), slug);
    struct page_head head = {.path = path};
    const struct stoa_json *list, *category;
    struct stoa_json *data;

    STOA_TRY(page_begin(req, &head, &data));
    category = category_of(data, slug);
    if (!category)
        return STOA_E_NOT_FOUND;
    head.title = stoa_json_str(category, "name");
    head.description = stoa_json_str(category, "description");
    page_set_head(req, data, &head);
    STOA_TRY(page_fetch(req, "product",
                        stoa_concat(arena, STOA_STR("/api/v1/products?limit=24&category="), slug,
                                    STOA_STR("&"), listing_query(arena, l)),
                        &list));
    stoa_json_set(data, "category", stoa_json_copy(arena, category));
    set_listing(req, data, l, list, stoa_concat(arena, path, STOA_STR("?")));
    return page_send_kept(req, copy, "category", data);
}

static bool slug_is(stoa_str s)
{
    if (s.len == 0 || s.len > 120)
        return false;
    for (uint64_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_'))
            return false;
    }
    return true;
}

/* GET /categories/{slug}?sort=&cursor=: only first pages are kept. Where a later one begins is the
 * visitor's to say, and any id would be a page to keep. */
stoa_err pages_category(struct stoa_req *req, void *self)
{
    const struct storefront *sf = self;
    struct stoa_arena *arena = stoa_req_arena(req);
    stoa_str slug = stoa_req_param(req, "slug");
    struct page_copy copy = {.tags = STOA_STR(LIST_TAGS), .keep_ms = sf->page_ms};
    struct listing l;

    if (!slug_is(slug))
        return page_finish(req, STOA_E_NOT_FOUND);
    listing_read(req, &l);
    if (l.cursor.len == 0)
        copy.key = stoa_concat(arena, STOA_STR("/categories/"), slug, STOA_STR("?"),
                               listing_query(arena, &l));
    if (copy.key.len > 0 && page_send_copy(req, copy.key) == STOA_OK)
        return STOA_OK;
    return page_finish(req, category_fresh(req, slug, &l, &copy));
}

/* What people search for is theirs to choose, so these pages are not kept. */
static stoa_err search_fresh(struct stoa_req *req)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    stoa_str q = stoa_str_sub(stoa_str_trim(stoa_req_query(req, "q")), 0, 100);
    struct page_head head = {.title = STOA_STR("Search")};
    const struct stoa_json *list = NULL;
    struct stoa_json *data;
    struct listing l;
    stoa_str encoded;

    while (q.len > 0 && !stoa_str_is_utf8(q)) /* cut inside a character */
        q.len--;
    encoded = stoa_url_encode(arena, q);
    listing_read(req, &l);
    STOA_TRY(page_begin(req, &head, &data));
    if (q.len > 0)
        STOA_TRY(page_fetch(req, "product",
                            stoa_concat(arena, STOA_STR("/api/v1/products?limit=24&q="), encoded,
                                        STOA_STR("&"), listing_query(arena, &l)),
                            &list));
    stoa_json_set_str(data, "query", q);
    set_listing(req, data, &l, list,
                stoa_concat(arena, STOA_STR("/search?q="), encoded, STOA_STR("&")));
    return page_send(req, 200, "search", data);
}

/* GET /search?q= */
stoa_err pages_search(struct stoa_req *req, void *self)
{
    return page_finish(req, search_fresh(req));
}

/* Others of its category, without itself. */
static struct stoa_json *related_to(struct stoa_req *req, const struct stoa_json *list, stoa_str id)
{
    struct stoa_json *related = stoa_json_array(stoa_req_arena(req));
    const struct stoa_json *p = stoa_json_first(stoa_json_get(list, "items"));

    for (; p && stoa_json_count(related) < 4; p = stoa_json_next(p))
        if (!stoa_str_eq(stoa_json_str(p, "id"), id))
            stoa_json_push(related, page_product(req, p));
    return related;
}

static stoa_err product_fresh(struct stoa_req *req, const struct storefront *sf, stoa_str key,
                              stoa_str slug)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    const struct stoa_json *product, *list;
    struct page_copy copy = {.key = key, .keep_ms = sf->page_ms};
    struct page_head head = {0};
    struct stoa_json *data;

    STOA_TRY(page_fetch(req, "product", stoa_concat(arena, STOA_STR("/api/v1/products/"), slug),
                        &product));
    STOA_TRY(page_fetch(req, "product",
                        stoa_concat(arena, STOA_STR("/api/v1/products?limit=5&category="),
                                    stoa_json_str(product, "category.slug")),
                        &list));
    head.title = stoa_json_str(product, "name");
    head.description = stoa_json_str(product, "summary");
    head.image = stoa_json_str(product, "image");
    head.path = stoa_concat(arena, STOA_STR("/products/"), stoa_json_str(product, "slug"));
    head.json_ld = head_product(arena, product, stoa_shop_url(req));
    STOA_TRY(page_begin(req, &head, &data));
    stoa_json_set(data, "product", page_product(req, product));
    stoa_json_set(data, "related", related_to(req, list, stoa_json_str(product, "id")));
    copy.tags = stoa_concat(arena, STOA_STR(LIST_TAGS " product:"), stoa_json_str(product, "id"));
    return page_send_kept(req, &copy, "product", data);
}

/* GET /products/{slug} */
stoa_err pages_product(struct stoa_req *req, void *self)
{
    stoa_str slug = stoa_req_param(req, "slug"), key;

    if (!slug_is(slug))
        return page_finish(req, STOA_E_NOT_FOUND);
    key = stoa_concat(stoa_req_arena(req), STOA_STR("/products/"), slug);
    if (page_send_copy(req, key) == STOA_OK)
        return STOA_OK;
    return page_finish(req, product_fresh(req, self, key, slug));
}
