/* cli/control.h: the control socket in the data folder: what the running shop says about itself,
 * and what it is told to do. One line in ("status", "metrics", "plan", "apply", "apply 60"
 * (seconds to confirm), "confirm", "rollback 3", "history",
 * "why order"), one document out.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CONTROL_H
#define CLI_CONTROL_H

#include "apply/apply.h"
#include "cli/cli.h"
#include "http/http.h"

struct control;
struct control_options {
    struct apply *apply;
    struct http *http;
    const char *data; /* folder */
    /* What a supervisor says (channel.h), but for questions; on the control thread. */
    void (*command)(void *command_data, stoa_str word);
    void *command_data;
};
/* On a thread of its own listens on <data>/control.sock, for the owner of the folder only; or to
 * the supervisor, if there is one (link.h): then that has the socket. */
STOA_NODISCARD stoa_err control_create(const struct control_options *options, struct diag *diag,
                                       struct control **ret);
void control_remove(struct control *control); /* takes the socket's file away, if it is ours */
/* The client's side: asks, and copies the answer, of any length, to the arena. EXIT_OK, or the exit
 * status after a message. */
int control_ask(const char *data, const char *question, struct stoa_arena *arena, stoa_str *ret);

#endif
