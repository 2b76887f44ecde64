/* SPDX-License-Identifier: Apache-2.0 */
/* Our runtime, in this process. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "api/oci.h"
#include "base/fd.h"
#include "schema/schema.h"
#include "shim/shim_int.h"

enum { SPEC_MAX = 16 << 20, SPEC_ARENA = 64 << 20 };

static int own_create(struct shim *s, struct runtime_stdio *io, struct err *e)
{
	AUTO(arena) struct arena a;
	AUTO(buf) struct buf text = BUF_INIT(SPEC_MAX);
	AUTO(free) char *path = fmt_new("%s/config.json", s->bundle);
	struct oci_spec spec;
	arena_init(&a, SPEC_ARENA);
	if (!path)
		return err_nomem(e);
	int r = file_read(AT_FDCWD, path, &text);
	if (r < 0)
		return err_sys(e, r, "read %s", path);
	if ((r = schema_from_json(T_oci_spec, buf_slice(&text), SCHEMA_FOLD_CASE, &a, &spec, e)) < 0)
		return err_prefix(e, "config.json");
	struct runtime_create_args args = {
		.state_root = s->config->state_root, .id = s->config->id, .bundle = s->bundle, .spec = &spec, .spec_text = buf_slice(&text),
		.stdio = *io, .cgroup_manager = s->cgroup_manager, .no_pivot = s->config->no_pivot,
	};
	return runtime_create(&args, &s->proc, e);
}

static int own_start(struct shim *s, struct err *e)
{
	return runtime_start(s->config->state_root, s->config->id, &s->proc, e);
}

static int own_exec(struct shim *s, const struct shim_request *q, struct arena *a, bool *ret_tty, struct runtime_stdio *io, struct runtime_proc *ret, struct err *e)
{
	struct oci_process p;
	int r = schema_from_json(T_oci_process, q->process, SCHEMA_FOLD_CASE, a, &p, e);
	if (r < 0)
		return err_prefix(e, "process");
	*ret_tty = p.terminal;
	if (!io)
		return 0; /* only asked whether it wants a terminal */
	struct runtime_exec_args args = { .state_root = s->config->state_root, .id = s->config->id, .process = &p, .stdio = *io };
	return runtime_exec(&args, ret, e);
}

static int own_kill(struct shim *s, int signal, bool all, struct err *e)
{
	return runtime_kill(s->config->state_root, s->config->id, signal, all, e);
}

static int own_pause(struct shim *s, bool paused, struct err *e)
{
	return paused ? runtime_pause(s->config->state_root, s->config->id, e) : runtime_resume(s->config->state_root, s->config->id, e);
}

static int own_update(struct shim *s, struct slice text, struct err *e)
{
	AUTO(arena) struct arena a;
	struct oci_linux_resources res;
	arena_init(&a, 1 << 20);
	int r = schema_from_json(T_oci_linux_resources, text, SCHEMA_FOLD_CASE, &a, &res, e);
	return r < 0 ? err_prefix(e, "resources") : runtime_update(s->config->state_root, s->config->id, &res, e);
}

static int own_pids(struct shim *s, struct arena *a, pid_t **ret, uint32_t *n, struct err *e)
{
	return runtime_ps(s->config->state_root, s->config->id, a, ret, n, e);
}

static int own_remove(struct shim *s, bool force, struct err *e)
{
	return runtime_delete(s->config->state_root, s->config->id, force, e);
}

const struct backend backend_own = {
	.create = own_create, .start = own_start, .exec = own_exec, .kill = own_kill, .pause = own_pause, .update = own_update,
	.pids = own_pids, .remove = own_remove,
};
