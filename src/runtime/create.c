/* SPDX-License-Identifier: Apache-2.0 */
/*
 * create and start, the parent's side.
 *
 *   state folder -> cgroup and limits -> clone -> ids -> (terminal, hooks) -> READY -> state.json
 *
 * Until state.json has a pid the container is "creating"; whoever kills us
 * then leaves a folder, maybe cgroups, and a child that ends by itself because
 * its socket closes. `delete --force` clears all of it.
 */
#include "runtime/runtime_int.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "runtime/process_int.h"
#include "sys/kernel.h"
#include "sys/names.h"

void runtime_proc_release(struct runtime_proc *p)
{
	int *fds[] = { &p->pidfd, &p->master, &p->start_fd };
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

/* What a create is made of until it is whole; undone in reverse by create_undo. */
struct making {
	const struct runtime_create_args *args;
	struct arena arena;
	struct job job;
	struct sys_cgroup_layout layout;
	struct sys_cgroup cgroup;
	struct runtime_state state;
	int dir;
	int sync;
	struct runtime_proc proc;
	bool made_cgroup;
};

static void making_init(struct making *m, const struct runtime_create_args *args)
{
	memset(m, 0, sizeof *m);
	m->args = args;
	arena_init(&m->arena, RUNTIME_ARENA_MAX);
	sys_cgroup_init(&m->cgroup);
	m->dir = m->sync = m->job.sync = m->job.listen = -1;
	m->proc = RUNTIME_PROC_INIT;
}

static void close_fds(struct making *m)
{
	int *fds[] = { &m->job.sync, &m->job.listen, &m->sync };
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		if (*fds[i] >= 0)
			close(take_fd(fds[i]));
	for (int i = 0; i < m->job.n_join; i++)
		close(m->job.join_fds[i]);
	m->job.n_join = 0;
	for (uint32_t i = 0; m->job.mount_fds && i < m->args->spec->n_mounts; i++)
		if (m->job.mount_fds[i] >= 0)
			close(take_fd(&m->job.mount_fds[i]));
}

static void making_release(struct making *m)
{
	close_fds(m);
	sys_cgroup_release(&m->cgroup);
	if (m->dir >= 0)
		close(m->dir);
	arena_release(&m->arena);
}

/* Leaves nothing behind. */
static void undo(struct making *m)
{
	if (m->proc.pid > 0) {
		kill(m->proc.pid, SIGKILL);
		waitpid(m->proc.pid, NULL, 0);
	}
	runtime_proc_release(&m->proc);
	if (m->made_cgroup) {
		(void)sys_cgroup_kill(&m->cgroup, SIGKILL, NULL);
		(void)sys_cgroup_remove(&m->layout, m->state.cgroup, NULL);
	}
	if (m->dir >= 0) {
		char path[4096];
		if (fmt_into(path, sizeof path, "%s/%s", m->args->state_root, m->args->id))
			(void)dir_remove(AT_FDCWD, path, NULL);
	}
}

/* The cgroup's path below the roots: what the specification says, or /ID. */
static const char *cgroup_path(struct making *m)
{
	const char *p = m->args->spec->linux->cgroups_path;
	if (!p || !*p)
		return arena_fmt(&m->arena, "/%s", m->args->id);
	char *full = arena_fmt(&m->arena, "/%s", p), *clean = arena_alloc(&m->arena, strlen(p) + 4);
	if (!full || !clean)
		return NULL;
	path_clean(clean, full);
	return clean;
}

static int make_state(struct making *m, struct err *e)
{
	const struct runtime_create_args *a = m->args;
	char *created = arena_alloc(&m->arena, CLOCK_TEXT_MAX);
	m->state = (struct runtime_state){
		.version = 1,
		.id = a->id,
		.bundle = a->bundle,
		.rootfs = m->job.rootfs,
		.created = created,
		.owner = "",
		.cgroup_manager = a->cgroup_manager,
		.annotations = a->spec->annotations,
		.n_annotations = a->spec->n_annotations,
	};
	if (!created)
		return err_nomem(e);
	clock_rfc3339_nano(created, clock_realtime_ns());
	if (a->cgroup_manager == RUNTIME_SYSTEMD)
		return err_set(e, EOPNOTSUPP, "the systemd cgroup driver is not supported yet: use cgroupfs");
	if (a->cgroup_manager == RUNTIME_CGROUPFS && !(m->state.cgroup = cgroup_path(m)))
		return err_nomem(e);
	if ((m->dir = state_dir_make(a->state_root, a->id, e)) < 0)
		return m->dir;
	int r;
	if (a->spec_text.len) {
		r = state_write_file(m->dir, "config.json", a->spec_text, e);
	} else {
		AUTO(buf) struct buf text = BUF_INIT(RUNTIME_SPEC_MAX);
		r = schema_to_json(T_oci_spec, a->spec, 0, &text);
		r = r < 0 || buf_error(&text) < 0 ? err_set(e, EMSGSIZE, "the specification is too large") :
						    state_write_file(m->dir, "config.json", buf_slice(&text), e);
	}
	if (r == 0 && a->cgroup_manager != RUNTIME_NO_CGROUPS) {
		r = sys_cgroup_layout_read(&m->layout, e);
		m->job.layout = &m->layout;
		m->job.cgroup = m->state.cgroup;
	}
	return r;
}

static int make_cgroup(struct making *m, struct err *e)
{
	struct job *j = &m->job;
	int r;
	if (m->args->cgroup_manager == RUNTIME_NO_CGROUPS)
		return 0;
	if ((r = sys_cgroup_make(&m->cgroup, &m->layout, m->state.cgroup, e)) < 0)
		return r;
	m->made_cgroup = true;
	struct cgroup_plan plan;
	static const struct oci_linux_resources none;
	const struct oci_linux_resources *res = m->args->spec->linux->resources;
	r = resources_plan(res ? res : &none, m->layout.is_v2, true, &m->arena, &plan, e);
	if (r == 0)
		r = resources_apply(&plan, &m->cgroup, e);
	if (r == 0 && !m->layout.is_v2 && !j->late_cgroup)
		r = j->n_join = sys_cgroup_join_open(&m->cgroup, j->join_fds, e);
	return r < 0 ? r : 0;
}

static int make_listener(struct making *m, struct err *e)
{
	char path[64];
	if (!m->args->start_socket)
		return 0;
	/* Through the descriptor: a socket's path has only 107 bytes. */
	fmt_into(path, sizeof path, "/proc/self/fd/%d/" START_SOCKET, m->dir);
	m->job.listen = unix_listen(path, 0600, SOCK_SEQPACKET, e);
	return m->job.listen < 0 ? m->job.listen : 0;
}

/* Namespaces: which are made by the clone, which are joined, and whether that must happen before it. */
static bool plan_namespaces(struct making *m)
{
	struct job *j = &m->job;
	bool new_user = spec_new_namespace(j->spec, "user");
	for (const struct sys_ns *n = sys_namespaces; n->name; n++) {
		const struct oci_linux_namespace *want = spec_namespace(j->spec, n->name);
		if (!want)
			continue;
		if (want->path && *want->path)
			j->join_flags |= n->flag;
		else if (n->flag != CLONE_NEWCGROUP && n->flag != CLONE_NEWTIME) /* these two after the cgroup is entered */
			j->clone_flags |= n->flag;
	}
	j->in_userns = spec_namespace(j->spec, "user") != NULL;
	return j->join_flags & (CLONE_NEWPID | CLONE_NEWUSER) || (new_user && j->join_flags);
}

/* A process that joins first and then clones its own sibling. */
_Noreturn static void intermediate(struct job *j, struct k_clone_args *a)
{
	struct err e = { 0 };
	int r = init_join_paths(j, &e);
	j->join_flags = 0;
	if (r == 0) {
		a->flags = (a->flags | CLONE_PARENT) & ~(uint64_t)CLONE_PIDFD;
		a->exit_signal = 0;
		pid_t pid = k_clone3(a, sizeof *a);
		if (pid == 0)
			init_main(j);
		if (pid > 0) {
			e.code = pid;
			(void)sync_send(j->sync, SYNC_PID, &e, -1);
			_exit(0);
		}
		err_sys(&e, pid, "make the namespaces");
	}
	(void)sync_send(j->sync, SYNC_ERROR, &e, -1);
	_exit(1);
}

static int clone_init(struct making *m, bool join_first, struct err *e)
{
	struct job *j = &m->job;
	int pidfd = -1;
	struct k_clone_args a = { .flags = j->clone_flags | CLONE_PIDFD, .pidfd = (uint64_t)(uintptr_t)&pidfd, .exit_signal = SIGCHLD };
	if (m->layout.is_v2 && m->made_cgroup) {
		a.flags |= CLONE_INTO_CGROUP;
		a.cgroup = (uint64_t)m->cgroup.dirs[0];
	}
	pid_t pid = join_first ? fork() : k_clone3(&a, sizeof a);
	if (pid < 0)
		return err_sys(e, join_first ? errno : (int)-pid, "make the namespaces");
	if (pid == 0) {
		close(take_fd(&m->sync));
		if (join_first)
			intermediate(j, &a);
		init_main(j);
	}
	close(take_fd(&j->sync));
	if (!join_first) {
		m->proc.pid = pid;
		m->proc.pidfd = pidfd;
		return 0;
	}
	struct sync_msg msg;
	int r = sync_recv(m->sync, &msg, NULL);
	waitpid(pid, NULL, 0);
	if (r == 0 && msg.type == SYNC_ERROR) {
		*e = msg.err;
		return -msg.err.code;
	}
	if (r != 0 || msg.type != SYNC_PID)
		return err_sys(e, r < 0 ? r : EPROTO, "make the namespaces");
	m->proc.pid = msg.err.code;
	m->proc.pidfd = k_pidfd_open(m->proc.pid, 0);
	return m->proc.pidfd < 0 ? err_sys(e, m->proc.pidfd, "open the new process") : 0;
}

static struct oci_state hook_state(struct making *m, const char *status)
{
	return (struct oci_state){ .oci_version = "1.2.1", .id = m->args->id, .status = status, .pid = m->proc.pid,
				   .bundle = m->args->bundle, .annotations = m->args->spec->annotations,
				   .n_annotations = m->args->spec->n_annotations };
}

static int run_create_hooks(struct making *m, struct err *e)
{
	const struct oci_hooks *h = m->args->spec->hooks;
	struct oci_state state = hook_state(m, "creating");
	int r = hooks_run(h->prestart, h->n_prestart, "prestart", m->args->bundle, &state, e);
	if (r == 0)
		r = hooks_run(h->create_runtime, h->n_create_runtime, "createRuntime", m->args->bundle, &state, e);
	if (r < 0)
		return r;
	struct err pid = { .code = m->proc.pid };
	r = sync_send(m->sync, SYNC_HOOKS_DONE, &pid, -1);
	return r < 0 ? err_sys(e, r, "go on after the hooks") : 0;
}

static int take_master(struct making *m, int fd, struct err *e)
{
	if (m->args->stdio.console_socket < 0) {
		m->proc.master = fd;
		return 0;
	}
	int r = console_send(m->args->stdio.console_socket, fd, e);
	close(fd);
	return r;
}

/* Serves the child until it is ready. */
static int until_ready(struct making *m, struct err *e)
{
	for (;;) {
		struct sync_msg msg;
		int fd, r = sync_recv(m->sync, &msg, &fd);
		if (r < 0)
			return err_sys(e, r, "talk to the container's process");
		if (r == 1)
			return err_set(e, EIO, "the container's process ended while it was being made");
		switch (msg.type) {
		case SYNC_READY:
			return 0;
		case SYNC_ERROR:
			if (e)
				*e = msg.err;
			if (e)
				err_prefix(e, "unable to start container process: error during container init");
			return -msg.err.code;
		case SYNC_HOOKS:
			r = run_create_hooks(m, e);
			break;
		case SYNC_MASTER:
			r = fd < 0 ? err_set(e, EPROTO, "no terminal came") : take_master(m, fd, e);
			break;
		default:
			r = err_set(e, EPROTO, "the container's process said something unknown");
		}
		if (r < 0)
			return r;
	}
}

static int in_userns(struct making *m, struct err *e)
{
	const struct oci_process *p = m->args->spec->process;
	int r = spec_new_namespace(m->args->spec, "user") ? userns_map(m->proc.pid, m->args->spec->linux, e) : 0;
	if (r == 0)
		r = process_oom_score(p, m->proc.pid, e);
	if (r == 0)
		r = process_rlimits(p, m->proc.pid, e);
	if (r == 0 && spec_new_namespace(m->args->spec, "user") && (r = sync_send(m->sync, SYNC_GO, NULL, -1)) < 0)
		err_sys(e, r, "go on after mapping the ids");
	return r;
}

static int prepare(struct making *m, struct err *e)
{
	const struct runtime_create_args *a = m->args;
	struct job *j = &m->job;
	char joined[4096], root[4098];
	j->spec = a->spec;
	j->process = a->spec->process;
	j->id = a->id;
	j->bundle = a->bundle;
	j->arena = &m->arena;
	j->stdio = a->stdio;
	j->preserve_fds = a->preserve_fds;
	j->no_pivot = a->no_pivot;
	j->no_new_keyring = a->no_new_keyring;
	j->seccomp_spec = a->spec->linux->seccomp;
	j->label_fd = j->attr_fd = -1;
	const char *p = a->spec->root->path;
	bool ok = p[0] == '/' ? fmt_into(joined, sizeof joined, "%s", p) : fmt_into(joined, sizeof joined, "%s/%s", a->bundle, p);
	if (!ok)
		return err_sys(e, ENAMETOOLONG, "root.path %s", p);
	path_clean(root, joined);
	fmt_into(j->rootfs, sizeof j->rootfs, "%s", root);
	if (access(j->rootfs, F_OK) < 0)
		return err_sys(e, errno, "the root file system %s", j->rootfs);
	if (j->process->terminal && a->stdio.console_socket < 0 && a->start_socket)
		return err_set(e, EINVAL, "cannot allocate tty if runc will detach without setting console socket");
	return process_prepare(j, e);
}

/*
 * On two cores: the child makes its namespaces and mounts while we make nine
 * folders in nine hierarchies. Not with a user namespace (it may not enter
 * cgroups by itself) and not on v2 (it is born in its one folder).
 */
static void plan_overlap(struct making *m)
{
	struct job *j = &m->job;
	j->late_cgroup = m->args->cgroup_manager != RUNTIME_NO_CGROUPS && !m->layout.is_v2;
	j->unshare_flags = j->clone_flags & (CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS);
	j->clone_flags &= ~j->unshare_flags;
}

static int create(struct making *m, struct err *e)
{
	struct job *j = &m->job;
	int r = spec_check(m->args->spec, e), pair[2];
	if (r < 0 || (r = runtime_check_id(m->args->id, e)) < 0 || (r = prepare(m, e)) < 0)
		return r;
	if ((r = make_state(m, e)) < 0 || (r = make_listener(m, e)) < 0)
		return r;
	bool join_first = plan_namespaces(m), mapped = j->in_userns;
	if (!join_first && !j->in_userns)
		plan_overlap(m);
	if (!j->late_cgroup && ((r = state_write(m->dir, &m->state, e)) < 0 || (r = make_cgroup(m, e)) < 0))
		return r;
	for (uint32_t i = 0; i < j->spec->n_mounts && !mapped; i++) {
		const struct oci_mount *mnt = &j->spec->mounts[i];
		mapped = mnt->n_uid_mappings || mnt->n_gid_mappings;
		for (uint32_t k = 0; k < mnt->n_options; k++)
			mapped |= !strcmp(mnt->options[k], "idmap") || !strcmp(mnt->options[k], "ridmap");
	}
	if (mapped && (r = rootfs_open_sources(j, e)) < 0)
		return r;
	if ((r = sync_pair(pair, e)) < 0)
		return r;
	m->sync = pair[0];
	j->sync = pair[1];
	if ((r = clone_init(m, join_first, e)) < 0)
		return r;
	if (j->in_userns && (r = in_userns(m, e)) < 0)
		return r;
	char letter;
	m->state.pid = m->proc.pid;
	if (proc_start(m->proc.pid, &m->state.pid_start, &letter) == 0 && (r = state_write(m->dir, &m->state, e)) < 0)
		return r;
	if (j->late_cgroup) {
		if ((r = make_cgroup(m, e)) < 0)
			return r;
		/* A child that is gone has left its reason behind. */
		(void)sync_send(m->sync, SYNC_CGROUP, NULL, -1);
	}
	return until_ready(m, e);
}

int runtime_create(const struct runtime_create_args *args, struct runtime_proc *ret, struct err *e)
{
	struct making *m = malloc(sizeof *m);
	struct err local = { 0 };
	if (!m)
		return err_nomem(e);
	making_init(m, args);
	int r = create(m, &local);
	if (r < 0) {
		close_fds(m);
		undo(m);
		if (e)
			*e = local;
	} else {
		*ret = m->proc;
		if (args->start_socket)
			ret->start_fd = -1;
		else
			ret->start_fd = take_fd(&m->sync);
	}
	making_release(m);
	free(m);
	return r < 0 ? r : 0;
}

/* Hands a seccomp listener to the agent that the specification names, with the container's state. */
static int send_listener(const struct oci_spec *s, const struct runtime_state *st, int fd, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(1 << 20);
	const char *name = "seccompFd";
	struct oci_container_process_state c = {
		.oci_version = "1.2.1", .fds = &name, .n_fds = 1, .pid = st->pid, .metadata = s->linux->seccomp->listener_metadata,
		.state = { .oci_version = "1.2.1", .id = st->id, .status = "creating", .pid = st->pid, .bundle = st->bundle,
			   .annotations = st->annotations, .n_annotations = st->n_annotations },
	};
	int r = schema_to_json(T_oci_container_process_state, &c, 0, &text);
	if (r < 0 || buf_error(&text) < 0)
		return err_set(e, EMSGSIZE, "the state for the seccomp agent is too large");
	AUTO(close) int sock = unix_connect(s->linux->seccomp->listener_path, SOCK_STREAM, e);
	if (sock < 0)
		return sock;
	r = (int)fd_send(sock, text.ptr, text.len, &fd, 1);
	return r < 0 ? err_sys(e, r, "send the seccomp listener to %s", s->linux->seccomp->listener_path) : 0;
}

/* START, then whatever the child says until exec closes its end. */
static int start_over(int fd, struct container *c, const struct oci_spec *spec, struct err *e)
{
	int r = sync_send(fd, SYNC_START, NULL, -1);
	if (r < 0)
		return err_sys(e, r, "start the container");
	for (;;) {
		struct sync_msg msg;
		int passed;
		r = sync_recv(fd, &msg, &passed);
		if (r == 1)
			return 0;
		if (r < 0)
			return err_sys(e, r, "start the container");
		if (msg.type == SYNC_LISTENER && passed >= 0 && spec->linux && spec->linux->seccomp) {
			r = send_listener(spec, &c->state, passed, e);
			close(passed);
			if (r < 0)
				return r;
			continue;
		}
		if (passed >= 0)
			close(passed);
		if (msg.type != SYNC_ERROR)
			return err_set(e, EPROTO, "the container's process said something unknown");
		if (e)
			*e = msg.err;
		return -msg.err.code;
	}
}

int runtime_start(const char *state_root, const char *id, struct runtime_proc *p, struct err *e)
{
	struct oci_spec spec = { 0 };
	int r;
	if (p && p->start_fd >= 0) {
		/* The everyday case has nothing to look up. */
		struct arena a;
		arena_init(&a, RUNTIME_ARENA_MAX);
		AUTO(close) int dir = state_dir_open(state_root, id, e);
		bool plain = dir >= 0 && !state_spec_says(dir, &a, "poststart") && !state_spec_says(dir, &a, "listenerPath");
		arena_release(&a);
		if (dir < 0)
			return dir;
		if (plain) {
			AUTO(close) int sock = take_fd(&p->start_fd);
			return start_over(sock, NULL, &spec, e);
		}
	}
	AUTO(container) struct container c;
	r = container_open(&c, state_root, id, false, e);
	if (r < 0)
		return r;
	if (state_spec_says(c.dir, &c.arena, "poststart") || state_spec_says(c.dir, &c.arena, "listenerPath")) {
		if ((r = state_read_spec(c.dir, &c.arena, &spec, e)) < 0)
			return r;
	}
	if (c.status == RUNTIME_STOPPED)
		return err_set(e, ESRCH, "cannot start a container that has stopped");
	AUTO(close) int sock = -1;
	if (p && p->start_fd >= 0) {
		sock = take_fd(&p->start_fd);
	} else {
		if (c.status != RUNTIME_CREATED)
			return err_set(e, EBUSY, "cannot start an already running container");
		char path[64];
		fmt_into(path, sizeof path, "/proc/self/fd/%d/" START_SOCKET, c.dir);
		sock = unix_connect(path, SOCK_SEQPACKET, e);
		if (sock < 0)
			return sock;
	}
	r = start_over(sock, &c, &spec, e);
	(void)unlinkat(c.dir, START_SOCKET, 0);
	if (r < 0 || !spec.hooks || !spec.hooks->n_poststart)
		return r;
	struct oci_state state = { .oci_version = "1.2.1", .id = c.state.id, .status = "running", .pid = c.state.pid,
				   .bundle = c.state.bundle, .annotations = c.state.annotations,
				   .n_annotations = c.state.n_annotations };
	r = hooks_run(spec.hooks->poststart, spec.hooks->n_poststart, "poststart", c.state.bundle, &state, e);
	if (r < 0)
		kill((pid_t)c.state.pid, SIGKILL);
	return r;
}
