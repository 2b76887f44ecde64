/* SPDX-License-Identifier: Apache-2.0 */
/* What one container sees of its pod's folder: volumes and their subPaths, /etc/hosts, the file for its last words. */
#include "kube/node/node_int.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "sys/kernel.h"
#include "sys/mounts.h"
#include "sys/rootpath.h"

static int64_t fs_group(const struct kube_pod *pod)
{
	const struct kube_pod_security_context *s = pod->spec.security_context;
	return s && s->fs_group ? *s->fs_group : -1;
}

struct sub_job {
	const char *volume, *sub, *target;
	int64_t gid;
	struct err e;
};

/* The subPath, opened below its volume so that no link leads out, bound where nobody can change it. */
static int bind_sub_path(void *arg)
{
	struct sub_job *j = arg;
	AUTO(close) int root = open(j->volume, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (root < 0)
		return err_sys(&j->e, errno, "opening %s", j->volume);
	int r = path_open_beneath(root, j->sub, O_PATH, 0);
	if (r == -ENOENT) {
		/* inside the volume, whatever links are made there meanwhile */
		r = sys_root_make(root, j->sub, true, 0750, &j->e);
		if (r >= 0)
			close(r);
		if (r >= 0)
			r = path_open_beneath(root, j->sub, O_PATH, 0);
		if (r >= 0 && j->gid >= 0)
			(void)!fchownat(r, "", (uid_t)-1, (gid_t)j->gid, AT_EMPTY_PATH);
		if (r >= 0) {
			char link[32];
			sys_fd_path(link, r);
			chmod(link, j->gid >= 0 ? 02775 : 0755);
		}
	}
	AUTO(close) int fd = r;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(&j->e, r < 0 ? r : errno, "failed to prepare subPath for volumeMount: %s in %s", j->sub, j->volume);
	umount2(j->target, MNT_DETACH | UMOUNT_NOFOLLOW);
	AUTO(close) int slash = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = sys_root_make(slash, j->target, S_ISDIR(st.st_mode), 0755, &j->e);
	if (r < 0)
		return r;
	AUTO(close) int target = r;
	AUTO(close) int tree = sys_bind_open(fd, "", true);
	r = tree < 0 ? tree : sys_mount_attach(tree, target);
	return r < 0 ? err_sys(&j->e, r, "binding %s", j->target) : 0;
}

static int sub_path_wait(const struct config_in *in, const struct pod_container *c, const struct kube_volume_mount *m, unsigned index, const char *volume,
	const char *sub, struct arena *a, const char **ret, struct err *e)
{
	struct slice rest = slice_of(sub), piece;
	struct sub_job j = { .volume = volume, .sub = sub, .gid = fs_group(in->pod) };

	if (*sub == '/')
		return err_set(e, EINVAL, "error SubPath `%s` must not be an absolute path", sub);
	while (slice_next(&rest, '/', &piece))
		if (slice_is(piece, ".."))
			return err_set(e, EINVAL, "unable to provision SubPath `%s`: must not contain '..'", sub);
	j.target = *ret = arena_fmt(a, "%s/%s/volume-subpaths/%s/%s/%u", in->set->pods_dir, in->pod->metadata.uid, m->name, c->spec->name, index);
	int r = j.target ? job_wait(bind_sub_path, &j) : -ENOMEM;
	if (r < 0)
		*e = j.e;
	return r;
}

static int propagation_of(const char *s)
{
	return s && !strcmp(s, "Bidirectional") ? CRI_MOUNT_PROPAGATION_BIDIRECTIONAL : s && !strcmp(s, "HostToContainer") ?
		CRI_MOUNT_PROPAGATION_HOST_TO_CONTAINER : CRI_MOUNT_PROPAGATION_PRIVATE;
}

static int mount_one_wait(const struct config_in *in, const struct pod_container *c, unsigned index, const struct schema_pair *env, uint32_t n_env,
	struct arena *a, struct cri_mount *ret, struct err *e)
{
	const struct kube_volume_mount *m = &c->spec->volume_mounts[index];
	const struct kube_volume *v = NULL;
	const char *path, *sub = m->sub_path;
	bool read_only;

	for (uint32_t i = 0; i < in->pod->spec.n_volumes && !v; i++)
		if (!strcmp(in->pod->spec.volumes[i].name, m->name))
			v = &in->pod->spec.volumes[i];
	if (!v)
		return err_set(e, EINVAL, "volume \"%s\" of container %s is not in the pod", m->name, c->spec->name);
	*ret = (struct cri_mount){ .container_path = *m->mount_path == '/' ? m->mount_path : arena_fmt(a, "/%s", m->mount_path),
		.propagation = propagation_of(m->mount_propagation) };
	if (v->image) {
		ret->image = arena_new(a, struct cri_image_spec);
		if (!ret->image)
			return err_nomem(e);
		ret->image->image = v->image->reference;
		ret->image_sub_path = sub;
		ret->readonly = true;
		return 0;
	}
	int r = volume_path_wait(in, v, a, &path, &read_only, e);
	if (r < 0)
		return r;
	if (m->sub_path_expr && *m->sub_path_expr)
		sub = env_expand(a, m->sub_path_expr, env, n_env);
	if (sub && *sub) {
		r = sub_path_wait(in, c, m, index, path, sub, a, &path, e);
		if (r < 0)
			return r;
	}
	ret->host_path = path;
	ret->readonly = m->read_only || read_only;
	ret->recursive_read_only = m->read_only && m->recursive_read_only && strcmp(m->recursive_read_only, "Disabled");
	return 0;
}

struct message_job { const char *dir; };

static int touch_message(void *arg)
{
	struct message_job *j = arg;
	char parent[4096];
	const char *slash = strrchr(j->dir, '/');

	fmt_into(parent, sizeof parent, "%.*s", (int)(slash - j->dir), j->dir);
	int r = dir_make(AT_FDCWD, parent, 0755);
	if (r < 0)
		return r;
	AUTO(close) int fd = open(j->dir, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
	if (fd < 0)
		return -errno;
	fchmod(fd, 0666);
	return 0;
}

int volumes_mounts_wait(const struct config_in *in, const struct pod_container *c, const struct schema_pair *env, uint32_t n_env, uint32_t attempt,
	struct arena *a, struct cri_mount **ret, uint32_t *n, struct err *e)
{
	const struct kube_container *s = c->spec;
	struct cri_mount *v = arena_array(a, s->n_volume_mounts + 3, sizeof *v);
	bool own_hosts = true;
	int r = v ? 0 : err_nomem(e);

	*n = 0;
	for (uint32_t i = 0; i < s->n_volume_mounts && r >= 0; i++) {
		r = mount_one_wait(in, c, i, env, n_env, a, &v[*n], e);
		own_hosts &= strcmp(s->volume_mounts[i].mount_path, "/etc/hosts") != 0;
		(*n)++;
	}
	if (r < 0)
		return r;
	if (own_hosts)
		v[(*n)++] = (struct cri_mount){ .container_path = "/etc/hosts", .host_path = arena_fmt(a, "%s/%s/etc-hosts", in->set->pods_dir,
			in->pod->metadata.uid) };
	struct message_job j = { .dir = termination_log_path(in->set, in->pod, s->name, attempt, a) };
	r = j.dir ? job_wait(touch_message, &j) : -ENOMEM;
	if (r < 0)
		return err_sys(e, r, "preparing %s", j.dir ? j.dir : "the termination message");
	v[(*n)++] = (struct cri_mount){ .container_path = s->termination_message_path && *s->termination_message_path ? s->termination_message_path :
		"/dev/termination-log", .host_path = j.dir };
	*ret = v;
	return 0;
}

/* --- /etc/hosts ---------------------------------------------------------------------------------------------- */

struct hosts_job { const char *path; struct slice text; struct err e; };

/* In place: containers have the file itself mounted. */
static int write_hosts(void *arg)
{
	struct hosts_job *j = arg;
	AUTO(buf) struct buf old = BUF_INIT(4 << 20);

	if (file_read(AT_FDCWD, j->path, &old) == 0 && slice_eq(buf_slice(&old), j->text))
		return 0;
	AUTO(close) int fd = open(j->path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0 || ftruncate(fd, 0) < 0)
		return err_sys(&j->e, errno, "writing %s", j->path);
	fchmod(fd, 0644);
	int r = fd_write_all(fd, j->text.ptr, j->text.len);
	return r < 0 ? err_sys(&j->e, r, "writing %s", j->path) : 0;
}

static void hosts_text(const struct config_in *in, struct arena *a, struct buf *b)
{
	const char *name, *domain;

	if (pod_is_host_network(in->pod)) {
		buf_adds(b, "# Kubernetes-managed hosts file (host network).\n");
		file_read(AT_FDCWD, "/etc/hosts", b);
	} else {
		buf_adds(b, "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\n"
			"fe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n");
		pod_hostname(in, a, &name, &domain);
		for (unsigned i = 0; i < in->n_pod_ips; i++) {
			if (*domain)
				buf_addf(b, "%s\t%s.%s\t%s\n", in->pod_ips[i], name, domain, name);
			else
				buf_addf(b, "%s\t%s\n", in->pod_ips[i], name);
		}
	}
	if (!in->pod->spec.n_host_aliases)
		return;
	buf_adds(b, "\n# Entries added by HostAliases.\n");
	for (uint32_t i = 0; i < in->pod->spec.n_host_aliases; i++) {
		const struct kube_host_alias *h = &in->pod->spec.host_aliases[i];
		buf_adds(b, h->ip);
		for (uint32_t k = 0; k < h->n_hostnames; k++)
			buf_addf(b, "\t%s", h->hostnames[k]);
		buf_addc(b, '\n');
	}
}

int volumes_hosts_wait(const struct config_in *in, struct err *e)
{
	AUTO(buf) struct buf b = BUF_INIT(4 << 20);
	struct hosts_job j = { 0 };
	struct arena a;

	arena_init(&a, 1 << 20);
	hosts_text(in, &a, &b);
	j.path = arena_fmt(&a, "%s/%s/etc-hosts", in->set->pods_dir, in->pod->metadata.uid);
	j.text = buf_slice(&b);
	int r = job_wait(write_hosts, &j);
	if (r < 0)
		*e = j.e;
	arena_release(&a);
	return r;
}
