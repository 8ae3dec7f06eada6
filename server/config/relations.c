/* config/relations.c: what no single key can tell. SPDX-License-Identifier: Apache-2.0 */
#include "config/check.h"

#include "base/hex.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stoa/money.h>

#define PATH_LEN 160
#define CERTIFICATES_MAX 16

/* Cuts ":8080" or "]:8080" off; *port keeps the ":". False when there is more than one bare colon.
 */
static bool split_port(stoa_str text, stoa_str *host, stoa_str *port)
{
    int64_t colon;

    if (text.len > 0 && text.ptr[0] == '[') {
        int64_t end = stoa_str_find(text, ']', 0);
        if (end < 0)
            return false;
        *host = stoa_str_sub(text, 1, (uint64_t)end - 1);
        *port = stoa_str_sub(text, (uint64_t)end + 1, text.len);
        return port->len == 0 || port->ptr[0] == ':';
    }
    colon = stoa_str_find(text, ':', 0);
    *host = colon < 0 ? text : stoa_str_sub(text, 0, (uint64_t)colon);
    *port = colon < 0 ? (stoa_str){"", 0} : stoa_str_sub(text, (uint64_t)colon, text.len);
    return colon < 0 || stoa_str_find(text, ':', (uint64_t)colon + 1) < 0;
}

static bool is_port(stoa_str port)
{
    int64_t number;

    return port.len > 1 &&
           stoa_str_int(stoa_str_sub(port, 1, port.len), 0, 65535, &number) == STOA_OK;
}

static bool is_host(stoa_str host)
{
    if (host.len == 0)
        return false;
    for (uint64_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];
        bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '.' || c == '-' || c == ':';
        if (!fits)
            return false;
    }
    return true;
}

bool check_url_parse(stoa_str url, struct check_url *ret)
{
    int64_t scheme = stoa_str_find(url, ':', 0);
    stoa_str rest;

    if (scheme <= 0 || !stoa_str_starts(stoa_str_sub(url, (uint64_t)scheme, 3), STOA_STR("://")))
        return false;
    ret->scheme = stoa_str_sub(url, 0, (uint64_t)scheme);
    rest = stoa_str_sub(url, (uint64_t)scheme + 3, url.len);
    return split_port(rest, &ret->host, &ret->port) && is_host(ret->host) &&
           (ret->port.len == 0 || is_port(ret->port));
}

bool check_is_loopback(stoa_str host)
{
    return stoa_str_eq_nocase(host, STOA_STR("localhost")) || stoa_str_is(host, "::1") ||
           stoa_str_starts(host, STOA_STR("127."));
}

static void check_shop_url(struct check *check, const struct stoa_json *filled)
{
    stoa_str url = stoa_json_str(filled, "shop.url");
    struct check_url parts;

    if (!check_url_parse(url, &parts) ||
        !(stoa_str_is(parts.scheme, "http") || stoa_str_is(parts.scheme, "https"))) {
        check_problem(check, "shop.url",
                      "shop.url is not the address of a shop; write it like "
                      "\"https://shop.example.com\", with nothing behind the host");
        return;
    }
    if (stoa_str_is(parts.scheme, "http") && !check_is_loopback(parts.host) &&
        !stoa_json_true(filled, "insecure_http"))
        check_problem(
            check, "shop.url",
            "shop.url is plain http, so browsers would drop the session cookie; use https, "
            "or set insecure_http = true if you know why");
}

/* "en", "de", "pt-BR", "zh-Hant" */
static bool is_locale(stoa_str text)
{
    stoa_str rest = text, part = stoa_str_cut(&rest, '-');

    if (part.len < 2 || part.len > 3 || text.len > 16)
        return false;
    for (uint64_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && c != '-' && !(c >= '0' && c <= '9' && i > part.len))
            return false;
    }
    return true;
}

static void check_shop(struct check *check, const struct stoa_json *filled)
{
    const struct stoa_json *locales = stoa_json_get(filled, "shop.locales");
    stoa_str currency = stoa_json_str(filled, "shop.currency");
    uint32_t index = 0;

    check_shop_url(check, filled);
    if (!stoa_currency_is_known(currency))
        check_problem(
            check, "shop.currency",
            "shop.currency = \"%.*s\" is no currency; write its ISO 4217 code, such as \"EUR\"",
            (int)currency.len, currency.ptr);
    if (stoa_json_count(locales) == 0)
        check_problem(check, "shop.locales",
                      "shop.locales is empty; name at least one, such as \"en\"");
    for (const struct stoa_json *e = stoa_json_first(locales); e; e = stoa_json_next(e), index++) {
        char path[PATH_LEN];
        snprintf(path, sizeof(path), "shop.locales.%u", index);
        if (!is_locale(stoa_json_str(e, "")))
            check_problem(check, path,
                          "shop.locales[%u] is no locale; write it like \"en\" or \"pt-BR\"",
                          index + 1);
    }
}

static const char *closest_member(const struct stoa_json *map, stoa_str name,
                                  struct stoa_arena *arena)
{
    const char *candidates[64];
    uint32_t count = 0;

    for (const struct stoa_json *e = stoa_json_first(map); e && count < 64; e = stoa_json_next(e))
        candidates[count++] = stoa_cstr(arena, stoa_json_name(e));
    return diag_did_you_mean(stoa_cstr(arena, name), candidates, count);
}

/* Reports at path that map ("plugins") has no member called name. */
static void no_such(struct check *check, const char *path, const char *map_name,
                    const struct stoa_json *map, stoa_str name)
{
    const char *close = closest_member(map, name, check->arena);

    if (close)
        check_problem(check, path, "there is no '%.*s' in %s; did you mean '%s'?", (int)name.len,
                      name.ptr, map_name, close);
    else
        check_problem(check, path, "there is no '%.*s' in %s; add it there", (int)name.len,
                      name.ptr, map_name);
}

static bool is_listen(stoa_str text)
{
    struct in_addr v4;
    struct in6_addr v6;
    stoa_str host, port;
    char name[64];

    if (!split_port(text, &host, &port) || !is_port(port) || host.len >= sizeof(name))
        return false;
    snprintf(name, sizeof(name), "%.*s", (int)host.len, host.len ? host.ptr : "");
    return host.len == 0 || inet_pton(AF_INET, name, &v4) == 1 ||
           inet_pton(AF_INET6, name, &v6) == 1;
}

struct place {
    const char *path, *label;
};

static bool is_tls(const struct stoa_json *listener)
{
    return stoa_json_type(listener) == STOA_JSON_OBJECT;
}

static stoa_str address_of(const struct stoa_json *listener)
{
    return stoa_json_str(listener, is_tls(listener) ? "address" : "");
}

/* One of a node's listeners: an address, or what stoa.tls() returned. */
static void check_listener(struct check *check, const struct stoa_json *e, struct place at)
{
    uint32_t certificates = stoa_json_count(stoa_json_get(e, "certificate"));
    uint32_t keys = stoa_json_count(stoa_json_get(e, "key"));

    if (!is_listen(address_of(e)))
        check_problem(check, at.path,
                      "%s is no address; write it like \"127.0.0.1:8080\", \":8080\" or "
                      "\"[::1]:8080\"",
                      at.label);
    if (!is_tls(e))
        return;
    if (certificates == 0 || certificates > CERTIFICATES_MAX)
        check_problem(check, at.path, "%s has %u certificates; it takes 1 to %d", at.label,
                      certificates, CERTIFICATES_MAX);
    else if (certificates != keys)
        check_problem(check, at.path,
                      "%s has %u certificates and %u keys; each certificate has a key of its own",
                      at.label, certificates, keys);
}

static int64_t port_of(stoa_str address, stoa_str *host)
{
    stoa_str port;
    int64_t number = 0;

    if (!split_port(address, host, &port) || !is_port(port) ||
        stoa_str_int(stoa_str_sub(port, 1, port.len), 0, 65535, &number) != STOA_OK)
        return 0;
    return number;
}

/* Written differently they may still be one: "[::1]:80" and "[0::1]:080". */
static bool is_same_host(stoa_str one, stoa_str other)
{
    unsigned char bytes[2][16] = {{0}};
    const stoa_str hosts[] = {one, other};
    int family[2];

    for (uint32_t i = 0; i < 2; i++) {
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)hosts[i].len, hosts[i].len ? hosts[i].ptr : "");
        family[i] = stoa_str_find(hosts[i], ':', 0) >= 0 ? AF_INET6 : AF_INET;
        if (hosts[i].len > 0 && inet_pton(family[i], name, bytes[i]) != 1)
            return false;
    }
    return (one.len == 0) == (other.len == 0) && family[0] == family[1] &&
           memcmp(bytes[0], bytes[1], 16) == 0;
}

/* Each of port 0 is one of its own. */
static bool is_same_address(stoa_str one, stoa_str other)
{
    stoa_str hosts[2];
    int64_t port = port_of(one, &hosts[0]);

    return port != 0 && port == port_of(other, &hosts[1]) && is_same_host(hosts[0], hosts[1]);
}

static void check_twice(struct check *check, const struct stoa_json *listen,
                        const struct stoa_json *at, struct place place)
{
    for (const struct stoa_json *e = stoa_json_first(listen); e != at; e = stoa_json_next(e))
        if (is_same_address(address_of(e), address_of(at))) {
            check_problem(check, place.path,
                          "%s is an address that is in the list already; an address is either "
                          "plain or stoa.tls, and stands there once",
                          place.label);
            return;
        }
}

/* Other nodes call this one there: they sign, and speak no TLS. */
static bool is_for_nodes(const struct stoa_json *node, int64_t port)
{
    const struct stoa_json *reach = stoa_json_get(node, "reach");
    struct check_url url;
    stoa_str host, at;

    for (const struct stoa_json *e = stoa_json_first(reach); e; e = stoa_json_next(e)) {
        at = stoa_json_str(e, "");
        if (check_url_parse(at, &url) &&
            port ==
                (url.port.len ? port_of(stoa_str_sub(at, url.scheme.len + 3, at.len), &host) : 80))
            return true;
    }
    return false;
}

static bool has_tls(const struct stoa_json *listen)
{
    for (const struct stoa_json *e = stoa_json_first(listen); e; e = stoa_json_next(e))
        if (is_tls(e))
            return true;
    return false;
}

/* Where the shop speaks https itself, nobody is to send a password beside it. */
static void check_beside(struct check *check, const struct stoa_json *node,
                         const struct stoa_json *at, struct place place)
{
    stoa_str host = {0};
    int64_t port = port_of(address_of(at), &host);

    if (!is_tls(at) && has_tls(stoa_json_get(node, "listen")) && !check_is_loopback(host) &&
        !is_for_nodes(node, port))
        check_problem(check, place.path,
                      "%s is plain http beside a stoa.tls, and passwords would be in clear there; "
                      "listen on \"127.0.0.1:%lld\", name the proxy in trusted_proxies, or set "
                      "insecure_http = true if you know why",
                      place.label, (long long)port);
}

static void check_listeners(struct check *check, const struct stoa_json *node,
                            const struct stoa_json *filled)
{
    const struct stoa_json *listen = stoa_json_get(node, "listen");
    bool is_open = stoa_json_true(filled, "insecure_http") ||
                   stoa_json_count(stoa_json_get(filled, "trusted_proxies")) > 0;
    stoa_str name = stoa_json_name(node);
    char path[PATH_LEN], label[PATH_LEN];
    uint32_t index = 0;

    for (const struct stoa_json *e = stoa_json_first(listen); e; e = stoa_json_next(e), index++) {
        struct place place = {path, label};
        snprintf(path, sizeof(path), "nodes.%.*s.listen.%u", (int)name.len, name.ptr, index);
        snprintf(label, sizeof(label), "nodes.%.*s.listen[%u]", (int)name.len, name.ptr, index + 1);
        check_listener(check, e, place);
        check_twice(check, listen, e, place);
        if (!is_open)
            check_beside(check, node, e, place);
    }
}

static void check_node(struct check *check, const struct stoa_json *node,
                       const struct stoa_json *filled)
{
    const struct stoa_json *plugins = stoa_json_get(filled, "plugins");
    const struct stoa_json *run = stoa_json_get(node, "run");
    stoa_str name = stoa_json_name(node);
    char path[PATH_LEN];
    uint32_t index = 0;

    check_listeners(check, node, filled);
    for (const struct stoa_json *e = stoa_json_first(run); e; e = stoa_json_next(e), index++) {
        snprintf(path, sizeof(path), "nodes.%.*s.run.%u", (int)name.len, name.ptr, index);
        if (!stoa_json_member(plugins, stoa_json_str(e, "")))
            no_such(check, path, "plugins", plugins, stoa_json_str(e, ""));
    }
}

/* ---- Several nodes ---- */

static bool runs(const struct stoa_json *node, stoa_str plugin)
{
    const struct stoa_json *run = stoa_json_get(node, "run");

    if (stoa_json_type(run) != STOA_JSON_ARRAY)
        return true;
    for (const struct stoa_json *e = stoa_json_first(run); e; e = stoa_json_next(e))
        if (stoa_str_eq(stoa_json_str(e, ""), plugin))
            return true;
    return false;
}

static void check_reach(struct check *check, const struct stoa_json *node)
{
    const struct stoa_json *reach = stoa_json_get(node, "reach");
    stoa_str name = stoa_json_name(node);
    char path[PATH_LEN];

    for (const struct stoa_json *e = stoa_json_first(reach); e; e = stoa_json_next(e)) {
        struct check_url url;
        if (check_url_parse(stoa_json_str(e, ""), &url) && stoa_str_is(url.scheme, "http"))
            continue;
        snprintf(path, sizeof(path), "nodes.%.*s.reach", (int)name.len, name.ptr);
        check_problem(check, path,
                      "%s is no address of a node; write it like "
                      "\"http://10.0.0.5:9001\"",
                      path);
    }
}

/* Whoever does not run a plugin must be able to call it. */
static void check_placement(struct check *check, const struct stoa_json *nodes, stoa_str plugin)
{
    const struct stoa_json *home = NULL, *stranger = NULL;
    bool is_reachable = false;
    char path[PATH_LEN];

    for (const struct stoa_json *n = stoa_json_first(nodes); n; n = stoa_json_next(n)) {
        if (!runs(n, plugin)) {
            stranger = n;
            continue;
        }
        home = n;
        is_reachable |= stoa_json_count(stoa_json_get(n, "reach")) > 0;
    }
    if (!home)
        check_problem(check, "nodes",
                      "no node runs '%.*s'; name it in the run = { … } of one, or "
                      "leave it out of plugins",
                      (int)plugin.len, plugin.ptr);
    if (!home || !stranger || is_reachable)
        return;
    snprintf(path, sizeof(path), "nodes.%.*s", (int)stoa_json_name(home).len,
             stoa_json_name(home).ptr);
    check_problem(check, path,
                  "%s runs '%.*s', which nodes.%.*s must call; say where: reach = "
                  "\"http://host:port\"",
                  path, (int)plugin.len, plugin.ptr, (int)stoa_json_name(stranger).len,
                  stoa_json_name(stranger).ptr);
}

static void check_nodes(struct check *check, const struct stoa_json *filled)
{
    const struct stoa_json *nodes = stoa_json_get(filled, "nodes"),
                           *plugins = stoa_json_get(filled, "plugins");

    if (stoa_json_count(nodes) < 2)
        return;
    if (!stoa_json_get(filled, "cluster.key"))
        check_problem(check, "nodes",
                      "several nodes sign their calls to each other; set cluster = "
                      "{ key = stoa.secret \"cluster\" }, 32 bytes or more");
    for (const struct stoa_json *n = stoa_json_first(nodes); n; n = stoa_json_next(n))
        check_reach(check, n);
    for (const struct stoa_json *p = stoa_json_first(plugins); p; p = stoa_json_next(p))
        check_placement(check, nodes, stoa_json_name(p));
}

/* Each plugin's tables are in a resource that exists and is a database. */
static void check_plugins(struct check *check, const struct stoa_json *filled)
{
    const struct stoa_json *plugins = stoa_json_get(filled, "plugins");
    const struct stoa_json *resources = stoa_json_get(filled, "resources");

    for (const struct stoa_json *e = stoa_json_first(plugins); e; e = stoa_json_next(e)) {
        stoa_str name = stoa_json_name(e), sql = stoa_json_str(e, "sql");
        char path[PATH_LEN];

        snprintf(path, sizeof(path), "plugins.%.*s.sql", (int)name.len, name.ptr);
        if (!stoa_json_member(resources, sql))
            no_such(check, path, "resources", resources, sql);
        else if (strcmp(config_use_of(sql), "sql") != 0)
            check_problem(check, path, "%s = \"%.*s\" is no database; name an sql resource", path,
                          (int)sql.len, sql.ptr);
    }
}

static bool is_network(stoa_str text)
{
    stoa_str rest = text, host = stoa_str_cut(&rest, '/');
    unsigned char address[16];
    char name[64];
    int64_t bits = 0;

    if (host.len == 0 || host.len >= sizeof(name))
        return false;
    snprintf(name, sizeof(name), "%.*s", (int)host.len, host.ptr);
    bool v4 = inet_pton(AF_INET, name, address) == 1;
    if (!v4 && inet_pton(AF_INET6, name, address) != 1)
        return false;
    return !rest.ptr || stoa_str_int(rest, 0, v4 ? 32 : 128, &bits) == STOA_OK;
}

static void check_proxies(struct check *check, const struct stoa_json *filled)
{
    const struct stoa_json *proxies = stoa_json_get(filled, "trusted_proxies");
    uint32_t index = 0;

    for (const struct stoa_json *e = stoa_json_first(proxies); e; e = stoa_json_next(e), index++) {
        char path[PATH_LEN];
        snprintf(path, sizeof(path), "trusted_proxies.%u", index);
        if (!is_network(stoa_json_str(e, "")))
            check_problem(
                check, path,
                "trusted_proxies[%u] is no address or network; write it like \"10.0.0.0/8\"",
                index + 1);
    }
}

/* "acme:" and 32 bytes in hex. */
static bool is_key(stoa_str text)
{
    stoa_str rest = text, name = stoa_str_cut(&rest, ':');

    for (uint64_t i = 0; i < name.len; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-", name.ptr[i]))
            return false;
    return name.len > 0 && name.len < 32 && rest.len == 64 && hex_is(rest);
}

static void check_trust(struct check *check, const struct stoa_json *filled)
{
    const struct stoa_json *keys = stoa_json_get(filled, "trust.keys");
    uint32_t index = 0;

    for (const struct stoa_json *e = stoa_json_first(keys); e; e = stoa_json_next(e), index++) {
        char path[PATH_LEN];
        snprintf(path, sizeof(path), "trust.keys.%u", index);
        if (!is_key(stoa_json_str(e, "")))
            check_problem(check, path,
                          "trust.keys[%u] is no key; write it as `stoa plugin keygen` printed it",
                          index + 1);
    }
}

void check_relations(struct check *check, const struct stoa_json *filled)
{
    const struct stoa_json *nodes = stoa_json_get(filled, "nodes");

    check_shop(check, filled);
    check_plugins(check, filled);
    check_proxies(check, filled);
    check_trust(check, filled);
    for (const struct stoa_json *e = stoa_json_first(nodes); e; e = stoa_json_next(e))
        check_node(check, e, filled);
    check_nodes(check, filled);
}
