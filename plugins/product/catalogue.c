/* catalogue.c: products as anyone may read them. SPDX-License-Identifier: Apache-2.0 */
#include "product.h"

enum {
    LIST_DEFAULT = 20,
    NAME_MAX_LEN = 120, /* of what stands in the address; longer is nobody's */
    QUERY_MAX = 200,
};

static void filter_words(struct stoa_req *req, struct catalogue_filter *f)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    stoa_str q = stoa_str_sub(stoa_req_query(req, "q"), 0, QUERY_MAX);
    uint32_t count = 0;

    for (uint32_t i = 0; i < CATALOGUE_WORDS_MAX; i++)
        f->words[i] = STOA_STR("%");
    while (q.len > 0 && count < CATALOGUE_WORDS_MAX) {
        stoa_str word = stoa_str_cut(&q, ' ');

        if (word.len > 0)
            f->words[count++] = pattern_of(arena, word);
    }
}

static stoa_err bad_query(struct stoa_req *req, const char *name)
{
    return stoa_fail(req, STOA_E_INVALID, "This filter has no such value",
                     STOA_FIELDS(stoa_f("field", stoa_z(name))));
}

static stoa_err filter_number(struct stoa_req *req, const char *name, int64_t max, int64_t *ret)
{
    stoa_str text = stoa_req_query(req, name);

    if (text.len > 0 && stoa_str_int(text, 0, max, ret) != STOA_OK)
        return bad_query(req, name);
    return STOA_OK;
}

static stoa_err filter_sort(struct stoa_req *req, catalogue_sort *ret)
{
    static const char *const names[CATALOGUE_SORTS] = {
        [CATALOGUE_NEWEST] = "newest",
        [CATALOGUE_BY_NAME] = "name",
        [CATALOGUE_BY_PRICE] = "price",
        [CATALOGUE_BY_PRICE_DOWN] = "-price",
    };
    stoa_str sort = stoa_req_query(req, "sort");

    *ret = CATALOGUE_NEWEST;
    if (sort.len == 0)
        return STOA_OK;
    for (uint32_t i = 0; i < CATALOGUE_SORTS; i++) {
        if (!stoa_str_is(sort, names[i]))
            continue;
        *ret = (catalogue_sort)i;
        return STOA_OK;
    }
    return bad_query(req, "sort");
}

static stoa_err filter_read(struct stoa_req *req, struct catalogue_filter *f)
{
    stoa_str in_stock = stoa_req_query(req, "in_stock");

    filter_words(req, f);
    f->category = stoa_req_query(req, "category");
    f->cursor = stoa_req_query(req, "cursor");
    f->in_stock = stoa_str_is(in_stock, "true") || stoa_str_is(in_stock, "1");
    f->limit = LIST_DEFAULT;
    f->max_price = INT64_MAX;
    if (f->cursor.len > 0 && !stoa_id_is(f->cursor, "prd"))
        return bad_query(req, "cursor");
    STOA_TRY(filter_number(req, "limit", CATALOGUE_PAGE_MAX, &f->limit));
    STOA_TRY(filter_number(req, "min_price", INT64_MAX, &f->min_price));
    STOA_TRY(filter_number(req, "max_price", INT64_MAX, &f->max_price));
    if (f->limit == 0)
        return bad_query(req, "limit");
    return filter_sort(req, &f->sort);
}

/* GET /api/v1/products */
stoa_err catalogue_list(struct stoa_req *req, void *self)
{
    const struct product *p = self;
    struct catalogue_filter filter = {0};
    struct stoa_json *page;

    STOA_TRY(filter_read(req, &filter));
    STOA_TRY(p->store->page(req, &filter, &page));
    return stoa_reply_json(req, 200, page);
}

static stoa_err show_fresh(struct stoa_req *req, const struct product *p, stoa_str name)
{
    struct catalogue_product product;

    STOA_TRY(p->store->get(req, name, &product));
    if (p->cache_ms > 0)
        stoa_cache_put(req, name, product.json, p->cache_ms,
                       stoa_concat(stoa_req_arena(req), STOA_STR("product:"), product.id));
    return stoa_reply(req, 200, "application/json", product.json);
}

/* GET /api/v1/products/{id or slug}: finished bytes from the loop's cache, else one statement. The
 * name itself is the key: no other key of this plugin looks like a slug or an id. */
stoa_err catalogue_show(struct stoa_req *req, void *self)
{
    const struct product *p = self;
    stoa_str name = stoa_req_param(req, "id"), kept;

    if (name.len == 0 || name.len > NAME_MAX_LEN)
        return STOA_E_NOT_FOUND;
    if (p->cache_ms > 0 && stoa_cache_get(req, name, &kept) == STOA_OK)
        return stoa_reply(req, 200, "application/json", kept);
    return show_fresh(req, p, name);
}

/* GET /api/v1/categories */
stoa_err catalogue_categories(struct stoa_req *req, void *self)
{
    const struct product *p = self;
    struct stoa_json *list;

    STOA_TRY(p->store->categories(req, &list));
    return stoa_reply_json(req, 200, list);
}
