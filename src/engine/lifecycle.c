/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting, stopping, ending and removing (the table of statuses is drawn in
 * container.c). c->op is held while a start, an end or a removal runs, never
 * while one waits for a process to end: an end needs it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include "api/oci.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "engine/attach.h"
#include "engine/exec.h"
#include "engine/jobs.h"
#include "engine/shim_link.h"

/* --- starting */
/* What the CLI maps to 126 and 127, and the status that goes with it. */
static int start_failed(struct container *c, struct err *e)
{
	c->exit_code = 128;
	int code = e->code;
	if (strstr(e->text, "executable file not found") || strstr(e->text, "no such file or directory")) {
		c->exit_code = 127;
		code = EINVAL;
	} else if (strcasestr(e->text, "permission denied") || strstr(e->text, "is a directory") || strstr(e->text, "not a directory")) {
		c->exit_code = 126;
		code = EINVAL;
	}
	container_set_error(c, e->text);
	return -(e->code = code);
}

static int launch_wait(struct container *c, struct err *e)
{
	AUTO(arena) struct arena a;
	arena_init(&a, 8 << 20);
	const char *netns;
	int r = netting_open_wait(c, &netns, e);
	if (r < 0)
		return r;
	char *ns = strdup(netns ? netns : "");
	struct spec_user user = { 0 };
	struct oci_spec spec;
	r = ns ? netting_files_wait(c, e) : err_nomem(e);
	if (r == 0)
		r = user_lookup_wait(c, c->config->user, c->host->group_add, c->host->n_group_add, &a, &user, e);
	if (r == 0 && c->pod && !c->pod_user && (c->pod_user = arena_new(&c->arena, struct engine_user))) {
		struct engine_user u = { .uid = user.uid, .gid = user.gid, .groups = user.gids, .n_groups = user.n_gids };
		if (schema_copy(T_engine_user, &u, &c->arena, c->pod_user) < 0)
			r = err_nomem(e);
	}
	if (r == 0)
		r = shm_mount_wait(c, e);
	if (r == 0)
		r = spec_build(c, ns, &user, &a, &spec, e);
	if (r == 0) {
		r = shim_launch_wait(c, &spec, &c->pid, e);
		if (r < 0)
			err_prefix(e, "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed");
	}
	free(ns);
	if (r < 0) {
		shm_unmount_wait(c);
		netting_close_wait(c);
	}
	return r;
}

int lifecycle_start_wait(struct container *c, bool is_restart, struct err *e)
{
	struct err why = { 0 };
	c->is_starting = true;
	c->is_stopping = false;
	int r = mounts_prepare_wait(c, &why);
	if (r == 0) {
		r = launch_wait(c, &why);
		if (r < 0)
			mounts_unuse(c);
	}
	if (r < 0) {
		r = start_failed(c, &why);
		c->pid = 0;
		c->finished_ns = clock_realtime_ns();
		c->is_starting = false;
		if (c->status != STATUS_CREATED || c->pod)
			container_move(c, STATUS_EXITED);
		c->exits++;
		record_save_state_wait(c, NULL);
		attach_drop_all(c);
		container_move(c, c->status);
		if (e)
			*e = why;
		return r;
	}
	c->started_ns = clock_realtime_ns();
	c->finished_ns = is_restart ? c->finished_ns : 0;
	c->exit_code = 0;
	c->is_oom = false;
	c->manually_stopped = false;
	container_set_error(c, "");
	c->starts++;
	container_move(c, STATUS_RUNNING);
	c->is_starting = false;
	r = record_save_state_wait(c, e);
	if (r < 0)
		log_error("state not recorded", "container=%s", c->id);
	container_event(c, "start", NULL, 0);
	health_start(c);
	return 0;
}

int lifecycle_start_found_wait(struct container *c, struct err *e)
{
	int r = fmutex_lock_wait(&c->op);
	if (r < 0)
		return r;
	if (c->is_gone || c->status == STATUS_REMOVING || c->status == STATUS_DEAD)
		r = err_set(e, EBUSY, "container is marked for removal and cannot be started");
	else if (c->status == STATUS_PAUSED)
		r = err_set(e, EBUSY, "cannot start a paused container, try unpause instead");
	else if (c->status == STATUS_RUNNING)
		r = err_set(e, EALREADY, "container already started");
	else {
		restart_cancel(c);
		c->restart_count = 0;
		c->failures = 0;
		r = lifecycle_start_wait(c, false, e);
	}
	fmutex_unlock(&c->op);
	if (r < 0 && r != -EALREADY && c->host->auto_remove && !c->is_gone && c->status != STATUS_RUNNING && c->status != STATUS_PAUSED)
		lifecycle_remove_wait(c, false, true, NULL);
	return r;
}

int container_start_wait(struct engine *eng, const char *name, struct err *e)
{
	AUTO(container) struct container *c = NULL;
	int r = container_find(eng, name, &c, e);
	return r < 0 ? r : lifecycle_start_found_wait(c, e);
}

/* --- ending */
struct auto_remove { struct container *c; };

static void remove_fiber(void *arg)
{
	struct container *c = arg;
	struct err e = { 0 };
	if (lifecycle_remove_wait(c, false, true, &e) < 0 && !c->is_gone)
		log_warn("auto-remove failed", "container=%s error=%s", c->id, e.text);
	container_unref(c);
}

void lifecycle_ended_wait(struct container *c, int64_t code, bool oom, int64_t finished_ns)
{
	if (fmutex_lock_wait(&c->op) < 0)
		return;
	if (!container_is_alive(c)) {
		fmutex_unlock(&c->op);
		return;
	}
	health_stop(c);
	shim_close(c);
	c->exit_code = code;
	c->finished_ns = finished_ns ? finished_ns : clock_realtime_ns();
	c->is_oom = c->is_oom || oom;
	c->pid = 0;
	exec_container_ended(c);
	netting_close_wait(c);
	mounts_unuse(c);
	shm_unmount_wait(c);
	bool again = restart_wanted(c, false);
	c->exits++;
	container_move(c, again ? STATUS_RESTARTING : STATUS_EXITED);
	char num[24], seconds[24];
	fmt_into(num, sizeof num, "%lld", (long long)code);
	fmt_into(seconds, sizeof seconds, "%lld", (long long)((c->finished_ns - c->started_ns) / NS_PER_S));
	if (c->is_oom && oom)
		container_event(c, "oom", NULL, 0);
	container_event(c, "die", (struct schema_pair[]){ { "execDuration", seconds }, { "exitCode", num } }, 2);
	bool auto_remove = c->host->auto_remove && !again;
	if (!auto_remove && record_save_state_wait(c, NULL) < 0)
		log_error("state not recorded", "container=%s", c->id);
	if (again)
		restart_later(c);
	fmutex_unlock(&c->op);
	waitq_wake_all(&c->changed);
	if (auto_remove && !c->is_gone) {
		container_ref(c);
		if (fiber_start(c->engine->loop, "auto-remove", remove_fiber, c) < 0)
			container_unref(c);
	}
}

/* --- signals */
/* Lets a start that is under way end, whoever began it, so that what follows sees the container as it is. */
static int settle_wait(struct container *c)
{
	int r = 0;
	while (c->is_starting && r == 0) {
		r = fmutex_lock_wait(&c->op);
		if (r == 0)
			fmutex_unlock(&c->op);
	}
	return r;
}

static int not_running(const struct container *c, struct err *e)
{
	return err_set(e, EBUSY, "container %s is not running", c->id);
}

static int kill_found_wait(struct container *c, const char *name, const char *signal, struct err *e)
{
	struct engine *eng = c->engine;
	int r, sig = SIGKILL;
	if (signal && *signal && signal_parse(signal, &sig) < 0)
		return err_set(e, EINVAL, "invalid signal: %s", signal);
	r = settle_wait(c);
	if (r < 0)
		return r;
	if (!container_is_alive(c)) {
		if (c->status != STATUS_RESTARTING) {
			err_set(e, EBUSY, "cannot kill container: %s: container %s is not running", name, c->id);
			return -EBUSY;
		}
		/* between two runs: the kill is what ends it */
		c->manually_stopped = true;
		restart_cancel(c);
		container_move(c, STATUS_EXITED);
		return record_save_state_wait(c, e);
	}
	int stop_signal = SIGTERM;
	if (c->config->stop_signal && *c->config->stop_signal)
		signal_parse(c->config->stop_signal, &stop_signal);
	if (sig == SIGKILL || sig == stop_signal)
		c->manually_stopped = true;
	char num[16];
	fmt_into(num, sizeof num, "%d", sig);
	uint64_t run = c->starts;
	r = shim_kill_wait(c, sig, false, e);
	if (r == -ESRCH)
		r = 0;     /* it is ending already */
	if (r < 0)
		return err_prefix(e, "cannot kill container: %s", name);
	container_event(c, "kill", (struct schema_pair[]){ { "signal", num } }, 1);
	if (sig != SIGKILL)
		return 0;
	if (c->status == STATUS_PAUSED)
		shim_pause_wait(c, false, NULL);
	int64_t end = loop_monotonic_ns(eng->loop) + 10 * NS_PER_S;
	while (container_is_alive(c) && c->starts == run && loop_monotonic_ns(eng->loop) < end)
		if (waitq_wait(&c->changed, NS_PER_S) == -ECANCELED)
			return -ECANCELED;
	return 0;
}

int container_kill_wait(struct engine *eng, const char *name, const char *signal, struct err *e)
{
	AUTO(container) struct container *c = NULL;
	int r = container_find(eng, name, &c, e);
	return r < 0 ? r : kill_found_wait(c, name, signal, e);
}

static int wait_end(struct container *c, uint64_t run, int64_t timeout_ns)
{
	int64_t start = loop_monotonic_ns(c->engine->loop);
	while (container_is_alive(c) && c->starts == run) {
		int64_t left = timeout_ns < 0 ? -1 : timeout_ns - (loop_monotonic_ns(c->engine->loop) - start);
		if (timeout_ns >= 0 && left <= 0)
			return -ETIMEDOUT;
		int r = waitq_wait(&c->changed, left);
		if (r == -ECANCELED)
			return r;
	}
	return 0;
}

int lifecycle_stop_wait(struct container *c, int signal, int64_t timeout_ns, struct err *e)
{
	uint64_t run = c->starts;
	char num[16];
	c->is_stopping = true;
	int r = shim_kill_wait(c, signal, false, e);
	if (r < 0 && r != -ESRCH)
		return err_prefix(e, "cannot stop container: %s", c->name);
	fmt_into(num, sizeof num, "%d", signal);
	container_event(c, "kill", (struct schema_pair[]){ { "signal", num } }, 1);
	if (c->status == STATUS_PAUSED)
		shim_pause_wait(c, false, NULL);
	r = wait_end(c, run, timeout_ns);
	if (r != -ETIMEDOUT)
		return r;
	r = shim_kill_wait(c, SIGKILL, false, e);
	if (r < 0 && r != -ESRCH)
		return err_prefix(e, "cannot stop container: %s", c->name);
	container_event(c, "kill", (struct schema_pair[]){ { "signal", "9" } }, 1);
	r = wait_end(c, run, 30 * NS_PER_S);
	return r == -ETIMEDOUT ? err_set(e, EIO, "cannot stop container: %s: tried to kill container, but did not receive an exit event", c->name) : r;
}

static int stop_found_wait(struct container *c, const char *signal, int64_t timeout_s, bool is_restart, struct err *e)
{
	int sig = SIGTERM;
	const char *s = signal ? signal : c->config->stop_signal;
	if (s && *s && signal_parse(s, &sig) < 0)
		return err_set(e, EINVAL, "invalid signal: %s", s);
	if (timeout_s == -2)
		timeout_s = c->config->stop_timeout ? *c->config->stop_timeout : 10;
	int r = settle_wait(c);
	if (r < 0)
		return r;
	if (!is_restart)
		c->manually_stopped = true;
	if (c->status == STATUS_RESTARTING) {
		restart_cancel(c);
		container_move(c, STATUS_EXITED);
	} else {
		/* the restart policy must not act on this end */
		bool was = c->manually_stopped;
		c->manually_stopped = true;
		r = container_is_alive(c) ? lifecycle_stop_wait(c, sig, timeout_s < 0 ? -1 : timeout_s * NS_PER_S, e) : 0;
		c->manually_stopped = was;
		if (r < 0)
			return r;
	}
	if (!is_restart)
		container_event(c, "stop", NULL, 0);
	return 0;
}

int lifecycle_stop_found_wait(struct container *c, const char *signal, int64_t timeout_s, struct err *e)
{
	/* one that is being started runs in a moment */
	int r = settle_wait(c);
	if (r < 0)
		return r;
	if (!container_is_running(c))
		return err_set(e, EALREADY, "container is already stopped");
	return stop_found_wait(c, signal, timeout_s, false, e);
}

int container_stop_wait(struct engine *eng, const char *name, const char *signal, int64_t timeout_s, struct err *e)
{
	AUTO(container) struct container *c = NULL;
	int r = container_find(eng, name, &c, e);
	return r < 0 ? r : lifecycle_stop_found_wait(c, signal, timeout_s, e);
}

int container_restart_wait(struct engine *eng, const char *name, const char *signal, int64_t timeout_s, struct err *e)
{
	AUTO(container) struct container *c = NULL;
	int r = container_find(eng, name, &c, e);
	if (r < 0)
		return r;
	bool auto_remove = c->host->auto_remove;
	c->host->auto_remove = false;      /* the end in between is not its end */
	if (container_is_running(c))
		r = stop_found_wait(c, signal, timeout_s, true, e);
	c->host->auto_remove = auto_remove;
	if (r < 0)
		return err_prefix(e, "Cannot restart container %s", name);
	r = container_start_wait(eng, c->id, e);
	if (r == -EALREADY)
		r = 0;
	if (r < 0)
		return err_prefix(e, "Cannot restart container %s", name);
	container_event(c, "restart", NULL, 0);
	return 0;
}

int container_pause_wait(struct engine *eng, const char *name, struct err *e)
{
	AUTO(container) struct container *c = NULL;
	int r = container_find(eng, name, &c, e);
	if (r == 0)
		r = fmutex_lock_wait(&c->op);
	if (r < 0)
		return r;
	if (c->status == STATUS_PAUSED)
		r = err_set(e, EBUSY, "container %s is already paused", c->id);
	else if (c->status == STATUS_RESTARTING)
		r = err_set(e, EBUSY, "container %s is restarting, wait until the container is running", c->id);
	else if (c->status != STATUS_RUNNING)
		r = not_running(c, e);
	else
		r = shim_pause_wait(c, true, e);
	if (r == 0 && c->status == STATUS_RUNNING) {
		container_move(c, STATUS_PAUSED);
		record_save_state_wait(c, NULL);
		container_event(c, "pause", NULL, 0);
	}
	fmutex_unlock(&c->op);
	return r;
}

int container_unpause_wait(struct engine *eng, const char *name, struct err *e)
{
	AUTO(container) struct container *c = NULL;
	int r = container_find(eng, name, &c, e);
	if (r == 0)
		r = fmutex_lock_wait(&c->op);
	if (r < 0)
		return r;
	r = c->status == STATUS_PAUSED ? shim_pause_wait(c, false, e) : err_set(e, EBUSY, "container %s is not paused", c->id);
	if (r == 0 && c->status == STATUS_PAUSED) {
		container_move(c, STATUS_RUNNING);
		record_save_state_wait(c, NULL);
		container_event(c, "unpause", NULL, 0);
	}
	fmutex_unlock(&c->op);
	return r;
}

int container_resize_wait(struct engine *eng, const char *name, unsigned h, unsigned w, struct err *e)
{
	AUTO(container) struct container *c = NULL;
	int r = container_find(eng, name, &c, e);
	if (r < 0)
		return r;
	if (!container_is_alive(c))
		return not_running(c, e);
	c->tty_h = h;
	c->tty_w = w;
	r = shim_resize_wait(c, NULL, h, w, e);
	if (r == 0) {
		char hs[16], ws[16];
		fmt_into(hs, sizeof hs, "%u", h);
		fmt_into(ws, sizeof ws, "%u", w);
		container_event(c, "resize", (struct schema_pair[]){ { "height", hs }, { "width", ws } }, 2);
	}
	return r;
}

/* --- removing */
static int remove_dirs(void *arg)
{
	char **dirs = arg;
	int r = dir_remove(AT_FDCWD, dirs[0], NULL);
	dir_remove(AT_FDCWD, dirs[1], NULL);
	return r;
}

static void remove_volumes_wait(struct container *c)
{
	for (uint32_t i = 0; i < c->n_mounts; i++) {
		const struct mount_point *p = &c->mounts[i];
		if (strcmp(p->type, "volume") || !p->is_anonymous)
			continue;
		bool used = false;
		for (size_t k = 0; k < c->engine->list.n && !used; k++) {
			struct container *o = c->engine->list.v[k];
			for (uint32_t m = 0; o != c && m < o->n_mounts && !used; m++)
				used = !strcmp(o->mounts[m].type, "volume") && !strcmp(o->mounts[m].name, p->name);
		}
		if (!used && volume_remove_wait(c->engine->config.volumes, p->name, NULL) == 0)
			engine_event(c->engine, "volume", "destroy", p->name, (struct schema_pair[]){ { "driver", "local" } }, 1);
	}
}

/* Kills until it stays dead: a restart may be under way. */
static int end_for_removal_wait(struct container *c, struct err *e)
{
	for (int i = 0; i < 10; i++) {
		int r = settle_wait(c);
		if (r < 0)
			return r;
		if (!container_is_running(c))
			return 0;
		c->manually_stopped = true;
		restart_cancel(c);
		if (!container_is_alive(c)) {
			container_move(c, STATUS_EXITED);
			continue;
		}
		r = kill_found_wait(c, c->id, "KILL", e);
		if (r < 0 && container_is_alive(c))
			return err_prefix(e, "could not kill container");
		if (wait_end(c, c->starts, 20 * NS_PER_S) < 0)
			break;
	}
	if (!container_is_running(c))
		return 0;
	return err_set(e, EIO, "cannot remove container \"/%s\": could not kill: tried to kill container, but did not receive an exit event", c->name);
}

int lifecycle_remove_wait(struct container *c, bool force, bool volumes, struct err *e)
{
	if (container_is_running(c) && !force) {
		if (c->status == STATUS_PAUSED)
			return err_set(e, EBUSY, "cannot remove container \"/%s\": container is paused and must be unpaused first", c->name);
		return err_set(e, EBUSY, "cannot remove container \"/%s\": container is %s: stop the container before removing or force remove", c->name,
			       container_status_text(c));
	}
	c->host->auto_remove = c->host->auto_remove && !force;
	int r = 0;
	for (int i = 0; r == 0; i++) {
		if (force)
			r = end_for_removal_wait(c, e);
		if (r == 0)
			r = fmutex_lock_wait(&c->op);
		/* somebody may have started it while the lock was waited for */
		if (r < 0 || !force || !container_is_alive(c) || i == 10)
			break;
		fmutex_unlock(&c->op);
	}
	if (r < 0)
		return r;
	if (c->is_gone || c->removal_in_progress) {
		fmutex_unlock(&c->op);
		return err_set(e, EBUSY, "removal of container %s is already in progress", c->id);
	}
	if (container_is_alive(c)) {
		fmutex_unlock(&c->op);
		return err_set(e, EBUSY, "cannot remove container \"/%s\": container is running: stop the container before removing or force remove", c->name);
	}
	restart_cancel(c);
	c->removal_in_progress = true;
	container_move(c, STATUS_REMOVING);
	r = record_delete_wait(c, e);
	if (r < 0) {
		c->removal_in_progress = false;
		container_move(c, STATUS_DEAD);
		fmutex_unlock(&c->op);
		return r;
	}
	AUTO(arena) struct arena a;
	arena_init(&a, 1 << 20);
	exec_container_removed(c);
	attach_drop_all(c);
	char *dirs[] = { (char *)container_dir(c, &a), (char *)container_bundle(c, &a) };
	/* who waits for the removal finds its volumes gone */
	if (volumes)
		remove_volumes_wait(c);
	container_event(c, "destroy", NULL, 0);
	container_drop(c->engine, c);
	fmutex_unlock(&c->op);
	/* what is left is nobody's: a crash here is swept at the next start */
	if (job_wait(remove_dirs, dirs) < 0)
		log_warn("container folder stayed behind", "dir=%s", dirs[0]);
	return 0;
}

int container_remove_wait(struct engine *eng, const char *name, bool force, bool volumes, bool link, struct err *e)
{
	AUTO(container) struct container *c = NULL;
	int r = container_find(eng, name, &c, e);
	if (r < 0)
		return r;
	if (link)
		return err_set(e, ENOENT, "Cannot get parent %s for link removal", name);
	return lifecycle_remove_wait(c, force, volumes, e);
}

int container_prune_wait(struct engine *eng, const struct filters *f, struct arena *a, struct docker_containers_pruned *ret, struct err *e)
{
	static const char *const known[] = { "label", "label!", "until", NULL };
	int64_t until;
	*ret = (struct docker_containers_pruned){ 0 };
	int r = filters_check(f, known, e);
	if (r == 0)
		r = filters_until(f, clock_realtime_ns(), &until, e);
	if (r < 0)
		return r;
	VEC(struct container *) victims = { 0 };
	for (size_t i = 0; i < eng->list.n; i++) {
		struct container *c = eng->list.v[i];
		if (c->pod || container_is_running(c) || c->is_starting || c->status == STATUS_REMOVING || (until && c->created_ns > until) ||
		    !filters_labels(f, c->config->labels, c->config->n_labels, true))
			continue;
		if (vec_push(&victims, c) < 0)
			break;
		container_ref(c);
	}
	for (size_t i = 0; i < victims.n; i++) {
		struct container *c = victims.v[i];
		int64_t size = container_size_wait(c);
		if (!c->is_gone && !container_is_running(c) && lifecycle_remove_wait(c, false, false, NULL) == 0) {
			strings_push(a, &ret->containers_deleted, &ret->n_containers_deleted, arena_strdup(a, c->id));
			ret->space_reclaimed += size > 0 ? (uint64_t)size : 0;
		}
		container_unref(c);
	}
	vec_release(&victims);
	char num[24];
	fmt_into(num, sizeof num, "%llu", (unsigned long long)ret->space_reclaimed);
	engine_event(eng, "container", "prune", "", (struct schema_pair[]){ { "reclaimed", num } }, 1);
	return 0;
}

static int rename_locked_wait(struct container *c, const char *new_name, struct err *e)
{
	struct map *names = &c->engine->by_name;
	char *old = c->name, *name = strdup(new_name);
	if (!name || map_sets(names, name, c) < 0) {
		free(name);
		return err_nomem(e);
	}
	c->name = name;
	int r = record_save_wait(c, e);
	if (r < 0) {
		map_dels(names, name);
		c->name = old;
		free(name);
		return r;
	}
	map_dels(names, old);
	char *with_slash = fmt_new("/%s", old);
	container_event(c, "rename", (struct schema_pair[]){ { "oldName", with_slash ? with_slash : old } }, 1);
	free(with_slash);
	free(old);
	net_sandbox_rename_wait(c->engine->config.net, c->id, c->name, NULL);
	return 0;
}

int container_rename_wait(struct engine *eng, const char *name, const char *new_name, struct err *e)
{
	AUTO(container) struct container *c = NULL;
	if (!new_name || !*new_name)
		return err_set(e, EINVAL, "Neither old nor new names may be empty");
	int r = container_find(eng, name, &c, e);
	if (r < 0)
		return r;
	r = name_check(new_name, e);
	if (r < 0) {
		err_prefix(e, "Error when allocating new name");
		return r;
	}
	if (*new_name == '/')
		new_name++;
	if (!strcmp(new_name, c->name))
		return err_set(e, EINVAL, "Renaming a container with the same name as its current name");
	r = fmutex_lock_wait(&c->op);
	if (r < 0)
		return r;
	if (map_gets(&eng->by_name, new_name))
		r = container_take_name(eng, NULL, new_name, e), err_prefix(e, "Error when allocating new name");
	if (r == 0)
		r = rename_locked_wait(c, new_name, e);
	fmutex_unlock(&c->op);
	return r;
}

static int clear_dir(void *arg)
{
	int r = dir_remove(AT_FDCWD, arg, NULL);
	return r < 0 ? r : dir_make(AT_FDCWD, arg, 0700);
}

int engine_stop_all_wait(struct engine *eng, int64_t timeout_s)
{
	VEC(struct container *) v = { 0 };
	for (size_t i = 0; i < eng->list.n; i++)
		if (container_is_running(eng->list.v[i]) && vec_push(&v, eng->list.v[i]) == 0)
			container_ref(eng->list.v[i]);
	/* all get their signal first, so that the slowest decides how long it takes */
	for (size_t i = 0; i < v.n; i++) {
		struct container *c = v.v[i];
		int sig = SIGTERM;
		if (c->config->stop_signal && *c->config->stop_signal)
			signal_parse(c->config->stop_signal, &sig);
		c->is_stopping = true;
		if (container_is_alive(c))
			shim_kill_wait(c, sig, false, NULL);
	}
	int64_t end = loop_monotonic_ns(eng->loop) + timeout_s * NS_PER_S;
	for (size_t i = 0; i < v.n; i++) {
		struct container *c = v.v[i];
		struct err e = { 0 };
		/* one time for all: those that do not listen are killed together when it is over */
		int64_t left_s = MAX(end - loop_monotonic_ns(eng->loop), (int64_t)0) / NS_PER_S;
		/* not "manually stopped": policies bring it back with the next engine */
		bool manually = c->manually_stopped;
		if (container_is_running(c) && stop_found_wait(c, NULL, left_s, true, &e) < 0)
			log_warn("container did not stop", "container=%s error=%s", c->id, e.text);
		c->manually_stopped = manually;
		record_save_state_wait(c, NULL);
		container_unref(c);
	}
	vec_release(&v);
	/* bundles of what has ended */
	char *shims = fmt_new("%s/shim", eng->config.run);
	if (shims)
		job_wait(clear_dir, shims);
	free(shims);
	return 0;
}
