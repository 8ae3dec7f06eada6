/* cli/control.h: the control socket in the data folder: what the running shop says about itself.
 * One line in ("status", "metrics"), one document out. SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CONTROL_H
#define CLI_CONTROL_H

#include "cli/node.h"
#include "http/http.h"

struct control;
/* Listens on <data>/control.sock, for the owner of the folder only. */
STOA_NODISCARD stoa_err control_create(struct node *node, struct http *http, struct diag *diag,
                                       struct control **ret);
void control_attach(struct control *control); /* on loop 0's thread */
void control_remove(struct control *control); /* takes the socket's file away */
/* The client's side: asks and prints. Exit status. */
int control_ask(const char *data, const char *question);

#endif
