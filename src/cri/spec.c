/* SPDX-License-Identifier: Apache-2.0 */
/* A CRI container in the engine's words: command, user, security, limits, mounts, namespaces. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "cri/cri_int.h"

struct spec {
	struct cri *x;
	struct sandbox *s;
	const struct cri_container_config *c;
	struct arena *a;
	struct docker_container_create *body;
	struct docker_host_config *h;
	struct pod_container *ret;
};

#define FMT(...) arena_fmt(sp->a, __VA_ARGS__)

static int strings_add(struct arena *a, const char ***v, uint32_t *n, const char *s)
{
	const char **grown = arena_array(a, *n + 1, sizeof *grown);
	if (!grown || !s)
		return -ENOMEM;
	if (*n)
		memcpy(grown, *v, *n * sizeof *grown);
	grown[(*n)++] = s;
	*v = grown;
	return 0;
}

/* --- command, environment, user */

/* Those of the real time range are named from one end. */
static int stop_signal(struct spec *sp, struct err *e)
{
#define S(name) [CRI_SIGNAL_##name] = #name
	static const char *const names[] = { S(SIGABRT), S(SIGALRM), S(SIGBUS), S(SIGCHLD), S(SIGCLD), S(SIGCONT), S(SIGFPE), S(SIGHUP), S(SIGILL), S(SIGINT),
		S(SIGIO), S(SIGIOT), S(SIGKILL), S(SIGPIPE), S(SIGPOLL), S(SIGPROF), S(SIGPWR), S(SIGQUIT), S(SIGSEGV), S(SIGSTKFLT), S(SIGSTOP), S(SIGSYS),
		S(SIGTERM), S(SIGTRAP), S(SIGTSTP), S(SIGTTIN), S(SIGTTOU), S(SIGURG), S(SIGUSR1), S(SIGUSR2), S(SIGVTALRM), S(SIGWINCH), S(SIGXCPU), S(SIGXFSZ) };
#undef S
	int32_t s = sp->c->stop_signal;
	if (s == CRI_SIGNAL_RUNTIME_DEFAULT)
		return 0;
	if (s >= CRI_SIGNAL_SIGRTMIN && s <= CRI_SIGNAL_SIGRTMAX)
		sp->body->stop_signal = s <= CRI_SIGNAL_SIGRTMINPLUS15 ? FMT("SIGRTMIN+%d", s - CRI_SIGNAL_SIGRTMIN) : FMT("SIGRTMAX-%d", CRI_SIGNAL_SIGRTMAX - s);
	else if (s > 0 && (size_t)s < ARRAY_LEN(names) && names[s])
		sp->body->stop_signal = names[s];
	else
		return err_set(e, EINVAL, "stop signal %d is unknown", s);
	return sp->body->stop_signal ? 0 : err_nomem(e);
}

static int process(struct spec *sp, struct err *e)
{
	const struct cri_container_config *c = sp->c;
	struct docker_container_create *b = sp->body;
	b->entrypoint = (const char **)c->command;
	b->n_entrypoint = c->n_command;
	b->cmd = (const char **)c->args;
	b->n_cmd = c->n_args;
	if (!c->n_command)
		b->entrypoint = NULL;
	if (!c->n_args)
		b->cmd = NULL;
	b->working_dir = c->working_dir;
	b->tty = c->tty;
	b->open_stdin = c->stdin_;
	b->stdin_once = c->stdin_ && c->stdin_once;
	const char **env = arena_array(sp->a, c->n_envs, sizeof *env);
	if (!env)
		return err_nomem(e);
	for (uint32_t i = 0; i < c->n_envs; i++) {
		const char *key = text_or(c->envs[i].key, "");
		if (!*key || strchr(key, '='))
			return err_set(e, EINVAL, "invalid environment variable name \"%s\"", key);
		env[i] = FMT("%s=%.*s", key, SLICE_FMT(c->envs[i].value));
		if (!env[i])
			return err_nomem(e);
	}
	b->env = env;
	b->n_env = c->n_envs;
	return stop_signal(sp, e);
}

static int user(struct spec *sp, const struct cri_linux_container_security_context *sc, struct err *e)
{
	const char *name = sc->run_as_username;
	if (name && *name)
		sp->body->user = name;
	else if (sc->run_as_user)
		sp->body->user = FMT("%lld", (long long)sc->run_as_user->value);
	if (sc->run_as_group) {
		if (!sp->body->user)
			return err_set(e, EINVAL, "user group \"%lld\" is specified without user", (long long)sc->run_as_group->value);
		sp->body->user = FMT("%s:%lld", sp->body->user, (long long)sc->run_as_group->value);
	}
	for (uint32_t i = 0; i < sc->n_supplemental_groups; i++)
		if (strings_add(sp->a, &sp->h->group_add, &sp->h->n_group_add, FMT("%lld", (long long)sc->supplemental_groups[i])) < 0)
			return err_nomem(e);
	sp->ret->strict_groups = sc->supplemental_groups_policy == CRI_SUPPLEMENTAL_GROUPS_POLICY_STRICT;
	return 0;
}

/* --- security */

static int caps(struct spec *sp, char *const *from, uint32_t n, const char ***to, uint32_t *n_to, struct err *e)
{
	for (uint32_t i = 0; i < n; i++) {
		const char *s = from[i];
		if (strlen(s) > 40)
			return err_set(e, EINVAL, "unknown capability \"%.60s\"", s);
		char *copy = FMT("%s%s", !strcasecmp(s, "ALL") || !strncasecmp(s, "CAP_", 4) ? "" : "CAP_", s);
		if (!copy)
			return err_nomem(e);
		for (char *p = copy; *p; p++)
			*p = *p >= 'a' && *p <= 'z' ? (char)(*p - 32) : *p;
		if (!pod_capability_is(copy))
			return err_set(e, EINVAL, "unknown capability \"%s\"", s);
		if (strings_add(sp->a, to, n_to, copy) < 0)
			return err_nomem(e);
	}
	return 0;
}

struct profile_job { const char *path; struct buf text; };

static int profile_job(void *arg)
{
	struct profile_job *j = arg;
	return file_read(AT_FDCWD, j->path, &j->text);
}

static int seccomp_wait(struct spec *sp, const struct cri_linux_container_security_context *sc, struct err *e)
{
	const struct cri_security_profile *p = sc->seccomp;
	const char *opt = "seccomp=unconfined";
	if (p && p->profile_type == CRI_PROFILE_TYPE_RUNTIME_DEFAULT)
		opt = "seccomp=builtin";
	if (p && p->profile_type == CRI_PROFILE_TYPE_LOCALHOST) {
		const char *path = text_or(p->localhost_ref, "");
		if (!strncmp(path, "localhost/", 10))
			path += 10;
		if (*path != '/')
			return err_set(e, EINVAL, "seccomp profile \"%s\" is no absolute path", path);
		struct profile_job j = { path, BUF_INIT(1 << 20) };
		int r = job_wait(profile_job, &j);
		opt = r < 0 ? NULL : FMT("seccomp=%s", j.text.ptr);
		buf_release(&j.text);
		if (r < 0)
			return err_sys(e, r, "cannot load seccomp profile \"%s\"", path);
	}
	if (sc->privileged)
		opt = "seccomp=unconfined";
	return strings_add(sp->a, &sp->h->security_opt, &sp->h->n_security_opt, opt) < 0 ? err_nomem(e) : 0;
}

static int security_wait(struct spec *sp, const struct cri_linux_container_security_context *sc, struct err *e)
{
	struct docker_host_config *h = sp->h;
	const struct cri_linux_pod_sandbox_config *l = sp->s->rec.config->linux;
	if (sc->privileged && !(l && l->security_context && l->security_context->privileged))
		return err_set(e, EINVAL, "no privileged container allowed in sandbox");
	h->privileged = sc->privileged;
	h->readonly_rootfs = sc->readonly_rootfs;
	h->masked_paths = arena_array(sp->a, sc->n_masked_paths, sizeof *h->masked_paths);
	h->readonly_paths = arena_array(sp->a, sc->n_readonly_paths, sizeof *h->readonly_paths);
	if (!h->masked_paths || !h->readonly_paths)
		return err_nomem(e);
	for (uint32_t i = 0; !sc->privileged && i < sc->n_masked_paths; i++)
		h->masked_paths[h->n_masked_paths++] = sc->masked_paths[i];
	for (uint32_t i = 0; !sc->privileged && i < sc->n_readonly_paths; i++)
		h->readonly_paths[h->n_readonly_paths++] = sc->readonly_paths[i];
	int r = 0;
	if (sc->capabilities) {
		const struct cri_capability *k = sc->capabilities;
		r = caps(sp, (char *const *)k->add_capabilities, k->n_add_capabilities, &h->cap_add, &h->n_cap_add, e);
		if (r == 0)
			r = caps(sp, (char *const *)k->drop_capabilities, k->n_drop_capabilities, &h->cap_drop, &h->n_cap_drop, e);
		if (r == 0 && k->n_add_ambient_capabilities)
			return err_set(e, EOPNOTSUPP, "ambient capabilities are not supported");
	}
	if (r == 0 && sc->no_new_privs && strings_add(sp->a, &h->security_opt, &h->n_security_opt, "no-new-privileges") < 0)
		return err_nomem(e);
	if (r == 0 && sc->apparmor && sc->apparmor->profile_type == CRI_PROFILE_TYPE_LOCALHOST)
		return err_set(e, EINVAL, "apparmor is not supported");
	if (r == 0)
		r = user(sp, sc, e);
	return r < 0 ? r : seccomp_wait(sp, sc, e);
}

/* --- limits and devices */

int spec_resources_of(const struct cri_linux_container_resources *r, struct arena *a, struct docker_host_config *h)
{
	if (!r)
		return 0;
	h->cpu_period = r->cpu_period;
	h->cpu_quota = r->cpu_quota;
	h->cpu_shares = r->cpu_shares;
	h->memory = r->memory_limit_in_bytes;
	/* without a word on swap there is none */
	h->memory_swap = r->memory_limit_in_bytes > 0 && !r->memory_swap_limit_in_bytes ? r->memory_limit_in_bytes : r->memory_swap_limit_in_bytes;
	h->oom_score_adj = r->oom_score_adj;
	h->cpuset_cpus = r->cpuset_cpus ? arena_strdup(a, r->cpuset_cpus) : NULL;
	h->cpuset_mems = r->cpuset_mems ? arena_strdup(a, r->cpuset_mems) : NULL;
	return 0;
}

static int devices(struct spec *sp, struct err *e)
{
	const struct cri_container_config *c = sp->c;
	if (c->n_cdi_devices)
		return err_set(e, EOPNOTSUPP, "CDI devices are not supported: \"%s\"", text_or(c->cdi_devices[0].name, ""));
	struct docker_device_mapping *v = arena_array(sp->a, c->n_devices, sizeof *v);
	if (!v)
		return err_nomem(e);
	for (uint32_t i = 0; i < c->n_devices; i++)
		v[i] = (struct docker_device_mapping){ .path_on_host = c->devices[i].host_path, .path_in_container = c->devices[i].container_path,
			.cgroup_permissions = text_or(c->devices[i].permissions, "rwm") };
	sp->h->devices = v;
	sp->h->n_devices = c->n_devices;
	return 0;
}

/* --- mounts */

static int image_of(struct spec *sp, const struct cri_mount *m, struct pod_mount *p, struct err *e)
{
	struct image_info info;
	int r = cri_image_get(sp->x, text_or(m->image->image, ""), sp->a, &info, e);
	if (r < 0)
		return r;
	p->image = info.id;
	p->subpath = m->image_sub_path;
	p->read_only = true;
	return 0;
}

static int mounts(struct spec *sp, struct err *e)
{
	static const char *const propagation[] = { [CRI_MOUNT_PROPAGATION_PRIVATE] = NULL, [CRI_MOUNT_PROPAGATION_HOST_TO_CONTAINER] = "rslave",
		[CRI_MOUNT_PROPAGATION_BIDIRECTIONAL] = "rshared" };
	const struct cri_container_config *c = sp->c;
	struct pod_mount *v = arena_array(sp->a, c->n_mounts, sizeof *v);
	if (!v)
		return err_nomem(e);
	for (uint32_t i = 0; i < c->n_mounts; i++) {
		const struct cri_mount *m = &c->mounts[i];
		if (!m->container_path || *m->container_path != '/')
			v[i].target = FMT("/%s", text_or(m->container_path, ""));
		else
			v[i].target = m->container_path;
		if (m->n_uid_mappings || m->n_gid_mappings)
			return err_set(e, EOPNOTSUPP, "mounts with mapped users are not supported: \"%s\"", v[i].target);
		if (m->image && m->image->image && *m->image->image) {
			int r = image_of(sp, m, &v[i], e);
			if (r < 0)
				return r;
			continue;
		}
		if (!m->host_path || *m->host_path != '/')
			return err_set(e, EINVAL, "mount source \"%s\" is no absolute path", text_or(m->host_path, ""));
		if (m->propagation < 0 || (size_t)m->propagation >= ARRAY_LEN(propagation))
			return err_set(e, EINVAL, "mount propagation %d is unknown", m->propagation);
		if (m->recursive_read_only && !m->readonly)
			return err_set(e, EINVAL, "a recursive read-only mount must be read-only: \"%s\"", v[i].target);
		if (m->recursive_read_only && m->propagation != CRI_MOUNT_PROPAGATION_PRIVATE)
			return err_set(e, EINVAL, "a recursive read-only mount must be private: \"%s\"", v[i].target);
		v[i].source = m->host_path;
		v[i].propagation = propagation[m->propagation];
		v[i].read_only = m->readonly;
		v[i].recursive = m->recursive_read_only;
	}
	sp->ret->mounts = v;
	sp->ret->n_mounts = c->n_mounts;
	return 0;
}

/* --- namespaces */

static const char *pid_path(struct spec *sp, const char *id, struct err *e)
{
	struct pod_view v;
	if (pod_get(sp->x->engine, id, &v, e) < 0)
		return NULL;
	if (v.state != POD_RUNNING || !v.pid) {
		err_set(e, EBUSY, "container \"%s\", whose process namespace is wanted, does not run", id);
		return NULL;
	}
	return FMT("/proc/%lld/ns/pid", (long long)v.pid);
}

static int namespaces(struct spec *sp, const struct cri_linux_container_security_context *sc, struct err *e)
{
	struct pod_container *p = sp->ret;
	const struct cri_sandbox_record *s = &sp->s->rec;
	const struct cri_namespace_option *n = sc ? sc->namespace_options : NULL;
	struct engine *eng = sp->x->engine;
	const char *net = net_sandbox_path(sp->x->net, s->id);
	p->net = s->host_network ? "host" : arena_strdup(sp->a, net);
	p->uts = s->host_network ? "host" : pod_share_path(eng, s->id, "uts", sp->a);
	p->ipc = s->host_ipc ? "host" : pod_share_path(eng, s->id, "ipc", sp->a);
	p->shm = s->host_ipc ? "/dev/shm" : pod_share_path(eng, s->id, "shm", sp->a);
	p->files = pod_share_path(eng, s->id, "", sp->a);
	if (!p->net || !p->uts || !p->ipc || !p->shm || !p->files)
		return err_set(e, EIO, "sandbox \"%s\" has lost its namespaces", s->id);
	if (n && n->pid == CRI_NAMESPACE_MODE_NODE)
		p->pid = "host";
	else if (n && n->pid == CRI_NAMESPACE_MODE_TARGET)
		return (p->pid = pid_path(sp, text_or(n->target_id, ""), e)) ? 0 : -e->code;
	else if (n && n->pid == CRI_NAMESPACE_MODE_POD && s->holder)
		return (p->pid = pid_path(sp, s->holder, e)) ? 0 : -e->code;
	return 0;
}

static int begin(struct spec *sp, struct err *e)
{
	const struct cri_pod_sandbox_config *pod = sp->s->rec.config;
	sp->body = arena_new(sp->a, struct docker_container_create);
	sp->h = arena_new(sp->a, struct docker_host_config);
	if (!sp->body || !sp->h)
		return err_nomem(e);
	*sp->ret = (struct pod_container){ .sandbox = sp->s->rec.id, .body = sp->body };
	sp->body->host_config = sp->h;
	sp->h->cgroup_parent = pod->linux && pod->linux->cgroup_parent && *pod->linux->cgroup_parent ? pod->linux->cgroup_parent : sp->x->c.cgroup_parent;
	sp->body->hostname = sp->s->rec.host_network ? sp->x->hostname : text_or(pod->hostname, sp->x->hostname);
	return 0;
}

int spec_container(struct cri *x, struct sandbox *s, const struct cri_container_config *c, const char *image_id, struct arena *a,
		   struct pod_container *ret, struct err *e)
{
	struct spec spec = { .x = x, .s = s, .c = c, .a = a, .ret = ret }, *sp = &spec;
	const struct cri_linux_container_security_context none = { 0 }, *sc = c->linux && c->linux->security_context ? c->linux->security_context : &none;
	const char *dir = s->rec.config->log_directory;
	int r = begin(sp, e);
	if (r < 0)
		return r;
	sp->body->image = image_id;
	if (dir && *dir && c->log_path && *c->log_path) {
		if (*dir != '/' || strstr(c->log_path, ".."))
			return err_set(e, EINVAL, "log path \"%s/%s\" is not allowed", dir, c->log_path);
		ret->log = FMT("%s/%s", dir, c->log_path);
	}
	spec_resources_of(c->linux ? c->linux->resources : NULL, a, sp->h);
	sp->h->oom_score_adj = MAX(sp->h->oom_score_adj, x->oom_least);
	r = process(sp, e);
	if (r == 0)
		r = namespaces(sp, sc, e);
	if (r == 0)
		r = mounts(sp, e);
	if (r == 0)
		r = devices(sp, e);
	return r < 0 ? r : security_wait(sp, sc, e);
}

int spec_holder(struct cri *x, struct sandbox *s, struct arena *a, struct pod_container *ret, struct err *e)
{
	struct spec spec = { .x = x, .s = s, .a = a, .ret = ret }, *sp = &spec;
	struct cri_container_record rec = { .holder = true, .image = "" };
	struct cri_container_config config = { 0 };
	AUTO(buf) struct buf keep = BUF_INIT(4096);
	int r = begin(sp, e);
	if (r == 0)
		r = namespaces(sp, NULL, e);
	if (r < 0)
		return r;
	rec.config = &config;
	const char **cmd = arena_array(a, 2, sizeof *cmd), **drop = arena_array(a, 1, sizeof *drop), **opt = arena_array(a, 2, sizeof *opt);
	struct pod_mount *m = arena_array(a, 1, sizeof *m);
	if (!cmd || !drop || !opt || !m || schema_to_json(T_cri_container_record, &rec, 0, &keep) < 0 || !(ret->keep.ptr = arena_dup(a, buf_slice(&keep))))
		return err_nomem(e);
	ret->keep.len = keep.len;
	cmd[0] = "/pause";
	cmd[1] = "hold";
	drop[0] = "ALL";
	opt[0] = "seccomp=builtin";
	opt[1] = "no-new-privileges";
	m[0] = (struct pod_mount){ .source = engine_runtime(x->engine), .target = "/pause", .read_only = true };
	sp->body->entrypoint = cmd;
	sp->body->n_entrypoint = 2;
	sp->h->cap_drop = drop;
	sp->h->n_cap_drop = 1;
	sp->h->security_opt = opt;
	sp->h->n_security_opt = 2;
	sp->h->readonly_rootfs = true;
	sp->h->oom_score_adj = MAX((int64_t)-998, x->oom_least);
	ret->pid = NULL;
	ret->mounts = m;
	ret->n_mounts = 1;
	return 0;
}
