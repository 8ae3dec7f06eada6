/* order/form.h: what people send, checked field by field. Pure.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ORDER_FORM_H
#define ORDER_FORM_H

#include <stoa/json.h>

enum {
    FORM_ATTRIBUTES_MAX = 2048, /* bytes of a cart's attributes as JSON */
};

/* What is wrong with a body: [{"field": "email", "message": "…"}], at most one entry a field. */
struct form {
    struct stoa_arena *arena;
    const struct stoa_json *body;
    struct stoa_json *errors; /* NULL: nothing is wrong */
};

/* A field of POST /checkouts as it is kept. All in the arena of the body. */
struct form_checkout {
    stoa_str cart_id, email, shipping_option, provider, token;
    stoa_money expected_total;
    struct stoa_json *address; /* known members only */
};

void form_init(struct form *form, struct stoa_arena *arena, const struct stoa_json *body);
void form_wrong(struct form *form, const char *field, const char *message);
/* A whole number in [min, max]; otherwise 0, and wrong. */
int64_t form_int(struct form *form, const char *field, int64_t min, int64_t max);
/* Trimmed, min to max bytes, no control characters; otherwise empty, and wrong. */
stoa_str form_text(struct form *form, const char *field, uint64_t min, uint64_t max);
/* A product's code: 1 to 64 of A-Z a-z 0-9 . _ - */
stoa_str form_sku(struct form *form, const char *field);
bool form_is_sku(stoa_str sku);
/* Reads a checkout's body. form->errors says what is wrong. */
void form_read_checkout(struct form *form, struct form_checkout *ret);

#endif
