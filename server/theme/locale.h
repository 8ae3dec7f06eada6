/* theme/locale.h: the theme's texts in each language, and how languages write money, dates and
 * plurals. SPDX-License-Identifier: Apache-2.0 */
#ifndef THEME_LOCALE_H
#define THEME_LOCALE_H

#include "base/diag.h"
#include <stoa/json.h>

enum { LOCALES_MAX = 64, LOCALE_KEYS_MAX = 5000 };

struct locale_entry {
    stoa_str key, text; /* "cart.title" */
};

struct locale {
    stoa_str name;                /* "de" */
    struct locale_entry *entries; /* sorted by key */
    uint32_t count;
};

struct locales {
    struct locale items[LOCALES_MAX];
    uint32_t count;
};

/* Takes the flat or nested object of locales/<name>.json. False with *diag filled. */
bool locale_add(struct locales *locales, struct stoa_arena *arena, stoa_str name,
                const struct stoa_json *json, struct diag *diag);
/* The text in this language, in its base language ("de" for "de-AT"), or in English; false when
 * there is none. */
bool locale_text(const struct locales *locales, const char *name, stoa_str key, stoa_str *ret);
/* Whether English has the key, or forms of it for numbers (key.other). */
bool locale_has(const struct locales *locales, stoa_str key);
const struct locale *locale_find(const struct locales *locales, stoa_str name);

/* "zero", "one", "two", "few", "many" or "other" (CLDR), for whole numbers. */
const char *locale_plural(const char *name, int64_t n);
bool locale_is_rtl(const char *name);
/* "€19.99" (en), "19,99 €" (de), …; without currency: "19.99". Room for 96 bytes at buf; returns
 * the length. */
uint32_t locale_money(const char *name, stoa_money money, bool with_currency, char *buf);

#endif
