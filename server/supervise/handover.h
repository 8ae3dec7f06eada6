/* supervise/handover.h: what a supervisor hands to a worker, and to the supervisor of a newer
 * binary: numbers of inherited descriptors, and what is to be started. As JSON in the environment:
 * STOA_WORKER and STOA_SUPERVISOR. A reader ignores members that it does not know and fills in what
 * is missing, so that versions may differ. SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISE_HANDOVER_H
#define SUPERVISE_HANDOVER_H

#include "http/http.h"
#include <stoa/json.h>

enum {
    HANDOVER_LISTEN_MAX = 16,
    HANDOVER_LEFT_OUT_MAX = 64,
    /* all that handover_each_fd() tells, and the channel */
    HANDOVER_FDS_MAX = HANDOVER_LISTEN_MAX * (HTTP_SOCKETS_MAX + 1) + 2,
};

struct left_out {
    char plugin[32];
    char why[160];
    bool in_sandbox; /* it is tried there before it is left out */
};

struct handover {
    int lock;    /* the data folder's, held by all that inherit it; -1: none */
    int channel; /* worker: to its supervisor; -1: none */
    uint32_t loops;
    int supervisor;    /* worker: its process */
    uint64_t revision; /* worker: the one to start with; 0: what the file says */
    bool has_served;   /* worker: that revision, below this supervisor */
    char data[4096];   /* worker: the folder that the revision is kept in; empty: not known */
    bool is_successor; /* worker: another one is still at work; see "sole" in channel.h */
    char problem[600]; /* why the revision and not the file; empty: that is not so */
    uint32_t listen_count;
    struct http_sockets listen[HANDOVER_LISTEN_MAX];
    uint32_t kept_count; /* certificates and keys, should their files be unusable */
    struct http_kept kept[HANDOVER_LISTEN_MAX];
    uint32_t left_out_count; /* plugins that the worker does not run */
    struct left_out left_out[HANDOVER_LEFT_OUT_MAX];
};

void handover_init(struct handover *handover);
void handover_put(const struct handover *handover, struct stoa_json *object,
                  struct stoa_arena *arena);
void handover_get(const struct stoa_json *json, struct handover *ret);
/* "ADDRESS BOUND INDEX COUNT" and one of its sockets, which is the handover's then. False: it is
 * not taken. */
bool handover_listen(struct handover *handover, stoa_str text, int fd);
/* Closes them, and what is kept of the address. */
void handover_unlisten(struct handover *handover, stoa_str address);
/* What is kept of the address from now on; fd is the handover's then. -1: nothing. False: it is not
 * taken. */
bool handover_keep(struct handover *handover, stoa_str address, int fd);
/* Adds it, to be tried in a sandbox. A second time it is left out. Returns whether it is to be
 * tried. */
bool handover_leave_out(struct handover *handover, const char *plugin, const char *why);
/* [{"plugin", "why", "place": "sandbox"}]; place is missing when it is left out */
struct stoa_json *handover_left_out_json(const struct handover *handover, struct stoa_arena *arena);
/* Calls each for every descriptor that is inherited, but for the channel. */
void handover_each_fd(const struct handover *handover, void (*each)(void *data, int fd),
                      void *data);

#endif
