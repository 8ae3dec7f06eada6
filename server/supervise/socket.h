/* supervise/socket.h: the control socket in the data folder. SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISE_SOCKET_H
#define SUPERVISE_SOCKET_H

#include "base/diag.h"
#include <sys/un.h>

enum { SOCKET_QUESTION_MAX = 64 };

/* False when the path is too long for a socket: a cut one would be another shop's. */
bool socket_address(const char *data, struct sockaddr_un *ret);
/* Listens on <data>/control.sock, for the owner of the folder only. STOA_E_CONFIG with *diag. */
STOA_NODISCARD stoa_err socket_open(const char *data, struct diag *diag, int *ret);
void socket_remove(const char *data); /* takes its file away */
/* All of it, or nothing more: whoever does not read loses the answer. */
void socket_say(int fd, stoa_str answer);

#endif
