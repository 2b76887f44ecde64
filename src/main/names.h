/* SPDX-License-Identifier: Apache-2.0 */
/* The names and addresses under which others may reach this machine: for certificates. */
#pragma once
#include <stddef.h>
#include "base/arena.h"

/* `first` (unless ""), the host name, and the addresses of interfaces that are up (no loopback, no link-local; at most 32 in all), in arena. */
const char *const *host_names(struct arena *a, const char *first, size_t *n);
