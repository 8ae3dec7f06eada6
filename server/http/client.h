/* http/client.h: who asks: addresses, networks, and what trusted proxies say.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include <stoa/str.h>
#include <sys/socket.h>

/* IPv6, or IPv4 as ::ffff:a.b.c.d, so that one comparison serves both. */
struct http_ip {
    uint8_t bytes[16];
};
enum { HTTP_IP_TEXT = 46 };

struct http_network {
    struct http_ip ip;
    uint32_t bits; /* 0 … 128 */
};

/* Zero for an address that is neither IPv4 nor IPv6. */
struct http_ip http_ip_of(const struct sockaddr *address);
/* "192.0.2.7", "2001:db8::1", "[2001:db8::1]"; a port behind it is cut off. False: not an address.
 */
bool http_ip_parse(stoa_str text, struct http_ip *ret);
/* As people write it: IPv4 in dots. Returns the length. */
uint32_t http_ip_format(const struct http_ip *ip, char ret[HTTP_IP_TEXT]);
/* What limits per address count by: an IPv6 visitor has a whole /64. */
struct http_ip http_ip_visitor(const struct http_ip *ip);
/* "10.0.0.0/8", "::1", "2001:db8::/32". False: not a network, or bits set behind the prefix. */
bool http_network_parse(const char *cidr, struct http_network *ret);
bool http_network_has(const struct http_network *networks, uint32_t count,
                      const struct http_ip *ip);
/* Walks the values of X-Forwarded-For, in the order they came, from the right: *ip, which starts as
 * the peer's address, becomes the first that is not a trusted proxy. What cannot be read ends the
 * walk. */
void http_forwarded_for(const struct http_network *trusted, uint32_t trusted_count,
                        const stoa_str *values, uint32_t count, struct http_ip *ip);

#endif
