/* SPDX-License-Identifier: Apache-2.0 */
/* Port specifications: -p [address:][host[-host]:]container[-container][/protocol], --expose container[-container][/protocol]. */
#pragma once
#include "api/docker.h"
#include "base/arena.h"
#include "base/err.h"

struct ports {
	struct docker_empty_entry *exposed;
	uint32_t n_exposed;
	struct docker_port_binding_list_entry *bindings;
	uint32_t n_bindings;
};
int ports_publish(struct arena *a, struct ports *p, const char *spec, struct err *e);
int ports_expose(struct arena *a, struct ports *p, const char *spec, struct err *e);
