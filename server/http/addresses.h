/* http/addresses.h: what each visitor's address has open. No larger than the connections and
 * requests that hold entries, which have caps. SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_ADDRESSES_H
#define HTTP_ADDRESSES_H

#include "http/client.h"

enum { HTTP_ADDRESS_BUCKETS = 4096 };

struct http_address {
    struct http_ip ip;
    uint32_t holders;
    uint32_t in_flight; /* the holders' own use */
    struct http_address *next;
};

struct http_addresses {
    uint64_t seed[2]; /* of this process: nobody outside can aim at one bucket */
    struct http_address *buckets[HTTP_ADDRESS_BUCKETS];
    struct http_address *free;
};

void http_addresses_init(struct http_addresses *addresses);
/* The entry of ip with one holder more. NULL: it has holders_max. */
struct http_address *http_address_acquire(struct http_addresses *addresses,
                                          const struct http_ip *ip, uint32_t holders_max);
/* The last holder's release frees the entry. NULL is fine. */
void http_address_release(struct http_addresses *addresses, struct http_address *address);

#endif
