/* shipping/rates.h: the table of rates. Pure. SPDX-License-Identifier: Apache-2.0 */
#ifndef SHIPPING_RATES_H
#define SHIPPING_RATES_H

#include <stoa/json.h>

enum { RATES_MAX = 50, RATE_COUNTRIES_MAX = 250 };

struct rate {
    stoa_str option, label;
    stoa_money price;
    const struct stoa_json *countries; /* NULL: everywhere */
    int64_t eta_min, eta_max;          /* days */
};
struct rates {
    struct rate rates[RATES_MAX];
    uint32_t count;
};

/* setting: the plugin's `rates`; NULL or empty gives standard and express in EUR. Copies into the
 * arena. STOA_E_CONFIG when an entry is wrong. */
STOA_NODISCARD stoa_err rates_read(struct stoa_arena *arena, const struct stoa_json *setting,
                                   struct rates *ret);
/* Two capital letters. */
bool rates_is_country(stoa_str country);
/* What is offered there in that currency: [{option, label, price, eta_days: [min, max]}] */
struct stoa_json *rates_offer(struct stoa_arena *arena, const struct rates *rates, stoa_str country,
                              const char *currency);

#endif
