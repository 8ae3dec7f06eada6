/* loop/io.c: file descriptors of other libraries, wrapped in h2o sockets that h2o never reads.
 * SPDX-License-Identifier: Apache-2.0 */
#include "loop/loop_internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <stoa/api.h>

struct loop_io {
    struct loop *loop;
    h2o_socket_t *socket; /* NULL once destroyed */
    void (*cb)(void *data, int ready);
    void *data;
    int want;
    bool write_armed;     /* h2o's notification cannot be withdrawn, and arming it twice aborts */
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
    if (io->socket)
        arm_write(io);
}

/* h2o sets the descriptor's flags to O_NONBLOCK and nothing else: they are the caller's. */
static h2o_socket_t *wrap(struct loop *loop, int fd)
{
    int flags = fcntl(fd, F_GETFL);
    h2o_socket_t *socket;

    stoa_assert(flags >= 0);
    socket = h2o_evloop_socket_create(loop->h2o, fd, H2O_SOCKET_FLAG_DONT_READ);
    fcntl(fd, F_SETFL, flags);
    return socket;
}

struct loop_io *loop_io_create(struct loop *loop, int fd, void (*cb)(void *data, int ready),
                               void *data)
{
    struct loop_io *io = calloc(1, sizeof(*io));

    stoa_assert(io);
    io->loop = loop;
    io->cb = cb;
    io->data = data;
    io->socket = wrap(loop, fd);
    io->socket->data = io;
    return io;
}

/* With nothing wanted h2o takes the descriptor out of epoll, so that a hang-up does not spin. */
void loop_io_want(struct loop_io *io, int events)
{
    int had = io->want;

    stoa_assert(io->socket);
    io->want = events;
    if ((events & LOOP_READ) && !(had & LOOP_READ))
        h2o_socket_read_start(io->socket, on_read);
    if (!(events & LOOP_READ) && (had & LOOP_READ))
        h2o_socket_read_stop(io->socket);
    arm_write(io);
}

/* The export takes the descriptor out of epoll at once and leaves it open. It asserts that nothing
 * is being written, which a pending notification would look like. */
void loop_io_destroy(struct loop_io *io)
{
    h2o_socket_export_t export;

    if (!io || !io->socket)
        return;
    io->socket->_cb.read = NULL;
    io->socket->_cb.write = NULL;
    stoa_assert(h2o_socket_export(io->socket, &export) == 0);
    h2o_buffer_dispose(&export.input);
    io->socket = NULL;
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
