/* SPDX-License-Identifier: Apache-2.0 */
/* Capabilities by name and the five sets of a process. capabilities(7). */
#pragma once
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"

struct sys_caps {
	uint64_t bounding, effective, inheritable, permitted, ambient;
};
/* "CAP_CHOWN" (case ignored) -> 0..63, or -EINVAL. */
int sys_cap_from_name(const char *name);
/* Name of capability n, NULL past the last known. */
const char *sys_cap_name(unsigned n);
/* The kernel's last capability (/proc/sys/kernel/cap_last_cap; 40 when unreadable). */
unsigned sys_cap_last(void);
/* Drops from the bounding set what is not in it. Needs CAP_SETPCAP. */
int sys_caps_bound(uint64_t bounding, struct err *e);
/* Effective, permitted and inheritable. */
int sys_caps_set(const struct sys_caps *c, struct err *e);
/* Ambient set becomes exactly c->ambient. What cannot be raised (not permitted and inheritable) is left out. */
int sys_caps_ambient(const struct sys_caps *c, struct err *e);
