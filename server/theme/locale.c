/* theme/locale.c: texts by key, plurals. SPDX-License-Identifier: Apache-2.0 */
#include "locale.h"
#include <stdio.h>
#include <stdlib.h>

/* --- reading --- */

struct reading {
    struct locale *locale;
    struct stoa_arena *arena;
    struct diag *diag;
};

static bool fail(struct reading *reading, const char *message, stoa_str key)
{
    char file[80];

    snprintf(file, sizeof(file), "locales/%.*s.json", (int)reading->locale->name.len,
             reading->locale->name.ptr);
    diag_set(reading->diag, file, 0, 0, "'%.*s': %s", (int)key.len, key.ptr ? key.ptr : "",
             message);
    return false;
}

static uint32_t count_texts(const struct stoa_json *json)
{
    uint32_t count = 0;

    if (stoa_json_type(json) != STOA_JSON_OBJECT)
        return 1;
    for (const struct stoa_json *e = stoa_json_first(json); e; e = stoa_json_next(e))
        count += count_texts(e);
    return count;
}

/* Depth is bounded by stoa_json_parse. */
static bool flatten(struct reading *reading, stoa_str prefix, const struct stoa_json *object)
{
    for (const struct stoa_json *e = stoa_json_first(object); e; e = stoa_json_next(e)) {
        stoa_str key = stoa_json_name(e);

        if (prefix.len > 0)
            key = stoa_concat(reading->arena, prefix, STOA_STR("."), key);
        if (stoa_json_type(e) == STOA_JSON_OBJECT) {
            if (!flatten(reading, key, e))
                return false;
        } else if (stoa_json_type(e) == STOA_JSON_STRING) {
            reading->locale->entries[reading->locale->count++] =
                (struct locale_entry){key, stoa_json_str(e, "")};
        } else {
            return fail(reading, "a text is wanted", key);
        }
    }
    return true;
}

static int str_order(stoa_str a, stoa_str b)
{
    uint64_t least = a.len < b.len ? a.len : b.len;
    int order = least ? memcmp(a.ptr, b.ptr, least) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int entry_order(const void *a, const void *b)
{
    return str_order(((const struct locale_entry *)a)->key, ((const struct locale_entry *)b)->key);
}

bool locale_add(struct locales *locales, struct stoa_arena *arena, stoa_str name,
                const struct stoa_json *json, struct diag *diag)
{
    struct locale *locale = &locales->items[locales->count];
    struct reading reading = {locale, arena, diag};
    uint32_t count = count_texts(json);

    *locale = (struct locale){.name = name};
    if (stoa_json_type(json) != STOA_JSON_OBJECT)
        return fail(&reading, "an object of texts is wanted", name);
    if (count > LOCALE_KEYS_MAX)
        return fail(&reading, "too many texts", name);
    locale->entries = stoa_new_array(arena, struct locale_entry, count + 1);
    if (!flatten(&reading, (stoa_str){NULL, 0}, json))
        return false;
    qsort(locale->entries, locale->count, sizeof(*locale->entries), entry_order);
    locales->count++;
    return true;
}

/* --- finding --- */

const struct locale *locale_find(const struct locales *locales, stoa_str name)
{
    for (uint32_t i = 0; i < locales->count; i++)
        if (stoa_str_eq(locales->items[i].name, name))
            return &locales->items[i];
    return NULL;
}

static bool lookup(const struct locale *locale, stoa_str key, stoa_str *ret)
{
    const struct locale_entry *hit, wanted = {.key = key};

    if (!locale)
        return false;
    hit = bsearch(&wanted, locale->entries, locale->count, sizeof(*hit), entry_order);
    if (hit)
        *ret = hit->text;
    return hit != NULL;
}

/* "de" of "de-AT" */
static stoa_str language_of(const char *name)
{
    return (stoa_str){name, strcspn(name, "-_")};
}

bool locale_text(const struct locales *locales, const char *name, stoa_str key, stoa_str *ret)
{
    return lookup(locale_find(locales, stoa_str_of(name)), key, ret) ||
           lookup(locale_find(locales, language_of(name)), key, ret) ||
           lookup(locale_find(locales, STOA_STR("en")), key, ret);
}

bool locale_has(const struct locales *locales, stoa_str key)
{
    const struct locale *en = locale_find(locales, STOA_STR("en"));
    char form[300];
    stoa_str ignored;
    int len = snprintf(form, sizeof(form), "%.*s.other", (int)(key.len < 256 ? key.len : 256),
                       key.ptr ? key.ptr : "");

    return lookup(en, key, &ignored) || lookup(en, (stoa_str){form, (uint64_t)len}, &ignored);
}

/* --- plurals: the cardinal rules of the Unicode CLDR for whole numbers --- */

static const char *plural_arabic(int64_t n)
{
    if (n <= 2)
        return n == 0 ? "zero" : n == 1 ? "one" : "two";
    if (n % 100 >= 3 && n % 100 <= 10)
        return "few";
    return n % 100 >= 11 ? "many" : "other";
}

static bool is_few_slavic(int64_t n)
{
    return n % 10 >= 2 && n % 10 <= 4 && (n % 100 < 12 || n % 100 > 14);
}

static const char *plural_russian(int64_t n)
{
    if (n % 10 == 1 && n % 100 != 11)
        return "one";
    return is_few_slavic(n) ? "few" : "many";
}

static const char *plural_polish(int64_t n)
{
    if (n == 1)
        return "one";
    return is_few_slavic(n) ? "few" : "many";
}

static const char *plural_czech(int64_t n)
{
    if (n == 1)
        return "one";
    return n >= 2 && n <= 4 ? "few" : "other";
}

static const char *plural_french(int64_t n)
{
    return n <= 1 ? "one" : "other";
}

static const char *plural_none(int64_t n)
{
    return "other";
}

static const char *plural_one(int64_t n)
{
    return n == 1 ? "one" : "other";
}

const char *locale_plural(const char *name, int64_t n)
{
    static const struct {
        const char *languages;
        const char *(*rule)(int64_t);
    } rules[] = {
        {" ar ", plural_arabic},          {" ru uk ", plural_russian},
        {" pl ", plural_polish},          {" cs sk ", plural_czech},
        {" fr pt hi fa ", plural_french}, {" ja zh ko th vi id ms ", plural_none},
    };
    char wanted[8];
    stoa_str language = language_of(name);

    if (n < 0)
        n = n == INT64_MIN ? INT64_MAX : -n;
    snprintf(wanted, sizeof(wanted), " %.*s ", language.len < 4 ? (int)language.len : 4, name);
    for (uint32_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        if (strstr(rules[i].languages, wanted))
            return rules[i].rule(n);
    return plural_one(n);
}

bool locale_is_rtl(const char *name)
{
    static const char *const rtl[] = {"ar", "he", "fa", "ur", "yi", "ps", "dv", "ckb"};
    for (uint32_t i = 0; i < sizeof(rtl) / sizeof(rtl[0]); i++)
        if (stoa_str_is(language_of(name), rtl[i]))
            return true;
    return false;
}
