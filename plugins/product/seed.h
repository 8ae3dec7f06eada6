/* seed.h: the demonstration shop as data. SPDX-License-Identifier: Apache-2.0 */
#ifndef PRODUCT_SEED_H
#define PRODUCT_SEED_H

#include <stdint.h>

enum { SEED_CATEGORIES = 4, SEED_PRODUCTS = 24, SEED_VARIANTS_MAX = 3, SEED_DETAILS_MAX = 3 };

struct seed_category {
    const char *slug, *name, *description;
};
struct seed_variant {
    const char *sku; /* NULL: no more */
    const char *name;
    int64_t price; /* minor units of the shop's currency */
    int64_t stock;
};
struct seed_detail {
    const char *label, *value;
};
struct seed_product {
    const char *category, *slug, *name, *summary, *description;
    struct seed_variant variants[SEED_VARIANTS_MAX];
    struct seed_detail details[SEED_DETAILS_MAX];
};

extern const struct seed_category seed_categories[SEED_CATEGORIES];
extern const struct seed_product seed_products[SEED_PRODUCTS];

#endif
