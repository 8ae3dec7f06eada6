/* http/client.c: addresses as sixteen bytes. SPDX-License-Identifier: Apache-2.0 */
#include "http/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

static bool is_ipv4(const struct http_ip *ip)
{
    return memcmp(ip->bytes, mapped, sizeof(mapped)) == 0;
}

struct http_ip http_ip_of(const struct sockaddr *address)
{
    struct http_ip ip = {0};

    if (address->sa_family == AF_INET) {
        memcpy(ip.bytes, mapped, sizeof(mapped));
        memcpy(ip.bytes + 12, &((const struct sockaddr_in *)address)->sin_addr, 4);
    } else if (address->sa_family == AF_INET6) {
        memcpy(ip.bytes, &((const struct sockaddr_in6 *)address)->sin6_addr, 16);
    }
    return ip;
}

/* Cuts "[::1]:80", "::1" and "192.0.2.7:80" down to the address. */
static stoa_str without_port(stoa_str text)
{
    int64_t end;

    if (text.len > 1 && text.ptr[0] == '[')
        return (end = stoa_str_find(text, ']', 1)) < 0 ? (stoa_str){0}
                                                       : stoa_str_sub(text, 1, (uint64_t)end - 1);
    end = stoa_str_find(text, ':', 0);
    if (end >= 0 && stoa_str_find(text, ':', (uint64_t)end + 1) < 0)
        return stoa_str_sub(text, 0, (uint64_t)end);
    return text;
}

bool http_ip_parse(stoa_str text, struct http_ip *ret)
{
    char cstr[HTTP_IP_TEXT + 1];
    struct http_ip ip = {0};
    stoa_str address = without_port(stoa_str_trim(text));

    if (address.len == 0 || address.len > HTTP_IP_TEXT)
        return false;
    memcpy(cstr, address.ptr, address.len);
    cstr[address.len] = '\0';
    if (inet_pton(AF_INET, cstr, ip.bytes + 12) == 1)
        memcpy(ip.bytes, mapped, sizeof(mapped));
    else if (inet_pton(AF_INET6, cstr, ip.bytes) != 1)
        return false;
    *ret = ip;
    return true;
}

uint32_t http_ip_format(const struct http_ip *ip, char ret[HTTP_IP_TEXT])
{
    bool v4 = is_ipv4(ip);

    if (!inet_ntop(v4 ? AF_INET : AF_INET6, ip->bytes + (v4 ? 12 : 0), ret, HTTP_IP_TEXT))
        ret[0] = '\0';
    return (uint32_t)strlen(ret);
}

struct http_ip http_ip_visitor(const struct http_ip *ip)
{
    struct http_ip visitor = *ip;

    if (!is_ipv4(ip))
        memset(visitor.bytes + 8, 0, 8);
    return visitor;
}

static bool matches(const struct http_network *network, const struct http_ip *ip)
{
    uint32_t whole = network->bits / 8, rest = network->bits % 8;

    if (memcmp(network->ip.bytes, ip->bytes, whole) != 0)
        return false;
    return rest == 0 || ((network->ip.bytes[whole] ^ ip->bytes[whole]) >> (8 - rest)) == 0;
}

static bool has_bits_behind(const struct http_network *network)
{
    struct http_network again = *network;

    if (network->bits == 128)
        return false;
    again.ip.bytes[network->bits / 8] &= (uint8_t)(0xff00 >> (network->bits % 8));
    for (uint32_t i = network->bits / 8 + 1; i < 16; i++)
        again.ip.bytes[i] = 0;
    return memcmp(again.ip.bytes, network->ip.bytes, 16) != 0;
}

bool http_network_parse(const char *cidr, struct http_network *ret)
{
    stoa_str rest = stoa_str_of(cidr), address = stoa_str_cut(&rest, '/');
    struct http_network network = {.bits = 128};
    int64_t bits = 128;
    bool v4;

    /* inet_pton alone: brackets and ports have no place in a network. */
    if (address.len == 0 || address.ptr[0] == '[' || !http_ip_parse(address, &network.ip))
        return false;
    v4 = is_ipv4(&network.ip) && stoa_str_find(address, ':', 0) < 0;
    if (rest.ptr && stoa_str_int(rest, 0, v4 ? 32 : 128, &bits) != STOA_OK)
        return false;
    if (rest.ptr)
        network.bits = (uint32_t)bits + (v4 ? 96 : 0);
    if (has_bits_behind(&network))
        return false;
    *ret = network;
    return true;
}

bool http_network_has(const struct http_network *networks, uint32_t count, const struct http_ip *ip)
{
    for (uint32_t i = 0; i < count; i++)
        if (matches(&networks[i], ip))
            return true;
    return false;
}

/* Cuts the last comma-separated element off *list; ptr is NULL when there is none left. */
static stoa_str cut_last(stoa_str *list)
{
    stoa_str last = *list;

    for (uint64_t i = list->len; i > 0; i--)
        if (list->ptr[i - 1] == ',') {
            last = (stoa_str){list->ptr + i, list->len - i};
            list->len = i - 1;
            return last;
        }
    *list = (stoa_str){0};
    return last;
}

void http_forwarded_for(const struct http_network *trusted, uint32_t trusted_count,
                        const stoa_str *values, uint32_t count, struct http_ip *ip)
{
    while (count > 0) {
        stoa_str list = values[--count];
        while (list.ptr) {
            struct http_ip hop;
            if (!http_network_has(trusted, trusted_count, ip) ||
                !http_ip_parse(cut_last(&list), &hop))
                return;
            *ip = hop;
        }
    }
}
