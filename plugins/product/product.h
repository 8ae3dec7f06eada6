/* product.h: what the files of this plugin share. SPDX-License-Identifier: Apache-2.0 */
#ifndef PRODUCT_PRODUCT_H
#define PRODUCT_PRODUCT_H

#include "store.h"

/* One instance. */
struct product {
    const struct catalogue_store *store;
    int64_t cache_ms; /* 0: answers are not kept */
};

/* Routes, by file. */
stoa_err catalogue_list(struct stoa_req *req, void *self);
stoa_err catalogue_show(struct stoa_req *req, void *self);
stoa_err catalogue_categories(struct stoa_req *req, void *self);

stoa_err edit_create(struct stoa_req *req, void *self);
stoa_err edit_change(struct stoa_req *req, void *self);
stoa_err edit_archive(struct stoa_req *req, void *self);

stoa_err stock_show(struct stoa_req *req, void *self);
stoa_err stock_set(struct stoa_req *req, void *self);
stoa_err stock_quote(struct stoa_req *req, void *self);
stoa_err stock_reserve(struct stoa_req *req, void *self);
stoa_err stock_commit(struct stoa_req *req, void *self);
stoa_err stock_release(struct stoa_req *req, void *self);
stoa_err stock_watch(struct stoa_req *req, void *self); /* the job */

stoa_err seed_catalogue(struct stoa_req *req, void *self);
stoa_err audit_stock(struct stoa_req *req, void *self);

/* lines.c and text.c: pure */

/* Reads [{"sku","quantity"}] under "lines": 1 to CATALOGUE_LINES_MAX of them, quantities from 1 to
 * 9,999; the same SKU twice becomes one line. Sorted by SKU. What is wrong with it, or NULL. */
const char *lines_parse(struct stoa_arena *arena, const struct stoa_json *body,
                        struct catalogue_lines *ret);
/* Lower-case letters, digits and single dashes, 1 to 80 bytes: what may stand in an address. */
bool slug_is(stoa_str s);
/* The word as a pattern for LIKE … ESCAPE '!': %word%, in lower case. */
stoa_str pattern_of(struct stoa_arena *arena, stoa_str word);
/* ASCII letters in lower case. */
stoa_str lower_ascii(struct stoa_arena *arena, stoa_str s);

#endif
