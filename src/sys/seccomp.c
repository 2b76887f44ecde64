/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Per architecture: rules are sorted by number; calls with the same plain
 * action become ranges; ranges cover all 32 bits of the number, so the tree's
 * leaves always return. x32 is the upper part of x86-64's tree.
 */
#include "sys/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/auto.h"
#include "sys/seccomp_int.h"

enum { INSNS_MAX = 4096 };
#define X32_BIT 0x40000000u

/* One rule for one number. */
struct sc_rule {
	uint32_t nr, order;
	const struct sys_seccomp_rule *rule;
	struct sys_seccomp_arg demux;  /* for socketcall and ipc */
	bool is_demux;
};

/* Numbers from start to the next range's start: conditional rules first, then `action`. */
struct range {
	uint32_t start;
	uint32_t action;
	const struct sc_rule *cond;
	uint32_t n_cond;
};

struct out {
	struct sock_filter *v;
	uint32_t n;
	bool narrow;  /* 32-bit architecture: only the low words of arguments count */
};

static void emit(struct out *o, uint16_t code, uint32_t k, uint8_t jt, uint8_t jf)
{
	if (o->n < INSNS_MAX)
		o->v[o->n] = (struct sock_filter){ code, jt, jf, k };
	o->n++;
}

#define LOAD(o, field) emit(o, BPF_LD | BPF_W | BPF_ABS, (uint32_t)(field), 0, 0)
#define RET(o, action) emit(o, BPF_RET | BPF_K, action, 0, 0)
#define JUMP(o, op, k, t, f) emit(o, BPF_JMP | (op) | BPF_K, k, t, f)

/*
 * Code of one comparison. A failed one jumps to `fail` instructions behind its
 * own end; filled in by the caller through FAIL marks (jump 255), because the
 * length is not known yet.
 */
enum { FAIL = 255 };

static void emit_arg(struct out *o, const struct sys_seccomp_arg *a)
{
	uint32_t lo_at = (uint32_t)offsetof(struct seccomp_data, args) + a->index * 8, hi_at = lo_at + 4;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	lo_at += 4;
	hi_at -= 4;
#endif
	bool masked = a->op == SYS_SECCOMP_MASKED_EQ;
	uint64_t want = masked ? a->value_two & a->value : a->value;
	uint32_t hi = (uint32_t)(want >> 32), lo = (uint32_t)want;
	if (!o->narrow) {
		LOAD(o, hi_at);
		switch (a->op) {
		case SYS_SECCOMP_MASKED_EQ:
			emit(o, BPF_ALU | BPF_AND | BPF_K, (uint32_t)(a->value >> 32), 0, 0);
			JUMP(o, BPF_JEQ, hi, 0, FAIL);
			break;
		case SYS_SECCOMP_EQ:
			JUMP(o, BPF_JEQ, hi, 0, FAIL);
			break;
		case SYS_SECCOMP_NE:
			JUMP(o, BPF_JEQ, hi, 0, 2);
			break;
		case SYS_SECCOMP_GT:
		case SYS_SECCOMP_GE:
			JUMP(o, BPF_JGT, hi, 3, 0);
			JUMP(o, BPF_JEQ, hi, 0, FAIL);
			break;
		case SYS_SECCOMP_LT:
		case SYS_SECCOMP_LE:
			JUMP(o, BPF_JGT, hi, FAIL, 0);
			JUMP(o, BPF_JEQ, hi, 0, 2);
			break;
		}
	}
	LOAD(o, lo_at);
	switch (a->op) {
	case SYS_SECCOMP_MASKED_EQ:
		emit(o, BPF_ALU | BPF_AND | BPF_K, (uint32_t)a->value, 0, 0);
		JUMP(o, BPF_JEQ, lo, 0, FAIL);
		break;
	case SYS_SECCOMP_EQ:
		JUMP(o, BPF_JEQ, lo, 0, FAIL);
		break;
	case SYS_SECCOMP_NE:
		JUMP(o, BPF_JEQ, lo, FAIL, 0);
		break;
	case SYS_SECCOMP_GT:
		JUMP(o, BPF_JGT, lo, 0, FAIL);
		break;
	case SYS_SECCOMP_GE:
		JUMP(o, BPF_JGE, lo, 0, FAIL);
		break;
	case SYS_SECCOMP_LT:
		JUMP(o, BPF_JGE, lo, FAIL, 0);
		break;
	case SYS_SECCOMP_LE:
		JUMP(o, BPF_JGT, lo, FAIL, 0);
		break;
	}
}

/* Code of one conditional rule: returns its action when all arguments hold, falls out at the end otherwise. */
static void emit_rule(struct out *o, const struct sc_rule *r)
{
	uint32_t from = o->n;
	if (r->is_demux)
		emit_arg(o, &r->demux);
	for (uint32_t i = 0; i < r->rule->n_args && !r->is_demux; i++)
		emit_arg(o, &r->rule->args[i]);
	RET(o, r->rule->action);
	for (uint32_t i = from; i < o->n && i < INSNS_MAX; i++) {
		struct sock_filter *f = &o->v[i];
		if (BPF_CLASS(f->code) != BPF_JMP)
			continue;
		uint32_t over = o->n - i - 1;
		must(over < FAIL);
		if (f->jt == FAIL)
			f->jt = (uint8_t)over;
		if (f->jf == FAIL)
			f->jf = (uint8_t)over;
	}
}

static void emit_leaf(struct out *o, const struct range *r)
{
	for (uint32_t i = 0; i < r->n_cond; i++)
		emit_rule(o, &r->cond[i]);
	RET(o, r->action);
}

/* The number is in the accumulator. */
static void emit_tree(struct out *o, const struct range *r, uint32_t n)
{
	if (n == 1) {
		emit_leaf(o, r);
		return;
	}
	uint32_t mid = n / 2;
	uint32_t at = o->n;
	/* One instruction; made two when the left half turns out too long for a byte. Jumps inside it are relative. */
	emit(o, 0, 0, 0, 0);
	uint32_t left = o->n;
	emit_tree(o, r, mid);
	uint32_t len = o->n - left;
	if (len <= 255) {
		if (at < INSNS_MAX)
			o->v[at] = (struct sock_filter){ BPF_JMP | BPF_JGE | BPF_K, (uint8_t)len, 0, r[mid].start };
	} else if (o->n < INSNS_MAX) {
		memmove(&o->v[left + 1], &o->v[left], len * sizeof o->v[0]);
		o->n++;
		o->v[at] = (struct sock_filter){ BPF_JMP | BPF_JGE | BPF_K, 0, 1, r[mid].start };
		o->v[at + 1] = (struct sock_filter){ BPF_JMP | BPF_JA, 0, 0, len };
	} else {
		o->n++;
	}
	emit_tree(o, r + mid, n - mid);
}

static const struct seccomp_syscall *lookup(const char *name)
{
	unsigned lo = 0, hi = seccomp_n_syscalls;
	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;
		int c = strcmp(name, seccomp_syscalls[mid].name);
		if (c == 0)
			return &seccomp_syscalls[mid];
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

/* 32-bit x86 reaches these through one call, too: socketcall (102) and ipc (117) with the number as first argument. */
static const struct {
	const char *name;
	uint8_t call, through;
} demux[] = {
	{ "socket", 1, 102 },	   { "bind", 2, 102 },	      { "connect", 3, 102 },	{ "listen", 4, 102 },
	{ "accept", 5, 102 },	   { "getsockname", 6, 102 }, { "getpeername", 7, 102 }, { "socketpair", 8, 102 },
	{ "send", 9, 102 },	   { "recv", 10, 102 },	      { "sendto", 11, 102 },	{ "recvfrom", 12, 102 },
	{ "shutdown", 13, 102 },   { "setsockopt", 14, 102 }, { "getsockopt", 15, 102 }, { "sendmsg", 16, 102 },
	{ "recvmsg", 17, 102 },	   { "accept4", 18, 102 },    { "recvmmsg", 19, 102 },	{ "sendmmsg", 20, 102 },
	{ "semop", 1, 117 },	   { "semget", 2, 117 },      { "semctl", 3, 117 },	{ "semtimedop", 4, 117 },
	{ "msgsnd", 11, 117 },	   { "msgrcv", 12, 117 },     { "msgget", 13, 117 },	{ "msgctl", 14, 117 },
	{ "shmat", 21, 117 },	   { "shmdt", 22, 117 },      { "shmget", 23, 117 },	{ "shmctl", 24, 117 },
};

static int by_number(const void *a, const void *b)
{
	const struct sc_rule *x = a, *y = b;
	if (x->nr != y->nr)
		return x->nr < y->nr ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* All rules of one column, sorted; *ret_max is the newest call named (0 when none is). */
static uint32_t collect(const struct sys_seccomp *s, enum seccomp_column col, uint32_t bit, struct sc_rule *out,
			uint32_t *ret_max)
{
	uint32_t n = 0, max = 0;
	for (uint32_t i = 0; i < s->n_rules; i++) {
		const struct sys_seccomp_rule *r = &s->rules[i];
		const struct seccomp_syscall *c = lookup(r->name);
		if (c && c->nr[col] >= 0 && (uint32_t)c->nr[col] > max)
			max = (uint32_t)c->nr[col];
		if (r->action == s->default_action)
			continue;
		if (c && c->nr[col] >= 0)
			out[n++] = (struct sc_rule){ .nr = (uint32_t)c->nr[col] | bit, .order = i, .rule = r };
		for (size_t k = 0; col == COL_X86 && r->n_args == 0 && k < ARRAY_LEN(demux); k++)
			if (!strcmp(demux[k].name, r->name)) {
				out[n++] = (struct sc_rule){ .nr = demux[k].through, .order = i, .rule = r, .is_demux = true,
							     .demux = { 0, SYS_SECCOMP_EQ, demux[k].call, 0 } };
				break;
			}
	}
	qsort(out, n, sizeof *out, by_number);
	*ret_max = max;
	return n;
}

static void push(struct range *v, uint32_t *n, struct range r)
{
	struct range *last = *n ? &v[*n - 1] : NULL;
	if (last && last->start == r.start)
		*last = r;
	else if (!last || last->n_cond || r.n_cond || last->action != r.action)
		v[(*n)++] = r;
}

/* Appends the ranges of numbers [from, to]; rules are sorted and inside. */
static void make_ranges(const struct sys_seccomp *s, struct sc_rule *rules, uint32_t n_rules, uint32_t from, uint32_t max,
			uint32_t to, struct range *v, uint32_t *n)
{
	uint32_t enosys = s->enosys_beyond ? SECCOMP_RET_ERRNO | ENOSYS : s->default_action;
	push(v, n, (struct range){ .start = from, .action = s->default_action });
	for (uint32_t i = 0; i < n_rules;) {
		uint32_t k = i, conds = 0, nr = rules[i].nr;
		uint32_t action = s->default_action;
		bool plain = false;
		/* Conditional ones move to the front of the group, keeping their order. */
		for (; k < n_rules && rules[k].nr == nr; k++) {
			if (rules[k].rule->n_args || rules[k].is_demux) {
				rules[i + conds++] = rules[k];
			} else if (!plain) {
				plain = true;
				action = rules[k].rule->action;
			}
		}
		/* A conditional rule that says the same as what follows needs no check. */
		while (conds && rules[i + conds - 1].rule->action == action)
			conds--;
		push(v, n, (struct range){ nr, action, &rules[i], conds });
		if (nr < to)
			push(v, n, (struct range){ .start = nr + 1, .action = s->default_action });
		i = k;
	}
	if (from + max < to)
		push(v, n, (struct range){ .start = from + max + 1, .action = enosys });
}

static int emit_arch(const struct sys_seccomp *s, struct arena *a, struct out *o, enum seccomp_column col)
{
	size_t room = (size_t)s->n_rules * 2 + 1;
	bool with_x32 = col == COL_X86_64 && s->with_x32;
	struct sc_rule *rules = arena_array(a, room * 2, sizeof *rules);
	struct range *ranges = arena_array(a, room * 4 + 8, sizeof *ranges);
	if (!rules || !ranges)
		return -ENOMEM;
	uint32_t n = 0, max, k = collect(s, col, 0, rules, &max);
	LOAD(o, offsetof(struct seccomp_data, nr));
	if (col != COL_X86_64) {
		make_ranges(s, rules, k, 0, max, UINT32_MAX - 1, ranges, &n);
	} else {
		make_ranges(s, rules, k, 0, max, X32_BIT - 1, ranges, &n);
		if (with_x32) {
			k = collect(s, COL_X32, X32_BIT, rules + room, &max);
			make_ranges(s, rules + room, k, X32_BIT, max, UINT32_MAX - 1, ranges, &n);
		} else {
			push(ranges, &n, (struct range){ .start = X32_BIT, .action = SECCOMP_RET_KILL_THREAD });
		}
	}
	/* -1: a tracer skipped the call. */
	push(ranges, &n, (struct range){ .start = UINT32_MAX, .action = s->default_action });
	o->narrow = col == COL_X86;
	emit_tree(o, ranges, n);
	return 0;
}

#if defined(__x86_64__)
#define NATIVE COL_X86_64
#define NATIVE_AUDIT AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE COL_AARCH64
#define NATIVE_AUDIT AUDIT_ARCH_AARCH64
#else
#error "seccomp: add this architecture's column"
#endif

int sys_seccomp_compile(const struct sys_seccomp *s, struct arena *a, struct sock_fprog *ret, struct err *e)
{
	struct out o = { .v = arena_array(a, INSNS_MAX, sizeof *o.v) };
	if (!o.v)
		return err_nomem(e);
	LOAD(&o, offsetof(struct seccomp_data, arch));
	/* "Is it the native one", with a long jump to the other architectures' code behind. */
	JUMP(&o, BPF_JEQ, NATIVE_AUDIT, 1, 0);
	uint32_t patch = o.n;
	emit(&o, BPF_JMP | BPF_JA, 0, 0, 0);
	if (emit_arch(s, a, &o, NATIVE) < 0)
		return err_nomem(e);
	if (patch < INSNS_MAX)
		o.v[patch].k = o.n - patch - 1;
	if (NATIVE == COL_X86_64 && s->with_x86) {
		JUMP(&o, BPF_JEQ, AUDIT_ARCH_I386, 1, 0);
		RET(&o, SECCOMP_RET_KILL_THREAD);
		if (emit_arch(s, a, &o, COL_X86) < 0)
			return err_nomem(e);
	} else {
		RET(&o, SECCOMP_RET_KILL_THREAD);
	}
	if (o.n > INSNS_MAX)
		return err_set(e, E2BIG, "the seccomp filter is longer than %d instructions", INSNS_MAX);
	*ret = (struct sock_fprog){ .len = (unsigned short)o.n, .filter = o.v };
	return 0;
}

const char *const sys_seccomp_action_names[] = { "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS",
						 "SCMP_ACT_KILL_THREAD", "SCMP_ACT_LOG", "SCMP_ACT_NOTIFY", "SCMP_ACT_TRACE",
						 "SCMP_ACT_TRAP", NULL };

int sys_seccomp_action(const char *name, const uint64_t *errno_ret, uint32_t *ret)
{
	static const struct {
		const char *name;
		uint32_t action;
		bool data;
	} rows[] = {
		{ "SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW, false },
		{ "SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO, true },
		{ "SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD, false },
		{ "SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS, false },
		{ "SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD, false },
		{ "SCMP_ACT_LOG", SECCOMP_RET_LOG, false },
		{ "SCMP_ACT_NOTIFY", SECCOMP_RET_USER_NOTIF, false },
		{ "SCMP_ACT_TRACE", SECCOMP_RET_TRACE, true },
		{ "SCMP_ACT_TRAP", SECCOMP_RET_TRAP, false },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (!strcmp(rows[i].name, name)) {
			if (errno_ret && *errno_ret > SECCOMP_RET_DATA)
				return -EINVAL;
			*ret = rows[i].action | (rows[i].data ? (errno_ret ? (uint32_t)*errno_ret : EPERM) : 0);
			return 0;
		}
	return -EINVAL;
}

const char *const sys_seccomp_op_names[] = { "SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ",
					     "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ", NULL };

int sys_seccomp_op_from_name(const char *name)
{
	for (int i = 0; sys_seccomp_op_names[i]; i++)
		if (!strcmp(sys_seccomp_op_names[i], name))
			return i;
	return -EINVAL;
}

const char *const sys_seccomp_arch_names[] = {
	"SCMP_ARCH_X86",      "SCMP_ARCH_X86_64",	"SCMP_ARCH_X32",      "SCMP_ARCH_ARM",	     "SCMP_ARCH_AARCH64",
	"SCMP_ARCH_MIPS",     "SCMP_ARCH_MIPS64",	"SCMP_ARCH_MIPS64N32", "SCMP_ARCH_MIPSEL",    "SCMP_ARCH_MIPSEL64",
	"SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PPC",	"SCMP_ARCH_PPC64",    "SCMP_ARCH_PPC64LE",   "SCMP_ARCH_S390",
	"SCMP_ARCH_S390X",    "SCMP_ARCH_PARISC",	"SCMP_ARCH_PARISC64", "SCMP_ARCH_RISCV64",   "SCMP_ARCH_LOONGARCH64",
	"SCMP_ARCH_M68K",     "SCMP_ARCH_SH",		"SCMP_ARCH_SHEB",     NULL,
};

int sys_seccomp_add_arch(struct sys_seccomp *s, const char *name)
{
	s->with_x86 |= !strcmp(name, "SCMP_ARCH_X86");
	s->with_x32 |= !strcmp(name, "SCMP_ARCH_X32");
	for (int i = 0; sys_seccomp_arch_names[i]; i++)
		if (!strcmp(sys_seccomp_arch_names[i], name))
			return 0;
	return -EINVAL;
}

const char *const sys_seccomp_flag_names[] = { "SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG",
					       "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
					       NULL };

int sys_seccomp_flag_from_name(const char *name)
{
	static const int bits[] = { 1, 2, 4, 1 << 5 };
	for (int i = 0; sys_seccomp_flag_names[i]; i++)
		if (!strcmp(sys_seccomp_flag_names[i], name))
			return bits[i];
	return -EINVAL;
}

int sys_seccomp_load(const struct sock_fprog *p, unsigned flags)
{
	long r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, p);
	return r < 0 ? -errno : (int)r;
}
