/* SPDX-License-Identifier: Apache-2.0 */
/* Names that specifications use for the kernel's numbers: one table each. */
#pragma once
#include <stdint.h>
#include "base/buf.h"

/* "SIGTERM", "term", "15", "RTMIN+3" -> 1..64, or -EINVAL. */
int sys_signal_from_name(const char *s);
/* "SIGTERM", or NULL for a number without a name. */
const char *sys_signal_name(int sig);
/* "RLIMIT_NOFILE" -> resource number, or -EINVAL. */
int sys_rlimit_from_name(const char *s);
/* "SCHED_OTHER" … -> policy, or -EINVAL; "SCHED_FLAG_RESET_ON_FORK" … -> flag bits, or -EINVAL. */
int sys_sched_policy_from_name(const char *s);
int sys_sched_flag_from_name(const char *s);
/* "IOPRIO_CLASS_BE" … -> class, or -EINVAL. */
int sys_ioprio_class_from_name(const char *s);
/* "LINUX32" -> persona, or -EINVAL. */
int sys_personality_from_name(const char *s);
/* A namespace as the specification spells it. */
struct sys_ns {
	const char *name;   /* "network" */
	const char *file;   /* "net" in /proc/PID/ns */
	uint64_t flag;      /* CLONE_NEWNET */
};
/* Terminated by a row with name NULL; in the order in which they are joined (user first). */
extern const struct sys_ns sys_namespaces[];
const struct sys_ns *sys_ns_from_name(const char *name);   /* NULL when unknown */
