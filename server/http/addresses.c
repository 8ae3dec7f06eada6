/* http/addresses.c: a hash table with chains, entries recycled. SPDX-License-Identifier: Apache-2.0
 */
#include "http/addresses.h"

#include "base/random.h"
#include <stdlib.h>

void http_addresses_init(struct http_addresses *addresses)
{
    memset(addresses, 0, sizeof(*addresses));
    random_bytes(addresses->seed, sizeof(addresses->seed));
    addresses->seed[0] |= 1;
    addresses->seed[1] |= 1;
}

static struct http_address **bucket_of(struct http_addresses *addresses, const struct http_ip *ip)
{
    uint64_t half[2], hash;

    memcpy(half, ip->bytes, sizeof(half));
    hash = (half[0] ^ addresses->seed[1]) * addresses->seed[0];
    hash = ((hash ^ hash >> 32) + half[1]) * addresses->seed[1];
    return &addresses->buckets[(hash ^ hash >> 29) >> 32 & (HTTP_ADDRESS_BUCKETS - 1)];
}

struct http_address *http_address_acquire(struct http_addresses *addresses,
                                          const struct http_ip *ip, uint32_t holders_max)
{
    struct http_address **bucket = bucket_of(addresses, ip), *address;

    for (address = *bucket; address; address = address->next)
        if (memcmp(&address->ip, ip, sizeof(*ip)) == 0) {
            if (address->holders >= holders_max)
                return NULL;
            address->holders++;
            return address;
        }
    if (holders_max == 0)
        return NULL;
    address = addresses->free;
    if (address)
        addresses->free = address->next;
    else
        stoa_assert((address = malloc(sizeof(*address))) != NULL);
    *address = (struct http_address){.ip = *ip, .holders = 1, .next = *bucket};
    return *bucket = address;
}

void http_address_release(struct http_addresses *addresses, struct http_address *address)
{
    struct http_address **link;

    if (!address || --address->holders > 0)
        return;
    for (link = bucket_of(addresses, &address->ip); *link != address; link = &(*link)->next)
        continue;
    *link = address->next;
    address->next = addresses->free;
    addresses->free = address;
}
