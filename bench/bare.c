/* bench/bare.c: what ./dev bench measures Stoa against: libh2o alone, answering with fixed bytes.
 * One loop, one thread, no log. The same headers as Stoa's, so that the bytes on the wire agree.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <h2o.h>
#include <h2o/http1.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* h2o.h has one that drops const. */
#define LITERAL(text)                                                                              \
    {                                                                                              \
        (char *)("" text), sizeof(text) - 1                                                        \
    }

enum { BODIES_MAX = 16, HEADERS_MAX = 32 };

struct body {
    h2o_iovec_t path, type, bytes;
};

static struct body bodies[BODIES_MAX] = {
    {LITERAL("/hello"), LITERAL("text/plain; charset=utf-8"), LITERAL("Hello, world")}};
static size_t body_count = 1;
static struct {
    h2o_iovec_t name, value;
} headers[HEADERS_MAX];
static size_t header_count;

static h2o_accept_ctx_t accept_ctx;

static const struct body *find_body(h2o_iovec_t path)
{
    for (size_t i = 0; i != body_count; ++i)
        if (h2o_memis(path.base, path.len, bodies[i].path.base, bodies[i].path.len))
            return &bodies[i];
    return NULL;
}

static int on_req(h2o_handler_t *self, h2o_req_t *req)
{
    static h2o_generator_t generator;
    const struct body *body = find_body(req->path_normalized);
    h2o_iovec_t bytes;

    if (!body)
        return -1;
    req->res.status = 200;
    req->res.reason = "OK";
    req->res.content_length = body->bytes.len;
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL, body->type.base,
                   body->type.len);
    for (size_t i = 0; i != header_count; ++i)
        h2o_add_header_by_str(&req->pool, &req->res.headers, headers[i].name.base,
                              headers[i].name.len, 0, NULL, headers[i].value.base,
                              headers[i].value.len);
    bytes = body->bytes;
    h2o_start_response(req, &generator);
    h2o_send(req, &bytes, 1, H2O_SEND_STATE_FINAL);
    return 0;
}

static void on_accept(h2o_socket_t *listener, const char *err)
{
    h2o_socket_t *sock;

    for (int burst = 0; !err && burst != 16 && (sock = h2o_evloop_socket_accept(listener)); ++burst)
        h2o_accept(&accept_ctx, sock);
}

static bool listen_on(h2o_loop_t *loop, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t length = sizeof(address);
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, SOMAXCONN) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) != 0) {
        fprintf(stderr, "bare: port %u: %s\n", port, strerror(errno));
        return false;
    }
    printf("127.0.0.1:%u\n", ntohs(address.sin_port));
    fflush(stdout);
    h2o_socket_read_start(h2o_evloop_socket_create(loop, fd, H2O_SOCKET_FLAG_DONT_READ), on_accept);
    return true;
}

static bool add_body(char *const *argv)
{
    struct body *body = &bodies[body_count];
    FILE *file = fopen(argv[1], "rb");
    long size;

    if (!file || body_count == BODIES_MAX || fseek(file, 0, SEEK_END) != 0 ||
        (size = ftell(file)) < 0) {
        fprintf(stderr, "bare: %s cannot be read\n", argv[1]);
        return false;
    }
    rewind(file);
    *body = (struct body){{argv[0], strlen(argv[0])},
                          {argv[2], strlen(argv[2])},
                          {malloc((size_t)size + 1), (size_t)size}};
    if (fread(body->bytes.base, 1, body->bytes.len, file) != body->bytes.len)
        return false;
    fclose(file);
    ++body_count;
    return true;
}

static bool add_header(char *line)
{
    char *colon = strchr(line, ':'), *value;

    if (!colon || header_count == HEADERS_MAX)
        return false;
    value = colon + 1 + strspn(colon + 1, " ");
    headers[header_count].name = h2o_iovec_init(line, (size_t)(colon - line));
    headers[header_count++].value = h2o_iovec_init(value, strlen(value));
    return true;
}

static int usage(void)
{
    fputs("usage: bare PORT [--header 'name: value']... [--body PATH FILE TYPE]...\n"
          "Answers GET /hello and each PATH on 127.0.0.1; port 0 takes a free one and prints it.\n",
          stderr);
    return 2;
}

static bool read_arguments(int argc, char **argv)
{
    for (int i = 2; i < argc; ++i) {
        if (!strcmp(argv[i], "--header") && i + 1 < argc) {
            if (!add_header(argv[++i]))
                return false;
        } else if (!strcmp(argv[i], "--body") && i + 3 < argc) {
            if (!add_body(argv + i + 1))
                return false;
            i += 3;
        } else {
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    static h2o_globalconf_t config;
    static h2o_context_t context;
    h2o_loop_t *loop = h2o_evloop_create();
    h2o_hostconf_t *host;

    if (argc < 2 || !read_arguments(argc, argv))
        return usage();
    signal(SIGPIPE, SIG_IGN);
    h2o_config_init(&config);
    config.server_name = (h2o_iovec_t){NULL, 0};
    config.http1.upgrade_to_http2 = 0;
    host = h2o_config_register_host(&config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_create_handler(h2o_config_register_path(host, "/", 0), sizeof(h2o_handler_t))->on_req =
        on_req;
    h2o_context_init(&context, loop, &config);
    accept_ctx = (h2o_accept_ctx_t){.ctx = &context, .hosts = config.hosts};
    if (!listen_on(loop, (uint16_t)strtoul(argv[1], NULL, 10)))
        return 1;
    for (;;)
        h2o_evloop_run(loop, INT32_MAX);
}
