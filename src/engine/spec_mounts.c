/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces and mounts of the specification. */
#include <errno.h>
#include <sys/stat.h>

#include "engine/jobs.h"
#include "engine/spec.h"

static int mount_add(struct spec_build *b, const char *target, const char *type, const char *source, const char *const *options)
{
	uint32_t n = 0;
	while (options[n])
		n++;
	const char **o = strings_copy(b->a, options, n);
	if (!o)
		return -ENOMEM;
	return vec_push(&b->mounts, (struct oci_mount){ .destination = target, .type = type, .source = source, .options = o, .n_options = n });
}
#define MOUNT(target, type, source, ...) mount_add(b, target, type, source, (const char *const[]){ __VA_ARGS__, NULL })

/* --- namespaces */
static int join(struct spec_build *b, const char *type, const char *mode, const char *what, struct err *e)
{
	AUTO(container) struct container *o = NULL;
	int r = container_find(b->c->engine, mode + 10, &o, e);
	if (r < 0)
		return r;
	if (!container_is_alive(o))
		return err_set(e, EBUSY, "cannot join %s namespace of a non running container: %s", what, o->id);
	if (!strcmp(type, "ipc") && !str_is(o->host->ipc_mode, "shareable") && strncmp(str_or(o->host->ipc_mode, ""), "container:", 10))
		return err_set(e, EINVAL, "container %s: non-shareable IPC (hint: use IpcMode:shareable for the donor container)", o->id);
	const char *path = arena_fmt(b->a, "/proc/%lld/ns/%s", (long long)o->pid, type);
	return path && vec_push(&b->namespaces, (struct oci_linux_namespace){ type, path }) == 0 ? 0 : err_nomem(e);
}

static int add(struct spec_build *b, const char *type, struct err *e)
{
	return vec_push(&b->namespaces, (struct oci_linux_namespace){ type, NULL }) < 0 ? err_nomem(e) : 0;
}

static bool is_container(const char *mode)
{
	return mode && !strncmp(mode, "container:", 10);
}

/* One kind of a pod's container: the file it joins, the host's, or its own. */
static int pod_namespace(struct spec_build *b, const char *type, const char *path, struct err *e)
{
	if (str_is(path, "host"))
		return 0;
	return vec_push(&b->namespaces, (struct oci_linux_namespace){ type, path && *path ? path : NULL }) < 0 ? err_nomem(e) : 0;
}

static int pod_namespaces(struct spec_build *b, struct err *e)
{
	const struct engine_pod *p = b->c->pod;
	int r = add(b, "mount", e);
	if (r == 0)
		r = pod_namespace(b, "network", p->net, e);
	if (r == 0)
		r = pod_namespace(b, "uts", p->uts, e);
	if (r == 0)
		r = pod_namespace(b, "ipc", p->ipc, e);
	if (r == 0)
		r = pod_namespace(b, "pid", p->pid, e);
	if (r == 0 && str_is(b->c->host->cgroupns_mode, "private"))
		r = add(b, "cgroup", e);
	return r;
}

int spec_namespaces(struct spec_build *b, struct err *e)
{
	const struct docker_host_config *h = b->c->host;
	if (b->c->pod)
		return pod_namespaces(b, e);
	int r = add(b, "mount", e);
	if (r == 0 && *b->netns)
		r = vec_push(&b->namespaces, (struct oci_linux_namespace){ "network", arena_strdup(b->a, b->netns) }) < 0 ? err_nomem(e) : 0;
	if (r == 0 && !str_is(h->uts_mode, "host"))
		r = add(b, "uts", e);
	if (r == 0 && is_container(h->pid_mode))
		r = join(b, "pid", h->pid_mode, "PID", e);
	else if (r == 0 && !str_is(h->pid_mode, "host"))
		r = add(b, "pid", e);
	if (r == 0 && is_container(h->ipc_mode))
		r = join(b, "ipc", h->ipc_mode, "IPC", e);
	else if (r == 0 && !str_is(h->ipc_mode, "host"))
		r = add(b, "ipc", e);
	if (r == 0 && str_is(h->cgroupns_mode, "private"))
		r = add(b, "cgroup", e);
	return r;
}

/* --- mounts */
static int shm(struct spec_build *b, struct err *e)
{
	struct container *c = b->c;
	const char *mode = str_or(c->host->ipc_mode, "private");
	if (c->pod && c->pod->shm)
		return MOUNT("/dev/shm", "bind", c->pod->shm, "rbind", "rprivate");
	if (!strcmp(mode, "none"))
		return 0;
	if (!strcmp(mode, "host"))
		return MOUNT("/dev/shm", "bind", "/dev/shm", "rbind", "rprivate");
	if (is_container(mode)) {
		AUTO(container) struct container *o = NULL;
		int r = container_find(c->engine, mode + 10, &o, e);
		if (r < 0)
			return r;
		const char *dir = arena_fmt(b->a, "%s/shm/%s", c->engine->config.run, o->id);
		return dir ? MOUNT("/dev/shm", "bind", dir, "rbind", "rprivate") : -ENOMEM;
	}
	if (!strcmp(mode, "shareable")) {
		const char *dir = arena_fmt(b->a, "%s/shm/%s", c->engine->config.run, c->id);
		return dir ? MOUNT("/dev/shm", "bind", dir, "rbind", "rprivate") : -ENOMEM;
	}
	const char *size = arena_fmt(b->a, "size=%lld", (long long)c->host->shm_size);
	return size ? MOUNT("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", size) : -ENOMEM;
}

static bool writable_cgroups(const struct docker_host_config *h)
{
	for (uint32_t i = 0; i < h->n_security_opt; i++)
		if (!strcmp(h->security_opt[i], "writable-cgroups=true"))
			return true;
	return h->privileged;
}

static int system_mounts(struct spec_build *b, struct err *e)
{
	const struct docker_host_config *h = b->c->host;
	const char *ro = h->privileged ? "rw" : "ro", *cg = writable_cgroups(h) ? "rw" : "ro";
	int r = 0;
	/* everything may be replaced by the user's own mounts, which come later and win */
	r = r ? r : MOUNT("/proc", "proc", "proc", "nosuid", "noexec", "nodev");
	r = r ? r : MOUNT("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k");
	r = r ? r : MOUNT("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5");
	r = r ? r : MOUNT("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", ro);
	r = r ? r : MOUNT("/sys/fs/cgroup", "cgroup", "cgroup", cg, "nosuid", "noexec", "nodev");
	r = r ? r : MOUNT("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev");
	return r ? r : shm(b, e);
}

static int user_mount(struct spec_build *b, const struct mount_point *p, struct err *e)
{
	const char *o[8];
	uint32_t n = 0;
	const char *source = p->source;
	if (!strcmp(p->type, "tmpfs")) {
		const char **opts = NULL;
		uint32_t n_opts = 0;
		struct slice rest = slice_of(str_or(p->tmpfs_options, "")), one;
		strings_push(b->a, &opts, &n_opts, "noexec");
		strings_push(b->a, &opts, &n_opts, "nosuid");
		strings_push(b->a, &opts, &n_opts, "nodev");
		while (slice_next(&rest, ',', &one))
			if (one.len && strings_push(b->a, &opts, &n_opts, arena_dup(b->a, one)) < 0)
				return err_nomem(e);
		return vec_push(&b->mounts, (struct oci_mount){ p->target, "tmpfs", "tmpfs", opts, n_opts }) < 0 ? err_nomem(e) : 0;
	}
	if (p->subpath && *p->subpath)
		source = arena_fmt(b->a, "%s/%s", source, p->subpath);
	o[n++] = p->non_recursive ? "bind" : "rbind";
	if (!p->rw)
		o[n++] = p->ro_non_recursive || p->non_recursive ? "ro" : "rro";
	o[n++] = str_or(p->propagation, "rprivate");
	o[n] = NULL;
	if (strstr(str_or(p->propagation, ""), "shared"))
		b->linux_->rootfs_propagation = "shared";
	else if (strstr(str_or(p->propagation, ""), "slave") && !b->linux_->rootfs_propagation)
		b->linux_->rootfs_propagation = "slave";
	return mount_add(b, p->target, "bind", source, o) < 0 ? err_nomem(e) : 0;
}

/* An image's layers as a read-only mount. */
static int image_mount(struct spec_build *b, const struct mount_point *p, struct err *e)
{
	const char **lower;
	size_t n;
	int r = image_lowerdirs(b->c->engine->config.images, p->image_id, b->a, &lower, &n, e);
	if (r < 0)
		return r;
	if (n == 1)
		return MOUNT(p->target, "bind", p->subpath && *p->subpath ? arena_fmt(b->a, "%s/%s", lower[0], p->subpath) : lower[0], "rbind", "rro", "rprivate");
	if (p->subpath && *p->subpath)
		return err_set(e, EOPNOTSUPP, "invalid mount config for type \"image\": a subpath of an image with several layers cannot be mounted");
	AUTO(buf) struct buf o = BUF_INIT(1 << 20);
	buf_adds(&o, "lowerdir=");
	for (size_t i = 0; i < n; i++)
		buf_addf(&o, "%s%s", i ? ":" : "", lower[i]);
	const char *opt = arena_dup(b->a, buf_slice(&o));
	return opt ? MOUNT(p->target, "overlay", "overlay", "ro", opt) : err_nomem(e);
}

static int tmpfs_mount(struct spec_build *b, const struct schema_pair *t, struct err *e)
{
	const char **opts = NULL;
	uint32_t n = 0;
	static const char *const base[] = { "noexec", "nosuid", "nodev" };
	static const char *const undo[] = { "exec", "suid", "dev" };
	struct slice rest = slice_of(t->value ? t->value : ""), one;
	for (size_t i = 0; i < ARRAY_LEN(base); i++) {
		bool undone = false;
		struct slice scan = rest;
		while (slice_next(&scan, ',', &one))
			undone = undone || slice_is(one, undo[i]);
		if (!undone)
			strings_push(b->a, &opts, &n, base[i]);
	}
	while (slice_next(&rest, ',', &one))
		if (one.len && strings_push(b->a, &opts, &n, arena_dup(b->a, one)) < 0)
			return err_nomem(e);
	return vec_push(&b->mounts, (struct oci_mount){ t->key, "tmpfs", "tmpfs", opts, n }) < 0 ? err_nomem(e) : 0;
}

static bool target_taken(const struct container *c, const char *target)
{
	for (uint32_t i = 0; i < c->n_mounts; i++)
		if (!strcmp(c->mounts[i].target, target))
			return true;
	return false;
}

static int network_files(struct spec_build *b, struct err *e)
{
	static const char *const names[] = { "resolv.conf", "hostname", "hosts" };
	struct container *owner = b->c->pod ? NULL : netting_joined(b->c);
	const char *dir = b->c->pod ? b->c->pod->files : container_dir(owner ? owner : b->c, b->a);
	container_unref(owner);
	for (size_t i = 0; dir && i < ARRAY_LEN(names); i++) {
		const char *target = arena_fmt(b->a, "/etc/%s", names[i]), *source = arena_fmt(b->a, "%s/%s", dir, names[i]);
		if (!target || !source)
			return err_nomem(e);
		if (target_taken(b->c, target) || (b->c->pod && access(source, F_OK) < 0))
			continue;
		if (MOUNT(target, "bind", source, "rbind", "rprivate") < 0)
			return err_nomem(e);
	}
	return 0;
}

static unsigned depth(const char *p)
{
	unsigned n = 0;
	for (; *p; p++)
		n += *p == '/' && p[1];
	return n;
}

/* Stable: outer places first. The system's come first anyway. */
static void sort_by_depth(struct oci_mount *v, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct oci_mount m = v[i];
		size_t k = i;
		for (; k && depth(v[k - 1].destination) > depth(m.destination); k--)
			v[k] = v[k - 1];
		v[k] = m;
	}
}

int spec_mounts(struct spec_build *b, struct err *e)
{
	struct container *c = b->c;
	int r = system_mounts(b, e);
	if (r < 0)
		return e->code ? r : err_nomem(e);
	size_t own = b->mounts.n;
	r = network_files(b, e);
	for (uint32_t i = 0; r == 0 && i < c->n_mounts; i++)
		r = !strcmp(c->mounts[i].type, "image") ? image_mount(b, &c->mounts[i], e) : user_mount(b, &c->mounts[i], e);
	for (uint32_t i = 0; r == 0 && i < c->host->n_tmpfs; i++)
		r = tmpfs_mount(b, &c->host->tmpfs[i], e);
	bool init = c->pod ? false : c->host->init ? *c->host->init : c->engine->config.use_init;
	if (r == 0 && init)
		r = MOUNT("/sbin/docker-init", "bind", c->engine->config.runtime, "bind", "ro", "rprivate") < 0 ? err_nomem(e) : 0;
	if (r < 0)
		return r;
	sort_by_depth(b->mounts.v + own, b->mounts.n - own);
	/* a user's mount on one of the system's places replaces it */
	for (size_t i = own; i < b->mounts.n; i++) {
		for (size_t k = 0; k < own; k++) {
			if (strcmp(b->mounts.v[k].destination, b->mounts.v[i].destination))
				continue;
			vec_remove(&b->mounts, k);
			own--;
			i--;
			break;
		}
	}
	return 0;
}
