/* Loading: defaults, getters, hash, nodes, secrets. SPDX-License-Identifier: Apache-2.0 */
#include "config_fixture.h"

#define expect_str(f, path, text)                                                                  \
    do {                                                                                           \
        stoa_str got = config_str((f).config, path);                                               \
        cr_expect(stoa_str_is(got, text), "%s is \"%.*s\"", path, (int)got.len, got.ptr);          \
    } while (0)

#define load_ok(f, text) cr_assert_eq(fixture_load(&(f), text), STOA_OK, "%s", fixture_said(&(f)))

Test(config, fills_in_every_default)
{
    struct fixture f = fixture_begin();

    load_ok(f, BEGIN END);
    expect_str(f, "shop.name", "Stoa");
    expect_str(f, "port", "local");
    expect_str(f, "node.name", "all");
    expect_str(f, "node.listen.0", "127.0.0.1:8080");
    expect_str(f, "node.run", "*");
    expect_str(f, "resources.sql.kind", "sqlite");
    expect_str(f, "resources.sql.file", "stoa.db");
    cr_expect_eq(config_int(f.config, "resources.cache.max"), 64 << 20);
    cr_expect_eq(config_int(f.config, "limits.body"), 1 << 20);
    cr_expect_eq(config_int(f.config, "limits.request_time"), 10000);
    cr_expect_eq(config_int(f.config, "sql.pool_timeout"), 10 * 1000);
    cr_expect_eq(config_int(f.config, "sql.connections"), 40);
    cr_expect(config_bool(f.config, "development"), "the url is a loopback address");
    fixture_end(&f);
}

Test(config, plain_http_may_stand_beside_https_where_it_is_meant)
{
    static const char *const texts[] = {
        BEGIN
        "nodes = { all = { listen = { '127.0.0.1:80', '127.0.0.2:80', '[::1]:80', TLS } } }" END,
        BEGIN "nodes = { all = { listen = { ':80', ':0', ':0', TLS } } }, insecure_http = true" END,
        BEGIN "nodes = { all = { listen = { ':80', TLS } } }, trusted_proxies = { '10.0.0.1' }" END,
        BEGIN
        "nodes = { a = { listen = { ':9001', TLS }, reach = 'http://10.0.0.5:9001' },\n"
        "b = { listen = { ':80' } } }, cluster = { key = 'abcdefghijabcdefghijabcdefghij12' }" END,
    };

    for (uint32_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct fixture f = fixture_begin();
        const char *at = strstr(texts[i], "TLS");
        char text[1024];
        snprintf(text, sizeof text, "%.*sstoa.tls { ':443', certificate = 'a', key = 'b' }%s",
                 (int)(at - texts[i]), texts[i], at + 3);
        cr_assert_eq(fixture_load_as(&f, text, (struct config_source){.node = i == 3 ? "a" : NULL}),
                     STOA_OK, "%s", fixture_said(&f));
        fixture_end(&f);
    }
}

Test(config, takes_what_is_given)
{
    struct fixture f = fixture_begin();

    setenv("SHOP_CONNECTIONS", "77", 1);
    fixture_write(&f, "name.txt", "Büro & Co\n");
    load_ok(f, "local stoa = require 'stoa'\n"
               "local names = {}\n"
               "for i, plugin in ipairs { 'user', 'order' } do names[plugin] = { number = i } end\n"
               "return stoa.config {\n"
               "  shop = { name = stoa.file 'name.txt', url = 'https://shop.example.com' },\n"
               "  limits = { connections = stoa.env 'SHOP_CONNECTIONS', body = '2MiB',\n"
               "             in_flight = stoa.env('NO_SUCH_VARIABLE', 5) },\n"
               "  sql = { shared_timeout = '250ms' }, plugins = names,\n"
               "  resources = { users = stoa.sqlite { file = 'users.db' } },\n"
               "}\n");
    expect_str(f, "shop.name", "Büro & Co");
    cr_expect_eq(config_int(f.config, "limits.connections"), 77);
    cr_expect_eq(config_int(f.config, "limits.body"), 2 << 20);
    cr_expect_eq(config_int(f.config, "limits.in_flight"), 5);
    cr_expect_eq(config_int(f.config, "sql.shared_timeout"), 250);
    cr_expect_eq(config_int(f.config, "plugins.order.number"), 2);
    expect_str(f, "plugins.order.sql", "sql");
    expect_str(f, "resources.users.file", "users.db");
    expect_str(f, "resources.sql.file", "stoa.db");
    cr_expect_not(config_bool(f.config, "development"));
    fixture_end(&f);
}

Test(config, makes_folders_absolute)
{
    struct fixture f = fixture_begin();
    char expected[128];

    load_ok(f, BEGIN "data = 'here'" END);
    snprintf(expected, sizeof(expected), "%s/here", f.folder);
    expect_str(f, "data", expected);
    cr_assert_eq(fixture_load_as(&f, BEGIN END, (struct config_source){.data = "/srv/shop"}),
                 STOA_OK);
    expect_str(f, "data", "/srv/shop");
    fixture_end(&f);
}

Test(config, listens_where_it_is_told_and_moves_a_loopback_url_along)
{
    struct fixture f = fixture_begin();
    struct config_source source = {.listen = "127.0.0.1:9090"};

    cr_assert_eq(fixture_load_as(&f, BEGIN END, source), STOA_OK);
    expect_str(f, "node.listen.0", "127.0.0.1:9090");
    expect_str(f, "shop.url", "http://127.0.0.1:9090");
    cr_assert_eq(fixture_load_as(&f, BEGIN "shop = { url = 'https://a.example' }" END, source),
                 STOA_OK);
    expect_str(f, "shop.url", "https://a.example");
    fixture_end(&f);
}

Test(config, a_tls_listener_has_files_beside_the_configuration)
{
    struct fixture f = fixture_begin();
    char expected[128];

    load_ok(f, BEGIN
            "nodes = { all = { listen = { '127.0.0.1:1', stoa.tls { ':2', certificate = 'c.pem', "
            "key = { '/k.pem' } }, stoa.tls { address = ':3', certificate = 'c', key = 'k' } "
            "} } }" END);
    expect_str(f, "node.listen.0", "127.0.0.1:1");
    expect_str(f, "node.listen.1.address", ":2");
    snprintf(expected, sizeof(expected), "%s/c.pem", f.folder);
    expect_str(f, "node.listen.1.certificate.0", expected);
    expect_str(f, "node.listen.1.key.0", "/k.pem");
    expect_str(f, "node.listen.2.address", ":3");
    fixture_end(&f);
}

Test(config, knows_which_node_it_is)
{
    struct fixture f = fixture_begin();
    const char *two = BEGIN "plugins = { order = {} }, nodes = { a = { listen = { ':1' } }, b = { "
                            "run = { 'order' } } }, cluster = { key = 'k' }" END;

    unsetenv("STOA_NODE");
    cr_assert_eq(fixture_load(&f, two), STOA_E_CONFIG);
    cr_expect_str_eq(fixture_said(&f),
                     "3:27: there are several nodes; say which one this is: --node NAME (a, b)");
    cr_assert_eq(fixture_load_as(&f, two, (struct config_source){.node = "b"}), STOA_OK);
    expect_str(f, "node.run.0", "order");
    setenv("STOA_NODE", "a", 1);
    load_ok(f, two);
    expect_str(f, "node.listen.0", ":1");
    cr_assert_eq(fixture_load_as(&f, two, (struct config_source){.node = "c"}), STOA_E_CONFIG);
    cr_expect_str_eq(f.diag.message, "there is no node 'c'");
    fixture_end(&f);
}

Test(config, hashes_what_the_file_says_and_not_how)
{
    struct fixture f = fixture_begin();
    char first[65];

    load_ok(f, BEGIN "loops = 2, shop = { name = 'A', currency = 'EUR' }" END);
    snprintf(first, sizeof(first), "%s", config_hash(f.config));
    cr_assert_eq(strlen(first), 64);
    load_ok(f,
            BEGIN "-- another order\nshop = { currency = 'EUR', name = 'A' },\n loops = 1 + 1" END);
    cr_expect_str_eq(config_hash(f.config), first);
    load_ok(f, BEGIN "loops = 3" END);
    cr_expect_str_neq(config_hash(f.config), first);
    fixture_end(&f);
}

Test(config, walks_tables_in_the_same_order_every_time)
{
    struct fixture f = fixture_begin();

    load_ok(f,
            "local stoa = require 'stoa'\nlocal all, text = {}, ''\n"
            "for i = 1, 50 do all['k' .. i * 7919 % 1000] = i end\nall[3] = 'n'; all[true] = 'b'\n"
            "for k in pairs(all) do text = text .. tostring(k) .. ' ' end\n"
            "return stoa.config { plugins = { a = { text = text, t = tostring({}) .. "
            "tostring(pairs) } } }\n");
    stoa_str text = config_str(f.config, "plugins.a.text");
    cr_expect(stoa_str_starts(text, STOA_STR("true 3 k109 k112 k137 k165 ")), "%.*s", (int)text.len,
              text.ptr);
    expect_str(f, "plugins.a.t", "tablefunction");
    fixture_end(&f);
}

Test(config, says_where_a_key_stands)
{
    struct fixture f = fixture_begin();
    struct diag at;

    load_ok(f, BEGIN "  plugins = {\n    order = { days = 3 },\n  }" END);
    config_locate(f.config, "plugins.order.days", &at);
    cr_expect_eq(at.line, 4);
    cr_expect_eq(at.column, 15);
    cr_expect_str_eq(at.source, "    order = { days = 3 },");
    config_locate(f.config, "plugins.order.absent", &at);
    cr_expect_eq(at.line, 4);
    cr_expect_eq(at.column, 5, "the closest key above");
    config_locate(f.config, "limits.body", &at);
    cr_expect_eq(at.line, 0);
    cr_expect(strstr(at.file, "config.lua") != NULL);
    fixture_end(&f);
}

static const char with_secrets[] =
    BEGIN "plugins = { payment = { key = stoa.secret 'stripe_key' } },\n"
          "cluster = { key = 'plain-secret' },\n"
          "resources = { sql = stoa.postgresql { url = "
          "'postgresql://shop:pa55@db:5432/shop?sslpassword=pa55' } }" END;

Test(config, keeps_secrets_out_of_everything_but_their_getter)
{
    struct fixture f = fixture_begin();
    struct stoa_buf out;

    setenv("STOA_SECRET_STRIPE_KEY", "sk_live_1", 1);
    load_ok(f, with_secrets);
    cr_expect(stoa_str_is(config_secret(f.config, "plugins.payment.key"), "sk_live_1"));
    cr_expect(stoa_str_is(config_secret(f.config, "cluster.key"), "plain-secret"));
    expect_str(f, "plugins.payment.key.secret", "stripe_key");
    stoa_buf_init(&out, f.arena, 4096);
    config_print(f.config, &out);
    stoa_json_format(config_json(f.config), &out);
    stoa_buf_char(&out, '\0');
    cr_expect_not(strstr(out.ptr, "sk_live_1"));
    stoa_buf_init(&out, f.arena, 4096);
    config_print(f.config, &out);
    stoa_buf_char(&out, '\0');
    cr_expect_not(strstr(out.ptr, "plain-secret"));
    cr_expect_not(strstr(out.ptr, "pa55"));
    cr_expect(strstr(out.ptr, "postgresql://shop:***@db:5432/shop"));
    fixture_end(&f);
}

Test(config, reads_secrets_from_files_too)
{
    struct fixture f = fixture_begin();
    char folder[128];

    snprintf(folder, sizeof(folder), "%s/secrets", f.folder);
    cr_assert_eq(mkdir(folder, 0700), 0);
    fixture_write(&f, "secrets/mail", "from a file\n");
    load_ok(f, BEGIN "plugins = { notification = { key = stoa.secret 'mail' } }" END);
    cr_expect(stoa_str_is(config_secret(f.config, "plugins.notification.key"), "from a file"));
    cr_assert_eq(fixture_load(&f, BEGIN "cluster = { key = stoa.secret 'none' }" END),
                 STOA_E_CONFIG);
    cr_expect_str_eq(fixture_said(&f),
                     "3:13: the secret 'none' is nowhere; set STOA_SECRET_… in the "
                     "environment, or write it to secrets/none beside the file");
    fixture_end(&f);
}

Test(config, lists_every_key_for_the_guide)
{
    struct fixture f = fixture_begin();
    struct stoa_buf out;

    stoa_buf_init(&out, f.arena, 4096);
    config_reference(&out);
    stoa_buf_char(&out, '\0');
    cr_expect(strstr(out.ptr, "| `limits.head` | size | `32KiB` | 1KiB … 256KiB | Request line and "
                              "headers; past it 431 |\n"));
    cr_expect(strstr(out.ptr, "| `stoa.postgresql { url }` | secret | required |"));
    cr_expect(strstr(out.ptr, "| `stoa.redis {…}` | cache (not in this version) |"));
    fixture_end(&f);
}

static const struct stoa_setting schema[] = {
    {.name = "provider", .type = STOA_SET_STRING, .required = true, .help = "who takes the money"},
    {.name = "days", .type = STOA_SET_INT, .min = 1, .max = 30},
    {.name = "price", .type = STOA_SET_MONEY},
    {.name = "strict", .type = STOA_SET_BOOL},
    {.name = "rates", .type = STOA_SET_TABLE},
};

Test(config, checks_a_plugin_against_its_own_schema)
{
    static const struct {
        const char *table, *said;
    } cases[] = {
        {"provider = 'x', days = 3, price = stoa.money '4.50 EUR', strict = true, rates = { 1 }, "
         "sql = 'sql'",
         NULL},
        {"provider = stoa.secret 'p', price = '1.00 EUR'", NULL},
        {"days = 3", "3:13: plugins.pay.provider is missing; who takes the money"},
        {"provider = 3", "3:21: plugins.pay.provider is a whole number; it takes a string"},
        {"provider = 'x', days = 31", "3:37: plugins.pay.days is too large; at most 30"},
        {"provider = 'x', days = 0", "3:37: plugins.pay.days is too small; at least 1"},
        {"provider = 'x', price = 4.5",
         "3:37: plugins.pay.price is a fraction; it takes money, such as stoa.money \"4.50 EUR\""},
        {"providr = 'x'",
         "3:21: plugins.pay.providr is not a setting (and 1 more); did you mean 'provider'?"},
        {"provider = 'x', dayz = 1",
         "3:37: plugins.pay.dayz is not a setting; did you mean 'days'?"},
    };
    struct fixture f = fixture_begin();

    setenv("STOA_SECRET_P", "x", 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char text[512];
        snprintf(text, sizeof(text), BEGIN "plugins = { pay = { %s } }" END, cases[i].table);
        load_ok(f, text);
        stoa_err err = config_check_table(f.config, "plugins.pay", schema, 5, &f.diag);
        cr_expect_eq(err, cases[i].said ? STOA_E_CONFIG : STOA_OK, "%s", cases[i].table);
        if (cases[i].said)
            cr_expect_str_eq(fixture_said(&f), cases[i].said);
    }
    fixture_end(&f);
}
