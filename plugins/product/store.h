/* store.h: what the catalogue asks of the place where it is kept. store_sql.c keeps it in sql; a
 * document database comes beside it under the same tests. SPDX-License-Identifier: Apache-2.0 */
#ifndef PRODUCT_STORE_H
#define PRODUCT_STORE_H

#include <stoa/stoa.h>

enum {
    CATALOGUE_LINES_MAX = 100, /* of one order */
    CATALOGUE_QUANTITY_MAX = 9999,
    CATALOGUE_VARIANTS_MAX = 50, /* of one product */
    CATALOGUE_PAGE_MAX = 100,
    CATALOGUE_WORDS_MAX = 3, /* of a search; the rest is not looked at */
};

struct catalogue_line {
    stoa_str sku;
    int64_t quantity;
};
struct catalogue_lines {
    struct catalogue_line *ptr; /* sorted by SKU, each once */
    uint32_t count;
};

typedef enum catalogue_sort {
    CATALOGUE_NEWEST,
    CATALOGUE_BY_NAME,
    CATALOGUE_BY_PRICE,
    CATALOGUE_BY_PRICE_DOWN,
    CATALOGUE_SORTS,
} catalogue_sort;

struct catalogue_filter {
    stoa_str words[CATALOGUE_WORDS_MAX]; /* patterns (pattern_of); unused ones are "%" */
    stoa_str category;                   /* slug; empty: all */
    int64_t min_price, max_price;        /* minor units */
    bool in_stock;
    catalogue_sort sort;
    int64_t limit;
    stoa_str cursor; /* id of the last product of the page before; empty: from the start */
};

/* What an order holds. */
typedef enum catalogue_hold {
    CATALOGUE_HOLD_NONE, /* nothing is known of the order */
    CATALOGUE_HOLD_RESERVED,
    CATALOGUE_HOLD_COMMITTED,
    CATALOGUE_HOLD_RELEASED,
} catalogue_hold;

struct catalogue_reserve {
    stoa_str order_id;
    struct catalogue_lines lines;
    stoa_ms expires_at;
};

/* A product as anyone may read it. */
struct catalogue_product {
    stoa_str json, id;
};

/* Text and trees are in the request's arena. STOA_E_NOT_FOUND where a product or SKU is not there.
 */
struct catalogue_store {
    stoa_err (*get)(struct stoa_req *req, stoa_str id_or_slug, struct catalogue_product *ret);
    /* {"items": […], "next_cursor": "…" or null} */
    stoa_err (*page)(struct stoa_req *req, const struct catalogue_filter *filter,
                     struct stoa_json **ret);
    stoa_err (*categories)(struct stoa_req *req, struct stoa_json **ret);
    /* {"items": […], "missing": [sku]} */
    stoa_err (*quote)(struct stoa_req *req, struct catalogue_lines lines, struct stoa_json **ret);

    /* All lines or none; *ret says what the order holds afterwards. STOA_E_SOLD_OUT with *sold_out
     * an array of SKUs. Repeating it changes nothing. */
    stoa_err (*reserve)(struct stoa_req *req, const struct catalogue_reserve *what,
                        catalogue_hold *ret, struct stoa_json **sold_out);
    stoa_err (*commit)(struct stoa_req *req, stoa_str order_id, catalogue_hold *ret);
    stoa_err (*release)(struct stoa_req *req, stoa_str order_id, catalogue_hold *ret);
    stoa_err (*overdue)(struct stoa_req *req, stoa_ms before, int64_t *ret);

    stoa_err (*stock_get)(struct stoa_req *req, stoa_str sku, struct stoa_json **ret);
    stoa_err (*stock_set)(struct stoa_req *req, stoa_str sku, int64_t available,
                          struct stoa_json **ret);

    /* product: checked by edit.c; see there for its members. */
    stoa_err (*create)(struct stoa_req *req, const struct stoa_json *product, stoa_str *ret);
    /* version: what the editor saw; STOA_E_CONFLICT when it is another one by now. */
    stoa_err (*change)(struct stoa_req *req, stoa_str id, int64_t version,
                       const struct stoa_json *product);
    stoa_err (*archive)(struct stoa_req *req, stoa_str id);

    /* Fills an empty catalogue in one step; STOA_E_EXISTS when there is a product already. */
    stoa_err (*import_first)(struct stoa_req *req, const struct stoa_json *categories,
                             const struct stoa_json *products);

    /* Pushes broken invariants into findings and sets report's totals. */
    stoa_err (*audit)(struct stoa_req *req, struct stoa_json *findings, struct stoa_json *report);
};

extern const struct catalogue_store catalogue_store_sql;

#endif
