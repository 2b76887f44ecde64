/* SPDX-License-Identifier: Apache-2.0 */
/* What is done to a container that exists: kill, pause, resume, update, ps, delete. */
#include "runtime/runtime_int.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "base/fd.h"
#include "sys/kernel.h"

static bool alive(const struct container *c)
{
	return c->status != RUNTIME_STOPPED && c->status != RUNTIME_CREATING;
}

/* A pidfd of init that is certainly its own, not that of a reused pid. */
static int init_pidfd(const struct container *c)
{
	uint64_t start;
	char letter;
	AUTO(close) int fd = k_pidfd_open((pid_t)c->state.pid, 0);
	if (fd < 0)
		return fd;
	if (proc_start((pid_t)c->state.pid, &start, &letter) < 0 || start != c->state.pid_start)
		return -ESRCH;
	return take_fd(&fd);
}

int runtime_kill(const char *state_root, const char *id, int sig, bool all, struct err *e)
{
	AUTO(container) struct container c;
	int r = container_open(&c, state_root, id, false, e);
	if (r < 0)
		return r;
	if (all && c.cgroup.layout)
		return sys_cgroup_kill(&c.cgroup, sig, e);
	if (!alive(&c))
		return err_set(e, ESRCH, "container not running");
	AUTO(close) int pidfd = init_pidfd(&c);
	r = pidfd < 0 ? pidfd : k_pidfd_signal(pidfd, sig);
	if (r == -ESRCH)
		return err_set(e, ESRCH, "container not running");
	if (r < 0)
		return err_sys(e, r, "signal container %s", id);
	/* Nothing dies while frozen on v1. */
	if (sig == SIGKILL && c.status == RUNTIME_PAUSED && !c.layout.is_v2)
		(void)sys_cgroup_freeze(&c.cgroup, false, NULL);
	/* In a PID namespace of others init's death takes nobody along. */
	if (sig == SIGKILL && c.cgroup.layout) {
		struct oci_spec spec;
		if (state_read_spec(c.dir, &c.arena, &spec, NULL) == 0 && !spec_new_namespace(&spec, "pid"))
			(void)sys_cgroup_kill(&c.cgroup, SIGKILL, NULL);
	}
	return 0;
}

static int freeze(const char *state_root, const char *id, bool frozen, struct err *e)
{
	AUTO(container) struct container c;
	int r = container_open(&c, state_root, id, false, e);
	if (r < 0)
		return r;
	if (frozen && c.status != RUNTIME_RUNNING && c.status != RUNTIME_CREATED)
		return err_set(e, EBUSY, "container not running or created: %s", runtime_status_text(c.status));
	if (!frozen && c.status != RUNTIME_PAUSED)
		return err_set(e, EBUSY, "container not paused");
	if (!c.cgroup.layout)
		return err_set(e, EOPNOTSUPP, "container %s has no control group", id);
	return sys_cgroup_freeze(&c.cgroup, frozen, e);
}

int runtime_pause(const char *state_root, const char *id, struct err *e)
{
	return freeze(state_root, id, true, e);
}

int runtime_resume(const char *state_root, const char *id, struct err *e)
{
	return freeze(state_root, id, false, e);
}

int runtime_update(const char *state_root, const char *id, const struct oci_linux_resources *res, struct err *e)
{
	AUTO(container) struct container c;
	struct cgroup_plan plan;
	int r = container_open(&c, state_root, id, false, e);
	if (r < 0)
		return r;
	if (!alive(&c))
		return err_set(e, ESRCH, "container not running");
	if (!c.cgroup.layout)
		return err_set(e, EOPNOTSUPP, "container %s has no control group", id);
	r = resources_plan(res, c.layout.is_v2, false, &c.arena, &plan, e);
	return r < 0 ? r : resources_apply(&plan, &c.cgroup, e);
}

int runtime_ps(const char *state_root, const char *id, struct arena *a, pid_t **ret, uint32_t *n_ret, struct err *e)
{
	AUTO(container) struct container c;
	int r = container_open(&c, state_root, id, false, e);
	if (r < 0)
		return r;
	if (!c.cgroup.layout) {
		*ret = arena_array(a, 1, sizeof **ret);
		if (!*ret)
			return err_nomem(e);
		**ret = (pid_t)c.state.pid;
		*n_ret = alive(&c);
		return 0;
	}
	return sys_cgroup_pids(&c.cgroup, a, ret, n_ret, e);
}

/* Kills init and whatever is left in the cgroup; waits for init. */
static int kill_all(struct container *c, struct err *e)
{
	AUTO(close) int pidfd = alive(c) ? init_pidfd(c) : -1;
	if (pidfd >= 0)
		(void)k_pidfd_signal(pidfd, SIGKILL);
	if (c->cgroup.layout)
		(void)sys_cgroup_kill(&c->cgroup, SIGKILL, NULL);
	struct pollfd p = { pidfd, POLLIN, 0 };
	if (pidfd >= 0 && poll(&p, 1, 10000) == 0)
		return err_set(e, ETIMEDOUT, "container %s does not die", c->state.id);
	return 0;
}

static void run_poststop(struct container *c, const char *state_root)
{
	struct oci_spec spec;
	if (state_spec_says(c->dir, &c->arena, "poststop") <= 0 || state_read_spec(c->dir, &c->arena, &spec, NULL) < 0 || !spec.hooks || !c->state.bundle)
		return;
	struct oci_state state = { .oci_version = "1.2.1", .id = c->state.id, .status = "stopped", .bundle = c->state.bundle,
				   .annotations = c->state.annotations, .n_annotations = c->state.n_annotations };
	/* The specification wants a failure logged and the rest run: each by itself. */
	for (uint32_t i = 0; i < spec.hooks->n_poststop; i++)
		(void)hooks_run(&spec.hooks->poststop[i], 1, "poststop", c->state.bundle, &state, NULL);
}

int runtime_delete(const char *state_root, const char *id, bool force, struct err *e)
{
	struct container c;
	char path[4096];
	int r = container_open(&c, state_root, id, force, e);
	if (r == -ENOENT && force)
		return 0;
	if (r < 0)
		return r;
	if (!force && c.status != RUNTIME_STOPPED && c.status != RUNTIME_CREATED) {
		r = err_set(e, EBUSY, "cannot delete container %s that is not stopped: %s", id, runtime_status_text(c.status));
	} else {
		r = force || c.status == RUNTIME_CREATED || c.cgroup.layout ? kill_all(&c, e) : 0;
		if (r == 0 && c.cgroup.layout) {
			sys_cgroup_release(&c.cgroup);
			r = sys_cgroup_remove(&c.layout, c.state.cgroup, e);
		}
		if (r == 0)
			run_poststop(&c, state_root);
		fmt_into(path, sizeof path, "%s/%s", state_root, id);
		if (r == 0)
			r = dir_remove(AT_FDCWD, path, e);
	}
	container_release(&c);
	return r;
}
