/* port/port.h: where a plugin's effects go. SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_PORT_H
#define PORT_PORT_H

#include "plugin/port.h"

/* Calls the host directly. */
extern const struct stoa_port port_local;
/* Encodes and decodes everything both ways inside one process: what survives it survives a wire. */
extern const struct stoa_port port_loopback;
/* By the name in config.lua; NULL when there is none. */
const struct stoa_port *port_find(stoa_str name);

#endif
