/* port/keeper.h: the processes of all sandboxes: one thread that starts them, hears of their
 * deaths, starts them again, and ends them. What loops need of a sandbox is in lane.h.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_KEEPER_H
#define PORT_KEEPER_H

#include "base/diag.h"
#include "loop/loop.h"
#include "plugin/world.h"
#include "port/circuit.h"
#include <pthread.h>
#include <sys/types.h>

enum {
    KEEPER_START_MS = 15000, /* from the start of a child until it serves; past it, it is ended */
    KEEPER_END_MS = 2000,    /* from the word to end until SIGKILL */
    KEEPER_WORDS_READS = 32, /* of stderr a second, 4 KiB each; more waits in the pipe */
    CONTROL_MAX = 128 << 10, /* bytes of a message on the control socket */
};

/* On the control socket (SOCK_SEQPACKET), a number first. */
enum control {
    CONTROL_START = 1, /* with the bits and a socket for each loop */
    CONTROL_FAILED,    /* text: why the plugin cannot be run */
    CONTROL_DESCRIBED, /* what holds (CONFINE_…), descriptor */
    CONTROL_CREATE,    /* settings */
    CONTROL_CREATED,   /* create()'s error */
    CONTROL_END,
};

enum sandbox_state {
    SANDBOX_STARTING,
    SANDBOX_DESCRIBED, /* its opener decides */
    SANDBOX_CREATING,
    SANDBOX_UP,
    SANDBOX_DOWN, /* until due_ms */
    SANDBOX_ENDING,
    SANDBOX_GONE,
};

struct lane;

struct sandbox_limits {
    uint64_t memory; /* bytes */
    uint32_t cpu_ms, in_flight, effects;
    bool best_effort; /* run it even where the kernel cannot confine it */
};

struct sandbox {
    /* Never changes once it is open. */
    char name[32];
    uint64_t generation;
    struct sandbox_limits limits;
    uint32_t loops;
    struct stoa_arena *arena; /* of the descriptor that the host made of the description */
    struct lane *lanes[WORLD_LOOPS_MAX];
    int bits_fd;
    char *start; /* CONTROL_START's bytes */
    size_t start_len;

    /* Under keeper_lock(). */
    enum sandbox_state state;
    uint64_t life; /* counts from 1 */
    pid_t pid;     /* 0: none */
    int pidfd, control_fd, words_fd;
    int ends[WORLD_LOOPS_MAX]; /* the host's ends of the lanes, until the child serves */
    int64_t due_ms;            /* DOWN: next start; STARTING …: the child's time is up */
    int64_t up_since_ms;
    struct circuit circuit;
    uint64_t deaths;
    bool is_open;   /* has served; from then on it is started again when it dies */
    bool is_closed; /* its owner is gone */
    bool waits_for_start;
    uint32_t refs;     /* its generation's, and one of each lane that a request has used */
    uint32_t reached;  /* CONFINE_… */
    char *description; /* of the first life; a later one must give the same */
    size_t description_len;
    char *table; /* CONTROL_CREATE's bytes */
    size_t table_len;
    stoa_err created;
    char why[200];    /* it is about to be killed, or could not start */
    char words[1024]; /* the last of what it wrote to stderr */
    size_t words_len;
    int64_t words_second; /* of the clock, in which it was read from words_reads times */
    uint32_t words_reads;
    struct sandbox *next;
};

/* The program that is started as `stoa __sandbox`. */
extern const char *keeper_program;

void keeper_lock(void);
void keeper_unlock(void);
/* Starts its first life; waits until the child has described the plugin. STOA_E_PLUGIN with *diag.
 * A thread that is no loop's. */
STOA_NODISCARD stoa_err keeper_start(struct sandbox *box, struct diag *diag);
/* Goes on with create() in the child on each loop; the lanes are there afterwards. */
STOA_NODISCARD stoa_err keeper_create(struct sandbox *box, stoa_str table, struct diag *diag);
/* Ends that life (0: whichever). why is for the log. Any thread. */
void keeper_kill(struct sandbox *box, uint64_t life, const char *why);
/* For good; twice is fine. The sandbox is freed when nobody has a reference any more. Any thread.
 */
void keeper_close(struct sandbox *box);
/* Those that have a process or will have one, ending ones included. Any thread. */
uint32_t keeper_count(void);
void keeper_release(struct sandbox *box); /* one reference; taken under the lock */

#endif
