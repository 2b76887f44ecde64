/* SPDX-License-Identifier: Apache-2.0 */
/* Capability lists of containers: Docker's default 14, --cap-add, --cap-drop, ALL. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"

/* "net_admin" or "CAP_NET_ADMIN" or "ALL" -> "CAP_NET_ADMIN"; false for unknown ones (out has the upper-case form for the message). */
bool cap_normal(const char *s, char out[64]);
/* What a container has. Sorted as the kernel numbers them; in a. NULL without memory. */
const char **caps_for(const char *const *add, uint32_t n_add, const char *const *drop, uint32_t n_drop, bool privileged, struct arena *a,
		      uint32_t *ret_n);
