/* order/form.c: checks of what people send. SPDX-License-Identifier: Apache-2.0 */
#include "form.h"

#include <stoa/id.h>

enum { SKU_MAX = 64 };

static const struct address_field {
    const char *path, *name;
    uint64_t min, max;
} address_fields[] = {
    {"shipping_address.name", "name", 1, 100},
    {"shipping_address.line1", "line1", 1, 100},
    {"shipping_address.line2", "line2", 0, 100},
    {"shipping_address.city", "city", 1, 100},
    {"shipping_address.postal_code", "postal_code", 0, 20}, /* some countries have none */
    {"shipping_address.region", "region", 0, 100},
    {"shipping_address.country", "country", 2, 2},
    {"shipping_address.phone", "phone", 0, 32},
};

void form_init(struct form *form, struct stoa_arena *arena, const struct stoa_json *body)
{
    *form = (struct form){arena, body, NULL};
}

void form_wrong(struct form *form, const char *field, const char *message)
{
    struct stoa_json *error = stoa_json_object(form->arena);

    if (!form->errors)
        form->errors = stoa_json_array(form->arena);
    stoa_json_set_str(error, "field", stoa_str_of(field));
    stoa_json_set_str(error, "message", stoa_str_of(message));
    stoa_json_push(form->errors, error);
}

int64_t form_int(struct form *form, const char *field, int64_t min, int64_t max)
{
    const struct stoa_json *value = stoa_json_get(form->body, field);
    int64_t number = stoa_json_int(value, "", min);

    if (stoa_json_type(value) == STOA_JSON_INT && number >= min && number <= max)
        return number;
    form_wrong(form, field, "must be a whole number within its limits");
    return 0;
}

static bool has_control(stoa_str text)
{
    for (uint64_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            return true;
    return false;
}

stoa_str form_text(struct form *form, const char *field, uint64_t min, uint64_t max)
{
    const struct stoa_json *value = stoa_json_get(form->body, field);
    stoa_json_kind kind = stoa_json_type(value);
    stoa_str text = stoa_str_trim(stoa_json_str(value, ""));

    if (min == 0 && (kind == STOA_JSON_NONE || kind == STOA_JSON_NULL))
        return STOA_STR("");
    if (kind != STOA_JSON_STRING)
        form_wrong(form, field, "is missing");
    else if (text.len < min || text.len > max)
        form_wrong(form, field, text.len < min ? "is too short" : "is too long");
    else if (has_control(text))
        form_wrong(form, field, "holds characters that cannot be used");
    else
        return text;
    return STOA_STR("");
}

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool form_is_sku(stoa_str sku)
{
    for (uint64_t i = 0; i < sku.len; i++)
        if (!is_alnum(sku.ptr[i]) && sku.ptr[i] != '.' && sku.ptr[i] != '_' && sku.ptr[i] != '-')
            return false;
    return sku.len >= 1 && sku.len <= SKU_MAX;
}

stoa_str form_sku(struct form *form, const char *field)
{
    stoa_str sku = stoa_json_str(form->body, field);

    if (form_is_sku(sku))
        return sku;
    form_wrong(form, field, "is not the code of a product");
    return STOA_STR("");
}

static bool is_country(stoa_str code)
{
    return code.len == 2 && code.ptr[0] >= 'A' && code.ptr[0] <= 'Z' && code.ptr[1] >= 'A' &&
           code.ptr[1] <= 'Z';
}

static struct stoa_json *read_address(struct form *form)
{
    struct stoa_json *address = stoa_json_object(form->arena);

    if (stoa_json_type(stoa_json_get(form->body, "shipping_address")) != STOA_JSON_OBJECT) {
        form_wrong(form, "shipping_address", "is missing");
        return address;
    }
    for (uint64_t i = 0; i < sizeof(address_fields) / sizeof(address_fields[0]); i++) {
        const struct address_field *f = &address_fields[i];
        stoa_json_set_str(address, f->name, form_text(form, f->path, f->min, f->max));
    }
    if (stoa_json_str(address, "country").len == 2 &&
        !is_country(stoa_json_str(address, "country")))
        form_wrong(form, "shipping_address.country", "must be two capital letters (ISO 3166)");
    return address;
}

void form_read_checkout(struct form *form, struct form_checkout *ret)
{
    *ret = (struct form_checkout){0};
    ret->cart_id = form_text(form, "cart_id", 1, 40);
    if (ret->cart_id.len > 0 && !stoa_id_is(ret->cart_id, "crt"))
        form_wrong(form, "cart_id", "is not the id of a cart");
    ret->email = form_text(form, "email", 1, STOA_EMAIL_MAX);
    if (ret->email.len > 0 && !stoa_str_is_email(ret->email))
        form_wrong(form, "email", "is not an e-mail address");
    ret->address = read_address(form);
    ret->shipping_option = form_text(form, "shipping_option", 1, 32);
    if (stoa_json_money(form->body, "expected_total", &ret->expected_total) != STOA_OK)
        form_wrong(form, "expected_total", "must be an amount with its currency");
    ret->provider = form_text(form, "payment.provider", 1, 32);
    ret->token = form_text(form, "payment.token", 1, 128);
}
