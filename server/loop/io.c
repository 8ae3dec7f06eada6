/* loop/io.c: file descriptors of other libraries, wrapped in h2o sockets that h2o never reads.
 *
 * The wrapper exists only while something is wanted: epoll reports a hang-up on a registered
 * descriptor even when nothing is asked for, and the loop would spin on it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "loop/loop_internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <stoa/api.h>

struct loop_io {
    struct loop *loop;
    h2o_socket_t *socket; /* NULL while nothing is wanted */
    void (*cb)(void *data, int ready);
    void *data;
    int fd;
    int want;
    bool write_armed; /* h2o's notification cannot be withdrawn, and arming it twice aborts */
    bool dead;
    struct loop_io *next; /* of the dead */
};

static void on_read(h2o_socket_t *socket, const char *err)
{
    struct loop_io *io = socket->data;

    io->cb(io->data, LOOP_READ);
}

static void on_write(h2o_socket_t *socket, const char *err);

static void arm_write(struct loop_io *io)
{
    if (io->write_armed || !(io->want & LOOP_WRITE))
        return;
    io->write_armed = true;
    h2o_socket_notify_write(io->socket, on_write);
}

/* h2o tells once; asking again at once makes it level-triggered. */
static void on_write(h2o_socket_t *socket, const char *err)
{
    struct loop_io *io = socket->data;

    io->write_armed = false;
    if (!(io->want & LOOP_WRITE))
        return;
    io->cb(io->data, LOOP_WRITE);
    if (!io->dead && io->socket == socket)
        arm_write(io);
}

/* h2o sets the descriptor's flags to O_NONBLOCK and nothing else: they are the caller's. */
static void attach(struct loop_io *io)
{
    int flags = fcntl(io->fd, F_GETFL);

    stoa_assert(flags >= 0);
    io->socket = h2o_evloop_socket_create(io->loop->h2o, io->fd, H2O_SOCKET_FLAG_DONT_READ);
    io->socket->data = io;
    io->write_armed = false;
    fcntl(io->fd, F_SETFL, flags);
}

/* Takes the descriptor out of epoll at once and leaves it open. h2o asserts that nothing is being
 * written, which a pending notification would look like. */
static void detach(struct loop_io *io)
{
    h2o_socket_export_t export;
    h2o_socket_t *socket = io->socket;

    if (!socket)
        return;
    io->socket = NULL;
    socket->_cb.read = NULL;
    socket->_cb.write = NULL;
    stoa_assert(h2o_socket_export(socket, &export) == 0);
    h2o_buffer_dispose(&export.input);
}

struct loop_io *loop_io_create(struct loop *loop, int fd, void (*cb)(void *data, int ready),
                               void *data)
{
    struct loop_io *io = calloc(1, sizeof(*io));

    stoa_assert(io);
    io->loop = loop;
    io->fd = fd;
    io->cb = cb;
    io->data = data;
    return io;
}

void loop_io_want(struct loop_io *io, int events)
{
    int had = io->want;

    stoa_assert(!io->dead);
    io->want = events;
    if (events == had)
        return;
    if (events == 0) {
        detach(io);
        return;
    }
    if (!io->socket)
        attach(io);
    if ((events & LOOP_READ) && !(had & LOOP_READ))
        h2o_socket_read_start(io->socket, on_read);
    if (!(events & LOOP_READ) && (had & LOOP_READ))
        h2o_socket_read_stop(io->socket);
    arm_write(io);
}

void loop_io_destroy(struct loop_io *io)
{
    if (!io || io->dead)
        return;
    detach(io);
    io->dead = true;
    io->want = 0;
    io->next = io->loop->io_dead;
    io->loop->io_dead = io;
}

void loop_io_reap(struct loop *loop)
{
    while (loop->io_dead) {
        struct loop_io *io = loop->io_dead;

        loop->io_dead = io->next;
        free(io);
    }
}
