/* http/http.c: settings, libh2o's configuration, and one context a loop.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/internal.h"

#include "base/hex.h"
#include "base/log.h"
#include "base/random.h"
#include <h2o/http1.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

/* Descriptors that are not connections: listeners, databases, logs, those of the libraries. */
enum { DESCRIPTORS_KEPT = 128 };

#define hook_loop(hook)                                                                            \
    ((struct http_loop *)((char *)(hook)-offsetof(struct http_loop, end_of_turn)))

const struct http_limits http_limits_default = {
    .connections = 10000,
    .connections_per_address = 512,
    .handshakes = 1000000,
    .handshakes_per_address = 1000000,
    .in_flight = 4096,
    .in_flight_per_address = 256,
    .head_max = 32 << 10,
    .target_max = 8 << 10,
    .headers_max = GUARD_FIELDS_MAX,
    .body_max = 1 << 20,
    .request_ms = 10000,
    .stall_bytes = 4 << 10,
    .stall_ms = 8000,
    .drain_ms = 12000,
};

/* Zero in any field stands for the default. */
static struct http_limits fill_limits(const struct http_limits *given)
{
    struct http_limits limits = *given;
    uint32_t *to = (uint32_t *)&limits;
    const uint32_t *from = (const uint32_t *)&http_limits_default;

    static_assert(sizeof(limits) % sizeof(uint32_t) == 0, "limits are numbers");
    for (size_t i = 0; i < sizeof(limits) / sizeof(uint32_t); i++)
        if (to[i] == 0)
            to[i] = from[i];
    return limits;
}

/* Raises what the user may raise, and keeps the cap on connections below what the kernel gives. */
static void fit_descriptors(struct http_limits *limits)
{
    struct rlimit limit;
    uint64_t room;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    room = limit.rlim_cur > 2 * DESCRIPTORS_KEPT ? limit.rlim_cur - DESCRIPTORS_KEPT
                                                 : limit.rlim_cur / 2;
    if (limits->connections <= room)
        return;
    log_warn("http", "fewer connections than configured: too few descriptors",
             stoa_f("configured", stoa_i(limits->connections)),
             stoa_f("possible", stoa_i((int64_t)room)));
    limits->connections = (uint32_t)room;
}

struct http_tuning *http_tuning_create(const struct http_limits *given)
{
    struct http_tuning *tuning = calloc(1, sizeof(*tuning));
    struct http_limits limits = fill_limits(given);

    stoa_assert(tuning);
    fit_descriptors(&limits);
    tuning->limits = limits;
    tuning->guard = (struct guard_limits){limits.head_max, limits.target_max, limits.headers_max};
    return tuning;
}

stoa_err http_proxies_read(const struct http_wanted *wanted, struct diag *diag,
                           struct http_proxies *ret)
{
    *ret = (struct http_proxies){.count = 0};
    if (wanted->trusted_proxy_count > HTTP_TRUSTED_MAX) {
        diag_set(diag, "trusted_proxies", 0, 0, "it has more than %d entries", HTTP_TRUSTED_MAX);
        return STOA_E_CONFIG;
    }
    for (uint32_t i = 0; i < wanted->trusted_proxy_count; i++) {
        if (!http_network_parse(wanted->trusted_proxies[i], &ret->networks[i])) {
            diag_set(diag, "trusted_proxies", 0, 0, "\"%s\" is no network",
                     wanted->trusted_proxies[i]);
            diag_hint(diag, "write an address with its prefix: 10.0.0.0/8, 2001:db8::/32");
            return STOA_E_CONFIG;
        }
        ret->count++;
    }
    return STOA_OK;
}

stoa_err http_load_tls(const struct http_wanted *wanted, uint32_t index, int kept,
                       struct diag *diag, struct tls **ret)
{
    char place[64];
    stoa_err err = tls_load(&wanted->listen[index], kept, diag, ret);

    if (err == STOA_OK)
        return STOA_OK;
    snprintf(place, sizeof place, "%u.%.32s", index, diag->file);
    snprintf(diag->file, sizeof diag->file, "%s", place);
    return err;
}

static void add_hooks(h2o_pathconf_t *path)
{
    h2o_create_handler(path, sizeof(h2o_handler_t))->on_req = http_bridge_on_req;
    h2o_create_logger(path, sizeof(h2o_logger_t))->log_access = http_bridge_on_end;
}

/* HTTP/2 is off: in this libh2o one client can end the process with it. */
static void configure_h2o(struct http *http)
{
    h2o_globalconf_t *config = &http->config;
    h2o_hostconf_t *host;

    h2o_config_init(config);
    config->server_name = (h2o_iovec_t){NULL, 0};
    config->http1.upgrade_to_http2 = 0;
    config->http1.req_timeout = http_tuning(http)->limits.request_ms;
    config->handshake_timeout = http_tuning(http)->limits.request_ms;
    config->max_request_entity_size = http_tuning(http)->limits.body_max;
    host = h2o_config_register_host(config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    add_hooks(h2o_config_register_path(host, "/", 0));
    add_hooks(&host->fallback_path); /* what libh2o answers before it has looked at the path */
    h2o_create_filter(&host->fallback_path, sizeof(h2o_filter_t))->on_setup_ostream =
        http_refuse_setup;
}

static struct http_sockets *find_sockets(const struct http_options *options, const char *address)
{
    for (uint32_t i = 0; i < options->sockets_count; i++)
        if (strcmp(options->sockets[i].address, address) == 0 &&
            options->sockets[i].count == options->loops && options->sockets[i].fds[0] >= 0)
            return &options->sockets[i];
    return NULL;
}

static stoa_err adopt(struct http *http, const struct http_options *options, const char *address,
                      struct diag *diag)
{
    struct http_sockets *given = find_sockets(options, address);

    if (!given) {
        diag_set(diag, "", 0, 0, "listen: %s was not listened on when the shop was started",
                 address);
        diag_hint(diag, "restart to listen on other addresses");
        return STOA_E_CONFIG;
    }
    http->listeners[http->listener_count].sockets = *given;
    http->listeners[http->listener_count++].is_open = true;
    for (uint32_t i = 0; i < given->count; i++)
        given->fds[i] = -1;
    return STOA_OK;
}

static stoa_err open_listener(struct http *http, const char *address, struct diag *diag)
{
    struct http_listener *listener = &http->listeners[http->listener_count++];

    STOA_TRY(http_sockets_open(address, http->loop_count, NULL, diag, &listener->sockets));
    listener->is_open = true;
    return STOA_OK;
}

static int find_kept(const struct http_options *options, const char *address)
{
    for (uint32_t i = 0; i < options->kept_count; i++)
        if (strcmp(options->kept[i].address, address) == 0)
            return options->kept[i].fd;
    return -1;
}

static stoa_err greet_with(struct http *http, const struct http_options *options, uint32_t index,
                           struct diag *diag)
{
    struct http_listener *listener = &http->listeners[index];

    if (options->wanted.listen[index].certificate_count == 0)
        return STOA_OK;
    STOA_TRY(http_load_tls(&options->wanted, index, find_kept(options, listener->sockets.address),
                           diag, &listener->tls));
    http_certificates_log(listener);
    return STOA_OK;
}

static stoa_err open_listeners(struct http *http, const struct http_options *options,
                               struct diag *diag)
{
    if (options->wanted.listen_count > HTTP_LISTEN_MAX) {
        diag_set(diag, "", 0, 0, "listen has more than %d addresses", HTTP_LISTEN_MAX);
        return STOA_E_CONFIG;
    }
    for (uint32_t i = 0; i < options->wanted.listen_count; i++) {
        if (options->sockets)
            STOA_TRY(adopt(http, options, options->wanted.listen[i].address, diag));
        else
            STOA_TRY(open_listener(http, options->wanted.listen[i].address, diag));
        STOA_TRY(greet_with(http, options, i, diag));
    }
    return STOA_OK;
}

static stoa_err set_up(struct http *http, const struct http_options *options, struct diag *diag)
{
    if (!http_headers_init(options->csp_form_action, &http->fixed)) {
        diag_set(diag, "", 0, 0, "\"%s\" cannot stand in a content security policy",
                 options->csp_form_action);
        return STOA_E_CONFIG;
    }
    STOA_TRY(http_proxies_read(&options->wanted, diag, &http->proxies));
    return open_listeners(http, options, diag);
}

stoa_err http_create(const struct http_options *options, struct diag *diag, struct http **ret)
{
    struct http *http = calloc(1, sizeof(*http));
    stoa_err err;

    stoa_assert(http && options->loops > 0);
    http->tuning = http_tuning_create(&options->limits);
    http->loop_count = options->loops;
    http->loops = calloc(options->loops, sizeof(http->loops[0]));
    stoa_assert(http->loops);
    pthread_mutex_init(&http->lock, NULL);
    http_addresses_init(&http->addresses);
    err = set_up(http, options, diag);
    if (err != STOA_OK) {
        for (uint32_t i = 0; i < http->listener_count; i++) {
            http_sockets_close(&http->listeners[i].sockets);
            tls_release(http->listeners[i].tls);
        }
        free(http->loops);
        free(http->tuning);
        free(http);
        return err;
    }
    signal(SIGPIPE, SIG_IGN); /* a client that left is an error of write(), not our end */
    configure_h2o(http);
    *ret = http;
    return STOA_OK;
}

/* What was sent outside of h2o's turn has its completion queued there. Run now, it costs nothing;
 * left to the next turn, h2o would first ask epoll whether the socket can be written. */
static void on_end_of_turn(struct loop_hook *hook)
{
    struct http_loop *loop = hook_loop(hook);

    if (!loop->sent_late)
        return;
    loop->sent_late = false;
    h2o_timeout__do_post_callback(loop_h2o(loop->loop));
}

void http_attach(struct http *http)
{
    struct http_loop *loop = calloc(1, sizeof(*loop));
    uint64_t prefix;
    bool is_late;

    stoa_assert(loop && loop_current() && loop_index(loop_current()) < http->loop_count);
    loop->http = http;
    loop->loop = loop_current();
    loop->index = loop_index(loop->loop);
    http_addresses_init(&loop->addresses);
    random_bytes(&prefix, sizeof(prefix));
    hex_encode(&prefix, sizeof(prefix), loop->id_prefix);
    loop->drain.run = http_drain_start;
    loop->end_of_turn.run = on_end_of_turn;
    loop_add_hook(loop->loop, &loop->end_of_turn);
    pthread_mutex_lock(&http->lock);
    h2o_context_init(&loop->context, loop_h2o(loop->loop), &http->config);
    stoa_assert(!http->loops[loop->index]);
    http->loops[loop->index] = loop;
    loop->proxies = http->proxies;
    is_late = atomic_load(&http->is_draining);
    pthread_mutex_unlock(&http->lock);
    http_accept_start(loop);
    http_sweep_start(loop);
    if (is_late) /* who waits at this loop's door is let in, too */
        loop_post(loop->loop, &loop->drain);
}

static const struct http_listener *nth_open(const struct http *http, uint32_t index)
{
    for (uint32_t i = 0; i < http->listener_count; i++)
        if (http->listeners[i].is_open && index-- == 0)
            return &http->listeners[i];
    return NULL;
}

const char *http_address(const struct http *http, uint32_t index)
{
    const struct http_listener *listener = nth_open(http, index);
    return listener ? listener->sockets.bound : NULL;
}

bool http_is_tls(const struct http *http, uint32_t index)
{
    const struct http_listener *listener = nth_open(http, index);
    return listener && listener->tls;
}

void http_keep_sockets(struct http *http)
{
    atomic_store(&http->keeps_sockets, true);
}

uint32_t http_open_connections(const struct http *http)
{
    return atomic_load_explicit(&http->open, memory_order_relaxed);
}
