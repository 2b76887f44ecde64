/* SPDX-License-Identifier: Apache-2.0 */
/* A container's OCI specification: the whole, and its process. Facts: what Docker's containers have (surface, "Defaults the engine adds"). */
#include <ctype.h>
#include <errno.h>

#include "engine/caps.h"
#include "engine/spec.h"

static const char default_path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

static bool same_key(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");
	return strcspn(b, "=") == n && !strncmp(a, b, n);
}

/* Replaces or appends; "NAME" without "=" takes a variable out. */
static int env_set(struct arena *a, const char ***v, uint32_t *n, const char *var)
{
	for (uint32_t i = 0; i < *n; i++) {
		if (!same_key((*v)[i], var))
			continue;
		if (strchr(var, '=')) {
			(*v)[i] = var;
		} else {
			memmove(*v + i, *v + i + 1, (*n - i - 1) * sizeof **v);
			(*n)--;
		}
		return 0;
	}
	return strchr(var, '=') ? strings_push(a, v, n, var) : 0;
}

static bool env_has_key(const char *const *v, uint32_t n, const char *var)
{
	for (uint32_t i = 0; i < n; i++)
		if (same_key(v[i], var))
			return true;
	return false;
}

static int env_for(struct container *c, bool tty, const struct spec_user *user, const char *const *more, uint32_t n_more, struct arena *a,
		   const char ***ret, uint32_t *ret_n)
{
	*ret = NULL;
	*ret_n = 0;
	int r = strings_push(a, ret, ret_n, default_path);
	if (r == 0 && c->config->hostname)
		r = strings_push(a, ret, ret_n, arena_fmt(a, "HOSTNAME=%s", c->config->hostname));
	if (r == 0 && tty)
		r = strings_push(a, ret, ret_n, "TERM=xterm");
	for (uint32_t i = 0; r == 0 && i < c->config->n_env; i++)
		r = env_set(a, ret, ret_n, c->config->env[i]);
	for (uint32_t i = 0; r == 0 && i < n_more; i++)
		r = env_set(a, ret, ret_n, more[i]);
	if (r == 0 && !env_has_key(*ret, *ret_n, "HOME"))
		r = strings_push(a, ret, ret_n, arena_fmt(a, "HOME=%s", str_or(user->home, "/")));
	return r;
}

static int caps_fill(struct oci_process *p, const char **caps, uint32_t n, bool is_root, struct arena *a)
{
	p->capabilities = arena_new(a, struct oci_linux_capabilities);
	if (!p->capabilities)
		return -ENOMEM;
	p->capabilities->bounding = caps;
	p->capabilities->n_bounding = n;
	if (is_root) {
		p->capabilities->effective = p->capabilities->permitted = caps;
		p->capabilities->n_effective = p->capabilities->n_permitted = n;
	}
	return 0;
}

static int rlimits_fill(struct spec_build *b)
{
	const struct docker_host_config *h = b->c->host;
	struct oci_posix_rlimit *v = arena_array(b->a, h->n_ulimits, sizeof *v);
	if (!v)
		return -ENOMEM;
	for (uint32_t i = 0; i < h->n_ulimits; i++) {
		char *name = arena_fmt(b->a, "RLIMIT_%s", h->ulimits[i].name);
		if (!name)
			return -ENOMEM;
		for (char *s = name; *s; s++)
			*s = (char)toupper((unsigned char)*s);
		v[i] = (struct oci_posix_rlimit){ .type = name, .hard = (uint64_t)h->ulimits[i].hard, .soft = (uint64_t)h->ulimits[i].soft };
	}
	b->process->rlimits = v;
	b->process->n_rlimits = h->n_ulimits;
	return 0;
}

static bool wants_init(const struct container *c)
{
	if (c->pod)
		return false;
	return c->host->init ? *c->host->init : c->engine->config.use_init;
}

static int process_fill(struct spec_build *b, struct err *e)
{
	struct container *c = b->c;
	struct oci_process *p = b->process;
	p->terminal = c->config->tty;
	if (c->config->tty && c->host->n_console_size == 2 && c->host->console_size[0]) {
		p->console_size = arena_new(b->a, struct oci_box);
		if (p->console_size)
			*p->console_size = (struct oci_box){ c->host->console_size[0], c->host->console_size[1] };
	}
	p->user = (struct oci_user){ .uid = b->user->uid, .gid = b->user->gid, .additional_gids = b->user->gids,
		.n_additional_gids = b->user->n_gids };
	p->cwd = str_or(c->config->working_dir, "/");
	const char **args = NULL;
	uint32_t n = 0;
	int r = 0;
	if (wants_init(c) && !netting_is(c->host->pid_mode, "host") && strncmp(str_or(c->host->pid_mode, ""), "container:", 10)) {
		r = strings_push(b->a, &args, &n, "/sbin/docker-init");
		if (r == 0)
			r = strings_push(b->a, &args, &n, "--");
	}
	if (r == 0)
		r = strings_push(b->a, &args, &n, c->path);
	for (uint32_t i = 0; r == 0 && i < c->n_args; i++)
		r = strings_push(b->a, &args, &n, c->args[i]);
	p->args = args;
	p->n_args = n;
	if (r == 0)
		r = env_for(c, c->config->tty, b->user, NULL, 0, b->a, &p->env, &p->n_env);
	if (r == 0)
		r = caps_fill(p, b->caps, b->n_caps, b->user->uid == 0, b->a);
	if (r == 0)
		r = rlimits_fill(b);
	p->oom_score_adj = arena_new(b->a, int64_t);
	if (p->oom_score_adj)
		*p->oom_score_adj = c->host->oom_score_adj;
	return r < 0 || !p->oom_score_adj ? err_nomem(e) : 0;
}

static int sysctls_fill(struct spec_build *b, struct err *e)
{
	struct container *c = b->c;
	struct schema_pair *v = arena_array(b->a, c->host->n_sysctls, sizeof *v);
	uint32_t n = 0;
	if (!v)
		return err_nomem(e);
	bool host_net = netting_is(c->host->network_mode, "host");
	for (uint32_t i = 0; i < c->host->n_sysctls; i++) {
		const char *k = c->host->sysctls[i].key;
		bool is_net = !strncmp(k, "net.", 4);
		if (is_net && host_net)
			return err_set(e, EINVAL, "sysctl \"%s\" is not allowed in the hosts network namespace", k);
		v[n++] = c->host->sysctls[i];
	}
	b->linux_->sysctl = v;
	b->linux_->n_sysctl = n;
	return 0;
}

int spec_build(struct container *c, const char *netns, const struct spec_user *user, struct arena *a, struct oci_spec *ret, struct err *e)
{
	struct spec_build b = { .c = c, .a = a, .spec = ret, .user = user, .netns = netns };
	*ret = (struct oci_spec){ .oci_version = "1.2.0" };
	b.process = ret->process = arena_new(a, struct oci_process);
	b.linux_ = ret->linux = arena_new(a, struct oci_linux);
	ret->root = arena_new(a, struct oci_root);
	b.resources = arena_new(a, struct oci_linux_resources);
	const struct docker_host_config *h = c->host;
	b.caps = caps_for(h->cap_add, h->n_cap_add, h->cap_drop, h->n_cap_drop, h->privileged, a, &b.n_caps);
	if (!b.process || !b.linux_ || !ret->root || !b.resources || !b.caps)
		return err_nomem(e);
	*ret->root = (struct oci_root){ "rootfs", h->readonly_rootfs };
	if (!str_is(h->uts_mode, "host") && !c->pod) {
		ret->hostname = c->config->hostname;
		ret->domainname = c->config->domainname;
	}
	ret->annotations = h->annotations;
	ret->n_annotations = h->n_annotations;
	b.linux_->resources = b.resources;
	const char *parent = str_or(h->cgroup_parent, str_or(c->engine->config.cgroup_parent, "/docker"));
	b.linux_->cgroups_path = arena_fmt(a, "%s%s/%s", *parent == '/' ? "" : "/", parent, c->id);
	b.linux_->masked_paths = h->privileged ? NULL : h->masked_paths;
	b.linux_->n_masked_paths = h->privileged ? 0 : h->n_masked_paths;
	b.linux_->readonly_paths = h->privileged ? NULL : h->readonly_paths;
	b.linux_->n_readonly_paths = h->privileged ? 0 : h->n_readonly_paths;
	int r = process_fill(&b, e);
	if (r == 0)
		r = spec_namespaces(&b, e);
	if (r == 0)
		r = spec_mounts(&b, e);
	if (r == 0)
		r = spec_devices(&b, e);
	if (r == 0)
		r = spec_resources(&b, h, b.resources, e);
	if (r == 0)
		r = sysctls_fill(&b, e);
	if (r == 0)
		r = spec_security(&b, e);
#define GIVE(vec, list, count) do { \
		list = arena_array(a, vec.n, sizeof *vec.v); \
		if (list && vec.n) \
			memcpy(list, vec.v, vec.n * sizeof *vec.v); \
		count = (uint32_t)vec.n; \
		vec_release(&vec); } while (0)
	GIVE(b.mounts, ret->mounts, ret->n_mounts);
	GIVE(b.devices, b.linux_->devices, b.linux_->n_devices);
	GIVE(b.rules, b.resources->devices, b.resources->n_devices);
	GIVE(b.namespaces, b.linux_->namespaces, b.linux_->n_namespaces);
	return r;
}

int spec_exec_process(struct container *c, const struct docker_exec_create *how, const struct spec_user *user, struct arena *a,
		      struct oci_process *ret, struct err *e)
{
	*ret = (struct oci_process){ .terminal = how->tty, .args = how->cmd, .n_args = how->n_cmd,
		.cwd = str_or(how->working_dir, str_or(c->config->working_dir, "/")) };
	ret->user = (struct oci_user){ .uid = user->uid, .gid = user->gid, .additional_gids = user->gids, .n_additional_gids = user->n_gids };
	const struct docker_host_config *h = c->host;
	uint32_t n_caps;
	const char **caps = caps_for(h->cap_add, h->n_cap_add, h->cap_drop, h->n_cap_drop, h->privileged || how->privileged, a, &n_caps);
	int r = caps ? caps_fill(ret, caps, n_caps, user->uid == 0, a) : -ENOMEM;
	if (r == 0)
		r = env_for(c, how->tty, user, how->env, how->n_env, a, &ret->env, &ret->n_env);
	struct spec_build b = { .c = c, .a = a, .process = ret };
	if (r == 0)
		r = rlimits_fill(&b);
	if (how->tty && how->console_size && how->n_console_size == 2) {
		ret->console_size = arena_new(a, struct oci_box);
		if (ret->console_size)
			*ret->console_size = (struct oci_box){ how->console_size[0], how->console_size[1] };
	}
	for (uint32_t i = 0; i < h->n_security_opt; i++)
		if (!strncmp(h->security_opt[i], "no-new-privileges", 17) && !strstr(h->security_opt[i], "false"))
			ret->no_new_privileges = true;
	return r < 0 ? err_nomem(e) : 0;
}
