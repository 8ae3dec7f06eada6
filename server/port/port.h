/* port/port.h: where a plugin's effects go. SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_PORT_H
#define PORT_PORT_H

#include "plugin/port.h"
#include "plugin/sandbox.h"

/* Calls the host directly. */
extern const struct stoa_port port_local;
/* Encodes and decodes everything both ways inside one process: what survives it survives a wire. */
extern const struct stoa_port port_loopback;
/* The plugin is in a child process, its effects are done here after a look at its grants. */
extern const struct stoa_port port_wire;
/* Puts plugins there. */
extern const struct sandbox_ops port_sandbox;
/* By the name in config.lua; NULL when there is none. */
const struct stoa_port *port_find(stoa_str name);

#endif
