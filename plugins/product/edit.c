/* edit.c: what the staff may write about products; everything is checked here, the store trusts it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "product.h"

enum {
    NAME_MAX_LEN = 200,
    SUMMARY_MAX = 500,
    DESCRIPTION_MAX = 20000,
    DETAILS_MAX = 50,
    PRICE_MAX = 1000000000,
    STOCK_MAX = 1000000000,
};

static stoa_err bad_field(struct stoa_req *req, const char *name, const char *detail)
{
    return stoa_fail(req, STOA_E_INVALID, detail, STOA_FIELDS(stoa_f("field", stoa_z(name))));
}

static const struct edit_text {
    const char *name;
    uint64_t max;
} edit_texts[] = {
    {"name", NAME_MAX_LEN},
    {"summary", SUMMARY_MAX},
    {"description", DESCRIPTION_MAX},
    {"image", 200},
    {"tax_class", 40},
    {"category", 80},
    {"slug", 80},
    {"state", 10},
};

static stoa_err check_texts(struct stoa_req *req, const struct stoa_json *p)
{
    for (uint32_t i = 0; i < sizeof edit_texts / sizeof edit_texts[0]; i++) {
        const struct stoa_json *v = stoa_json_member(p, stoa_str_of(edit_texts[i].name));

        if (v && stoa_json_type(v) != STOA_JSON_STRING)
            return bad_field(req, edit_texts[i].name, "This must be a text");
        if (stoa_json_str(v, "").len > edit_texts[i].max)
            return bad_field(req, edit_texts[i].name, "This is too long");
    }
    if (stoa_json_get(p, "slug") && !slug_is(stoa_json_str(p, "slug")))
        return bad_field(req, "slug", "Lower-case letters, digits and single dashes");
    if (stoa_json_get(p, "name") && stoa_json_str(p, "name").len == 0)
        return bad_field(req, "name", "A product has a name");
    return STOA_OK;
}

static stoa_err check_state(struct stoa_req *req, const struct stoa_json *p)
{
    stoa_str state = stoa_json_str(p, "state");

    if (stoa_json_get(p, "state") && !stoa_str_is(state, "active") && !stoa_str_is(state, "draft"))
        return bad_field(req, "state", "active or draft");
    return STOA_OK;
}

static stoa_err check_details(struct stoa_req *req, const struct stoa_json *p)
{
    const struct stoa_json *details = stoa_json_get(p, "details");

    if (!details)
        return STOA_OK;
    if (stoa_json_type(details) != STOA_JSON_ARRAY || stoa_json_count(details) > DETAILS_MAX)
        return bad_field(req, "details", "An array of at most 50 {label, value}");
    for (const struct stoa_json *d = stoa_json_first(details); d; d = stoa_json_next(d)) {
        uint64_t label = stoa_json_str(d, "label").len, value = stoa_json_str(d, "value").len;

        if (label == 0 || label > 80 || value == 0 || value > 400)
            return bad_field(req, "details", "label and value are texts");
    }
    return STOA_OK;
}

static bool sku_is(stoa_str s)
{
    if (s.len == 0 || s.len > 64)
        return false;
    for (uint64_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_' || c == '.'))
            return false;
    }
    return true;
}

static stoa_err check_variant(struct stoa_req *req, const struct stoa_json *v)
{
    int64_t stock = stoa_json_int(v, "stock", 0), low_at = stoa_json_int(v, "low_at", 0);
    stoa_money price;

    if (!sku_is(stoa_json_str(v, "sku")))
        return bad_field(req, "sku", "Letters, digits, dash, dot and underscore; at most 64");
    if (stoa_json_money(v, "price", &price) != STOA_OK || price.minor < 0 ||
        price.minor > PRICE_MAX)
        return bad_field(req, "price", "{\"amount\": minor units, \"currency\": \"EUR\"}");
    if (!stoa_str_is(stoa_str_of(price.cur), stoa_shop_currency(req)))
        return stoa_fail(req, STOA_E_CURRENCY, "The shop has another currency", STOA_NO_FIELDS);
    if (stock < 0 || stock > STOCK_MAX || low_at < 0 || low_at > STOCK_MAX)
        return bad_field(req, "stock", "0 to 1,000,000,000 pieces");
    if (stoa_json_str(v, "name").len > NAME_MAX_LEN)
        return bad_field(req, "name", "This is too long");
    return STOA_OK;
}

static stoa_err check_variants(struct stoa_req *req, const struct stoa_json *p)
{
    const struct stoa_json *list = stoa_json_get(p, "variants");

    if (list &&
        (stoa_json_type(list) != STOA_JSON_ARRAY || stoa_json_count(list) > CATALOGUE_VARIANTS_MAX))
        return bad_field(req, "variants", "An array of at most 50");
    for (const struct stoa_json *v = stoa_json_first(list); v; v = stoa_json_next(v))
        STOA_TRY(check_variant(req, v));
    return STOA_OK;
}

static stoa_err check_product(struct stoa_req *req, const struct stoa_json *p)
{
    if (stoa_json_type(p) != STOA_JSON_OBJECT)
        return stoa_fail(req, STOA_E_INVALID, "The body is an object", STOA_NO_FIELDS);
    STOA_TRY(check_texts(req, p));
    STOA_TRY(check_state(req, p));
    STOA_TRY(check_details(req, p));
    return check_variants(req, p);
}

static stoa_str text_or(const struct stoa_json *p, const char *name, const char *otherwise)
{
    stoa_str s = stoa_json_str(p, name);

    return s.len ? s : stoa_str_of(otherwise);
}

/* A copy with the defaults filled in. */
static struct stoa_json *with_defaults(struct stoa_req *req, const struct stoa_json *body)
{
    struct stoa_json *p = stoa_json_copy(stoa_req_arena(req), body);

    stoa_json_set_str(p, "tax_class", text_or(body, "tax_class", "standard"));
    stoa_json_set_str(p, "state", text_or(body, "state", "active"));
    stoa_json_set_str(p, "image", text_or(body, "image", "/assets/placeholder.svg"));
    return p;
}

/* POST /api/v1/products {slug, name, category, variants: [{sku, price, stock}], …} */
stoa_err edit_create(struct stoa_req *req, void *self)
{
    const struct product *p = self;
    const struct stoa_json *body = stoa_req_json(req);
    stoa_str id;

    STOA_TRY(check_product(req, body));
    if (!stoa_json_get(body, "slug") || !stoa_json_get(body, "name"))
        return bad_field(req, "slug", "A product has a name and a slug");
    if (stoa_json_count(stoa_json_get(body, "variants")) == 0)
        return bad_field(req, "variants", "A product has at least one variant");
    return p->store->create(req, with_defaults(req, body), &id);
}

/* "3", with quotes or without, as If-Match carries it. */
static stoa_err version_read(struct stoa_req *req, int64_t *ret)
{
    stoa_str tag = stoa_str_trim(stoa_req_header(req, "if-match"));

    if (tag.len > 2 && tag.ptr[0] == '"')
        tag = stoa_str_sub(tag, 1, tag.len - 2);
    if (stoa_str_int(tag, 1, INT64_MAX, ret) != STOA_OK)
        return stoa_fail(req, STOA_E_CONFLICT,
                         "Send the version that you edited as If-Match: \"<version>\"",
                         STOA_NO_FIELDS);
    return STOA_OK;
}

/* PATCH /api/v1/products/{id} with If-Match: "<version>". Variants change their price only. */
stoa_err edit_change(struct stoa_req *req, void *self)
{
    const struct product *p = self;
    const struct stoa_json *body = stoa_req_json(req);
    int64_t version;

    STOA_TRY(check_product(req, body));
    STOA_TRY(version_read(req, &version));
    return p->store->change(req, stoa_req_param(req, "id"), version, body);
}

/* DELETE /api/v1/products/{id} */
stoa_err edit_archive(struct stoa_req *req, void *self)
{
    const struct product *p = self;

    STOA_TRY(p->store->archive(req, stoa_req_param(req, "id")));
    return stoa_reply_empty(req);
}
