/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From "in the namespaces" to the user's program, for init and exec alike:
 * limits, labels, user, capabilities, seccomp, exec. Order matters: what needs
 * privilege or the host's /proc first, seccomp last (without no_new_privs it
 * needs CAP_SYS_ADMIN, so that one is kept in reserve until then).
 */
#include "runtime/runtime_int.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/ioprio.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"
#include "runtime/process_int.h"
#include "sys/kernel.h"
#include "sys/names.h"

static uint64_t cap_mask(const char **names, uint32_t n)
{
	uint64_t m = 0;
	for (uint32_t i = 0; i < n; i++) {
		int c = sys_cap_from_name(names[i]);
		if (c >= 0) /* one that this kernel does not know is left out, as runc does */
			m |= 1ULL << c;
	}
	return m;
}

int process_prepare(struct job *j, struct err *e)
{
	const struct oci_process *p = j->process;
	const struct oci_linux_capabilities *c = p->capabilities;
	uint64_t known = (2ULL << sys_cap_last()) - 1;
	if (c) {
		j->caps.bounding = cap_mask(c->bounding, c->n_bounding) & known;
		j->caps.effective = cap_mask(c->effective, c->n_effective) & known;
		j->caps.inheritable = cap_mask(c->inheritable, c->n_inheritable) & known;
		j->caps.permitted = cap_mask(c->permitted, c->n_permitted) & known;
		j->caps.ambient = cap_mask(c->ambient, c->n_ambient) & known;
	}
	j->has_caps = c != NULL;
	j->label_fd = j->attr_fd = -1;
	return seccomp_prepare(j, e);
}

int process_rlimits(const struct oci_process *p, pid_t pid, struct err *e)
{
	for (uint32_t i = 0; i < p->n_rlimits; i++) {
		const struct oci_posix_rlimit *l = &p->rlimits[i];
		int which = sys_rlimit_from_name(l->type);
		struct rlimit v = { .rlim_cur = l->soft, .rlim_max = l->hard };
		if (which < 0)
			return err_set(e, EINVAL, "invalid rlimit type: %s", l->type);
		if (syscall(SYS_prlimit64, pid, which, &v, NULL) < 0)
			return err_sys(e, errno, "error setting rlimit type %s", l->type);
	}
	return 0;
}

int process_oom_score(const struct oci_process *p, pid_t pid, struct err *e)
{
	char path[64], value[24];
	if (!p->oom_score_adj)
		return 0;
	if (pid)
		fmt_into(path, sizeof path, "/proc/%d/oom_score_adj", pid);
	else
		fmt_into(path, sizeof path, "/proc/self/oom_score_adj");
	fmt_into(value, sizeof value, "%lld", (long long)*p->oom_score_adj);
	int r = file_poke(AT_FDCWD, path, value);
	return r < 0 ? err_sys(e, r, "set the oom score to %s", value) : 0;
}

static int set_scheduler(const struct oci_scheduler *s, struct err *e)
{
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} a = { .size = 48, .nice = s->nice, .priority = (uint32_t)s->priority, .runtime = s->runtime, .deadline = s->deadline,
		.period = s->period };
	int policy = s->policy ? sys_sched_policy_from_name(s->policy) : 0;
	if (policy < 0)
		return err_set(e, EINVAL, "invalid scheduler policy: %s", s->policy);
	a.policy = (uint32_t)policy;
	for (uint32_t i = 0; i < s->n_flags; i++) {
		int f = sys_sched_flag_from_name(s->flags[i]);
		if (f < 0)
			return err_set(e, EINVAL, "invalid scheduler flag: %s", s->flags[i]);
		a.flags |= (uint64_t)f;
	}
	if (syscall(SYS_sched_setattr, 0, &a, 0) < 0)
		return err_sys(e, errno, "error setting scheduler");
	return 0;
}

static int set_io_priority(const struct oci_linux_io_priority *p, struct err *e)
{
	int class = sys_ioprio_class_from_name(p->class);
	if (class < 0 || p->priority < 0 || p->priority > 7)
		return err_set(e, EINVAL, "invalid ioPriority %s %lld", p->class, (long long)p->priority);
	if (syscall(SYS_ioprio_set, 1 /* IOPRIO_WHO_PROCESS */, 0, class << 13 | (int)p->priority) < 0)
		return err_sys(e, errno, "failed to set io priority");
	return 0;
}

int process_affinity(const char *list, struct err *e)
{
	cpu_set_t set;
	struct slice rest = slice_of(list), one, from, to;
	CPU_ZERO(&set);
	while (slice_next(&rest, ',', &one)) {
		uint64_t a, b;
		one = slice_trim(one);
		if (one.len == 0)
			continue;
		bool range = slice_cut(one, '-', &from, &to);
		if (num_parse_u64(from, CPU_SETSIZE - 1, &a) < 0 || num_parse_u64(range ? to : from, CPU_SETSIZE - 1, &b) < 0 || b < a)
			return err_set(e, EINVAL, "invalid CPU affinity: %s", list);
		for (; a <= b; a++)
			CPU_SET(a, &set);
	}
	if (syscall(SYS_sched_setaffinity, 0, sizeof set, &set) < 0)
		return err_sys(e, errno, "set the CPU affinity to %s", list);
	return 0;
}

static int set_personality(const struct oci_linux_personality *p, struct err *e)
{
	int d = p->domain ? sys_personality_from_name(p->domain) : -EINVAL;
	if (d < 0)
		return err_set(e, EINVAL, "invalid personality domain: %s", p->domain ? p->domain : "");
	if (p->n_flags)
		return err_set(e, EINVAL, "personality flags are not supported by the specification: %s", p->flags[0]);
	return personality((unsigned long)d) < 0 ? err_sys(e, errno, "set the personality") : 0;
}

/* A session keyring of the container's own, so that it does not see the caller's. */
static int join_keyring(const char *id, struct err *e)
{
	char name[300];
	fmt_into(name, sizeof name, "_ses.%s", id);
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name) < 0 && errno != ENOSYS && errno != EPERM)
		return err_sys(e, errno, "unable to join session keyring");
	return 0;
}

static int open_label(struct job *j, struct err *e)
{
	const struct oci_process *p = j->process;
	bool apparmor = p->apparmor_profile && *p->apparmor_profile;
	bool selinux = p->selinux_label && *p->selinux_label;
	if (apparmor && access("/sys/module/apparmor", F_OK) == 0) {
		j->label_fd = open("/proc/self/attr/apparmor/exec", O_WRONLY | O_CLOEXEC);
		if (j->label_fd < 0)
			j->label_fd = open("/proc/self/attr/exec", O_WRONLY | O_CLOEXEC);
		if (j->label_fd < 0)
			return err_sys(e, errno, "unable to apply apparmor profile");
	} else if (apparmor && strcmp(p->apparmor_profile, "unconfined")) {
		return err_set(e, EINVAL, "apparmor profile %s was asked for, but apparmor is not enabled on this machine",
			       p->apparmor_profile);
	}
	if (selinux && access("/sys/fs/selinux/enforce", F_OK) == 0) {
		j->attr_fd = open("/proc/self/attr/exec", O_WRONLY | O_CLOEXEC);
		if (j->attr_fd < 0)
			return err_sys(e, errno, "set the selinux label");
	}
	return 0;
}

static int write_labels(struct job *j, struct err *e)
{
	const struct oci_process *p = j->process;
	if (j->label_fd >= 0) {
		char text[1024];
		if (!fmt_into(text, sizeof text, "exec %s", p->apparmor_profile))
			return err_set(e, EINVAL, "apparmor profile %s is too long", p->apparmor_profile);
		int r = fd_write_all(j->label_fd, text, strlen(text));
		if (r < 0)
			return err_sys(e, r, "unable to apply apparmor profile: %s", p->apparmor_profile);
	}
	if (j->attr_fd >= 0) {
		int r = fd_write_all(j->attr_fd, p->selinux_label, strlen(p->selinux_label));
		if (r < 0)
			return err_sys(e, r, "set the selinux label %s", p->selinux_label);
	}
	return 0;
}

int process_early(struct job *j, struct err *e)
{
	const struct oci_process *p = j->process;
	int r = open_label(j, e);
	if (r == 0 && !j->in_userns)
		r = process_oom_score(p, 0, e);
	if (r == 0 && p->io_priority)
		r = set_io_priority(p->io_priority, e);
	if (r == 0 && p->scheduler)
		r = set_scheduler(p->scheduler, e);
	if (r == 0 && !j->no_new_keyring)
		r = join_keyring(j->id, e);
	if (r == 0 && j->spec && j->spec->linux && j->spec->linux->personality)
		r = set_personality(j->spec->linux->personality, e);
	umask(p->user.umask ? *p->user.umask & 0777 : 0022);
	return r;
}

/* /dev/stdout and friends reopen these by path, so the user must own them. */
static void own_stdio(const struct oci_process *p)
{
	struct stat null, st;
	bool has_null = stat("/dev/null", &null) == 0;
	for (int fd = 0; fd < 3; fd++)
		if (fstat(fd, &st) == 0 && st.st_uid != p->user.uid && !(has_null && S_ISCHR(st.st_mode) && st.st_rdev == null.st_rdev))
			(void)!fchown(fd, p->user.uid, (gid_t)-1);
}

static int set_user(struct job *j, struct err *e)
{
	const struct oci_process *p = j->process;
	if (syscall(SYS_setgroups, p->user.n_additional_gids, p->user.additional_gids) < 0 &&
	    !(errno == EPERM && p->user.n_additional_gids == 0))
		return err_sys(e, errno, "set the additional groups");
	if (syscall(SYS_setresgid, p->user.gid, p->user.gid, p->user.gid) < 0)
		return err_sys(e, errno, "setgid to %u", p->user.gid);
	if (syscall(SYS_setresuid, p->user.uid, p->user.uid, p->user.uid) < 0)
		return err_sys(e, errno, "setuid to %u", p->user.uid);
	return 0;
}

int process_credentials(struct job *j, struct err *e)
{
	const struct oci_process *p = j->process;
	own_stdio(p);
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return err_sys(e, errno, "keep the capabilities");
	int r = sys_caps_bound(j->caps.bounding, e);
	if (r == 0)
		r = set_user(j, e);
	if (r < 0)
		return r;
	struct sys_caps now = j->caps;
	if (j->has_seccomp && !p->no_new_privileges) {
		now.permitted |= 1ULL << CAP_SYS_ADMIN;
		now.effective |= 1ULL << CAP_SYS_ADMIN;
	}
	r = sys_caps_set(&now, e);
	if (r == 0)
		prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
	return r;
}

int process_find(struct job *j, struct err *e)
{
	const struct oci_process *p = j->process;
	char here[4096];
	if (chdir(p->cwd) < 0)
		return err_sys(e, errno, "chdir to cwd (\"%s\") set in config.json failed", p->cwd);
	/* A descriptor of the host could be cwd's target (CVE-2024-21626): outside the root, the kernel says "(unreachable)". */
	if (syscall(SYS_getcwd, here, sizeof here) < 0 || here[0] != '/')
		return err_set(e, ENOENT, "current working directory is outside of container mount namespace root -- possible container breakout detected");
	char *path = arena_alloc(j->arena, 4096);
	if (!path)
		return err_nomem(e);
	int r = process_home(j, e);
	if (r < 0)
		return r;
	j->exe = path;
	return find_executable(p->args[0], p->env, p->n_env, path, 4096, e);
}

static int load_seccomp(struct job *j, struct err *e)
{
	unsigned flags = j->seccomp_flags | (j->seccomp_notify ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0);
	int r = sys_seccomp_load(&j->seccomp, flags);
	if (r < 0)
		return err_sys(e, r, "load the seccomp filter");
	if (j->seccomp_notify) {
		int s = sync_send(j->sync, SYNC_LISTENER, NULL, r);
		close(r);
		if (s < 0)
			return err_sys(e, s, "send the seccomp listener");
	}
	return 0;
}

int process_exec(struct job *j, struct err *e)
{
	const struct oci_process *p = j->process;
	int r = write_labels(j, e);
	if (r < 0)
		return r;
	if (k_close_range(3 + j->preserve_fds, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return err_sys(e, errno, "close the descriptors");
	if (j->has_seccomp && !p->no_new_privileges && (r = load_seccomp(j, e)) < 0)
		return r;
	if ((r = sys_caps_set(&j->caps, e)) < 0 || (r = sys_caps_ambient(&j->caps, e)) < 0)
		return r;
	if (p->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(e, errno, "set no_new_privs");
	if (j->has_seccomp && p->no_new_privileges && (r = load_seccomp(j, e)) < 0)
		return r;
	execve(j->exe, (char **)j->argv, (char **)j->envp);
	return err_sys(e, errno, "exec %s", j->exe);
}

int process_stdio(struct job *j, struct err *e)
{
	int copy[3];
	/* Through copies above 2, because the sources may be 0, 1, 2 in another order. */
	for (int i = 0; i < 3; i++) {
		copy[i] = j->stdio.fds[i] < 0 ? -1 : fcntl(j->stdio.fds[i], F_DUPFD_CLOEXEC, 3);
		if (j->stdio.fds[i] >= 0 && copy[i] < 0)
			return err_sys(e, errno, "duplicate descriptor %d", j->stdio.fds[i]);
	}
	for (int i = 0; i < 3; i++) {
		if (copy[i] < 0)
			continue;
		if (dup2(copy[i], i) < 0)
			return err_sys(e, errno, "set up descriptor %d", i);
		close(copy[i]);
	}
	return 0;
}

void process_signals(void)
{
	sigset_t none;
	/* by the system call: the library keeps 32 to 34 to itself, and an ignored one would be inherited */
	struct { void *handler; unsigned long flags; void *restorer; unsigned long mask; } dfl = { 0 };
	for (int s = 1; s <= 64; s++)
		if (s != SIGKILL && s != SIGSTOP)
			syscall(SYS_rt_sigaction, s, &dfl, NULL, 8);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}
