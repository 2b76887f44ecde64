/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seccomp: rules by name -> a classic BPF program. seccomp(2), and the
 * semantics of libseccomp as runc uses it (the unit test compares them).
 *
 * Shape of the program: architecture, then a balanced tree over ranges of
 * system call numbers (about nine comparisons), then argument checks. It uses
 * only instructions that the kernel's allow bitmap understands, so that
 * always-allowed calls do not run it at all.
 */
#pragma once
#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/err.h"

enum sys_seccomp_op { SYS_SECCOMP_NE, SYS_SECCOMP_LT, SYS_SECCOMP_LE, SYS_SECCOMP_EQ, SYS_SECCOMP_GE, SYS_SECCOMP_GT, SYS_SECCOMP_MASKED_EQ };
struct sys_seccomp_arg {
	unsigned index;      /* 0..5 */
	enum sys_seccomp_op op;
	uint64_t value;      /* MASKED_EQ: the mask */
	uint64_t value_two;  /* MASKED_EQ: what is compared with */
};
struct sys_seccomp_rule {
	const char *name;    /* a name that no architecture knows is ignored, as runc does */
	uint32_t action;     /* SECCOMP_RET_* with its data */
	const struct sys_seccomp_arg *args;  /* all must hold */
	uint32_t n_args;
};
struct sys_seccomp {
	uint32_t default_action;
	bool enosys_beyond;  /* calls newer than the newest named one fail with ENOSYS instead of the default action */
	bool with_x86, with_x32;   /* besides the native architecture (x86-64 builds) */
	const struct sys_seccomp_rule *rules;
	uint32_t n_rules;
};
/*
 * The first rule that matches decides; rules without arguments come after those with. Rules whose action is
 * the default are left out. -E2BIG past the kernel's 4096 instructions.
 */
int sys_seccomp_compile(const struct sys_seccomp *s, struct arena *a, struct sock_fprog *ret, struct err *e);
/* "SCMP_ACT_ERRNO", errno_ret (NULL: EPERM) -> SECCOMP_RET_*; -EINVAL when unknown. */
int sys_seccomp_action(const char *name, const uint64_t *errno_ret, uint32_t *ret);
/* "SCMP_CMP_EQ" -> op, or -EINVAL. */
int sys_seccomp_op_from_name(const char *name);
/* "SCMP_ARCH_X86": 0 known, -EINVAL unknown; sets the flag in s when it is of the native family. */
int sys_seccomp_add_arch(struct sys_seccomp *s, const char *name);
/* "SECCOMP_FILTER_FLAG_LOG" -> bit, or -EINVAL. */
int sys_seccomp_flag_from_name(const char *name);
/* Loads it for the calling thread. 0, or the listener's descriptor with SECCOMP_FILTER_FLAG_NEW_LISTENER, or -errno. */
int sys_seccomp_load(const struct sock_fprog *p, unsigned flags);
/* For `features`: lists terminated by NULL. */
extern const char *const sys_seccomp_action_names[], *const sys_seccomp_op_names[], *const sys_seccomp_arch_names[],
	*const sys_seccomp_flag_names[];
