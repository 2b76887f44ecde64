/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The child between clone and exec. Everything that fails here goes up as
 * SYNC_ERROR with its sentence. Stages:
 *
 *   ids mapped -> cgroup -> namespaces -> mounts -> hooks -> pivot -> user,
 *   capabilities -> program found -> READY ... START -> startContainer hooks -> exec
 */
#include "runtime/runtime_int.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/process_int.h"
#include "sys/kernel.h"
#include "sys/names.h"
#include "sys/rootpath.h"

static int expect(struct job *j, enum sync_type type, int *ret_code, struct err *e)
{
	struct sync_msg m;
	int r = sync_recv(j->sync, &m, NULL);
	if (r == 1)
		_exit(1); /* whoever made us is gone: nobody to tell */
	if (r < 0 || m.type != (int)type)
		return err_sys(e, r < 0 ? r : EPROTO, "wait for the runtime");
	if (ret_code)
		*ret_code = m.err.code;
	return 0;
}

static int become_root(struct err *e)
{
	if (syscall(SYS_setresgid, 0, 0, 0) < 0 || syscall(SYS_setresuid, 0, 0, 0) < 0)
		return err_sys(e, errno, "become root of the user namespace");
	return 0;
}

int init_join_paths(struct job *j, struct err *e)
{
	for (const struct sys_ns *n = sys_namespaces; n->name; n++) {
		const struct oci_linux_namespace *want = spec_namespace(j->spec, n->name);
		if (!want || !want->path || !*want->path || !(j->join_flags & n->flag))
			continue;
		AUTO(close) int fd = open(want->path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return err_sys(e, errno, "open the %s namespace %s", n->name, want->path);
		if (setns(fd, (int)n->flag) < 0)
			return err_sys(e, errno, "join the %s namespace %s", n->name, want->path);
		if (n->flag == CLONE_NEWUSER) {
			int r = become_root(e);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int set_time_offsets(const struct oci_linux *l, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(1024);
	for (uint32_t i = 0; i < l->n_time_offsets; i++)
		buf_addf(&text, "%s %lld %u\n", l->time_offsets[i].key, (long long)l->time_offsets[i].value.secs,
			 l->time_offsets[i].value.nanosecs);
	int r = buf_error(&text);
	if (r == 0 && text.len)
		r = file_poke(AT_FDCWD, "/proc/self/timens_offsets", text.ptr);
	return r < 0 ? err_sys(e, r, "set the time namespace's offsets") : 0;
}

static int loopback_up(struct err *e)
{
	struct ifreq i = { .ifr_name = "lo" };
	AUTO(close) int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s < 0)
		s = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s < 0)
		return err_sys(e, errno, "bring up the loopback interface");
	i.ifr_flags = IFF_UP | IFF_RUNNING;
	return ioctl(s, SIOCSIFFLAGS, &i) < 0 ? err_sys(e, errno, "bring up the loopback interface") : 0;
}

static int set_sysctl(const char *key, const char *value, struct err *e)
{
	char path[512];
	struct statfs fs;
	if (!fmt_into(path, sizeof path, "/proc/sys/%s", key))
		return err_set(e, ENAMETOOLONG, "sysctl %s is too long", key);
	/* Dots separate, unless the key is written with slashes already (then its dots are names'). */
	if (!strchr(key, '/'))
		for (char *p = path + 10; *p; p++)
			if (*p == '.')
				*p = '/';
	if (strstr(path, "/../"))
		return err_set(e, EINVAL, "sysctl %s is not a name", key);
	AUTO(close) int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	/* What is written to must be procfs and nothing mounted over it. */
	if (fd >= 0 && (fstatfs(fd, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC))
		return err_set(e, EINVAL, "sysctl %s is not on procfs", key);
	int r = fd < 0 ? -errno : fd_write_all(fd, value, strlen(value));
	return r < 0 ? err_sys(e, r, "write sysctl %s", key) : 0;
}

static int enter_cgroup(struct job *j, struct err *e)
{
	int r = sys_cgroup_join(j->join_fds, j->n_join, e);
	if (r == 0 && spec_new_namespace(j->spec, "cgroup") && unshare(CLONE_NEWCGROUP) < 0)
		r = err_sys(e, errno, "make a cgroup namespace");
	return r;
}

int init_enter_cgroup(struct job *j, struct err *e)
{
	AUTO(sys_cgroup) struct sys_cgroup cg;
	sys_cgroup_init(&cg);
	if (!j->late_cgroup)
		return 0;
	j->late_cgroup = false;
	int r = expect(j, SYNC_CGROUP, NULL, e);
	if (r == 0)
		r = sys_cgroup_open(&cg, j->layout, j->cgroup, e);
	if (r == 0)
		r = j->n_join = sys_cgroup_join_open(&cg, j->join_fds, e);
	if (r >= 0)
		r = enter_cgroup(j, e);
	for (int i = 0; i < j->n_join; i++)
		close(j->join_fds[i]);
	j->n_join = 0;
	return r;
}

static int namespaces(struct job *j, struct err *e)
{
	const struct oci_spec *s = j->spec;
	const struct oci_linux *l = s->linux;
	int r;
	if (j->join_flags && (r = init_join_paths(j, e)) < 0)
		return r;
	if (j->unshare_flags && unshare((int)j->unshare_flags) < 0)
		return err_sys(e, errno, "make the namespaces");
	if (!j->late_cgroup && (r = enter_cgroup(j, e)) < 0)
		return r;
	if (spec_new_namespace(s, "time")) {
		if (unshare(CLONE_NEWTIME) < 0)
			return err_sys(e, errno, "make a time namespace");
		if ((r = set_time_offsets(l, e)) < 0)
			return r;
	}
	setsid();
	if (spec_new_namespace(s, "network") && (r = loopback_up(e)) < 0)
		return r;
	if (s->hostname && *s->hostname && sethostname(s->hostname, strlen(s->hostname)) < 0)
		return err_sys(e, errno, "set the hostname");
	if (s->domainname && *s->domainname && setdomainname(s->domainname, strlen(s->domainname)) < 0)
		return err_sys(e, errno, "set the domainname");
	return 0;
}

static bool has_create_hooks(const struct oci_spec *s)
{
	const struct oci_hooks *h = s->hooks;
	return h && (h->n_prestart || h->n_create_runtime || h->n_create_container || h->n_start_container);
}

static struct oci_state hook_state(const struct job *j, const char *status)
{
	return (struct oci_state){ .oci_version = "1.2.1", .id = j->id, .status = status, .pid = j->init_pid, .bundle = j->bundle,
				   .annotations = j->spec->annotations, .n_annotations = j->spec->n_annotations };
}

static int create_hooks(struct job *j, struct err *e)
{
	int pid;
	if (!has_create_hooks(j->spec))
		return 0;
	int r = sync_send(j->sync, SYNC_HOOKS, NULL, -1);
	if (r < 0)
		return err_sys(e, r, "ask for the hooks");
	if ((r = expect(j, SYNC_HOOKS_DONE, &pid, e)) < 0)
		return r;
	j->init_pid = pid;
	struct oci_state state = hook_state(j, "creating");
	return hooks_run(j->spec->hooks->create_container, j->spec->hooks->n_create_container, "createContainer", j->bundle, &state, e);
}

static int root(struct job *j, struct err *e)
{
	const struct oci_linux *l = j->spec->linux;
	AUTO(close) int rootfd = -1;
	bool own = spec_namespace(j->spec, "mount") != NULL;
	int r;
	if (own) {
		r = rootfs_mount(j, &rootfd, e);
	} else {
		rootfd = open(j->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
		r = rootfd < 0 ? err_sys(e, errno, "open the root file system %s", j->rootfs) : 0;
	}
	if (r < 0 || (r = init_enter_cgroup(j, e)) < 0)
		return r;
	r = j->process->terminal ? process_terminal(j, rootfd, own, e) : process_stdio(j, e);
	if (r < 0 || (r = create_hooks(j, e)) < 0)
		return r;
	for (uint32_t i = 0; i < l->n_sysctl; i++)
		if ((r = set_sysctl(l->sysctl[i].key, l->sysctl[i].value, e)) < 0)
			return r;
	/* A working folder that the image lacks is made; where that cannot be, chdir will say so. */
	if (strcmp(j->process->cwd, "/")) {
		int cwd = sys_root_make(rootfd, j->process->cwd, true, 0755, NULL);
		if (cwd >= 0)
			close(cwd);
	}
	if (own)
		return rootfs_finish(j, rootfd, e);
	if (fchdir(rootfd) < 0 || chroot(".") < 0)
		return err_sys(e, errno, "change the root to %s", j->rootfs);
	return 0;
}

/* Tells that everything is ready, and waits for `start`: from the maker, or from whoever connects to the start socket. */
static int wait_start(struct job *j, struct err *e)
{
	int r = sync_send(j->sync, SYNC_READY, NULL, -1);
	if (r < 0)
		_exit(1);
	if (j->listen >= 0) {
		int fd;
		do
			fd = accept4(j->listen, NULL, NULL, SOCK_CLOEXEC);
		while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
		if (fd < 0)
			_exit(1);
		close(j->listen);
		close(j->sync);
		j->sync = fd;
	}
	return expect(j, SYNC_START, NULL, e);
}

static int run(struct job *j, struct err *e)
{
	int r;
	if (j->in_userns && spec_new_namespace(j->spec, "user")) {
		if ((r = expect(j, SYNC_GO, NULL, e)) < 0 || (r = become_root(e)) < 0)
			return r;
	}
	if ((r = namespaces(j, e)) < 0 || (r = process_early(j, e)) < 0)
		return r;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(e, errno, "protect the process");
	if ((r = root(j, e)) < 0)
		return r;
	if (!j->in_userns && (r = process_rlimits(j->process, 0, e)) < 0)
		return r;
	if ((r = process_credentials(j, e)) < 0 || (r = process_find(j, e)) < 0 || (r = wait_start(j, e)) < 0)
		return r;
	const struct oci_hooks *h = j->spec->hooks;
	if (h && h->n_start_container) {
		struct oci_state state = hook_state(j, "created");
		r = hooks_run(h->start_container, h->n_start_container, "startContainer", NULL, &state, e);
		if (r < 0)
			return r;
	}
	return process_exec(j, e);
}

_Noreturn void init_main(struct job *j)
{
	struct err e = { 0 };
	process_signals();
	run(j, &e);
	(void)sync_send(j->sync, SYNC_ERROR, &e, -1);
	_exit(1);
}
