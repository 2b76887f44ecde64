/* SPDX-License-Identifier: Apache-2.0 */
/* create, run, start, exec. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "runtime/cli_int.h"

static int read_text(struct cli *c, const char *path, struct slice *ret, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(RUNTIME_SPEC_MAX);
	int r = !strcmp(path, "-") ? fd_slurp(0, &text) : file_read(AT_FDCWD, path, &text);
	if (r < 0)
		return err_sys(e, r, "read %s", path);
	char *copy = arena_dup(&c->arena, buf_slice(&text));
	if (!copy)
		return err_nomem(e);
	*ret = slice_n(copy, text.len);
	return 0;
}

static int cgroup_manager(const struct cli *c, enum runtime_cgroup_manager *ret, struct err *e)
{
	const char *m = c->cgroup_manager;
	*ret = c->systemd_cgroup || (m && !strcmp(m, "systemd")) ? RUNTIME_SYSTEMD :
	       m && !strcmp(m, "disabled") ? RUNTIME_NO_CGROUPS : RUNTIME_CGROUPFS;
	if (m && strcmp(m, "systemd") && strcmp(m, "disabled") && strcmp(m, "cgroupfs"))
		return err_set(e, EINVAL, "unknown cgroup manager %s", m);
	return 0;
}

static int preserved(const struct cli *c, unsigned *ret, struct err *e)
{
	uint64_t n = 0;
	if (c->preserve_fds && num_parse_u64(slice_of(c->preserve_fds), 65536, &n) < 0)
		return err_set(e, EINVAL, "invalid value \"%s\" for flag -preserve-fds", c->preserve_fds);
	for (unsigned i = 0; i < n; i++)
		if (fcntl(3 + (int)i, F_GETFD) < 0)
			return err_set(e, EBADF, "please check that preserved-fd %u (of %u) is present", i, (unsigned)n);
	*ret = (unsigned)n;
	return 0;
}

static int write_pid(const char *path, pid_t pid, struct err *e)
{
	char text[16];
	if (!path)
		return 0;
	fmt_into(text, sizeof text, "%d", pid);
	/* Appears whole: callers wait for the file. */
	char *tmp = fmt_new("%s.%d.tmp", path, (int)getpid());
	AUTO(close) int fd = tmp ? open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666) : -1;
	int r = fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));
	if (r == 0 && rename(tmp, path) < 0)
		r = -errno;
	free(tmp);
	return r < 0 ? err_sys(e, r, "write the pid file %s", path) : 0;
}

struct making {
	struct oci_spec spec;
	struct runtime_create_args args;
	char bundle[4096];
};

static int load(struct cli *c, struct making *m, struct err *e)
{
	struct slice text;
	if (c->bundle && chdir(c->bundle) < 0)
		return err_sys(e, errno, "chdir %s", c->bundle);
	if (!getcwd(m->bundle, sizeof m->bundle))
		return err_sys(e, errno, "find the bundle");
	int r = read_text(c, c->config ? c->config : "config.json", &text, NULL);
	if (r == -ENOENT)
		return err_set(e, ENOENT, "JSON specification file %s not found", c->config ? c->config : "config.json");
	if (r < 0)
		return err_sys(e, r, "read config.json");
	r = schema_from_json(T_oci_spec, text, SCHEMA_FOLD_CASE | SCHEMA_NO_COPY, &c->arena, &m->spec, e);
	if (r < 0)
		return r;
	m->args = (struct runtime_create_args){ .state_root = c->root, .id = c->args[0], .bundle = m->bundle, .spec = &m->spec,
						.spec_text = text, .stdio = { { -1, -1, -1 }, -1 }, .no_pivot = c->no_pivot,
						.no_new_keyring = c->no_new_keyring };
	if ((r = cgroup_manager(c, &m->args.cgroup_manager, e)) < 0 || (r = preserved(c, &m->args.preserve_fds, e)) < 0)
		return r;
	if (!c->console_socket)
		return 0;
	if (m->spec.process && !m->spec.process->terminal)
		return err_set(e, EINVAL, "cannot use console socket if runc will not detach or allocate tty");
	r = m->args.stdio.console_socket = unix_connect(c->console_socket, SOCK_STREAM, e);
	return r < 0 ? r : 0;
}

int cmd_create(struct cli *c, struct err *e)
{
	struct making m = { 0 };
	struct runtime_proc p = RUNTIME_PROC_INIT;
	int r = load(c, &m, e);
	if (r < 0)
		return r;
	m.args.start_socket = true;
	r = runtime_create(&m.args, &p, e);
	if (r == 0 && (r = write_pid(c->pid_file, p.pid, e)) < 0)
		(void)runtime_delete(c->root, c->args[0], true, NULL);
	return r;
}

int cmd_run(struct cli *c, struct err *e)
{
	struct making m = { 0 };
	AUTO(runtime_proc) struct runtime_proc p = RUNTIME_PROC_INIT;
	int r = load(c, &m, e);
	if (r < 0)
		return r;
	bool tty = m.spec.process && m.spec.process->terminal;
	if (c->detach && tty && !c->console_socket)
		return err_set(e, EINVAL, "cannot allocate tty if runc will detach without setting console socket");
	if (!c->detach && !c->no_subreaper)
		prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	r = runtime_create(&m.args, &p, e);
	if (r < 0)
		return r;
	if (!c->detach)
		cli_hold_signals();
	if ((r = write_pid(c->pid_file, p.pid, e)) < 0 || (r = runtime_start(c->root, c->args[0], &p, e)) < 0) {
		(void)kill(p.pid, SIGKILL);
		(void)waitpid(p.pid, NULL, 0);
		(void)runtime_delete(c->root, c->args[0], true, NULL);
		return r;
	}
	if (c->detach)
		return 0;
	int code = cli_attend(&p, tty && !c->console_socket, e);
	if (!c->keep && (r = runtime_delete(c->root, c->args[0], true, e)) < 0)
		return r;
	return code;
}

int cmd_start(struct cli *c, struct err *e)
{
	return runtime_start(c->root, c->args[0], NULL, e);
}

/* "USER[:GROUP]" of numbers. */
static int set_user(struct oci_process *p, const char *text, struct err *e)
{
	struct slice uid, gid;
	uint64_t n;
	bool has = slice_cut(slice_of(text), ':', &uid, &gid);
	if (num_parse_u64(uid, UINT32_MAX, &n) < 0)
		return err_set(e, EINVAL, "parsing %.*s as int for uid failed", SLICE_FMT(uid));
	p->user.uid = (uint32_t)n;
	if (has && num_parse_u64(gid, UINT32_MAX, &n) < 0)
		return err_set(e, EINVAL, "parsing %.*s as int for gid failed", SLICE_FMT(gid));
	if (has)
		p->user.gid = (uint32_t)n;
	return 0;
}

static const char **append(struct cli *c, const char **old, uint32_t *n, const struct cli_list *more)
{
	const char **v = arena_array(&c->arena, *n + more->n + 1, sizeof *v);
	if (!v)
		return NULL;
	if (*n)
		memcpy(v, old, *n * sizeof *v);
	memcpy(v + *n, more->v, more->n * sizeof *v);
	*n += more->n;
	return v;
}

static int add_caps(struct cli *c, struct oci_process *p, struct err *e)
{
	static const struct oci_linux_capabilities none;
	struct oci_linux_capabilities *caps = arena_new(&c->arena, struct oci_linux_capabilities);
	if (!caps)
		return err_nomem(e);
	*caps = p->capabilities ? *p->capabilities : none;
	caps->bounding = append(c, caps->bounding, &caps->n_bounding, &c->caps);
	caps->effective = append(c, caps->effective, &caps->n_effective, &c->caps);
	caps->permitted = append(c, caps->permitted, &caps->n_permitted, &c->caps);
	if (!caps->bounding || !caps->effective || !caps->permitted)
		return err_nomem(e);
	/* Ambient ones only take effect when inheritable. */
	for (uint32_t i = 0; i < c->caps.n && caps->n_ambient; i++) {
		caps->inheritable = append(c, caps->inheritable, &caps->n_inheritable, &c->caps);
		caps->ambient = append(c, caps->ambient, &caps->n_ambient, &c->caps);
		break;
	}
	p->capabilities = caps;
	return 0;
}

static int from_flags(struct cli *c, struct oci_process *p, struct err *e)
{
	int r = runtime_exec_process(c->root, c->args[0], &c->arena, p, e);
	if (r < 0)
		return r;
	if (c->n_args < 2)
		return err_set(e, EINVAL, "process args cannot be empty");
	p->args = (const char **)(c->args + 1);
	p->n_args = (uint32_t)c->n_args - 1;
	p->terminal = c->tty;
	p->console_size = NULL;
	if (c->cwd)
		p->cwd = c->cwd;
	if (c->apparmor)
		p->apparmor_profile = c->apparmor;
	if (c->process_label)
		p->selinux_label = c->process_label;
	p->no_new_privileges = c->no_new_privs;
	if (c->user && (r = set_user(p, c->user, e)) < 0)
		return r;
	if (c->env.n && !(p->env = append(c, p->env, &p->n_env, &c->env)))
		return err_nomem(e);
	if (c->gids.n) {
		p->user.additional_gids = arena_array(&c->arena, c->gids.n, sizeof *p->user.additional_gids);
		p->user.n_additional_gids = c->gids.n;
		for (uint32_t i = 0; p->user.additional_gids && i < c->gids.n; i++) {
			uint64_t n;
			if (num_parse_u64(slice_of(c->gids.v[i]), UINT32_MAX, &n) < 0)
				return err_set(e, EINVAL, "invalid additional gid %s", c->gids.v[i]);
			p->user.additional_gids[i] = (uint32_t)n;
		}
	}
	return c->caps.n ? add_caps(c, p, e) : 0;
}

int cmd_exec(struct cli *c, struct err *e)
{
	struct oci_process p = { 0 };
	AUTO(runtime_proc) struct runtime_proc proc = RUNTIME_PROC_INIT;
	struct slice text;
	int r;
	if (c->process)
		r = (r = read_text(c, c->process, &text, e)) < 0 ? r :
			    schema_from_json(T_oci_process, text, SCHEMA_FOLD_CASE, &c->arena, &p, e);
	else
		r = from_flags(c, &p, e);
	if (r < 0)
		return r;
	p.terminal |= c->tty;
	struct runtime_exec_args a = { .state_root = c->root, .id = c->args[0], .process = &p, .stdio = { { -1, -1, -1 }, -1 },
				       .ignore_paused = c->ignore_paused, .cgroup = c->cgroup };
	if ((r = preserved(c, &a.preserve_fds, e)) < 0)
		return r;
	if (c->detach && p.terminal && !c->console_socket)
		return err_set(e, EINVAL, "cannot allocate tty if runc will detach without setting console socket");
	AUTO(close) int console = c->console_socket ? unix_connect(c->console_socket, SOCK_STREAM, e) : -1;
	if (c->console_socket && console < 0)
		return console;
	a.stdio.console_socket = console;
	if (!c->detach && !c->no_subreaper)
		prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	if (!c->detach)
		cli_hold_signals();
	if ((r = runtime_exec(&a, &proc, e)) < 0)
		return r;
	if ((r = write_pid(c->pid_file, proc.pid, e)) < 0) {
		kill(proc.pid, SIGKILL);
		waitpid(proc.pid, NULL, 0);
		return r;
	}
	return c->detach ? 0 : cli_attend(&proc, p.terminal && !c->console_socket, e);
}
