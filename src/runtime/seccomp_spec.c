/* SPDX-License-Identifier: Apache-2.0 */
/* The specification's seccomp section -> the compiler's rules. */
#include "runtime/runtime_int.h"

#include <errno.h>
#include <linux/seccomp.h>

#include "runtime/process_int.h"

static int arg_of(const struct oci_linux_seccomp_arg *from, struct sys_seccomp_arg *to, struct err *e)
{
	int op = from->op ? sys_seccomp_op_from_name(from->op) : -EINVAL;
	if (op < 0)
		return err_set(e, EINVAL, "seccomp: invalid comparison %s", from->op ? from->op : "\"\"");
	if (from->index > 5)
		return err_set(e, EINVAL, "seccomp: invalid argument index %llu", (unsigned long long)from->index);
	*to = (struct sys_seccomp_arg){ (unsigned)from->index, (enum sys_seccomp_op)op, from->value, from->value_two };
	return 0;
}

/* Arguments compared more than once in one rule are alternatives (a rule each), as in runc; otherwise all must hold. */
static bool repeats(const struct sys_seccomp_arg *v, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = i + 1; k < n; k++)
			if (v[i].index == v[k].index)
				return true;
	return false;
}

static int rules_of(const struct oci_linux_syscall *s, struct arena *a, struct sys_seccomp_rule *out, uint32_t *n, bool *notify,
		    struct err *e)
{
	uint32_t action;
	if (!s->action || sys_seccomp_action(s->action, s->errno_ret, &action) < 0)
		return err_set(e, EINVAL, "seccomp: invalid action %s", s->action ? s->action : "\"\"");
	*notify |= action == SECCOMP_RET_USER_NOTIF;
	struct sys_seccomp_arg *args = arena_array(a, s->n_args, sizeof *args);
	if (!args)
		return err_nomem(e);
	for (uint32_t i = 0; i < s->n_args; i++) {
		int r = arg_of(&s->args[i], &args[i], e);
		if (r < 0)
			return r;
	}
	bool split = repeats(args, s->n_args);
	for (uint32_t i = 0; i < s->n_names; i++) {
		if (action == SECCOMP_RET_USER_NOTIF && !strcmp(s->names[i], "write"))
			return err_set(e, EINVAL, "SCMP_ACT_NOTIFY cannot be used for the write syscall");
		for (uint32_t k = 0; split && k < s->n_args; k++)
			out[(*n)++] = (struct sys_seccomp_rule){ s->names[i], action, &args[k], 1 };
		if (!split)
			out[(*n)++] = (struct sys_seccomp_rule){ s->names[i], action, args, s->n_args };
	}
	return 0;
}

static int prepare(struct job *j, const struct oci_linux_seccomp *s, struct err *e)
{
	struct sys_seccomp f = { 0 };
	uint32_t room = 0, n = 0;
	if (!s->default_action || sys_seccomp_action(s->default_action, s->default_errno_ret, &f.default_action) < 0)
		return err_set(e, EINVAL, "seccomp: invalid default action %s", s->default_action ? s->default_action : "\"\"");
	if (f.default_action == SECCOMP_RET_USER_NOTIF)
		return err_set(e, EINVAL, "SCMP_ACT_NOTIFY cannot be used as default action");
	for (uint32_t i = 0; i < s->n_architectures; i++)
		if (sys_seccomp_add_arch(&f, s->architectures[i]) < 0)
			return err_set(e, EINVAL, "seccomp: invalid architecture %s", s->architectures[i]);
	for (uint32_t i = 0; i < s->n_flags; i++) {
		int bit = sys_seccomp_flag_from_name(s->flags[i]);
		if (bit < 0)
			return err_set(e, EINVAL, "seccomp flag not known to runc: %s", s->flags[i]);
		j->seccomp_flags |= (unsigned)bit;
	}
	/* One thread: TSYNC has nothing to do, and does not go together with a listener. */
	j->seccomp_flags &= ~(unsigned)SECCOMP_FILTER_FLAG_TSYNC;
	for (uint32_t i = 0; i < s->n_syscalls; i++)
		room += s->syscalls[i].n_names * (s->syscalls[i].n_args + 1);
	struct sys_seccomp_rule *rules = arena_array(j->arena, room, sizeof *rules);
	if (!rules)
		return err_nomem(e);
	for (uint32_t i = 0; i < s->n_syscalls; i++) {
		int r = rules_of(&s->syscalls[i], j->arena, rules, &n, &j->seccomp_notify, e);
		if (r < 0)
			return r;
	}
	if (j->seccomp_notify && (!s->listener_path || !*s->listener_path))
		return err_set(e, EINVAL, "seccomp: SCMP_ACT_NOTIFY needs listenerPath");
	f.rules = rules;
	f.n_rules = n;
	/* Programs probe for newer calls and expect "not there", not "not allowed" (runc does the same). */
	f.enosys_beyond = f.default_action != SECCOMP_RET_ALLOW && f.default_action != SECCOMP_RET_LOG &&
			  !(s->default_errno_ret && *s->default_errno_ret == ENOSYS);
	j->has_seccomp = true;
	return sys_seccomp_compile(&f, j->arena, &j->seccomp, e);
}

int seccomp_prepare(struct job *j, struct err *e)
{
	return j->seccomp_spec && (j->seccomp_spec->default_action || j->seccomp_spec->n_syscalls) ? prepare(j, j->seccomp_spec, e) : 0;
}
