/* config/keys.c: the keys of config.lua. To add one: a row here, and whoever needs it reads it with
 * config_int() and its like. SPDX-License-Identifier: Apache-2.0 */
#include "config/schema.h"

#define KIB ((int64_t)1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define SECOND ((int64_t)1000)
#define HOUR (3600 * SECOND)

const struct config_key config_keys[] = {
    {"", "shop", CONFIG_GROUP, .help = "Who sells"},
    {"shop", "name", CONFIG_STRING, .otherwise = "Stoa", .min = 1, .max = 100,
     .help = "Name on pages and in mails"},
    {"shop", "url", CONFIG_STRING, .otherwise = "http://127.0.0.1:8080", .min = 8, .max = 200,
     .help = "Where visitors reach the shop; --listen moves a loopback URL's port along"},
    {"shop", "currency", CONFIG_STRING, .otherwise = "EUR", .min = 3, .max = 3,
     .help = "ISO 4217 code of all prices"},
    {"shop", "locales", CONFIG_LIST, .otherwise = "en", .help = "Languages, the default first"},
    {"shop", "email", CONFIG_STRING, .otherwise = "shop@example.com", .min = 3, .max = 200,
     .help = "Sender of the shop's mails"},

    {"", "data", CONFIG_STRING, .otherwise = "var", .min = 1, .max = 1000,
     .help = "Folder of everything the shop keeps, relative to the configuration file; --data "
             "replaces it"},
    {"", "development", CONFIG_BOOL,
     .help = "Mailbox page and other helps; by default only when shop.url "
             "is a loopback address"},
    {"", "insecure_http", CONFIG_BOOL, .otherwise = "false",
     .help =
         "Allow plain http on other than loopback addresses; browsers then drop secure cookies"},
    {"", "port", CONFIG_CHOICE, .otherwise = "local", .choices = "local loopback sandbox",
     .help = "How plugins reach the host, for tests: loopback encodes and decodes everything, "
             "sandbox puts every plugin there and trusts its manifest"},
    {"", "loops", CONFIG_INT, .otherwise = "0", .max = 256, .help = "Event loops; 0: one per core"},
    {"", "plugin_path", CONFIG_STRING, .otherwise = "", .max = 1000,
     .help =
         "Folder of further plugins; what is not there is taken from plugins/ beside the binary"},
    {"", "theme_path", CONFIG_STRING, .otherwise = "themes", .max = 1000,
     .help = "Folder of the themes, relative to the configuration file"},
    {"", "migration_path", CONFIG_STRING, .otherwise = "migrations", .max = 1000,
     .help = "Folder of the migrations, relative to the configuration file"},

    {"", "resources", CONFIG_MAP,
     .help = "Backends by name: sql, cache, bus, mail, blobs, and further sql databases"},
    {"stoa.sqlite", "file", CONFIG_STRING, .otherwise = "stoa.db", .min = 1, .max = 1000,
     .help = "Database file, relative to data"},
    {"stoa.postgresql", "url", CONFIG_SECRET, .required = true, .min = 1, .max = 2000,
     .help = "postgresql://user:password@host/database; best from stoa.env or stoa.secret"},
    {"stoa.postgresql", "replicas", CONFIG_LATER, .help = "URLs of read replicas"},
    {"stoa.memory", "max", CONFIG_SIZE, .otherwise = "64MiB", .min = MIB, .max = 256 * GIB,
     .help = "Memory of the cache over all loops"},
    {"stoa.files", "folder", CONFIG_STRING, .otherwise = "", .max = 1000,
     .help = "Relative to data; empty: the resource's name"},

    {"", "plugins", CONFIG_MAP,
     .help =
         "Plugins that run, by name. Beside these keys each takes its own (stoa check names them)"},
    {"plugins.*", "sql", CONFIG_STRING, .otherwise = "sql", .min = 1, .max = 32,
     .help = "Which sql resource holds its tables"},
    {"plugins.*", "place", CONFIG_CHOICE, .choices = "process sandbox",
     .help =
         "Where it runs: in the server's process, or confined in one of its own; by default in the "
         "process if it came with the binary or is trusted, else in a sandbox"},
    {"plugins.*", "version", CONFIG_LATER,
     .help = "Which of several versions; there is one file a plugin"},
    {"plugins.*", "grant", CONFIG_LIST,
     .help =
         "What it may ask of the host, such as \"sql\", \"call:product\", \"internal:product\", "
         "\"events:order.*\"; a trusted one has what its manifest says when this is left out"},
    {"plugins.*", "trusted", CONFIG_BOOL,
     .help = "Its manifest is believed, and it runs in the server's process unless place says "
             "otherwise; by default only plugins that came with the binary are"},
    {"plugins.*", "events", CONFIG_INT, .otherwise = "10000", .min = 1, .max = 10000000,
     .help = "Events that it may emit a second on this node; past it 503"},
    {"plugins.*", "sandbox", CONFIG_GROUP,
     .help = "Limits of its process, when it is in a sandbox"},
    {"sandbox", "memory", CONFIG_SIZE, .otherwise = "256MiB", .min = 16 * MIB, .max = 64 * GIB,
     .help = "Memory that it can take; past it, it ends"},
    {"sandbox", "cpu", CONFIG_DURATION, .otherwise = "1s", .min = 50, .max = 60 * SECOND,
     .help = "Processor time that a handler may take without waiting; past it, the process ends"},
    {"sandbox", "in_flight", CONFIG_INT, .otherwise = "256", .min = 1, .max = 4096,
     .help = "Requests at once in it, per loop; past it 503"},
    {"sandbox", "effects", CONFIG_INT, .otherwise = "10000", .min = 1, .max = 10000000,
     .help = "What one request may ask of the host; past it, the process ends"},
    {"sandbox", "best_effort", CONFIG_BOOL, .otherwise = "false",
     .help = "Run it also where the kernel has no landlock or seccomp to confine it"},
    {"plugins.*", "canary", CONFIG_LATER, .help = "A second version for a share of the sessions"},
    {"plugins.*", "on_fail", CONFIG_LATER,
     .help = "Serve without a plugin that cannot be started; the start is refused"},

    {"", "trust", CONFIG_GROUP, .help = "Whose plugins are loaded"},
    {"trust", "keys", CONFIG_LIST, .otherwise = "",
     .help = "Public keys, as `stoa plugin keygen` prints them: \"acme:64 hex digits\""},
    {"trust", "require", CONFIG_BOOL, .otherwise = "false",
     .help = "Refuse plugins that no such key has signed, but for those beside the binary"},
    {"trust", "all", CONFIG_BOOL, .otherwise = "false",
     .help =
         "Every plugin is trusted as if it had come with the binary: for development and tests"},

    {"", "nodes", CONFIG_MAP,
     .help = "What runs where; default: one node that runs everything on "
             "127.0.0.1:8080"},
    {"nodes.*", "listen", CONFIG_LISTEN, .otherwise = "",
     .help = "Addresses: \"127.0.0.1:8080\", \":8080\", \"[::1]:8080\", or stoa.tls {…} for https; "
             "--listen replaces them"},
    {"nodes.*", "run", CONFIG_NAMES, .otherwise = "*", .help = "Plugins of this node, or \"*\""},
    {"nodes.*", "reach", CONFIG_STRINGS, .otherwise = "",
     .help =
         "Where other nodes call it: \"http://10.0.0.5:9001\", or a list of such; needed where a "
         "plugin does not run on all nodes"},
    {"nodes.*", "replicas", CONFIG_INT, .otherwise = "1", .min = 1, .max = 1000,
     .help = "How many of it are started elsewhere; for information"},
    {"stoa.tls", "address", CONFIG_STRING, .required = true, .min = 1, .max = 100,
     .help = "Where to listen; may stand first, without its name"},
    {"stoa.tls", "certificate", CONFIG_STRINGS, .required = true,
     .help = "PEM file of the certificate and those between it and its root, relative to the "
             "configuration file; a list of up to 16 for several names of the shop"},
    {"stoa.tls", "key", CONFIG_STRINGS, .required = true,
     .help = "PEM file of its private key, without a passphrase; for a list of certificates a list "
             "in the same order"},

    {"", "cluster", CONFIG_GROUP, .help = "What the nodes share"},
    {"cluster", "key", CONFIG_SECRET, .max = 1000,
     .help =
         "Signs calls between nodes; 32 bytes or more, best from stoa.secret. Several nodes need "
         "it"},
    {"cluster", "other_key", CONFIG_SECRET, .max = 1000,
     .help = "A second key that is accepted while keys are changed"},
    {"", "trusted_proxies", CONFIG_LIST, .otherwise = "",
     .help = "Addresses or networks whose X-Forwarded-For is believed, such as \"10.0.0.0/8\""},

    {"", "limits", CONFIG_GROUP, .help = "What one visitor, one plugin or a crowd can use at most"},
    {"limits", "connections", CONFIG_INT, .otherwise = "10000", .min = 1, .max = 1000000,
     .help = "Open connections, all loops together"},
    {"limits", "connections_per_address", CONFIG_INT, .otherwise = "1000", .min = 1, .max = 1000000,
     .help = "Open connections from one address"},
    {"limits", "handshakes", CONFIG_INT, .otherwise = "1000", .min = 1, .max = 1000000,
     .help = "TLS handshakes that begin in a second, all loops together; who comes past it waits"},
    {"limits", "handshakes_per_address", CONFIG_INT, .otherwise = "100", .min = 1, .max = 1000000,
     .help = "Of them by one address; past it the connection is reset"},
    {"limits", "in_flight", CONFIG_INT, .otherwise = "10000", .min = 1, .max = 1000000,
     .help = "Requests at once per loop; past it 503"},
    {"limits", "in_flight_per_address", CONFIG_INT, .otherwise = "500", .min = 1, .max = 1000000,
     .help = "Requests at once per loop from one address; past it 429"},
    {"limits", "head", CONFIG_SIZE, .otherwise = "32KiB", .min = KIB, .max = 256 * KIB,
     .help = "Request line and headers; past it 431"},
    {"limits", "target", CONFIG_SIZE, .otherwise = "8KiB", .min = 256, .max = 64 * KIB,
     .help = "Request target; past it 414"},
    {"limits", "headers", CONFIG_INT, .otherwise = "100", .min = 8, .max = 100,
     .help = "Number of request headers; past it 431"},
    {"limits", "body", CONFIG_SIZE, .otherwise = "1MiB", .min = KIB, .max = 64 * MIB,
     .help = "Request body; past it 413. A route may allow less"},
    {"limits", "request_time", CONFIG_DURATION, .otherwise = "10s", .min = SECOND, .max = HOUR,
     .help = "Head and body must have come by then; also how long an idle connection stays"},
    {"limits", "stall_rate", CONFIG_SIZE, .otherwise = "4KiB", .min = 1, .max = MIB,
     .help = "A reader slower than this per second …"},
    {"limits", "stall_time", CONFIG_DURATION, .otherwise = "8s", .min = SECOND, .max = HOUR,
     .help = "… for this long is cut off"},
    {"limits", "start", CONFIG_DURATION, .otherwise = "2min", .min = SECOND, .max = HOUR,
     .help = "A worker that does not serve so long after its start is ended"},
    {"limits", "drain", CONFIG_DURATION, .otherwise = "12s", .min = 0, .max = HOUR,
     .help = "From SIGTERM to the end at most"},
    {"limits", "fibers", CONFIG_INT, .otherwise = "20000", .min = 16, .max = 1000000,
     .help = "Fibers (requests, jobs, waits) per loop; past it 503"},
    {"limits", "pool_sql_threads", CONFIG_INT, .otherwise = "4", .min = 1, .max = 64,
     .help = "Threads that read SQLite"},
    {"limits", "pool_password_threads", CONFIG_INT, .otherwise = "2", .min = 1, .max = 64,
     .help = "Threads that hash passwords"},
    {"limits", "pool_file_threads", CONFIG_INT, .otherwise = "2", .min = 1, .max = 64,
     .help = "Threads that read and write files"},
    {"limits", "pool_plugin_threads", CONFIG_INT, .otherwise = "2", .min = 1, .max = 64,
     .help = "Threads for what plugins offload"},
    {"limits", "pool_queue", CONFIG_INT, .otherwise = "1024", .min = 1, .max = 100000,
     .help = "Jobs that may wait for each kind of thread; past it 503"},
    {"limits", "pool_password_queue", CONFIG_INT, .otherwise = "64", .min = 1, .max = 100000,
     .help = "Password jobs that may wait; past it 503"},
    {"limits", "plugin_crashes", CONFIG_INT, .otherwise = "3", .min = 1, .max = 100,
     .help = "Crashes of the worker within 60 s after which a plugin at fault is left out"},
    {"limits", "node_in_flight", CONFIG_INT, .otherwise = "256", .min = 1, .max = 100000,
     .help = "Calls at once to one address of another node; past it 503"},
    {"limits", "event_backoff", CONFIG_DURATION, .otherwise = "1s", .min = 10, .max = HOUR,
     .help = "Pause after a failed delivery of an event; doubled each time, five tries"},
    {"limits", "generations", CONFIG_INT, .otherwise = "256", .min = 8, .max = 10000,
     .help = "Loaded copies of plugins, replaced ones that are still used included; past it an "
             "apply is refused"},
    {"limits", "retire", CONFIG_DURATION, .otherwise = "60s", .min = 100, .max = 24 * HOUR,
     .help = "A request that is not over so long after its world was replaced is cut off"},
    {"limits", "trial", CONFIG_DURATION, .otherwise = "10s", .min = 100, .max = HOUR,
     .help = "What the trial load of a plugin that did not come with the binary may take"},

    {"", "rate", CONFIG_GROUP, .help = "How often one visitor may ask; past it 429"},
    {"rate", "requests", CONFIG_INT, .otherwise = "500", .max = 10000000,
     .help = "Requests per second from one address; 0: no limit"},
    {"rate", "burst", CONFIG_INT, .otherwise = "2000", .min = 1, .max = 10000000,
     .help = "Requests that may come at once before requests counts"},

    {"", "log", CONFIG_GROUP, .help = "Where the log goes"},
    {"log", "format", CONFIG_CHOICE, .otherwise = "auto", .choices = "auto json text",
     .help = "auto: text on a terminal, JSON elsewhere"},
    {"log", "level", CONFIG_CHOICE, .otherwise = "info", .choices = "debug info warn error",
     .help = "The least that is logged"},
    {"log", "file", CONFIG_STRING, .otherwise = "", .max = 1000,
     .help = "Reopened on SIGUSR1; empty: standard error"},
    {"", "trace", CONFIG_GROUP, .help = "Distributed tracing; traceparent is always passed on"},
    {"trace", "endpoint", CONFIG_LATER, .help = "OTLP collector"},

    {"", "sql", CONFIG_GROUP, .help = "All sql resources"},
    {"sql", "connections", CONFIG_INT, .otherwise = "40", .min = 2, .max = 10000,
     .help = "PostgreSQL connections of the process, per resource"},
    {"sql", "shared_timeout", CONFIG_DURATION, .otherwise = "1s", .min = 10, .max = HOUR,
     .help = "statement_timeout of the connection that requests share"},
    {"sql", "pool_timeout", CONFIG_DURATION, .otherwise = "10s", .min = 10, .max = HOUR,
     .help = "statement_timeout of transactions and slow statements"},
};
const uint32_t config_key_count = sizeof(config_keys) / sizeof(*config_keys);

const struct config_kind config_kinds[] = {
    {"sqlite", "sql", NULL},
    {"postgresql", "sql", NULL},
    {"memory", "cache", NULL},
    {"sqlbus", "bus", NULL},
    {"files", "mail blobs", NULL},
    {"redis", "cache", "stoa.memory {}"},
    {"mongodb", "docs", "the catalogue in sql, which needs no docs"},
    {"rabbitmq", "bus", "stoa.sqlbus {}"},
    {"sendgrid", "mail", "stoa.files {}"},
    {"smtp", "mail", "stoa.files {}"},
    {"s3", "blobs", "stoa.files {}"},
};
const uint32_t config_kind_count = sizeof(config_kinds) / sizeof(*config_kinds);

const struct config_key *config_key_find(const char *section, stoa_str name)
{
    for (uint32_t i = 0; i < config_key_count; i++)
        if (strcmp(config_keys[i].section, section) == 0 && stoa_str_is(name, config_keys[i].name))
            return &config_keys[i];
    return NULL;
}

const struct config_kind *config_kind_find(stoa_str name)
{
    for (uint32_t i = 0; i < config_kind_count; i++)
        if (stoa_str_is(name, config_kinds[i].name))
            return &config_kinds[i];
    return NULL;
}

const char *config_use_of(stoa_str name)
{
    static const char *const own[] = {"cache", "bus", "mail", "blobs", "docs"};

    for (uint32_t i = 0; i < sizeof(own) / sizeof(*own); i++)
        if (stoa_str_is(name, own[i]))
            return own[i];
    return "sql";
}

struct unit {
    const char *name;
    int64_t factor;
};

static bool parse_units(stoa_str text, const struct unit *units, uint32_t count, int64_t *ret)
{
    uint64_t digits = 0;
    int64_t number = 0;

    while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9')
        digits++;
    if (stoa_str_int(stoa_str_sub(text, 0, digits), 0, INT64_MAX, &number) != STOA_OK)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (stoa_str_is(stoa_str_trim(stoa_str_sub(text, digits, text.len)), units[i].name))
            return !__builtin_mul_overflow(number, units[i].factor, ret);
    return false;
}

bool config_parse_size(stoa_str text, int64_t *ret)
{
    static const struct unit units[] = {
        {"", 1}, {"B", 1}, {"KiB", KIB}, {"MiB", MIB}, {"GiB", GIB}};

    return parse_units(text, units, sizeof(units) / sizeof(*units), ret);
}

bool config_parse_duration(stoa_str text, int64_t *ret)
{
    static const struct unit units[] = {
        {"ms", 1}, {"s", SECOND}, {"min", 60 * SECOND}, {"h", HOUR}, {"d", 24 * HOUR}};

    return parse_units(text, units, sizeof(units) / sizeof(*units), ret);
}
