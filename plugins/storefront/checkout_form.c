/* checkout_form.c: the checkout's form, as data in and data out. Pure. What is allowed is decided
 * by the order plugin; here is only what saves the shopper a round trip.
 * SPDX-License-Identifier: Apache-2.0 */
#include "storefront.h"

const struct checkout_field checkout_fields[] = {
    {"email", "e-mail address", STOA_EMAIL_MAX, true},
    {"name", "name", 100, true},
    {"line1", "street and number", 100, true},
    {"line2", "address line 2", 100, false},
    {"postal_code", "postal code", 20, true},
    {"city", "city", 100, true},
    {"region", "region", 100, false},
    {"country", "country", 2, true},
    {"phone", "phone number", 32, false},
};
const uint32_t checkout_field_count = sizeof checkout_fields / sizeof checkout_fields[0];

static const struct country {
    const char *code, *name;
} countries[] = {
    {"AT", "Austria"},     {"BE", "Belgium"},        {"BG", "Bulgaria"},      {"HR", "Croatia"},
    {"CY", "Cyprus"},      {"CZ", "Czechia"},        {"DK", "Denmark"},       {"EE", "Estonia"},
    {"FI", "Finland"},     {"FR", "France"},         {"DE", "Germany"},       {"GR", "Greece"},
    {"HU", "Hungary"},     {"IE", "Ireland"},        {"IT", "Italy"},         {"LV", "Latvia"},
    {"LT", "Lithuania"},   {"LU", "Luxembourg"},     {"MT", "Malta"},         {"NL", "Netherlands"},
    {"NO", "Norway"},      {"PL", "Poland"},         {"PT", "Portugal"},      {"RO", "Romania"},
    {"SK", "Slovakia"},    {"SI", "Slovenia"},       {"ES", "Spain"},         {"SE", "Sweden"},
    {"CH", "Switzerland"}, {"GB", "United Kingdom"}, {"US", "United States"},
};

static const struct payment {
    const char *value, *label, *hint;
} payments[] = {
    {"tok_ok", "Test card", "Sandbox: the payment goes through."},
    {"tok_3ds", "Test card with confirmation", "Sandbox: a second step asks you to approve."},
    {"tok_declined", "Test card without funds", "Sandbox: the payment is declined."},
};

void form_errors_init(struct form_errors *errors, struct stoa_arena *arena)
{
    *errors = (struct form_errors){arena, stoa_json_array(arena), stoa_json_object(arena)};
}

void form_errors_add(struct form_errors *errors, stoa_str field, stoa_str message)
{
    if (field.len == 0 || field.len > 64 || stoa_json_member(errors->named, field))
        return;
    stoa_json_push(errors->list, stoa_json_fields(errors->arena,
                                                  STOA_FIELDS(stoa_f("field", stoa_s(field)),
                                                              stoa_f("message", stoa_s(message)))));
    stoa_json_set_str(errors->named, stoa_cstr(errors->arena, field), message);
}

void form_errors_into(const struct form_errors *errors, struct stoa_json *data)
{
    stoa_json_set(data, "errors", errors->list);
    stoa_json_set(data, "error", errors->named);
}

/* "shipping_address.city" is the form's field "city". */
static stoa_str last_part(stoa_str path)
{
    stoa_str rest = path, part = path;

    while (rest.len > 0)
        part = stoa_str_cut(&rest, '.');
    return part;
}

static stoa_str label_of(stoa_str field)
{
    for (uint32_t i = 0; i < checkout_field_count; i++)
        if (stoa_str_is(field, checkout_fields[i].name))
            return stoa_str_of(checkout_fields[i].label);
    return field;
}

/* "is too long" needs a subject; a whole sentence stands by itself. */
static stoa_str sentence(struct stoa_arena *arena, stoa_str field, stoa_str message)
{
    if (message.len > 0 && message.ptr[0] >= 'a' && message.ptr[0] <= 'z')
        return stoa_concat(arena, STOA_STR("The "), label_of(field), STOA_STR(" "), message,
                           STOA_STR("."));
    return message;
}

void form_errors_take(struct form_errors *errors, const struct stoa_json *problem)
{
    const struct stoa_json *e = stoa_json_first(stoa_json_get(problem, "errors"));
    stoa_str field = last_part(stoa_json_str(problem, "field"));

    for (; e; e = stoa_json_next(e)) {
        stoa_str name = last_part(stoa_json_str(e, "field"));

        form_errors_add(errors, name, sentence(errors->arena, name, stoa_json_str(e, "message")));
    }
    form_errors_add(errors, field,
                    sentence(errors->arena, field, stoa_json_str(problem, "detail")));
}

static void check_field(struct form_errors *errors, const struct stoa_json *form,
                        const struct checkout_field *field)
{
    stoa_str value = stoa_str_trim(stoa_json_str(form, field->name));
    stoa_str name = stoa_str_of(field->name), label = stoa_str_of(field->label);

    if (field->required && value.len == 0)
        form_errors_add(errors, name,
                        stoa_concat(errors->arena, STOA_STR("Enter your "), label, STOA_STR(".")));
    else if (value.len > field->max)
        form_errors_add(
            errors, name,
            stoa_concat(errors->arena, STOA_STR("The "), label, STOA_STR(" is too long.")));
}

void checkout_check(struct form_errors *errors, const struct stoa_json *form)
{
    stoa_str email = stoa_str_trim(stoa_json_str(form, "email"));

    for (uint32_t i = 0; i < checkout_field_count; i++)
        check_field(errors, form, &checkout_fields[i]);
    if (email.len > 0 && stoa_str_find(email, '@', 0) < 1)
        form_errors_add(errors, STOA_STR("email"),
                        STOA_STR("Enter an e-mail address like name@example.com."));
    if (stoa_json_str(form, "shipping_option").len == 0)
        form_errors_add(errors, STOA_STR("shipping_option"), STOA_STR("Choose a way of shipping."));
    if (stoa_json_str(form, "payment").len == 0)
        form_errors_add(errors, STOA_STR("payment"), STOA_STR("Choose how to pay."));
}

struct stoa_json *checkout_body(struct stoa_arena *arena, const struct stoa_json *form)
{
    struct stoa_json *body = stoa_json_object(arena), *address = stoa_json_object(arena);
    struct stoa_json *payment = stoa_json_object(arena);

    stoa_json_set_str(body, "email", stoa_str_trim(stoa_json_str(form, "email")));
    for (uint32_t i = 1; i < checkout_field_count; i++) { /* all but the first are the address */
        const char *name = checkout_fields[i].name;

        stoa_json_set_str(address, name, stoa_str_trim(stoa_json_str(form, name)));
    }
    stoa_json_set(body, "shipping_address", address);
    stoa_json_set_str(body, "shipping_option", stoa_json_str(form, "shipping_option"));
    stoa_json_set_str(payment, "provider", STOA_STR("sandbox"));
    stoa_json_set_str(payment, "token", stoa_json_str(form, "payment"));
    stoa_json_set(body, "payment", payment);
    return body;
}

stoa_err checkout_shown_price(const struct stoa_json *form, stoa_str option, int64_t *ret)
{
    char name[64] = "shown_";

    if (option.len == 0 || option.len > 40)
        return STOA_E_INVALID;
    memcpy(name + 6, option.ptr, option.len);
    return stoa_str_int(stoa_json_str(stoa_json_member(form, (stoa_str){name, option.len + 6}), ""),
                        0, INT64_MAX / 4, ret);
}

stoa_err checkout_shown_total(const struct stoa_json *form, int64_t *ret)
{
    int64_t base, price;

    STOA_TRY(stoa_str_int(stoa_json_str(form, "shown_base"), 0, INT64_MAX / 4, &base));
    STOA_TRY(checkout_shown_price(form, stoa_json_str(form, "shipping_option"), &price));
    *ret = base + price;
    return STOA_OK;
}

stoa_str checkout_country_name(stoa_str code)
{
    for (uint32_t i = 0; i < sizeof countries / sizeof countries[0]; i++)
        if (stoa_str_is(code, countries[i].code))
            return stoa_str_of(countries[i].name);
    return code;
}

struct stoa_json *checkout_countries(struct stoa_arena *arena, stoa_str chosen)
{
    struct stoa_json *list = stoa_json_array(arena);

    for (uint32_t i = 0; i < sizeof countries / sizeof countries[0]; i++) {
        const struct country *c = &countries[i];

        stoa_json_push(
            list,
            stoa_json_fields(
                arena, STOA_FIELDS(stoa_f("code", stoa_z(c->code)), stoa_f("name", stoa_z(c->name)),
                                   stoa_f("selected", stoa_b(stoa_str_is(chosen, c->code))))));
    }
    return list;
}

struct stoa_json *checkout_payments(struct stoa_arena *arena, stoa_str chosen)
{
    struct stoa_json *list = stoa_json_array(arena);

    for (uint32_t i = 0; i < sizeof payments / sizeof payments[0]; i++) {
        const struct payment *p = &payments[i];

        stoa_json_push(
            list, stoa_json_fields(
                      arena, STOA_FIELDS(
                                 stoa_f("value", stoa_z(p->value)),
                                 stoa_f("label", stoa_z(p->label)), stoa_f("hint", stoa_z(p->hint)),
                                 stoa_f("checked", stoa_b(stoa_str_is(chosen, p->value))))));
    }
    return list;
}
