/* Every way to write a wrong configuration, and exactly what the operator reads then.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config_fixture.h"

struct broken {
    const char *text, *said;
};

static void expect_all(const struct broken *cases, size_t count)
{
    struct fixture f = fixture_begin();

    for (size_t i = 0; i < count; i++) {
        stoa_err err = fixture_load(&f, cases[i].text);
        cr_expect_eq(err, STOA_E_CONFIG, "%s\nwas taken", cases[i].text);
        if (err == STOA_E_CONFIG)
            cr_expect_str_eq(fixture_said(&f), cases[i].said, "\n%s\nsaid     %s\nexpected %s",
                             cases[i].text, fixture_said(&f), cases[i].said);
    }
    fixture_end(&f);
}

#define EXPECT_ALL(cases) expect_all(cases, sizeof(cases) / sizeof(*(cases)))
#define NOT_HERE                                                                                   \
    "is not available here; the file is a pure function: only stoa.env, stoa.secret and "          \
    "stoa.file read from outside"
#define STOA "local stoa = require 'stoa'\n"

Test(broken, syntax_is_told_with_line_and_column)
{
    static const struct broken cases[] = {
        {BEGIN "loops = = 3" END, "3:9: unexpected symbol near '='; "},
        {STOA "return stoa.config { loops = 3\n",
         "3:0: '}' expected (to close '{' at line 2) near <eof>; "},
        {STOA "x = 'open\n", "2:5: unfinished string near ''open'; "},
        {"\x1bLua", "0:0: attempt to load a binary chunk (mode is 't'); "},
        {"\xff = 1", "1:0: unexpected symbol near '<\\255>'; "},
        {"",
         "0:0: the file does not return a configuration; end it with: return stoa.config { … }"},
        {"return {}",
         "0:0: the file does not return a configuration; end it with: return stoa.config { … }"},
        {STOA "stoa.config {}",
         "0:0: the file does not return a configuration; end it with: return stoa.config { … }"},
    };
    EXPECT_ALL(cases);
}

Test(broken, code_that_fails_is_told_with_its_line)
{
    static const struct broken cases[] = {
        {STOA "\nerror 'the moon is full'", "3:0: the moon is full; "},
        {STOA "error {}", "0:0: failed with something that is no message; "},
        {STOA "local t = nil\nlocal x = t.y", "3:0: attempt to index a nil value (local 't'); "},
        {STOA "return stoa.config { data = stoa.env 'NOT_SET_AT_ALL' }",
         "2:0: the environment has no NOT_SET_AT_ALL; set it, or give a default: "
         "stoa.env(\"NOT_SET_AT_ALL\", \"…\")"},
        {STOA "return stoa.config { data = stoa.env 'STOA_SECRET_X' }",
         "2:0: STOA_SECRET_X is a secret; name it with stoa.secret"},
        {STOA "return stoa.config { resources = { sql = stoa.sqllite {} } }",
         "2:0: there is no stoa.sqllite; did you mean stoa.sqlite?"},
        {STOA "return stoa.config { x = stoa.secret 'A B' }",
         "2:0: 'A B' is no name for a secret; use a-z, 0-9 and _"},
        {STOA "return stoa.config { x = stoa.money '4.505 EUR' }",
         "2:0: '4.505 EUR' is no amount of money; write it like stoa.money \"4.50 EUR\""},
        {STOA "return stoa.config { x = stoa.file 'absent' }",
         "2:0: absent cannot be read; paths are relative to the configuration file"},
        {"local x = require 'socket'",
         "1:0: there is no module 'socket'; only require \"stoa\" works here"},
        {"x = undefined_name",
         "1:0: undefined_name is not defined; check the spelling, or define it above"},
    };
    EXPECT_ALL(cases);
}

Test(broken, what_is_not_pure_is_not_there)
{
    static const struct broken cases[] = {
        {"x = os.time()", "1:0: os " NOT_HERE},
        {"x = io.open('/etc/passwd')", "1:0: io " NOT_HERE},
        {"load('x = 1')()", "1:0: load " NOT_HERE},
        {"x = math.random()", "1:0: math.random " NOT_HERE},
        {"x = debug.getinfo(1)", "1:0: debug " NOT_HERE},
        {"for k in next, {} do end", "1:0: next " NOT_HERE},
        {"pcall(error)", "1:0: pcall " NOT_HERE},
        {"print 'x'", "1:0: print " NOT_HERE},
        {"x = string.rep('a', 50):match('.-.-.-.-b')", "1:0: string.match " NOT_HERE},
        {"x = string.find('a', 'a')", "1:0: string.find " NOT_HERE},
        {"x = ('a'):gsub('a', 'b')", "1:0: string.gsub " NOT_HERE},
        {"x = coroutine.wrap(print)", "1:0: coroutine " NOT_HERE},
        {"x = string.format('%p', 'x')",
         "1:0: bad argument #1 to 'format' (%p is not available here); "},
        {"x = string.format('%s', {})",
         "1:0: bad argument #2 to 'format' (string, number or boolean expected); "},
    };
    EXPECT_ALL(cases);
}

Test(broken, what_runs_away_is_stopped, .timeout = 300)
{
    static const struct broken cases[] = {
        {STOA "local t, x = {}, string.rep('x', 1 << 16)\nfor i = 1, 1e9 do t[i] = x .. i end",
         "3:0: needs more than 128 MiB of memory; the file is to describe the shop: look for a "
         "huge table or string"},
        {"x = string.rep('x', 1 << 30)", "1:0: needs more than 128 MiB of memory; the file is to "
                                         "describe the shop: look for a huge table or string"},
        {"local function f(...) return 1 + f(...) end\nf(table.unpack({}, 1, 200))", NULL},
        {STOA "local t = {}\nt.t = t\nreturn stoa.config { plugins = { a = t } }",
         "4:34: plugins.a.t.t.t.t.t.t.t.t.t.t.t.t.t.t is nested too deep, or contains itself; only "
         "strings, "
         "numbers, booleans and tables can stand here"},
        {STOA "local t = {}\nfor i = 1, 10001 do t[i] = 1 end\nreturn stoa.config { plugins = { a "
              "= { t = t } } }",
         "4:40: plugins.a.t has too many entries; only strings, numbers, booleans and tables can "
         "stand here"},
    };
    struct fixture f = fixture_begin();

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        cr_expect_eq(fixture_load(&f, cases[i].text), STOA_E_CONFIG);
        if (cases[i].said)
            cr_expect_str_eq(fixture_said(&f), cases[i].said, "\nsaid     %s\nexpected %s",
                             fixture_said(&f), cases[i].said);
        else
            cr_expect(strstr(fixture_said(&f), "stack overflow") != NULL, "%s", fixture_said(&f));
    }
    fixture_end(&f);
}

#define RAN                                                                                        \
    "ran for more than 2 s of processor time; the file is to describe the shop: look for an "      \
    "endless loop"

Test(broken, an_endless_loop_is_stopped_where_it_is, .timeout = 300)
{
    static const struct broken cases[] = {{STOA "\nwhile true do end", "3:0: " RAN}};

    EXPECT_ALL(cases);
}

Test(broken, an_endless_loop_inside_c_is_stopped_too, .timeout = 300)
{
    static const struct broken cases[] = {{STOA "\n\nx = string.rep('', 1 << 60)", "4:0: " RAN}};

    EXPECT_ALL(cases);
}

Test(broken, values_that_json_cannot_hold)
{
    static const struct broken cases[] = {
        {BEGIN "plugins = { a = { f = function() end } }" END,
         "3:19: plugins.a.f is a function or the like; only strings, numbers, booleans and tables "
         "can stand here"},
        {BEGIN "plugins = { a = { n = 0/0 } }" END,
         "3:19: plugins.a.n is not a finite number; only strings, numbers, booleans and tables can "
         "stand here"},
        {BEGIN "plugins = { a = { s = '\\xff' } }" END,
         "3:19: plugins.a.s is a string that is not UTF-8; only strings, numbers, booleans and "
         "tables can stand here"},
        {BEGIN "plugins = { a = { 1, x = 2 } }" END,
         "3:13: plugins.a has both names and list entries; only strings, numbers, booleans and "
         "tables can stand here"},
        {BEGIN "plugins = { a = { [1.5] = 2 } }" END,
         "3:13: plugins.a has a key that is neither a string nor a whole number; only strings, "
         "numbers, booleans "
         "and tables can stand here"},
        {BEGIN "plugins = { a = { t = { [2] = 2 } } }" END,
         "3:19: plugins.a.t is a list with holes; only strings, numbers, booleans and tables can "
         "stand here"},
        {BEGIN "shop = { name = 'a\\0b' }" END, "3:10: shop.name is a string with a zero byte in "
                                                "it; only strings, numbers, booleans and tables "
                                                "can stand here"},
    };
    EXPECT_ALL(cases);
}

Test(broken, keys_and_types_are_told_with_their_place)
{
    static const struct broken cases[] = {
        {BEGIN "  limts = {}" END, "3:3: limts is not a setting; did you mean 'limits'?"},
        {BEGIN "limits = {\n  conections = 5 }" END,
         "4:3: limits.conections is not a setting; did you mean 'connections'?"},
        {BEGIN "'a', 'b'" END, "0:0: stoa.config is given a list; it takes settings by name"},
        {BEGIN "zzzzzz = 1" END,
         "3:1: zzzzzz is not a setting; docs/operator-guide.md lists them all"},
        {BEGIN "loops = 'many'" END, "3:1: loops is a string; it takes a whole number"},
        {BEGIN "loops = 2.5" END, "3:1: loops is a fraction; it takes a whole number"},
        {BEGIN "loops = 257" END, "3:1: loops is too large; at most 256"},
        {BEGIN "limits = { connections = 0 }" END,
         "3:12: limits.connections is too small; at least 1"},
        {BEGIN "limits = { body = '1MB' }" END,
         "3:12: limits.body is not a size; write it like \"512KiB\", \"64MiB\" or \"1GiB\""},
        {BEGIN "limits = { body = '99999999999GiB' }" END,
         "3:12: limits.body is not a size; write it like \"512KiB\", \"64MiB\" or \"1GiB\""},
        {BEGIN "limits = { drain = 12 }" END, "3:12: limits.drain is not a duration; write it like "
                                              "\"250ms\", \"10s\", \"15min\" or \"2h\""},
        {BEGIN "insecure_http = 'yes'" END,
         "3:1: insecure_http is a string; it takes true or false"},
        {BEGIN "port = 'wire'" END,
         "3:1: port = \"wire\" is not possible; one of: local loopback sandbox"},
        {BEGIN "shop = 'x'" END, "3:1: shop is a string; it takes a table"},
        {BEGIN "shop = { name = '' }" END, "3:10: shop.name has 0 bytes; it takes 1 to 100"},
        {BEGIN "trusted_proxies = '10.0.0.0/8'" END,
         "3:1: trusted_proxies is a string; it takes a list of strings, such as { \"…\" }"},
        {BEGIN "trusted_proxies = { '10.0.0.0/8', 7 }" END,
         "3:35: trusted_proxies[2] is a whole number; it takes a string"},
        {BEGIN "plugins = { 'user' }" END,
         "3:1: plugins is a list; it takes a table of name = { … }"},
        {BEGIN "plugins = { user = true }" END,
         "3:13: plugins.user is a boolean; it takes a table"},
        {BEGIN "plugins = { ['a-b'] = {} }" END,
         "3:13: plugins.a-b: not a name; up to 31 of a-z, 0-9 and _, a letter first"},
        {BEGIN "nodes = { a = { run = 'order' } }" END,
         "3:17: nodes.a.run is a string; it takes \"*\" or a list of names"},
        {BEGIN "cluster = { key = 5 }" END,
         "3:13: cluster.key is a whole number; it takes a string or stoa.secret \"name\""},
    };
    EXPECT_ALL(cases);
}

Test(broken, what_this_version_lacks_is_named)
{
    static const struct broken cases[] = {
        {BEGIN "resources = {\n  cache = stoa.redis { url = 'x' } }" END,
         "4:3: stoa.redis is not yet supported in this version; use stoa.memory {}"},
        {BEGIN "resources = { docs = stoa.mongodb {} }" END,
         "3:15: stoa.mongodb is not yet supported in this version; use the catalogue in sql, which "
         "needs no docs"},
        {BEGIN "resources = { bus = stoa.rabbitmq {} }" END,
         "3:15: stoa.rabbitmq is not yet supported in this version; use stoa.sqlbus {}"},
        {BEGIN "resources = { mail = stoa.smtp {} }" END,
         "3:15: stoa.smtp is not yet supported in this version; use stoa.files {}"},
        {BEGIN "plugins = { a = { canary = { percent = 5 } } }" END,
         "3:19: plugins.a.canary is not yet supported in this version; leave it out"},
        {BEGIN "plugins = { a = { place = 'node' } }" END,
         "3:19: plugins.a.place = \"node\" is not possible; one of: process sandbox"},
    };
    EXPECT_ALL(cases);
}

Test(broken, resources_fit_their_names)
{
    static const struct broken cases[] = {
        {BEGIN "resources = { sql = {} }" END,
         "3:15: resources.sql is a plain table; give it a kind, such as stoa.sqlite {}"},
        {BEGIN "resources = { cache = stoa.sqlite {} }" END,
         "3:15: resources.cache cannot be stoa.sqlite; that is for sql"},
        {BEGIN "resources = { users = stoa.files {} }" END,
         "3:15: resources.users cannot be stoa.files; that is for mail blobs"},
        {BEGIN "resources = { sql = stoa.postgresql {} }" END,
         "3:15: resources.sql.url is missing; postgresql://user:password@host/database; best from "
         "stoa.env or "
         "stoa.secret"},
        {BEGIN "resources = { sql = stoa.sqlite { fil = 'x' } }" END,
         "3:35: resources.sql.fil is not a setting; did you mean 'file'?"},
        {BEGIN "plugins = { user = { sql = 'usrs' } }, resources = { users = stoa.sqlite {} }" END,
         "3:22: there is no 'usrs' in resources; did you mean 'users'?"},
        {BEGIN "plugins = { user = { sql = 'cache' } }" END,
         "3:22: plugins.user.sql = \"cache\" is no database; name an sql resource"},
    };
    EXPECT_ALL(cases);
}

Test(broken, listeners_are_looked_at)
{
    static const struct broken cases[] = {
        {BEGIN "nodes = { all = { listen = { '127.0.0.1:8080', 'localhost' } } }" END,
         "3:48: nodes.all.listen[2] is no address; write it like \"127.0.0.1:8080\", \":8080\" or "
         "\"[::1]:8080\""},
        {BEGIN "nodes = { all = { listen = { ':99999' } } }" END,
         "3:30: nodes.all.listen[1] is no address; write it like \"127.0.0.1:8080\", \":8080\" or "
         "\"[::1]:8080\""},
        {BEGIN
         "nodes = { all = { listen = {\n stoa.tls { ':x', certificate = 'a', key = 'b' } } } }" END,
         "4:2: nodes.all.listen[1] is no address; write it like \"127.0.0.1:8080\", \":8080\" or "
         "\"[::1]:8080\""},
        {BEGIN
         "nodes = { all = { listen = {\n stoa.tls { ':1', certificate = { 'a', 'b' }, key = 'c' } "
         "} } }" END,
         "4:2: nodes.all.listen[1] has 2 certificates and 1 keys; each certificate has a key of "
         "its "
         "own"},
        {BEGIN
         "nodes = { all = { listen = { ':1',\n stoa.tls { ':2', certificate = 'a' } } } }" END,
         "4:2: nodes.all.listen.1.key is missing; PEM file of its private key, without a "
         "passphrase; for a list of certificates a list in the same order"},
        {BEGIN
         "nodes = { all = { listen = {\n stoa.tls { ':1', certificate = 'a', kay = 'b', key = "
         "'b' } } } }" END,
         "4:38: nodes.all.listen.0.kay is not a setting; did you mean 'key'?"},
        {BEGIN "nodes = { all = { listen = { ':80', ':8080',\n stoa.tls { ':080', certificate = "
               "'a', key = 'b' } } } }, insecure_http = true" END,
         "4:2: nodes.all.listen[3] is an address that is in the list already; an address is either "
         "plain or stoa.tls, and stands there once"},
        {BEGIN "nodes = { all = { listen = { '127.0.0.1:0', '127.0.0.1:0', '[::1]:81',\n"
               "'[0:0::1]:81' } } }" END,
         "4:1: nodes.all.listen[4] is an address that is in the list already; an address is either "
         "plain or stoa.tls, and stands there once"},
        {BEGIN "nodes = { all = { listen = { '127.0.0.1:80',\n ':8080', stoa.tls { ':443', "
               "certificate = 'a', key = 'b' } } } }" END,
         "4:2: nodes.all.listen[2] is plain http beside a stoa.tls, and passwords would be in "
         "clear "
         "there; listen on \"127.0.0.1:8080\", name the proxy in trusted_proxies, or set "
         "insecure_http = true if you know why"},
    };
    EXPECT_ALL(cases);
}

Test(broken, names_and_addresses_are_looked_at)
{
    static const struct broken cases[] = {
        {BEGIN "plugins = { order = {} }, nodes = { all = { run = { 'ordr' } } }" END,
         "3:53: there is no 'ordr' in plugins; did you mean 'order'?"},
        {BEGIN "shop = { url = 'http://shop.example.com' }" END,
         "3:10: shop.url is plain http, so browsers would drop the session cookie; use https, or "
         "set "
         "insecure_http = true if you know why"},
        {BEGIN "shop = { url = 'https://shop.example.com/de' }" END,
         "3:10: shop.url is not the address of a shop; write it like \"https://shop.example.com\", "
         "with nothing "
         "behind the host"},
        {BEGIN "shop = { currency = 'EUX' }" END,
         "3:10: shop.currency = \"EUX\" is no currency; write its ISO 4217 code, such as \"EUR\""},
        {BEGIN "shop = { locales = { 'en', 'deutsch' } }" END,
         "3:28: shop.locales[2] is no locale; write it like \"en\" or \"pt-BR\""},
        {BEGIN "shop = { locales = {} }" END,
         "3:10: shop.locales is empty; name at least one, such as \"en\""},
        {BEGIN "trusted_proxies = { '10.0.0.0/33' }" END,
         "3:21: trusted_proxies[1] is no address or network; write it like \"10.0.0.0/8\""},
    };
    EXPECT_ALL(cases);
}

Test(broken, of_several_the_first_is_told_and_the_others_counted)
{
    static const struct broken cases[] = {
        {BEGIN "loops = 'x',\ndata = 5,\nshop = { nam = 1 }" END,
         "3:1: loops is a string (and 2 more); it takes a whole number"},
    };
    EXPECT_ALL(cases);
}

Test(broken, keys_that_code_made_are_told_without_a_line)
{
    static const struct broken cases[] = {
        {STOA "local t = { ['lim' .. 'its'] = { head = 5 } }\nreturn stoa.config(t)",
         "0:0: limits.head is too small; at least 1024"},
    };
    EXPECT_ALL(cases);
}

Test(broken, a_file_that_is_not_there_or_too_long)
{
    struct fixture f = fixture_begin();
    char *text = calloc(1, EVALUATE_FILE_MAX + 2);
    struct config_source source = {.path = "no/such/config.lua"};

    cr_assert_eq(config_load(&source, &f.diag, &f.config), STOA_E_CONFIG);
    cr_expect_str_eq(fixture_said(&f),
                     "0:0: there is no such file; name the configuration with -c FILE");
    memset(text, '\n', EVALUATE_FILE_MAX + 1);
    cr_assert_eq(fixture_load(&f, text), STOA_E_CONFIG);
    cr_expect_str_eq(f.diag.message, "has more than 256 KiB");
    free(text);
    fixture_end(&f);
}
