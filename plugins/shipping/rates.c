/* shipping/rates.c: the table of rates. SPDX-License-Identifier: Apache-2.0 */
#include "rates.h"

enum { OPTION_MAX = 32, LABEL_MAX = 100, ETA_MAX_DAYS = 365 };

/* "4.90 EUR" as stoa.money writes it, or {"amount", "currency"}. */
static stoa_err read_price(const struct stoa_json *json, stoa_money *ret)
{
    if (stoa_json_type(json) == STOA_JSON_STRING)
        return stoa_money_parse(stoa_json_str(json, ""), ret);
    return stoa_json_money(json, "", ret);
}

static bool is_wrong(const struct rate *rate)
{
    if (rate->option.len < 1 || rate->option.len > OPTION_MAX || rate->label.len < 1 ||
        rate->label.len > LABEL_MAX || rate->price.minor < 0)
        return true;
    if (rate->eta_min < 0 || rate->eta_max < rate->eta_min || rate->eta_max > ETA_MAX_DAYS)
        return true;
    return rate->countries && (stoa_json_type(rate->countries) != STOA_JSON_ARRAY ||
                               stoa_json_count(rate->countries) > RATE_COUNTRIES_MAX);
}

static stoa_err read_rate(struct stoa_arena *arena, const struct stoa_json *json, struct rate *ret)
{
    const struct stoa_json *countries = stoa_json_get(json, "countries");

    *ret = (struct rate){.option = stoa_str_copy(arena, stoa_json_str(json, "option")),
                         .label = stoa_str_copy(arena, stoa_json_str(json, "label")),
                         .countries = countries ? stoa_json_copy(arena, countries) : NULL,
                         .eta_min = stoa_json_int(json, "eta_days.0", 1),
                         .eta_max = stoa_json_int(json, "eta_days.1", 7)};
    if (read_price(stoa_json_get(json, "price"), &ret->price) != STOA_OK || is_wrong(ret))
        return STOA_E_CONFIG;
    return STOA_OK;
}

static void use_defaults(struct rates *ret)
{
    ret->rates[0] = (struct rate){.option = STOA_STR("standard"),
                                  .label = STOA_STR("Standard delivery"),
                                  .price = stoa_money_of(490, "EUR"),
                                  .eta_min = 2,
                                  .eta_max = 4};
    ret->rates[1] = (struct rate){.option = STOA_STR("express"),
                                  .label = STOA_STR("Express delivery"),
                                  .price = stoa_money_of(990, "EUR"),
                                  .eta_min = 1,
                                  .eta_max = 2};
    ret->count = 2;
}

stoa_err rates_read(struct stoa_arena *arena, const struct stoa_json *setting, struct rates *ret)
{
    ret->count = 0;
    if (stoa_json_count(setting) == 0) {
        use_defaults(ret);
        return STOA_OK;
    }
    if (stoa_json_type(setting) != STOA_JSON_ARRAY || stoa_json_count(setting) > RATES_MAX)
        return STOA_E_CONFIG;
    for (const struct stoa_json *e = stoa_json_first(setting); e; e = stoa_json_next(e))
        STOA_TRY(read_rate(arena, e, &ret->rates[ret->count++]));
    return STOA_OK;
}

bool rates_is_country(stoa_str country)
{
    return country.len == 2 && country.ptr[0] >= 'A' && country.ptr[0] <= 'Z' &&
           country.ptr[1] >= 'A' && country.ptr[1] <= 'Z';
}

static bool goes_to(const struct rate *rate, stoa_str country)
{
    if (!rate->countries)
        return true;
    for (const struct stoa_json *e = stoa_json_first(rate->countries); e; e = stoa_json_next(e))
        if (stoa_str_eq(stoa_json_str(e, ""), country))
            return true;
    return false;
}

struct stoa_json *rates_offer(struct stoa_arena *arena, const struct rates *rates, stoa_str country,
                              const char *currency)
{
    struct stoa_json *items = stoa_json_array(arena);

    for (uint32_t i = 0; i < rates->count; i++) {
        const struct rate *rate = &rates->rates[i];
        struct stoa_json *item, *eta;

        if (strcmp(rate->price.cur, currency) != 0 || !goes_to(rate, country))
            continue;
        item = stoa_json_push(items, stoa_json_object(arena));
        stoa_json_set_str(item, "option", rate->option);
        stoa_json_set_str(item, "label", rate->label);
        stoa_json_set_money(item, "price", rate->price);
        eta = stoa_json_set(item, "eta_days", stoa_json_array(arena));
        stoa_json_push(eta, stoa_json_new_int(arena, rate->eta_min));
        stoa_json_push(eta, stoa_json_new_int(arena, rate->eta_max));
    }
    return items;
}
