/* seed.c: puts the demonstration shop into an empty catalogue. SPDX-License-Identifier: Apache-2.0
 */
#include "seed.h"
#include "product.h"

static struct stoa_json *variants_json(struct stoa_req *req, const struct seed_product *p)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    struct stoa_json *list = stoa_json_array(arena);

    for (uint32_t i = 0; i < SEED_VARIANTS_MAX && p->variants[i].sku; i++) {
        const struct seed_variant *v = &p->variants[i];
        stoa_money price = stoa_money_of(v->price, stoa_shop_currency(req));

        stoa_json_push(list,
                       stoa_json_fields(arena, STOA_FIELDS(stoa_f("sku", stoa_z(v->sku)),
                                                           stoa_f("name", stoa_z(v->name)),
                                                           stoa_f("price", stoa_m(price)),
                                                           stoa_f("stock", stoa_i(v->stock)))));
    }
    return list;
}

static struct stoa_json *details_json(struct stoa_arena *arena, const struct seed_product *p)
{
    struct stoa_json *list = stoa_json_array(arena);

    for (uint32_t i = 0; i < SEED_DETAILS_MAX && p->details[i].label; i++)
        stoa_json_push(list, stoa_json_fields(
                                 arena, STOA_FIELDS(stoa_f("label", stoa_z(p->details[i].label)),
                                                    stoa_f("value", stoa_z(p->details[i].value)))));
    return list;
}

static struct stoa_json *product_json(struct stoa_req *req, const struct seed_product *p)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    stoa_str image =
        stoa_concat(arena, STOA_STR("/assets/products/"), stoa_str_of(p->slug), STOA_STR(".svg"));
    struct stoa_json *json = stoa_json_fields(
        arena,
        STOA_FIELDS(stoa_f("category", stoa_z(p->category)), stoa_f("slug", stoa_z(p->slug)),
                    stoa_f("name", stoa_z(p->name)), stoa_f("summary", stoa_z(p->summary)),
                    stoa_f("description", stoa_z(p->description)), stoa_f("image", stoa_s(image)),
                    stoa_f("tax_class", stoa_z("standard")), stoa_f("state", stoa_z("active"))));

    stoa_json_set(json, "variants", variants_json(req, p));
    stoa_json_set(json, "details", details_json(arena, p));
    return json;
}

static struct stoa_json *categories_json(struct stoa_arena *arena)
{
    struct stoa_json *list = stoa_json_array(arena);

    for (uint32_t i = 0; i < SEED_CATEGORIES; i++) {
        const struct seed_category *c = &seed_categories[i];

        stoa_json_push(list, stoa_json_fields(arena, STOA_FIELDS(stoa_f("slug", stoa_z(c->slug)),
                                                                 stoa_f("name", stoa_z(c->name)),
                                                                 stoa_f("description",
                                                                        stoa_z(c->description)))));
    }
    return list;
}

/* `stoa seed`: a catalogue that has anything in it is left alone. */
stoa_err seed_catalogue(struct stoa_req *req, void *self)
{
    const struct product *p = self;
    struct stoa_json *products = stoa_json_array(stoa_req_arena(req));
    stoa_err err;

    for (uint32_t i = 0; i < SEED_PRODUCTS; i++)
        stoa_json_push(products, product_json(req, &seed_products[i]));
    err = p->store->import_first(req, categories_json(stoa_req_arena(req)), products);
    if (err != STOA_OK && err != STOA_E_EXISTS)
        return err;
    return stoa_reply_fields(
        req, 200,
        STOA_FIELDS(stoa_f("message", stoa_z(err == STOA_OK ? "24 products in 4 categories"
                                                            : "there are products already"))));
}
