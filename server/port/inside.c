/* port/inside.c: a child's life: it is told what to run, confines itself, loads the plugin, says
 * what it is, makes its instances, serves, and ends. Whatever goes wrong here ends the process: the
 * host starts another. SPDX-License-Identifier: Apache-2.0 */
#include "port/inside.h"

#include "base/slice.h"
#include "fiber/fiber.h"
#include "plugin/settings.h"
#include "port/confine.h"
#include "port/describe.h"
#include "port/keeper.h"
#include <dlfcn.h>
#include <malloc.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONTROL_FD = 3, THREAD_STACK = 512 << 10, EXIT_LOST = 1, EXIT_REFUSED = 3 };

struct inside {
    struct stoa_arena *arena;
    struct world *world;
    struct generation generation;
    struct resources resources;
    uint32_t leave_out, reached;
    bool has_faults;
    uint64_t memory;
    int bits_fd, lane_fds[WORLD_LOOPS_MAX];
    uint32_t loops;
    struct part {
        struct loop_message message;
        struct inside *inside;
        struct loop *loop;
        pthread_t thread;
        int fd;
        struct stoa_instance instance;
        stoa_err err;
    } parts[WORLD_LOOPS_MAX];
    pthread_mutex_t lock;
    pthread_cond_t done;
    uint32_t open; /* parts that are not done */
};

/* ---- Control ---- */

static void say(const struct stoa_buf *message)
{
    if (send(CONTROL_FD, message->ptr, message->len, MSG_NOSIGNAL) != (ssize_t)message->len)
        _exit(EXIT_LOST);
}

static void give_up(struct inside *in, const char *why)
{
    struct stoa_buf out;

    stoa_buf_init(&out, in->arena, 256);
    put_u32(&out, CONTROL_FAILED);
    put_str(&out, stoa_str_of(why));
    say(&out);
    _exit(EXIT_REFUSED);
}

/* The next message; its descriptors, if it brings any, go to fds. The process ends with the host.
 */
static struct decoder hear(struct inside *in, int *fds, uint32_t *fd_count)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * (WORLD_LOOPS_MAX + 1))];
    } space = {0};
    char *bytes = stoa_arena_take(in->arena, CONTROL_MAX);
    struct iovec part = {bytes, CONTROL_MAX};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = space.bytes,
                             .msg_controllen = sizeof space.bytes};
    ssize_t len = recvmsg(CONTROL_FD, &message, MSG_CMSG_CLOEXEC);
    const struct cmsghdr *head = CMSG_FIRSTHDR(&message);

    if (len <= 0)
        _exit(EXIT_LOST);
    *fd_count = head ? (uint32_t)((head->cmsg_len - CMSG_LEN(0)) / sizeof(int)) : 0;
    if (fds && *fd_count > 0)
        memcpy(fds, CMSG_DATA(head), sizeof(int) * *fd_count);
    return (struct decoder){.arena = in->arena, .rest = {bytes, (uint64_t)len}};
}

static struct world *make_world(struct inside *in, struct decoder *from)
{
    struct world *w = aligned_alloc(64, (sizeof *w + 63) & ~(size_t)63);
    stoa_str currency;

    stoa_assert(w);
    memset(w, 0, sizeof *w);
    w->arena = in->arena;
    w->resources = &in->resources;
    w->shop_name = get_str(from);
    w->shop_url = get_str(from);
    currency = get_str(from);
    memcpy(w->currency, currency.ptr, currency.len < 3 ? currency.len : 3);
    w->is_development = get_u32(from) != 0;
    return w;
}

static void hear_start(struct inside *in)
{
    int fds[WORLD_LOOPS_MAX + 1];
    uint32_t fd_count;
    struct decoder from = hear(in, fds, &fd_count);
    stoa_str name;

    stoa_assert(get_u32(&from) == CONTROL_START);
    name = get_str(&from);
    snprintf(in->generation.name, sizeof in->generation.name, "%.*s", (int)name.len, name.ptr);
    in->loops = get_u32(&from);
    in->memory = (uint64_t)get_i64(&from);
    in->leave_out = get_u32(&from);
    in->has_faults = get_u32(&from) != 0;
    in->world = make_world(in, &from);
    stoa_assert(!from.broken && fd_count == in->loops + 1 && in->loops <= WORLD_LOOPS_MAX);
    in->bits_fd = fds[0];
    memcpy(in->lane_fds, fds + 1, sizeof(int) * in->loops);
}

/* ---- Threads: all of them are there before threads can no longer be made ---- */

static void *loop_thread(void *arg)
{
    fiber_crash_init_thread();
    loop_run(arg);
    return NULL;
}

static void start_threads(struct inside *in)
{
    static const uint32_t threads[POOL_KINDS] = {1, 1, 1, 2}, queues[POOL_KINDS] = {1, 1, 1, 256};
    pthread_attr_t attributes;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, THREAD_STACK);
    pthread_setattr_default_np(&attributes);
    in->resources.pool = pool_create(threads, queues);
    slice_serve();
    for (uint32_t i = 0; i < in->loops; i++) {
        struct part *p = &in->parts[i];
        *p = (struct part){.inside = in, .loop = loop_create(i), .fd = in->lane_fds[i]};
        stoa_assert(pthread_create(&p->thread, &attributes, loop_thread, p->loop) == 0);
    }
    slice_work();
    pthread_attr_destroy(&attributes);
}

/* Runs here() of each part on its loop, and waits for all of them. */
static void visit(struct inside *in, void (*here)(struct loop_message *message))
{
    pthread_mutex_lock(&in->lock);
    in->open = in->loops;
    pthread_mutex_unlock(&in->lock);
    for (uint32_t i = 0; i < in->loops; i++) {
        in->parts[i].message.run = here;
        loop_post(in->parts[i].loop, &in->parts[i].message);
    }
    pthread_mutex_lock(&in->lock);
    while (in->open > 0)
        pthread_cond_wait(&in->done, &in->lock);
    pthread_mutex_unlock(&in->lock);
}

static void part_done(struct part *p)
{
    pthread_mutex_lock(&p->inside->lock);
    if (--p->inside->open == 0)
        pthread_cond_signal(&p->inside->done);
    pthread_mutex_unlock(&p->inside->lock);
}

/* ---- The plugin ---- */

static void load(struct inside *in)
{
    const struct stoa_plugin_v1 *desc;
    char path[64];
    void *dl;

    snprintf(path, sizeof path, "/proc/self/fd/%d", in->bits_fd);
    dl = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!dl)
        give_up(in, dlerror());
    desc = dlsym(dl, "stoa_plugin");
    if (!desc || desc->abi_major != STOA_ABI_MAJOR || desc->abi_minor > STOA_ABI_MINOR ||
        desc->size < offsetof(struct stoa_plugin_v1, create))
        give_up(in, "its descriptor does not fit this host's ABI; build it again with its SDK");
    memcpy(&in->generation.desc, desc,
           desc->size < sizeof in->generation.desc ? desc->size : sizeof in->generation.desc);
}

static void describe(struct inside *in)
{
    struct stoa_buf out;

    stoa_buf_init(&out, in->arena, 8192);
    put_u32(&out, CONTROL_DESCRIBED);
    put_u32(&out, in->reached);
    put_description(&out, &in->generation.desc);
    say(&out);
}

static void create_here(struct loop_message *message)
{
    struct part *p = (struct part *)message;
    struct inside *in = p->inside;

    p->instance = (struct stoa_instance){
        .arena = stoa_arena_create(), .generation = &in->generation, .loop = loop_index(p->loop)};
    if (in->generation.desc.create)
        p->err =
            in->generation.desc.create(in->generation.settings, &p->instance, &p->instance.self);
    if (p->err == STOA_OK)
        stoa_assert(inside_lane_create(p->fd, &p->instance, in->world, in->has_faults));
    part_done(p);
}

static void create(struct inside *in)
{
    uint32_t unused;
    struct decoder from = hear(in, NULL, &unused);
    struct diag diag = {0};
    struct stoa_buf out;
    stoa_err err;

    if (get_u32(&from) != CONTROL_CREATE)
        _exit(0); /* the host does not want it after all */
    err = settings_read(get_json(&from), &in->generation.desc.settings, &diag,
                        &in->generation.settings);
    if (err != STOA_OK)
        give_up(in, diag.message);
    visit(in, create_here);
    for (uint32_t i = 0; i < in->loops && err == STOA_OK; i++)
        err = in->parts[i].err;
    stoa_buf_init(&out, in->arena, 16);
    put_u32(&out, CONTROL_CREATED);
    put_u32(&out, err);
    say(&out);
}

static void destroy_here(struct loop_message *message)
{
    struct part *p = (struct part *)message;

    if (p->inside->generation.desc.destroy && p->instance.self)
        p->inside->generation.desc.destroy(p->instance.self);
    part_done(p);
}

/* ---- Its life ---- */

/* Ends when the host does, however that ends. Signals of the terminal are for the host. */
static void belong_to_host(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
}

int inside_main(int argc, char **argv)
{
    static struct inside inside;
    struct inside *in = &inside;
    uint32_t unused;

    belong_to_host();
    mallopt(M_ARENA_MAX, 2);
    if (sodium_init() < 0)
        return EXIT_LOST;
    *in = (struct inside){.arena = stoa_arena_create(),
                          .lock = PTHREAD_MUTEX_INITIALIZER,
                          .done = PTHREAD_COND_INITIALIZER};
    hear_start(in);
    prctl(PR_SET_NAME, in->generation.name);
    in->reached = confine_files(in->leave_out);
    start_threads(in);
    in->reached |= confine_for_loading(in->leave_out);
    load(in);
    if (!confine_for_good(in->memory, in->reached))
        give_up(in, "it could not confine itself");
    describe(in);
    create(in);
    hear(in, NULL, &unused); /* the word to end; serving is the loops' business */
    visit(in, destroy_here);
    _exit(0);
}
