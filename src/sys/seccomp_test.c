/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our compiler against libseccomp: the same rules are given to both, and the
 * two programs are run by a small interpreter over every call number of every
 * architecture and over arguments around the edges of what rules compare with.
 */
#include "sys/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"
#include "base/test.h"
#include "sys/seccomp_int.h"

/* Classic BPF, as far as seccomp allows it. */
static uint32_t run(const struct sock_fprog *p, const struct seccomp_data *d)
{
	uint32_t a = 0, mem[16] = { 0 }, x = 0;
	for (uint32_t pc = 0; pc < p->len; pc++) {
		const struct sock_filter *f = &p->filter[pc];
		switch (f->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			memcpy(&a, (const char *)d + f->k, 4);
			break;
		case BPF_ST:
			mem[f->k] = a;
			break;
		case BPF_LD | BPF_MEM:
			a = mem[f->k];
			break;
		case BPF_MISC | BPF_TAX:
			x = a;
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= f->k;
			break;
		case BPF_JMP | BPF_JA:
			pc += f->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += a == f->k ? f->jt : f->jf;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			pc += a > f->k ? f->jt : f->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			pc += a >= f->k ? f->jt : f->jf;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			pc += a & f->k ? f->jt : f->jf;
			break;
		case BPF_RET | BPF_K:
			return f->k;
		default:
			test_fail(__FILE__, __LINE__, "instruction %#x at %u", f->code, pc);
		}
	}
	(void)x;
	test_fail(__FILE__, __LINE__, "the program runs off its end");
}

static uint32_t to_scmp(uint32_t action)
{
	switch (action & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
		return SCMP_ACT_ALLOW;
	case SECCOMP_RET_ERRNO:
		return SCMP_ACT_ERRNO(action & 0xffff);
	case SECCOMP_RET_KILL_PROCESS:
		return SCMP_ACT_KILL_PROCESS;
	case SECCOMP_RET_TRAP:
		return SCMP_ACT_TRAP;
	case SECCOMP_RET_LOG:
		return SCMP_ACT_LOG;
	default:
		return SCMP_ACT_KILL_THREAD;
	}
}

static enum scmp_compare to_op(enum sys_seccomp_op op)
{
	static const enum scmp_compare ops[] = { SCMP_CMP_NE, SCMP_CMP_LT, SCMP_CMP_LE, SCMP_CMP_EQ,
						 SCMP_CMP_GE, SCMP_CMP_GT, SCMP_CMP_MASKED_EQ };
	return ops[op];
}

static void oracle(const struct sys_seccomp *s, struct arena *a, struct sock_fprog *ret)
{
	scmp_filter_ctx ctx = seccomp_init(to_scmp(s->default_action));
	CHECK(ctx);
	if (s->with_x86)
		CHECK(seccomp_arch_add(ctx, SCMP_ARCH_X86) == 0);
	if (s->with_x32)
		CHECK(seccomp_arch_add(ctx, SCMP_ARCH_X32) == 0);
	for (uint32_t i = 0; i < s->n_rules; i++) {
		const struct sys_seccomp_rule *r = &s->rules[i];
		struct scmp_arg_cmp args[6];
		int nr = seccomp_syscall_resolve_name(r->name);
		if (nr == __NR_SCMP_ERROR || r->action == s->default_action)
			continue;
		for (uint32_t k = 0; k < r->n_args; k++)
			args[k] = (struct scmp_arg_cmp){ r->args[k].index, to_op(r->args[k].op), r->args[k].value, r->args[k].value_two };
		int e = seccomp_rule_add_array(ctx, to_scmp(r->action), nr, r->n_args, args);
		if (e < 0)
			test_fail(__FILE__, __LINE__, "libseccomp refuses a rule for %s: %d", r->name, e);
	}
	AUTO(close) int fd = memfd_create("bpf", 0);
	CHECK(fd >= 0 && seccomp_export_bpf(ctx, fd) == 0);
	off_t size = lseek(fd, 0, SEEK_END);
	ret->filter = arena_alloc(a, (size_t)size);
	ret->len = (unsigned short)((size_t)size / sizeof *ret->filter);
	CHECK(pread(fd, ret->filter, (size_t)size, 0) == size);
	seccomp_release(ctx);
}

static void compare_call(const struct sock_fprog *ours, const struct sock_fprog *theirs, const struct seccomp_data *d)
{
	uint32_t a = run(ours, d), b = run(theirs, d);
	if (a != b)
		test_fail(__FILE__, __LINE__, "arch %x call %d (%#llx %#llx %#llx): %#x, libseccomp says %#x", d->arch, d->nr,
			  (unsigned long long)d->args[0], (unsigned long long)d->args[1], (unsigned long long)d->args[2], a, b);
}

static const uint64_t edges[] = { 0, 1, 2, 15, 16, 17, 40, 0xff, 0x100, 0x7e020000, 0x7fffffff, 0x80000000, 0xffffffff,
				  0x100000000, 0x100000001, 0x10000000f, 0x100000010, 0x100000011, 0x2000000ff,
				  0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff };

static void compare(const struct sys_seccomp *s, const char *const *argument_calls)
{
	struct arena a;
	struct sock_fprog ours, theirs;
	struct err e = { 0 };
	arena_init(&a, 16 << 20);
	CHECK_OK(sys_seccomp_compile(s, &a, &ours, &e), &e);
	oracle(s, &a, &theirs);
	static const uint32_t archs[] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64 };
	for (size_t k = 0; k < ARRAY_LEN(archs); k++)
		for (int nr = -1; nr < 700; nr++)
			for (int x32 = 0; x32 < 2; x32++) {
				struct seccomp_data d = { .nr = x32 && nr >= 0 ? nr | 0x40000000 : nr, .arch = archs[k] };
				compare_call(&ours, &theirs, &d);
			}
	for (; *argument_calls; argument_calls++)
		for (unsigned i = 0; i < seccomp_n_syscalls; i++) {
			const struct seccomp_syscall *c = &seccomp_syscalls[i];
			if (strcmp(c->name, *argument_calls))
				continue;
			for (size_t x = 0; x < ARRAY_LEN(edges); x++)
				for (size_t y = 0; y < ARRAY_LEN(edges); y++) {
					struct seccomp_data d = { .nr = c->nr[COL_X86_64], .arch = AUDIT_ARCH_X86_64,
								  .args = { edges[x], edges[y], edges[x], edges[y] } };
					compare_call(&ours, &theirs, &d);
					d.arch = AUDIT_ARCH_I386;
					d.nr = c->nr[COL_X86];
					for (int k = 0; k < 6; k++)
						d.args[k] &= 0xffffffff; /* the kernel extends with zeros */
					if (s->with_x86 && d.nr >= 0)
						compare_call(&ours, &theirs, &d);
				}
		}
	arena_release(&a);
}

TEST(seccomp_plain_rules_agree_with_libseccomp)
{
	static const char *const names[] = { "read", "write", "openat", "close", "mmap", "clone", "execve", "exit", "exit_group",
					     "getpid", "statx", "arch_prctl", "sigreturn", "mmap2", "futex", "ioctl", "nosuchcall" };
	struct sys_seccomp_rule r[ARRAY_LEN(names)];
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		r[i] = (struct sys_seccomp_rule){ names[i], SECCOMP_RET_ALLOW, NULL, 0 };
	struct sys_seccomp s = { .default_action = SECCOMP_RET_ERRNO | EPERM, .rules = r, .n_rules = ARRAY_LEN(r) };
	static const char *const none[] = { NULL };
	compare(&s, none);
	s.with_x86 = true;
	compare(&s, none);
	s.with_x32 = true;
	compare(&s, none);
	s.default_action = SECCOMP_RET_KILL_PROCESS;
	compare(&s, none);
}

TEST(seccomp_every_comparison_agrees_with_libseccomp)
{
	static const uint64_t values[] = { 0, 16, 0xffffffff, 0x100000010, 0xffffffffffffffff };
	for (int op = 0; op <= SYS_SECCOMP_MASKED_EQ; op++)
		for (size_t v = 0; v < ARRAY_LEN(values); v++) {
			struct sys_seccomp_arg one = { 0, (enum sys_seccomp_op)op, values[v], values[v] & 0x7e0200010 };
			struct sys_seccomp_rule r[] = { { "personality", SECCOMP_RET_ALLOW, &one, 1 },
							{ "ptrace", SECCOMP_RET_ERRNO | 7, NULL, 0 } };
			struct sys_seccomp s = { .default_action = SECCOMP_RET_TRAP, .rules = r, .n_rules = 2 };
			static const char *const calls[] = { "personality", NULL };
			compare(&s, calls);
			/* 32-bit architectures: libseccomp refuses values that do not fit */
			s.with_x86 = values[v] <= 0xffffffff;
			compare(&s, calls);
		}
}

TEST(seccomp_several_arguments_and_rules_agree_with_libseccomp)
{
	struct sys_seccomp_arg both[] = { { 0, SYS_SECCOMP_EQ, 2, 0 }, { 1, SYS_SECCOMP_GE, 0x100000010, 0 } };
	struct sys_seccomp_arg again[] = { { 0, SYS_SECCOMP_EQ, 16, 0 }, { 1, SYS_SECCOMP_LT, 0xff, 0 } };
	struct sys_seccomp_arg mask[] = { { 0, SYS_SECCOMP_MASKED_EQ, 0x7e020000, 0 } };
	struct sys_seccomp_rule r[] = { { "fcntl", SECCOMP_RET_ALLOW, both, 2 }, { "fcntl", SECCOMP_RET_ALLOW, again, 2 },
					{ "clone", SECCOMP_RET_ALLOW, mask, 1 }, { "keyctl", SECCOMP_RET_ALLOW, both, 1 },
					{ "keyctl", SECCOMP_RET_ALLOW, NULL, 0 } };
	struct sys_seccomp s = { .default_action = SECCOMP_RET_ERRNO | ENOSYS, .rules = r, .n_rules = ARRAY_LEN(r) };
	static const char *const calls[] = { "fcntl", "clone", "keyctl", NULL };
	compare(&s, calls);
}

TEST(seccomp_calls_newer_than_the_profile_are_not_there)
{
	struct sys_seccomp_rule r = { "close_range", SECCOMP_RET_ALLOW, NULL, 0 };
	struct sys_seccomp s = { .default_action = SECCOMP_RET_ERRNO | EPERM, .enosys_beyond = true, .rules = &r, .n_rules = 1 };
	struct arena a;
	struct sock_fprog p;
	struct err e = { 0 };
	arena_init(&a, 16 << 20);
	CHECK_OK(sys_seccomp_compile(&s, &a, &p, &e), &e);
	struct seccomp_data d = { .nr = 435, .arch = AUDIT_ARCH_X86_64 };
	CHECK_INT(run(&p, &d), SECCOMP_RET_ERRNO | EPERM);
	d.nr = 436;
	CHECK_INT(run(&p, &d), SECCOMP_RET_ALLOW);
	d.nr = 437;
	CHECK_INT(run(&p, &d), SECCOMP_RET_ERRNO | ENOSYS);
	d.nr = 0x3fffffff;
	CHECK_INT(run(&p, &d), SECCOMP_RET_ERRNO | ENOSYS);
	d.nr = -1;
	CHECK_INT(run(&p, &d), SECCOMP_RET_ERRNO | EPERM);
	arena_release(&a);
}
