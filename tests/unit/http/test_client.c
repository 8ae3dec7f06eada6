/* Addresses, networks, X-Forwarded-For. SPDX-License-Identifier: Apache-2.0 */
#include "http/client.h"
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <netinet/in.h>

static struct http_ip ip_of(const char *text)
{
    struct http_ip ip = {0};

    cr_assert(http_ip_parse(stoa_str_of(text), &ip), "%s", text);
    return ip;
}

static void expect_text(const char *text, const char *want)
{
    struct http_ip ip = ip_of(text);
    char got[HTTP_IP_TEXT];

    cr_expect(eq(uint, http_ip_format(&ip, got), strlen(want)));
    cr_expect(eq(str, got, (char *)want));
}

Test(client, reads_addresses_as_proxies_write_them)
{
    expect_text("192.0.2.7", "192.0.2.7");
    expect_text(" 192.0.2.7\t", "192.0.2.7");
    expect_text("192.0.2.7:8080", "192.0.2.7");
    expect_text("2001:DB8::1", "2001:db8::1");
    expect_text("[2001:db8::1]", "2001:db8::1");
    expect_text("[2001:db8::1]:443", "2001:db8::1");
    expect_text("::ffff:192.0.2.7", "192.0.2.7");
}

Test(client, refuses_what_is_no_address)
{
    static const char *const broken[] = {"",          "unknown",     "_hidden",      "192.0.2",
                                         "1.2.3.4.5", "192.0.2.256", "[2001:db8::1", "2001:db8:::1",
                                         "a.b.c.d",   "0300.0.0.1",  "192.0.2.7 8"};

    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        struct http_ip ip;
        cr_expect(not(http_ip_parse(stoa_str_of(broken[i]), &ip)), "%s", broken[i]);
    }
}

Test(client, reads_the_sockets_address_of_either_family)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000207)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct http_ip from_v4 = http_ip_of((struct sockaddr *)&v4), want = ip_of("192.0.2.7");

    inet_pton(AF_INET6, "::ffff:192.0.2.7", &v6.sin6_addr);
    cr_expect(eq(int, memcmp(&from_v4, &want, sizeof(want)), 0));
    from_v4 = http_ip_of((struct sockaddr *)&v6);
    cr_expect(eq(int, memcmp(&from_v4, &want, sizeof(want)), 0), "a dual socket's IPv4 client");
}

Test(client, counts_an_ipv6_visitor_by_its_64)
{
    struct http_ip a = ip_of("2001:db8:1:2::1"), b = ip_of("2001:db8:1:2:ffff::9"),
                   c = ip_of("2001:db8:1:3::1"), v4 = ip_of("192.0.2.7");
    struct http_ip va = http_ip_visitor(&a), vb = http_ip_visitor(&b), vc = http_ip_visitor(&c),
                   vv4 = http_ip_visitor(&v4);

    cr_expect(eq(int, memcmp(&va, &vb, sizeof(va)), 0));
    cr_expect(ne(int, memcmp(&va, &vc, sizeof(va)), 0));
    cr_expect(eq(int, memcmp(&vv4, &v4, sizeof(v4)), 0), "IPv4 counts whole");
}

static bool has(const char *cidr, const char *text)
{
    struct http_network network;
    struct http_ip ip = ip_of(text);

    cr_assert(http_network_parse(cidr, &network), "%s", cidr);
    return http_network_has(&network, 1, &ip);
}

Test(client, matches_networks_at_their_edges)
{
    cr_expect(has("10.0.0.0/8", "10.255.255.255"));
    cr_expect(not(has("10.0.0.0/8", "11.0.0.0")));
    cr_expect(has("192.0.2.128/25", "192.0.2.128"));
    cr_expect(not(has("192.0.2.128/25", "192.0.2.127")));
    cr_expect(has("192.0.2.7", "192.0.2.7"));
    cr_expect(not(has("192.0.2.7", "192.0.2.8")));
    cr_expect(has("192.0.2.6/31", "192.0.2.7"));
    cr_expect(has("0.0.0.0/0", "203.0.113.1"));
    cr_expect(not(has("0.0.0.0/0", "2001:db8::1")), "all of IPv4 is not IPv6");
    cr_expect(has("2001:db8::/33", "2001:db8:7fff::1"));
    cr_expect(not(has("2001:db8::/33", "2001:db8:8000::1")));
    cr_expect(has("::1", "::1"));
    cr_expect(has("::/0", "2001:db8::1"));
}

Test(client, refuses_broken_networks)
{
    static const char *const broken[] = {
        "",   "10.0.0.0/33",    "10.0.0.0/-1",    "10.0.0.1/8", "10.0.0.0/",      "10.0.0/8",
        "/8", "2001:db8::/129", "2001:db8::1/64", "[::1]",      "proxy.internal", "10.0.0.0/8 "};

    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        struct http_network network;
        cr_expect(not(http_network_parse(broken[i], &network)), "%s", broken[i]);
    }
}

static void expect_client(const char *peer, const char *first, const char *second, const char *want)
{
    struct http_network trusted[2];
    stoa_str values[2] = {stoa_str_of(first), stoa_str_of(second)};
    struct http_ip ip = ip_of(peer), wanted = ip_of(want);

    cr_assert(http_network_parse("10.0.0.0/8", &trusted[0]));
    cr_assert(http_network_parse("2001:db8::/32", &trusted[1]));
    http_forwarded_for(trusted, 2, values, second ? 2 : first ? 1 : 0, &ip);
    cr_expect(eq(int, memcmp(&ip, &wanted, sizeof(ip)), 0), "%s / %s / %s: want %s", peer, first,
              second, want);
}

Test(client, is_the_rightmost_that_no_trusted_proxy_is)
{
    expect_client("10.0.0.1", "203.0.113.5", NULL, "203.0.113.5");
    expect_client("10.0.0.1", "203.0.113.5, 10.0.0.2", NULL, "203.0.113.5");
    expect_client("10.0.0.1", "198.51.100.1, 203.0.113.5", NULL, "203.0.113.5");
    expect_client("10.0.0.1", "198.51.100.1", "203.0.113.5,10.0.0.2", "203.0.113.5");
    expect_client("2001:db8::9", "[2001:db8::1]:99 , 203.0.113.5", NULL, "203.0.113.5");
    expect_client("10.0.0.1", "10.0.0.3, 10.0.0.2", NULL, "10.0.0.3");
}

Test(client, believes_nobody_else)
{
    expect_client("203.0.113.5", "198.51.100.1", NULL, "203.0.113.5");
    expect_client("10.0.0.1", NULL, NULL, "10.0.0.1");
    expect_client("10.0.0.1", "", NULL, "10.0.0.1");
    expect_client("10.0.0.1", "198.51.100.1, unknown", NULL, "10.0.0.1");
    expect_client("10.0.0.1", "198.51.100.1, ,10.0.0.2", NULL, "10.0.0.2");
}
