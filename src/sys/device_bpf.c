/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device rules of a v2 cgroup as a BPF_CGROUP_DEVICE program. bpf(2),
 * include/uapi/linux/bpf.h (struct bpf_cgroup_dev_ctx). Rules are tried from
 * the last to the first; the first that matches returns its verdict.
 */
#include "sys/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"

enum { RULE_INSNS = 9, RULES_MAX = 400 };

static struct bpf_insn insn(uint8_t code, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
	return (struct bpf_insn){ .code = code, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm };
}

/* r2: type, r3: access wanted, r4: major, r5: minor. All jumps on a mismatch go to the rule's end. */
static unsigned rule(struct bpf_insn *v, const struct sys_device_rule *d)
{
	unsigned n = 0, jumps[4], k = 0;
	int access = (d->m ? BPF_DEVCG_ACC_MKNOD : 0) | (d->r ? BPF_DEVCG_ACC_READ : 0) | (d->w ? BPF_DEVCG_ACC_WRITE : 0);
	if (d->type != 'a') {
		jumps[k++] = n;
		v[n++] = insn(BPF_JMP | BPF_JNE | BPF_K, 2, 0, 0, d->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
	}
	if (access != 7) {
		/* An allowance matches when it covers all that is wanted, a ban when it touches any of it. */
		v[n++] = insn(BPF_ALU | BPF_MOV | BPF_X, 1, 3, 0, 0);
		v[n++] = insn(BPF_ALU | BPF_AND | BPF_K, 1, 0, 0, access);
		jumps[k++] = n;
		v[n++] = d->allow ? insn(BPF_JMP | BPF_JNE | BPF_X, 1, 3, 0, 0) : insn(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 0, 0);
	}
	if (d->major >= 0) {
		jumps[k++] = n;
		v[n++] = insn(BPF_JMP | BPF_JNE | BPF_K, 4, 0, 0, (int32_t)d->major);
	}
	if (d->minor >= 0) {
		jumps[k++] = n;
		v[n++] = insn(BPF_JMP | BPF_JNE | BPF_K, 5, 0, 0, (int32_t)d->minor);
	}
	v[n++] = insn(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, d->allow);
	v[n++] = insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	for (unsigned i = 0; i < k; i++)
		v[jumps[i]].off = (int16_t)(n - jumps[i] - 1);
	return n;
}

static int bpf(int cmd, union bpf_attr *a)
{
	long r = syscall(SYS_bpf, cmd, a, sizeof *a);
	return r < 0 ? -errno : (int)r;
}

/* Programs that hang there already (a second update): detached after the new one is in. */
static unsigned attached(int dir, uint32_t ids[16])
{
	union bpf_attr a;
	memset(&a, 0, sizeof a);
	a.query.target_fd = (uint32_t)dir;
	a.query.attach_type = BPF_CGROUP_DEVICE;
	a.query.prog_ids = (uint64_t)(uintptr_t)ids;
	a.query.prog_cnt = 16;
	return bpf(BPF_PROG_QUERY, &a) < 0 ? 0 : a.query.prog_cnt;
}

static void detach(int dir, uint32_t id)
{
	union bpf_attr a;
	memset(&a, 0, sizeof a);
	a.prog_id = id;
	AUTO(close) int prog = bpf(BPF_PROG_GET_FD_BY_ID, &a);
	if (prog < 0)
		return;
	memset(&a, 0, sizeof a);
	a.target_fd = (uint32_t)dir;
	a.attach_bpf_fd = (uint32_t)prog;
	a.attach_type = BPF_CGROUP_DEVICE;
	(void)bpf(BPF_PROG_DETACH, &a);
}

int sys_cgroup_devices_v2(int cgroup_dir, const struct sys_device_rule *rules, uint32_t n_rules, struct err *e)
{
	struct bpf_insn v[RULES_MAX * RULE_INSNS + 16];
	unsigned n = 0;
	if (n_rules > RULES_MAX)
		return err_set(e, E2BIG, "more than %d device rules", RULES_MAX);
	AUTO(close) int dir = openat(cgroup_dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(e, errno, "open the control group");
	/* ctx: access_type (low half type, high half access), major, minor */
	v[n++] = insn(BPF_LDX | BPF_MEM | BPF_W, 2, 1, 0, 0);
	v[n++] = insn(BPF_ALU | BPF_AND | BPF_K, 2, 0, 0, 0xffff);
	v[n++] = insn(BPF_LDX | BPF_MEM | BPF_W, 3, 1, 0, 0);
	v[n++] = insn(BPF_ALU | BPF_RSH | BPF_K, 3, 0, 0, 16);
	v[n++] = insn(BPF_LDX | BPF_MEM | BPF_W, 4, 1, 4, 0);
	v[n++] = insn(BPF_LDX | BPF_MEM | BPF_W, 5, 1, 8, 0);
	bool all = false;
	for (uint32_t i = n_rules; i-- > 0 && !all;) {
		const struct sys_device_rule *d = &rules[i];
		n += rule(v + n, d);
		/* What stands behind a rule that matches everything is dead code, which the verifier refuses. */
		all = d->type == 'a' && d->major < 0 && d->minor < 0 && d->r && d->w && d->m;
	}
	if (!all) {
		v[n++] = insn(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0);
		v[n++] = insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	}
	union bpf_attr a;
	memset(&a, 0, sizeof a);
	a.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	a.insns = (uint64_t)(uintptr_t)v;
	a.insn_cnt = n;
	a.license = (uint64_t)(uintptr_t) "Apache-2.0";
	AUTO(close) int prog = bpf(BPF_PROG_LOAD, &a);
	if (prog < 0)
		return err_sys(e, prog, "load the device program of the control group");
	uint32_t old[16];
	unsigned n_old = attached(dir, old);
	memset(&a, 0, sizeof a);
	a.target_fd = (uint32_t)dir;
	a.attach_bpf_fd = (uint32_t)prog;
	a.attach_type = BPF_CGROUP_DEVICE;
	a.attach_flags = BPF_F_ALLOW_MULTI;
	int r = bpf(BPF_PROG_ATTACH, &a);
	if (r < 0)
		return err_sys(e, r, "attach the device program to the control group");
	for (unsigned i = 0; i < n_old && i < 16; i++)
		detach(dir, old[i]);
	return 0;
}
